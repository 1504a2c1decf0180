//! Schemas of the catalogue, of adjustments, of workers, and of figures about the server.

use ordercast_domain::adjustment::AdjustmentKind;
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::intake::{ADJUSTMENT_SERVER_FIELDS, PRODUCT_SERVER_FIELDS};
use ordercast_protocol::limits::{MAX_SKU_BYTES, MAX_TEXT_BYTES};
use serde_json::{Map, Value, json};

use super::orders::{adjusted_items, id, unit_price};
use super::schema::{
    about, answer, count, counts, currency, flag, instant, list, money, named, one_of, or_null, strict, strict_beside,
    string, text, with,
};
use crate::resources::products::MAX_PRODUCTS;
use crate::resources::work::{MAX_CAPACITY, MAX_RETRY_AFTER_S, MAX_WAIT_S};

/// Most bytes of a worker's name and of a lease.
const MAX_NAME_BYTES: usize = 64;

/// An error over HTTP.
pub(super) fn problem() -> Value {
    let types = ErrorCode::ALL.map(|code| format!("/docs/errors/{}", code.name()));
    let titles = ErrorCode::ALL.map(ErrorCode::title);
    let mut statuses = ErrorCode::ALL.map(ErrorCode::http_status).to_vec();
    statuses.sort_unstable();
    statuses.dedup();
    let field = answer(&["pointer", "detail"], json!({"pointer": string(), "detail": string()}));
    let fields = json!({
        "type": {"type": "string", "enum": types},
        "title": {"type": "string", "enum": titles},
        "status": {"type": "integer", "enum": statuses},
        "detail": about(string(), "What is wrong this time, and how to mend it."),
        "order_id": about(string(), "The order that an id or key was used for before."),
        "version": about(count(), "The order's version, when another was expected."),
        "allowed": about(list(string()), "What can be done instead."),
        "errors": about(list(field), "Which fields are wrong: JSON pointers."),
    });
    answer(&["type", "title", "status", "detail"], fields)
}

fn stock() -> Value {
    about(json!({"type": ["integer", "null"], "minimum": 0, "maximum": i64::MAX}), "`null` when nobody counts.")
}

/// The fields of a product as it is shown.
pub(super) fn product_fields() -> Value {
    json!({
        "sku": string(),
        "hash": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
        "name": string(),
        "price": money(),
        "currency": currency(),
        "stock": stock(),
        "reserved": count(),
    })
}

/// What every product has.
pub(super) const PRODUCT: [&str; 7] = ["sku", "hash", "name", "price", "currency", "stock", "reserved"];

/// The fields of an adjustment as it is shown.
pub(super) fn adjustment_fields() -> Value {
    json!({
        "id": string(),
        "kind": one_of(&AdjustmentKind::ALL.map(AdjustmentKind::name)),
        "amount": money(),
        "rounding": money(),
        "currency": currency(),
        "customer_id": string(),
        "line_count": count(),
        "placed_at": instant(),
        "created_at": instant(),
    })
}

/// What every adjustment has.
pub(super) const ADJUSTMENT: [&str; 7] = ["id", "kind", "amount", "currency", "line_count", "placed_at", "created_at"];

/// Schemas of the catalogue and of adjustments.
pub(super) fn catalogue(schemas: &mut Map<String, Value>) {
    let request = json!({
        "sku": {"type": "string", "minLength": 1, "maxLength": MAX_SKU_BYTES, "not": {"enum": [".", ".."]}},
        "name": or_null(text(MAX_TEXT_BYTES)),
        "price": unit_price(false),
        "currency": or_null(currency()),
        "stock": stock(),
    });
    let patch = json!({
        "name": or_null(text(MAX_TEXT_BYTES)),
        "price": or_null(unit_price(false)),
        "stock": stock(),
        "stock_change": about(
            json!({"type": ["integer", "null"], "minimum": i64::MIN, "maximum": i64::MAX}),
            "Added to the stock; not beside `stock`.",
        ),
    });
    let adjustment = json!({
        "id": id(),
        "kind": one_of(&AdjustmentKind::ALL.map(AdjustmentKind::name)),
        "currency": or_null(currency()),
        "items": adjusted_items(),
        "customer": or_null(text(MAX_TEXT_BYTES)),
        "notes": or_null(text(MAX_TEXT_BYTES)),
        "placed_at": or_null(instant()),
    });
    let several = json!({"type": "array", "items": named("ProductRequest"), "maxItems": MAX_PRODUCTS});
    let page = json!({"adjustments": list(named("Adjustment")), "next": next()});
    schemas.extend([
        ("Product".to_owned(), answer(&PRODUCT, product_fields())),
        ("ProductRequest".to_owned(), strict_beside(&["sku", "price"], request, &PRODUCT_SERVER_FIELDS)),
        ("ProductsRequest".to_owned(), json!({"anyOf": [named("ProductRequest"), several]})),
        ("ProductPatch".to_owned(), strict(&[], patch)),
        (
            "ProductList".to_owned(),
            answer(&["products", "as_of"], json!({"products": list(named("Product")), "as_of": named("AsOf")})),
        ),
        ("Stored".to_owned(), answer(&["stored", "changed"], Value::Object(counts(&["stored", "changed"])))),
        ("Adjustment".to_owned(), answer(&ADJUSTMENT, adjustment_fields())),
        (
            "AdjustmentRequest".to_owned(),
            strict_beside(&["id", "kind", "items"], adjustment, &ADJUSTMENT_SERVER_FIELDS),
        ),
        ("AdjustmentList".to_owned(), answer(&["adjustments", "next"], page)),
    ]);
}

/// The cursor of the next page.
pub(super) fn next() -> Value {
    json!({"type": ["string", "null"], "description": "The `cursor` of the next page; `null` after the last."})
}

