//! The bodies of events, encoded once when they are written.
//!
//! A body carries its version in `v` and holds no personal data, no channel and no offset. The golden
//! files in `tests/golden` hold every body as it lies on disk; a change there is a change of version.
//!
//! In a log that allows it, any event may have the tombstone for a body: see [`crate::redaction`].

use crate::json::{Decimal, JsonWriter};
use crate::limits::MAX_EVENT_LINES;
use crate::order::{LineView, OrderSummary, write_summary};

/// Version of the bodies written now.
pub const BODY_VERSION: u8 = 1;

/// The principal that did something, stored as one string, `KIND:ID`, or `KIND` where there is no id.
///
/// Kinds are `user`, `key`, `customer`, `worker`, `system` and `anonymous`; ids are opaque. Older events have a role
/// alone (`admin`, `staff`, `customer`) in the same field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor<'a> {
    /// The kind.
    pub kind: &'a str,
    /// Its id within its kind; may be empty.
    pub id: &'a str,
}

/// One change of one order.
#[derive(Clone, Copy, Debug)]
pub struct OrderEvent<'a> {
    /// The order after the change.
    pub order: OrderSummary<'a>,
    /// The outward status before; `None` for the first event.
    pub from: Option<&'a str>,
    /// Who did it.
    pub actor: Actor<'a>,
    /// What was done, where it does not go without saying.
    pub action: Option<&'a str>,
    /// Why, where a reason is known.
    pub reason: Option<&'a str>,
    /// All lines, for the first event.
    pub lines: Option<&'a [LineView<'a>]>,
}

/// Longest of the short fields that every body begins with, in bytes.
const MAX_FIELD_BYTES: usize = 64;

/// Appends the body of an order event.
pub fn write_order_event(event: &OrderEvent<'_>, out: &mut Vec<u8>) {
    let mut json = JsonWriter::new(out);
    json.begin_object();
    json.key("type").string(if event.from.is_none() { "order" } else { "order_update" });
    json.key("v").integer(BODY_VERSION);
    json.key("order_id").string(event.order.id);
    json.key("status").string(event.order.status);
    json.key("timestamp").integer(event.order.updated_at_ms.div_euclid(1000));
    json.key("version").integer(event.order.version);
    if let Some(from) = event.from {
        json.key("from").string(from);
    }
    let Actor { kind, id } = event.actor;
    match id {
        "" => json.key("actor").string(kind),
        _ => json.key("actor").joined(&[kind, ":", id]),
    };
    if let Some(action) = event.action {
        json.key("action").string(action);
    }
    if let Some(reason) = event.reason {
        json.key("reason").string(reason);
    }
    json.key("order");
    let lines = event.lines.filter(|lines| lines.len() <= MAX_EVENT_LINES);
    write_summary(&mut json, &event.order, lines);
    json.end_object();
}

/// What an event is about, as the JSON text of its id: the order or the product. `None` for anything else.
///
/// Reads only the first fields, as this module writes them.
pub fn subject(body: &[u8]) -> Option<&[u8]> {
    /// The type and the version stand before the id.
    const FIELDS_BEFORE: usize = 2;
    let mut rest = body.strip_prefix(b"{")?;
    for _ in 0..FIELDS_BEFORE {
        let comma = rest.iter().take(MAX_FIELD_BYTES).position(|byte| *byte == b',')?;
        rest = &rest[comma + 1..];
    }
    let id = [&b"\"order_id\":\""[..], b"\"sku\":\""].into_iter().find_map(|key| rest.strip_prefix(key))?;
    let mut is_escaped = false;
    let end = id.iter().position(|byte| {
        let is_end = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_end
    })?;
    Some(&id[..end])
}

/// A product as readers and events see it.
#[derive(Clone, Copy, Debug)]
pub struct ProductView<'a> {
    /// Stock keeping unit.
    pub sku: &'a str,
    /// First 16 hexadecimal digits of the SHA-256 of the SKU.
    pub hash: &'a str,
    /// What it is called.
    pub name: &'a str,
    /// Price of one in the currency's major unit.
    pub price: Decimal,
    /// ISO 4217 code.
    pub currency: &'a str,
    /// Units there are, reserved ones included; `None` when nobody counts them.
    pub stock: Option<i64>,
    /// Units that accepted orders hold.
    pub reserved: i64,
}

impl ProductView<'_> {
    /// Writes the product's fields into the object that is open.
    pub fn write_fields(&self, json: &mut JsonWriter<'_>) {
        json.key("sku").string(self.sku);
        json.key("hash").string(self.hash);
        json.key("name").string(self.name);
        json.key("price").decimal(self.price);
        json.key("currency").string(self.currency);
        match self.stock {
            Some(stock) => json.key("stock").integer(stock),
            None => json.key("stock").raw("null"),
        };
        json.key("reserved").integer(self.reserved);
    }
}

/// Appends the body of a price or stock change at `unix_ms`.
pub fn write_market_event(product: &ProductView<'_>, unix_ms: i64, out: &mut Vec<u8>) {
    let mut json = JsonWriter::new(out);
    json.begin_object();
    json.key("type").string("market_data");
    json.key("v").integer(BODY_VERSION);
    product.write_fields(&mut json);
    json.key("timestamp").integer(unix_ms.div_euclid(1000));
    json.end_object();
}

