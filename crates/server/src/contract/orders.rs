//! Schemas of orders: as they are placed, as they are shown, and what is done to them.

use ordercast_domain::decide::MAX_REASON_BYTES;
use ordercast_domain::draft::{MAX_CHARGES, MAX_ID_BYTES, MAX_PRICE, MAX_QUANTITY};
use ordercast_domain::order::ChargeKind;
use ordercast_domain::status::{Lane, Status};
use ordercast_domain::transition::ActionName;
use ordercast_protocol::intake::SERVER_FIELDS;
use ordercast_protocol::limits::{MAX_IDEMPOTENCY_KEY_BYTES, MAX_LINES, MAX_SKU_BYTES, MAX_TEXT_BYTES};
use serde_json::{Value, json};

use super::schema::{
    about, answer, count, currency, filled, flag, instant, list, money, named, one_of, or_null, strict, strict_beside,
    string, text, with,
};

/// Most characters of a time or of a time zone's name.
const MAX_TIME_BYTES: usize = 64;
/// Millionths in the major unit.
const MILLIONTHS: i64 = 1_000_000;
/// The smallest priority number is the most urgent.
const PRIORITIES: [u8; 3] = [1, 2, 3];

/// Statuses as clients see them.
pub(super) fn statuses() -> Vec<&'static str> {
    let outward = Status::ALL.into_iter().filter(|status| *status != Status::Active).map(Status::name);
    outward.chain(Lane::ALL.into_iter().map(Lane::name)).collect()
}

/// What people may ask for.
pub(super) fn actions() -> Vec<ActionName> {
    ActionName::ALL.into_iter().filter(|action| ActionName::for_people(action.name()).is_some()).collect()
}

/// An id that a client may choose.
pub(super) fn id() -> Value {
    let pattern = format!("^[A-Za-z0-9._-]{{1,{MAX_ID_BYTES}}}$");
    json!({"type": "string", "pattern": pattern, "not": {"enum": ["bulk", "retry", ".", ".."]}})
}

/// A price of one unit. Of adjustments it may be negative.
pub(super) fn unit_price(may_be_negative: bool) -> Value {
    let most = MAX_PRICE / MILLIONTHS;
    about(
        json!({"type": "number", "minimum": if may_be_negative { -most } else { 0 }, "maximum": most}),
        "Read exactly; at most six digits after the point.",
    )
}

fn scheduled() -> Value {
    about(or_null(text(MAX_TIME_BYTES)), "RFC 3339 with an offset, or local time with `time_zone`.")
}

fn time_zone() -> Value {
    about(or_null(text(MAX_TIME_BYTES)), "An IANA name such as Europe/Berlin; then times are local.")
}

/// Lines of orders as they are sent.
pub(super) fn items() -> Value {
    let untracked = about(or_null(flag()), "Its SKU need not be in the catalogue. Of one that is, it changes nothing.");
    lines(unit_price(false), 1, json!({"untracked": untracked}))
}

/// Lines of adjustments, which may be negative.
pub(super) fn adjusted_items() -> Value {
    lines(unit_price(true), -MAX_QUANTITY, json!({}))
}

fn lines(price: Value, least: i64, more: Value) -> Value {
    let fields = json!({
        "sku": {"type": "string", "minLength": 1, "maxLength": MAX_SKU_BYTES},
        "quantity": about(or_null(json!({"type": "integer", "minimum": least, "maximum": MAX_QUANTITY})), "1 without it."),
        "price": or_null(price),
    });
    let plain = about(
        json!({"type": "string", "minLength": 1, "maxLength": MAX_SKU_BYTES}),
        "One unit of something that is not in the catalogue.",
    );
    json!({
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_LINES,
        "items": {"anyOf": [plain, strict(&["sku"], with(fields, more))]},
    })
}

/// The body of `POST /orders`.
pub(super) fn order_request() -> Value {
    let charge = strict(
        &["kind", "amount"],
        json!({
            "kind": one_of(&ChargeKind::ALL.map(ChargeKind::name)),
            "name": or_null(text(MAX_TEXT_BYTES)),
            "amount": about(unit_price(true), "A discount is not above 0, the others are not below."),
        }),
    );
    let charges = json!({"type": "array", "items": charge, "maxItems": MAX_CHARGES});
    let fields = json!({
        "id": or_null(id()),
        "amount": about(
            or_null(json!({"type": "number", "exclusiveMinimum": 0})),
            "The sum when every line has a price, its own or the catalogue's, and needless then; required when none has. 0 \
             is taken where `rules.allow_zero_amount` is set.",
        ),
        "currency": or_null(currency()),
        "items": about(
            items(),
            "All lines have a price or none has. A known SKU has the catalogue's price, and another only with \
             `price_override`. The settings allow 50 lines by default.",
        ),
        "customer": filled(MAX_TEXT_BYTES),
        "address": filled(MAX_TEXT_BYTES),
        "priority": {
            "type": ["integer", "null"], "enum": [1, 2, 3, null], "description": "1 high, 2 medium, 3 low; 2 without it.",
        },
        "notes": or_null(text(MAX_TEXT_BYTES)),
        "placed_at": about(or_null(instant()), "When it was placed elsewhere."),
        "charges": about(or_null(charges), "Discounts, taxes, shipping; every line needs a price then."),
        "run_at": scheduled(),
        "time_zone": time_zone(),
        "price_override": about(
            or_null(filled(MAX_REASON_BYTES)),
            "Why prices differ from the catalogue's; for administrators. Kept only where one does.",
        ),
        "idempotency_key": about(
            or_null(text(MAX_IDEMPOTENCY_KEY_BYTES)),
            "Where no header can carry it: in lines and frames.",
        ),
    });
    about(
        strict_beside(&["items", "customer", "address"], fields, &SERVER_FIELDS),
        "Fields that the server sets, such as `status`, are taken and read past; any other that is not known is refused. \
         Lengths are counted in bytes.",
    )
}