/// Schemas of workers outside the process.
pub(super) fn work(schemas: &mut Map<String, Value>) {
    let bounded = |most: i64| or_null(json!({"type": "integer", "minimum": 0, "maximum": most}));
    let token = || json!({"type": "integer", "minimum": 0, "maximum": u32::MAX});
    let claim = json!({
        "worker": or_null(text(MAX_NAME_BYTES)),
        "lease": about(or_null(text(MAX_NAME_BYTES)), "To claim more under it."),
        "capacity": bounded(MAX_CAPACITY),
        "wait_s": bounded(MAX_WAIT_S),
    });
    let lease = || about(text(MAX_NAME_BYTES), "The lease that the order was claimed under.");
    let failure = json!({
        "lease": lease(),
        "token": token(),
        "outcome": or_null(one_of(&["retry", "fail", "reject", "hold"])),
        "reason": text(MAX_TEXT_BYTES),
        "retry_after_s": bounded(MAX_RETRY_AFTER_S),
    });
    let claimed = answer(&["token", "order"], json!({"token": token(), "order": named("Order")}));
    let held = json!({"id": string(), "token": token(), "cancel_requested": flag()});
    let held = answer(&["id", "token", "cancel_requested"], held);
    schemas.extend([
        ("Claim".to_owned(), strict(&[], claim)),
        (
            "Claimed".to_owned(),
            answer(
                &["lease", "lease_s", "orders"],
                json!({
                    "lease": {"type": ["string", "null"]}, "expires_at": instant(), "lease_s": count(),
                    "orders": list(claimed),
                }),
            ),
        ),
        ("Heartbeat".to_owned(), strict(&[], json!({}))),
        (
            "Renewed".to_owned(),
            answer(&["expires_at", "orders"], json!({"expires_at": instant(), "orders": list(held)})),
        ),
        ("WorkDone".to_owned(), strict(&["lease", "token"], json!({"lease": lease(), "token": token()}))),
        ("WorkFailed".to_owned(), strict(&["lease", "token", "reason"], failure)),
    ]);
}

const TICK: [&str; 11] = [
    "accepted",
    "completed",
    "errors",
    "refused",
    "accepted_per_s",
    "completed_per_s",
    "errors_per_s",
    "queue_length",
    "active",
    "workers",
    "connections",
];

fn sums() -> Value {
    json!({"type": "object", "additionalProperties": {"type": "number"}})
}

/// What was accepted today.
fn today() -> Value {
    let fields = json!({"date": string(), "accepted": count(), "revenue": sums()});
    about(answer(&["date", "accepted", "revenue"], fields), "Also what was accepted before this start.")
}

/// One second of the server.
pub(super) fn tick() -> Value {
    let latency = json!({
        "type": ["object", "null"],
        "required": ["p50", "p99"],
        "properties": {"p50": {"type": "number"}, "p99": {"type": "number"}},
    });
    let fields = json!({
        "type": one_of(&["stats"]),
        "v": count(),
        "timestamp": count(),
        "revenue": sums(),
        "today": today(),
        "latency_ms": latency,
    });
    let required: Vec<_> = TICK.into_iter().chain(["type", "v", "timestamp", "revenue", "latency_ms"]).collect();
    answer(&required, with(fields, Value::Object(counts(&TICK))))
}

/// Schemas of figures.
pub(super) fn figures(schemas: &mut Map<String, Value>) {
    let whole = [
        "total_processed",
        "success_count",
        "error_count",
        "active_workers",
        "queue_length",
        "accepted",
        "replayed",
        "unacknowledged",
        "commits",
    ];
    let refused = json!({"type": "object", "additionalProperties": count()});
    let parts = json!({
        "average_process_time_ms": {"type": "number"},
        "uptime_seconds": count(),
        "refused": about(refused, "Requests refused because something was wrong with them, by kind."),
        "today": today(),
    });
    let stats_required: Vec<_> =
        whole.into_iter().chain(["average_process_time_ms", "uptime_seconds", "refused"]).collect();
    let sockets = [
        "active",
        "peak",
        "accepted",
        "refused",
        "limit",
        "frames_in",
        "frames_out",
        "bytes_in",
        "bytes_out",
        "writes",
        "events_delivered",
        "parked",
        "parked_total",
        "resumed",
        "dropped",
        "errors",
        "repairs",
    ];
    let protocols = Value::Object(counts(&["websocket", "sse"]));
    let more = json!({
        "by_protocol": answer(&["websocket", "sse"], protocols),
        "closes": {"type": "object", "additionalProperties": count(), "description": "By close code."},
        "healthy": flag(),
    });
    let sockets_required: Vec<_> = sockets.into_iter().chain(["by_protocol", "closes", "healthy"]).collect();
    let pool = json!({"healthy": flag(), "queue_length": count(), "workers": count()});
    let health = json!({
        "status": one_of(&["healthy", "unhealthy"]),
        "timestamp": count(),
        "pool": answer(&["healthy", "queue_length", "workers"], pool),
        "durability": string(),
        "version": string(),
        "demo": flag(),
        "access": about(one_of(&["open", "insecure-open", "token"]), "`open`: everyone who reaches the server is its administrator."),
        "failure": string(),
    });
    schemas.extend([
        ("Stats".to_owned(), answer(&stats_required, with(parts, Value::Object(counts(&whole))))),
        ("StatsTick".to_owned(), tick()),
        ("StatsHistory".to_owned(), answer(&["ticks"], json!({"ticks": list(named("StatsTick"))}))),
        ("SocketStats".to_owned(), answer(&sockets_required, with(more, Value::Object(counts(&sockets))))),
        (
            "Health".to_owned(),
            answer(&["status", "timestamp", "pool", "durability", "version", "demo", "access"], health),
        ),
    ]);
}
