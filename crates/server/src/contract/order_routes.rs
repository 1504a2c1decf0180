//! Routes of orders, of the catalogue, of adjustments and of workers.

use ordercast_domain::decide::MAX_REASON_BYTES;
use ordercast_domain::transition::ActionName;
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::limits::{MAX_BODY_BYTES, MAX_IDEMPOTENCY_KEY_BYTES, MAX_SKU_BYTES, MAX_TEXT_BYTES};
use ordercast_store::search::MAX_SEARCH_BYTES;
use serde_json::{Value, json};

use super::operation::Operation;
use super::orders::{action_request, actions, id, statuses};
use super::schema::{about, answer, count, filled, flag, instant, list, named, one_of, or_null, strict, string, text};
use crate::operations::orders::{DEFAULT_PAGE, MAX_PAGE};
use crate::resources::adjustments;

const ORDERS: &str = "Orders";
const CATALOGUE: &str = "Catalogue";
const ADJUSTMENTS: &str = "Adjustments";
const WORK: &str = "Work";
/// Content types of lines of JSON.
const LINES: &[&str] = &["application/x-ndjson"];
/// What the search of a list finds.
const FINDS: &str = "A number such as `#1042`, the beginning or end of an id, a part of the customer's text or of a SKU, in \
                     either case. Orders that it names by number or by the beginning of their id come first.";

fn etag() -> Value {
    about(json!({"type": "string", "pattern": "^\"[0-9]+\"$"}), "The order's version in quotes, for `If-Match`.")
}

fn replayed() -> Value {
    about(one_of(&["true"]), "The request had been carried out before.")
}

fn key(operation: Operation) -> Operation {
    let most = MAX_IDEMPOTENCY_KEY_BYTES - 2;
    let pattern = format!("^[!-~]([ -~]{{0,{most}}}[!-~])?$");
    operation.header(
        "Idempotency-Key",
        json!({"type": "string", "pattern": pattern}),
        "The same request under the same key is carried out once. Keys live as long as the order.",
    )
}

/// Bounds of a page.
pub(super) fn limit(default: u64, most: u64) -> Value {
    about(json!({"type": "integer", "minimum": 1, "maximum": most}), &format!("{default} without it."))
}

fn cursor() -> Value {
    json!({"type": "string", "pattern": "^[0-9]{1,18}$"})
}

fn order_id(operation: Operation) -> Operation {
    operation.at("id", id(), "The order's id.").fails(&[ErrorCode::NotFound])
}

/// Orders: placing, finding, listing.
pub(super) fn orders() -> Vec<Operation> {
    let place = Operation::new("post", "/orders", "placeOrder", ORDERS, "Place an order")
        .takes(named("OrderRequest"))
        .gives(201, "It is durable.", named("Order"))
        .with_header("ETag", true, etag())
        .with_header("Location", true, string())
        .gives(200, "It was accepted before.", named("Order"))
        .with_header("ETag", true, etag())
        .with_header("Idempotency-Replayed", true, replayed())
        .fails(&[ErrorCode::InvalidOrder, ErrorCode::IdempotencyConflict, ErrorCode::OutOfStock])
        .fails(&[ErrorCode::UnknownProduct, ErrorCode::PriceDiffers])
        .commands();
    let many = Operation::new("post", "/orders/bulk", "placeOrders", ORDERS, "Place many orders, one a line")
        .takes_as(LINES, list(named("OrderRequest")), true)
        .gives_as(
            200,
            "A line for each line, in their order, each once its order is durable.",
            LINES,
            list(named("BulkAnswer")),
        )
        .fails(&[ErrorCode::UnsupportedMediaType]);
    let names: Vec<_> = statuses().into_iter().chain(["active"]).collect();
    let page = json!({"type": "integer", "enum": [1, 2, 3]});
    let look = Operation::new("get", "/orders", "listOrders", ORDERS, "List orders, the newest first")
        .asks("q", filled(MAX_SEARCH_BYTES), FINDS)
        .asks("status", one_of(&names), "A status, or the lane of active orders.")
        .asks("priority", page, "1 high, 2 medium, 3 low.")
        .asks("customer_id", string(), "The opaque id.")
        .asks("from", instant(), "Accepted then or later.")
        .asks("to", instant(), "Accepted before.")
        .asks("limit", limit(DEFAULT_PAGE as u64, MAX_PAGE as u64), "Most orders of the page.")
        .asks("cursor", cursor(), "What `next` said.")
        .gives(200, "A page; it may have fewer orders than asked for and a `next` all the same.", named("OrderList"));
    let one = order_id(Operation::new("get", "/orders/{id}", "getOrder", ORDERS, "Look at an order"))
        .gives(200, "The order.", named("WholeOrder"))
        .with_header("ETag", true, etag());
    let after = json!({"type": "integer", "minimum": 0, "maximum": i64::MAX});
    let told = Operation::new("get", "/orders/{id}/events", "listOrderEvents", ORDERS, "What happened to an order");
    let told = order_id(told)
        .asks("after", after, "Only events above this offset.")
        .asks("limit", limit(DEFAULT_PAGE as u64, MAX_PAGE as u64), "Most events of the page.")
        .gives(200, "The oldest first.", named("OrderEventList"));
    let mut all = vec![place, look, many, redrive(), one, told];
    all.extend(actions().into_iter().map(act));
    all
}

