//! An example of every body that is taken, by the name of its operation.

use serde_json::{Value, json};

/// What a request may look like; `None` for operations without a JSON body.
pub(super) fn of_request(operation: &str) -> Option<Value> {
    order_request(operation).or_else(|| work_request(operation)).or_else(|| server_api_request(operation))
}

fn order() -> Value {
    json!({
        "items": [{"sku": "flat-white", "quantity": 2, "price": 3.60}],
        "customer": "john.doe@example.com",
        "address": "123 Main St",
    })
}

fn order_request(operation: &str) -> Option<Value> {
    let reason = |text: &str| json!({"reason": text});
    Some(match operation {
        "placeOrder" => order(),
        // A line of the body.
        "placeOrders" => json!([order()]),
        "retryOrders" => json!({"status": "failed", "reason": "the printer works again"}),
        "startOrder" => reason("the customer is here already"),
        "rescheduleOrder" => json!({"run_at": "2099-03-01T09:00:00", "time_zone": "Europe/Berlin"}),
        "holdOrder" => json!({"reason": "the address looks wrong", "until": "2099-03-01T09:00:00Z"}),
        "releaseOrder" => reason("the customer confirmed the address"),
        "rejectOrder" => reason("nobody answers at this number"),
        "cancelOrder" => reason("ordered twice"),
        "retryOrder" => reason("the printer works again"),
        "completeOrder" => reason("made by hand"),
        "fulfilOrder" => json!({"lines": [{"line": 0, "quantity": 1}]}),
        "refundOrder" => json!({"amount": 3.60, "reason": "one cup was cold"}),
        "returnOrder" => json!({"lines": [{"line": 0, "quantity": 1}], "amount": 3.60, "restock": true}),
        "pauseQueue" | "pauseCustomer" => reason("the kitchen is closed for an hour"),
        "resumeQueue" | "resumeCustomer" => reason("open again"),
        "storeProducts" => {
            json!([{"sku": "flat-white", "name": "Flat white", "price": 3.60, "currency": "EUR", "stock": 100}])
        }
        "changeProduct" => json!({"price": 3.80, "stock_change": -2}),
        "storeAdjustment" => json!({
            "id": "C536379", "kind": "cancellation", "currency": "EUR",
            "items": [{"sku": "flat-white", "quantity": -1, "price": 3.60}],
        }),
        _ => return None,
    })
}

fn work_request(operation: &str) -> Option<Value> {
    Some(match operation {
        "claimWork" => json!({"worker": "kitchen-1", "capacity": 4, "wait_s": 20}),
        "renewLease" => json!({}),
        "completeWork" | "releaseWork" => json!({"lease": "01j0c1", "token": 1}),
        "failWork" => {
            json!({"lease": "01j0c1", "token": 1, "outcome": "retry", "reason": "the oven is cold", "retry_after_s": 60})
        }
        _ => return None,
    })
}

fn server_api_request(operation: &str) -> Option<Value> {
    let connect = || json!({"id": 1, "connect": {}});
    let publish = || json!({"channel": "news:today", "data": {"text": "fresh bread"}});
    Some(match operation {
        "openHttpStream" | "openSseByPost" => connect(),
        "sendCommands" => json!({"session": "5f1c", "node": "a1b2", "data": "{\"id\":2,\"ping\":{}}"}),
        "api_publish" => publish(),
        "api_broadcast" => json!({"channels": ["news:today", "news:all"], "data": {"text": "fresh bread"}}),
        "api_subscribe" | "api_unsubscribe" => json!({"user": "anna", "channel": "news:today"}),
        "api_disconnect" => json!({"user": "anna"}),
        "api_refresh" => json!({"user": "anna", "expire_at": 4_070_908_800_u64}),
        "api_presence" | "api_presence_stats" | "api_history_remove" => json!({"channel": "news:today"}),
        "api_history" => json!({"channel": "news:today", "limit": 10}),
        "api_channels" => json!({"pattern": "news:*"}),
        "api_info" => json!({}),
        "api_batch" => json!({"commands": [{"publish": publish()}]}),
        _ => return None,
    })
}
