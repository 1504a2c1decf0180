//! Routes of queues and customers that are held back.

use ordercast_domain::decide::MAX_REASON_BYTES;
use ordercast_domain::status::Lane;
use ordercast_protocol::error::ErrorCode;
use serde_json::{Value, json};

use super::operation::Operation;
use super::schema::{about, answer, count, flag, instant, list, one_of, or_null, strict, string, text};
use crate::resources::queues::MAX_CUSTOMER_BYTES;

const QUEUES: &str = "Queues";

/// An opaque id of a customer.
fn name() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": MAX_CUSTOMER_BYTES, "not": {"enum": [".", ".."]}})
}

fn queues() -> Vec<&'static str> {
    std::iter::once("all").chain(Lane::ALL.map(Lane::name)).collect()
}

/// What is held back: a queue or a customer.
fn scope() -> Value {
    json!({"queue": one_of(&queues()), "customer_id": string()})
}

fn with_scope(required: &[&str], fields: Value) -> Value {
    answer(required, super::schema::with(scope(), fields))
}

fn switch(path: &str, verb: &str, id: &str, summary: &str) -> Operation {
    let request = json!({"reason": or_null(text(MAX_REASON_BYTES))});
    let gives = json!({"paused": flag(), "changed": about(flag(), "Whether it was otherwise before.")});
    Operation::new("post", &format!("{path}/{verb}"), id, QUEUES, summary)
        .may_take(strict(&[], request))
        .gives(200, "How it is now.", with_scope(&["paused", "changed"], gives))
        .fails(&[ErrorCode::InvalidAction, ErrorCode::NotFound])
        .commands()
}

/// All of them.
pub(super) fn operations() -> Vec<Operation> {
    let pause = json!({
        "since": instant(),
        "actor": string(),
        "reason": string(),
        "ending": about(flag(), "It was ended, and its orders are being let go."),
        "parked": about(count(), "Orders that came up and wait for its end."),
    });
    let pauses = list(with_scope(&["since", "actor", "ending", "parked"], pause));
    let limits = json!({
        "max_active": about(count(), "Most orders in work, in all; absent when there is no limit."),
        "max_active_per_customer": about(count(), "Most orders of one customer in work; absent when there is no limit."),
        "parked": about(count(), "Orders that came up while their customers had as many in work as is allowed."),
    });
    let look = json!({
        "ready": about(count(), "Orders that wait for a worker; those that are parked do not count."),
        "active": count(),
        "limits": answer(&["parked"], limits),
        "pauses": pauses,
    });
    let look = Operation::new("get", "/queues", "listQueues", QUEUES, "What waits, what is in work, what is held back")
        .gives(200, "As of now.", answer(&["ready", "active", "limits", "pauses"], look));
    let queue = |operation: Operation| operation.at("queue", one_of(&queues()), "A lane, or all of them.");
    let customer = |operation: Operation| operation.at("customer_id", name(), "The opaque id.");
    let (of_queue, of_customer) = ("/queues/{queue}", "/customers/{customer_id}");
    vec![
        look,
        queue(switch(of_queue, "pause", "pauseQueue", "Start no more orders of a queue")),
        queue(switch(of_queue, "resume", "resumeQueue", "Start orders of a queue again")),
        customer(switch(of_customer, "pause", "pauseCustomer", "Start no more orders of a customer")),
        customer(switch(of_customer, "resume", "resumeCustomer", "Start orders of a customer again")),
    ]
}