fn redrive() -> Operation {
    let request = json!({
        "status": one_of(&["failed"]),
        "customer_id": or_null(text(MAX_TEXT_BYTES)),
        "from": or_null(instant()),
        "to": or_null(instant()),
        "error": about(or_null(text(MAX_TEXT_BYTES)), "A part of the last error."),
        "limit": or_null(limit(1_000, 10_000)),
        "cursor": or_null(cursor()),
        "reason": about(or_null(text(MAX_REASON_BYTES)), "Required unless `dry_run` is set."),
        "dry_run": or_null(flag()),
    });
    let gives = json!({
        "dry_run": flag(),
        "matched": count(),
        "retried": count(),
        "moved_on": about(count(), "Those that somebody else had moved on meanwhile."),
        "ids": about(list(string()), "The first that matched."),
        "next": about(or_null(cursor()), "The cursor of the next request, if there may be more."),
    });
    Operation::new("post", "/orders/retry", "retryOrders", ORDERS, "Try failed orders again by filter, or count them")
        .takes(strict(&["status"], request))
        .gives(
            200,
            "What became of them.",
            answer(&["dry_run", "matched", "retried", "moved_on", "ids", "next"], gives),
        )
        .fails(&[ErrorCode::InvalidAction])
        .commands()
}

fn act(action: ActionName) -> Operation {
    let name = action.name();
    let summary = match action {
        ActionName::Start => "Start a scheduled order now",
        ActionName::Reschedule => "Start a scheduled order at another time",
        ActionName::Hold => "Hold an order for a person to look at",
        ActionName::Release => "Let a held order go on",
        ActionName::Reject => "Refuse a held order",
        ActionName::Cancel => "Call an order off",
        ActionName::Retry => "Try a failed order anew",
        ActionName::Complete => "Call a failed order done",
        ActionName::Fulfil => "Ship lines, or parts of them",
        ActionName::Refund => "Give money back",
        ActionName::Return => "Take goods back",
        // Not for people, and so not asked for here.
        ActionName::Claim | ActionName::Finish | ActionName::BackOff | ActionName::GiveBack | ActionName::Fail => "",
    };
    let operation = Operation::new("post", &format!("/orders/{{id}}/{name}"), &format!("{name}Order"), ORDERS, summary);
    let operation = order_id(operation).header(
        "If-Match",
        json!({"type": "string", "pattern": "^(\\*|\"[0-9]{1,9}\")$"}),
        "The version that it is meant for, as in `ETag`.",
    );
    let schema = action_request(action);
    let is_required = schema["required"].as_array().is_some_and(|required| !required.is_empty());
    let operation = if is_required { key(operation).takes(schema) } else { key(operation).may_take(schema) };
    operation
        .gives(200, "The order once that is durable.", named("WholeOrder"))
        .with_header("ETag", true, etag())
        .with_header("Idempotency-Replayed", false, replayed())
        .fails(&[ErrorCode::InvalidAction, ErrorCode::InvalidTransition, ErrorCode::StaleVersion])
        .fails(&[ErrorCode::IdempotencyConflict])
        .commands()
}