fn line() -> Value {
    answer(&["sku", "quantity"], json!({"sku": string(), "quantity": count(), "price": money()}))
}

/// What every view of an order has.
fn summary_fields() -> Value {
    json!({
        "id": string(),
        "number": about(count(), "Short, unique and rising, with gaps: what people call `#1042`."),
        "amount": money(),
        "currency": currency(),
        "customer_id": about(string(), "Opaque."),
        "item_count": count(),
        "status": one_of(&statuses()),
        "priority": {"type": "integer", "enum": PRIORITIES},
        "created_at": instant(),
        "placed_at": instant(),
        "updated_at": instant(),
        "version": about(count(), "One more with every change; the `ETag`."),
        "attempts": count(),
        "due_at": about(instant(), "When a timer moves it on."),
        "cancel_requested": flag(),
        "refunded": money(),
        "demo": flag(),
        "processing": answer(&["worker", "started_at"], json!({
            "worker": string(), "started_at": instant(), "duration_ms": {"type": "integer"},
        })),
    })
}

const SUMMARY: [&str; 12] = [
    "id",
    "number",
    "amount",
    "currency",
    "customer_id",
    "item_count",
    "status",
    "priority",
    "created_at",
    "updated_at",
    "version",
    "attempts",
];

/// An order in an event: nothing personal.
pub(super) fn order_summary() -> Value {
    answer(&SUMMARY, with(summary_fields(), json!({"lines": list(line())})))
}

fn order_fields() -> Value {
    let charge = json!({"kind": one_of(&ChargeKind::ALL.map(ChargeKind::name)), "name": string(), "amount": money()});
    with(
        summary_fields(),
        json!({
            "items": list(json!({"anyOf": [string(), line()]})),
            "charges": list(answer(&["kind", "amount"], charge)),
            "price_override": about(string(), "Why a price is not the catalogue's."),
            "customer": string(),
            "address": string(),
            "notes": string(),
            "rounding": about(money(), "What rounding the sum once left over."),
            "last_error": string(),
        }),
    )
}

fn order_required() -> Vec<&'static str> {
    SUMMARY.into_iter().chain(["items", "customer", "address"]).collect()
}

/// An order as lists and acknowledgements show it.
pub(super) fn order() -> Value {
    answer(&order_required(), order_fields())
}

/// An order as it is shown alone.
pub(super) fn whole_order() -> Value {
    let names: Vec<_> = actions().into_iter().map(ActionName::name).collect();
    let progress = json!({"line": count(), "shipped": count(), "cancelled": count(), "returned": count()});
    let entry = json!({
        "kind": one_of(&["refund", "return", "void"]),
        "amount": money(),
        "version": count(),
        "actor": string(),
        "reason": string(),
        "at": instant(),
    });
    let more = json!({
        "captured": money(),
        "fulfilment": list(answer(&["line", "shipped", "cancelled", "returned"], progress)),
        "ledger": list(answer(&["kind", "amount", "version", "actor", "at"], entry)),
        "allowed": about(list(one_of(&names)), "What you may do to it next."),
    });
    let mut required = order_required();
    required.push("allowed");
    answer(&required, with(order_fields(), more))
}

/// A change of an order, as `GET /orders/{id}/events` and the channel tell it.
pub(super) fn order_event() -> Value {
    let fields = json!({
        "type": one_of(&["order", "order_update"]),
        "v": count(),
        "order_id": string(),
        "status": one_of(&statuses()),
        "timestamp": about(count(), "Seconds since 1970."),
        "version": count(),
        "from": one_of(&statuses()),
        "actor": string(),
        "action": string(),
        "reason": string(),
        "order": named("OrderSummary"),
        "channel": string(),
        "offset": count(),
    });
    let required = ["type", "v", "order_id", "status", "timestamp", "version", "actor", "order", "channel", "offset"];
    answer(&required, fields)
}

/// The body of an action.
pub(super) fn action_request(action: ActionName) -> Value {
    let mut fields = json!({"reason": or_null(text(MAX_REASON_BYTES))});
    let lines = || {
        let line = json!({
            "line": about(json!({"type": "integer", "minimum": 0, "maximum": u32::MAX}), "Counted from 0."),
            "quantity": {"type": "integer", "minimum": 1, "maximum": MAX_QUANTITY},
        });
        about(
            or_null(json!({"type": "array", "items": strict(&["line", "quantity"], line), "maxItems": MAX_LINES})),
            "All that is left without it.",
        )
    };
    let amount = || or_null(json!({"type": "number", "minimum": 0}));
    let more = match action {
        ActionName::Hold => json!({"until": scheduled(), "time_zone": time_zone()}),
        ActionName::Reschedule => json!({"run_at": text(MAX_TIME_BYTES), "time_zone": time_zone()}),
        ActionName::Fulfil => json!({"lines": lines(), "close": or_null(flag())}),
        ActionName::Refund => json!({"amount": about(amount(), "All that is left without it.")}),
        ActionName::Return => json!({
            "lines": lines(), "amount": about(amount(), "Nothing without it."), "restock": or_null(flag()),
        }),
        _ => json!({}),
    };
    let required: &[&str] = match action {
        ActionName::Hold | ActionName::Retry | ActionName::Complete => {
            fields = json!({"reason": filled(MAX_REASON_BYTES)});
            &["reason"]
        }
        ActionName::Reschedule => &["run_at"],
        _ => &[],
    };
    strict(required, with(fields, more))
}