/// A money fact that is no order.
#[derive(Clone, Copy, Debug)]
pub struct AdjustmentView<'a> {
    /// Its id, unique among adjustments.
    pub id: &'a str,
    /// `cancellation`, `write_off` or `bad_debt`.
    pub kind: &'a str,
    /// The signed amount, in the major unit.
    pub amount: Decimal,
    /// What rounding the sum of the lines left over.
    pub rounding: Decimal,
    /// ISO 4217 code.
    pub currency: &'a str,
    /// The opaque customer id, if a customer is named.
    pub customer_id: Option<&'a str>,
    /// How many lines it has.
    pub line_count: u32,
    /// When it happened, in milliseconds since 1970.
    pub placed_at_ms: i64,
    /// When it was stored, in milliseconds since 1970.
    pub created_at_ms: i64,
}

impl AdjustmentView<'_> {
    /// Writes the adjustment's fields into the object that is open.
    pub fn write_fields(&self, json: &mut JsonWriter<'_>) {
        json.key("id").string(self.id);
        json.key("kind").string(self.kind);
        json.key("amount").decimal(self.amount);
        if self.rounding.value != 0 {
            json.key("rounding").decimal(self.rounding.trimmed(0));
        }
        json.key("currency").string(self.currency);
        if let Some(customer_id) = self.customer_id {
            json.key("customer_id").string(customer_id);
        }
        json.key("line_count").integer(self.line_count);
        json.key("placed_at").instant(self.placed_at_ms);
        json.key("created_at").instant(self.created_at_ms);
    }
}

/// Appends the body of an adjustment's event.
pub fn write_adjustment_event(adjustment: &AdjustmentView<'_>, out: &mut Vec<u8>) {
    let mut json = JsonWriter::new(out);
    json.begin_object();
    json.key("type").string("adjustment");
    json.key("v").integer(BODY_VERSION);
    adjustment.write_fields(&mut json);
    json.key("timestamp").integer(adjustment.created_at_ms.div_euclid(1000));
    json.end_object();
}

/// One second of the server, on the ephemeral channel `stats`.
#[derive(Clone, Debug, Default)]
pub struct StatsTick {
    /// When, in seconds since 1970.
    pub timestamp: i64,
    /// Orders accepted since start.
    pub accepted: u64,
    /// Orders completed since start.
    pub completed: u64,
    /// Orders whose work failed, and requests that the server could not serve, since start.
    pub errors: u64,
    /// Requests refused since start, because something was wrong with them.
    pub refused: u64,
    /// Orders accepted in the last second.
    pub accepted_per_s: u64,
    /// Orders completed in the last second.
    pub completed_per_s: u64,
    /// Errors in the last second.
    pub errors_per_s: u64,
    /// Sum of the amounts accepted since start, by currency.
    pub revenue: Vec<(String, Decimal)>,
    /// What was accepted today; `None` until the server has read it from the store.
    pub today: Option<TodayTick>,
    /// Orders that wait for a worker.
    pub queue_length: u64,
    /// Orders in work.
    pub active: u64,
    /// Worker slots in the process.
    pub workers: u64,
    /// Sockets and streams open.
    pub connections: u64,
    /// Median and 99th percentile of acceptance to completion over the last minute, in microseconds.
    pub latency_us: Option<(u64, u64)>,
}

/// What was accepted on the current day, also before the server started.
#[derive(Clone, Debug)]
pub struct TodayTick {
    /// The date, such as `2026-03-01`, in the time zone of the settings.
    pub date: String,
    /// Orders accepted.
    pub accepted: u64,
    /// Sum of their amounts by currency.
    pub revenue: Vec<(String, Decimal)>,
}

impl TodayTick {
    /// Writes it as the value of the key written last.
    pub fn write(&self, json: &mut JsonWriter<'_>) {
        json.begin_object().key("date").string(&self.date).key("accepted").integer(self.accepted).key("revenue");
        write_sums(json, &self.revenue);
        json.end_object();
    }
}

fn write_sums(json: &mut JsonWriter<'_>, sums: &[(String, Decimal)]) {
    json.begin_object();
    for (currency, sum) in sums {
        json.key(currency).decimal(*sum);
    }
    json.end_object();
}

/// Appends the body of a tick.
pub fn write_stats_tick(tick: &StatsTick, out: &mut Vec<u8>) {
    let mut json = JsonWriter::new(out);
    json.begin_object();
    json.key("type").string("stats");
    json.key("v").integer(BODY_VERSION);
    json.key("timestamp").integer(tick.timestamp);
    for (name, value) in [
        ("accepted", tick.accepted),
        ("completed", tick.completed),
        ("errors", tick.errors),
        ("refused", tick.refused),
        ("accepted_per_s", tick.accepted_per_s),
        ("completed_per_s", tick.completed_per_s),
        ("errors_per_s", tick.errors_per_s),
        ("queue_length", tick.queue_length),
        ("active", tick.active),
        ("workers", tick.workers),
        ("connections", tick.connections),
    ] {
        json.key(name).integer(value);
    }
    json.key("revenue");
    write_sums(&mut json, &tick.revenue);
    if let Some(today) = &tick.today {
        json.key("today");
        today.write(&mut json);
    }
    json.key("latency_ms");
    match tick.latency_us {
        None => json.raw("null"),
        Some((p50, p99)) => {
            json.begin_object();
            json.key("p50").decimal(milliseconds(p50));
            json.key("p99").decimal(milliseconds(p99));
            json.end_object()
        }
    };
    json.end_object();
}

fn milliseconds(micros: u64) -> Decimal {
    Decimal { value: i64::try_from(micros).unwrap_or(i64::MAX), scale: 3 }
}