/// Products.
pub(super) fn catalogue() -> Vec<Operation> {
    let look = Operation::new("get", "/products", "listProducts", CATALOGUE, "List the catalogue").gives(
        200,
        "All products.",
        named("ProductList"),
    );
    let store = Operation::new("post", "/products", "storeProducts", CATALOGUE, "Store products, all or none")
        .takes(named("ProductsRequest"))
        .gives(200, "How many were stored, and how many of them are new or others than before.", named("Stored"))
        .fails(&[ErrorCode::InvalidProduct])
        .commands();
    let change = Operation::new("patch", "/products/{sku}", "changeProduct", CATALOGUE, "Change a product")
        .at("sku", json!({"type": "string", "minLength": 1, "maxLength": MAX_SKU_BYTES}), "Its SKU.")
        .takes(named("ProductPatch"))
        .gives(200, "The product.", named("Product"))
        .fails(&[ErrorCode::InvalidProduct, ErrorCode::UnknownProduct])
        .commands();
    let one = Operation::new("get", "/products/{sku}", "getProduct", CATALOGUE, "Look at a product")
        .at("sku", json!({"type": "string", "minLength": 1, "maxLength": MAX_SKU_BYTES}), "Its SKU.")
        .gives(200, "The product.", named("Product"))
        .fails(&[ErrorCode::NotFound]);
    vec![look, store, one, change]
}

/// Money facts that are no orders.
pub(super) fn adjustments() -> Vec<Operation> {
    let look = Operation::new("get", "/adjustments", "listAdjustments", ADJUSTMENTS, "List adjustments")
        .asks("limit", limit(adjustments::DEFAULT_PAGE, adjustments::MAX_PAGE), "Most of the page.")
        .asks("cursor", cursor(), "What `next` said.")
        .gives(200, "In the order they were stored.", named("AdjustmentList"));
    let store = Operation::new("post", "/adjustments", "storeAdjustment", ADJUSTMENTS, "Store an adjustment")
        .takes(named("AdjustmentRequest"))
        .gives(201, "It is durable.", named("Adjustment"))
        .gives(200, "It was stored before.", named("Adjustment"))
        .with_header("Idempotency-Replayed", true, replayed())
        .fails(&[ErrorCode::InvalidAdjustment, ErrorCode::IdempotencyConflict])
        .commands();
    vec![look, store]
}

/// Workers outside the process.
pub(super) fn work() -> Vec<Operation> {
    let claim = Operation::new("post", "/work/claim", "claimWork", WORK, "Claim orders, or wait for some")
        .may_take(named("Claim"))
        .gives(200, "Orders with their tokens, under a lease. `lease` is null when there are none.", named("Claimed"))
        .fails(&[ErrorCode::InvalidAction, ErrorCode::LeaseEnded, ErrorCode::Internal])
        .commands();
    let lease = "The lease that a claim gave.";
    let beat = Operation::new("post", "/work/{id}/heartbeat", "renewLease", WORK, "Renew a lease, every two seconds")
        .at("id", string(), lease)
        .may_take(named("Heartbeat"))
        .gives(200, "What is still the worker's.", named("Renewed"))
        .fails(&[ErrorCode::InvalidAction, ErrorCode::LeaseEnded])
        .commands();
    let told = |verb: &str, id: &str, summary: &str, schema: &str| {
        order_id(Operation::new("post", &format!("/work/{{id}}/{verb}"), id, WORK, summary))
            .takes(named(schema))
            .gives(200, "The order once that is durable.", named("WholeOrder"))
            .with_header("ETag", true, etag())
            .with_header("Idempotency-Replayed", false, replayed())
            .fails(&[ErrorCode::InvalidAction, ErrorCode::StaleToken, ErrorCode::AlreadyReported])
            .commands()
    };
    vec![
        claim,
        beat,
        told("complete", "completeWork", "The work on an order is done", "WorkDone"),
        told("fail", "failWork", "The work on an order failed", "WorkFailed"),
        told("release", "releaseWork", "Give an order back; the attempt is not charged", "WorkDone"),
    ]
}

/// Rules of bodies that a schema cannot express.
pub(super) fn bounds() -> String {
    format!("A body, and a line of a body of lines, has at most {MAX_BODY_BYTES} bytes.")
}
