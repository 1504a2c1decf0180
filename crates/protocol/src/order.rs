//! An order as it travels: the whole order of the HTTP interface and the summary in events.

use crate::json::{Decimal, JsonWriter};

/// The fields of an order that an event may hold: no name, address or note.
#[derive(Clone, Copy, Debug)]
pub struct OrderSummary<'a> {
    /// The order's id.
    pub id: &'a str,
    /// Its short number: unique and rising, with gaps.
    pub number: u64,
    /// Its amount in the currency's major unit.
    pub amount: Decimal,
    /// ISO 4217 code.
    pub currency: &'a str,
    /// The opaque customer id.
    pub customer_id: &'a str,
    /// How many lines it has.
    pub item_count: u32,
    /// The outward status.
    pub status: &'a str,
    /// 1 high, 2 medium, 3 low.
    pub priority: u8,
    /// One more with every change.
    pub version: u32,
    /// How often a worker has claimed it.
    pub attempts: u32,
    /// When it was accepted, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// When it last changed, in milliseconds since 1970.
    pub updated_at_ms: i64,
    /// When it was placed, if that was earlier than here, in milliseconds since 1970.
    pub placed_at_ms: Option<i64>,
    /// Whether it is made up by the demo generator.
    pub demo: bool,
    /// Who works on it, or did last.
    pub processing: Option<Processing<'a>>,
    /// When a timer moves it on, in milliseconds since 1970.
    pub due_at_ms: Option<i64>,
    /// Whether its customer has called it off while a worker had it.
    pub cancel_requested: bool,
    /// What was given back, in the major unit; `None` for nothing.
    pub refunded: Option<Decimal>,
}

/// An amount beside the lines.
#[derive(Clone, Copy, Debug)]
pub struct ChargeView<'a> {
    /// `discount`, `tax` or `shipping`.
    pub kind: &'a str,
    /// In words.
    pub name: Option<&'a str>,
    /// Signed, in the major unit.
    pub amount: Decimal,
}

/// How far a line is.
#[derive(Clone, Copy, Debug)]
pub struct ProgressView {
    /// Which, from 0.
    pub line: usize,
    /// Units sent.
    pub shipped: u32,
    /// Units called off after others were sent.
    pub cancelled: u32,
    /// Units that came back.
    pub returned: u32,
}

/// Money that went back in one step.
#[derive(Clone, Copy, Debug)]
pub struct LedgerView<'a> {
    /// `refund`, `return` or `void`.
    pub kind: &'a str,
    /// In the major unit.
    pub amount: Decimal,
    /// The version of the step.
    pub version: u32,
    /// Who did it.
    pub actor: &'a str,
    /// Why.
    pub reason: Option<&'a str>,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

/// What only the readers of a single order see.
#[derive(Clone, Copy, Debug)]
pub struct OrderExtent<'a> {
    /// Lines of which units were moved.
    pub progress: &'a [ProgressView],
    /// What was captured, in the major unit; `None` for nothing.
    pub captured: Option<Decimal>,
    /// Oldest first.
    pub ledger: &'a [LedgerView<'a>],
    /// The actions that the asking principal may take.
    pub allowed: &'a [&'a str],
}

/// The work on an order.
#[derive(Clone, Copy, Debug)]
pub struct Processing<'a> {
    /// The worker's name.
    pub worker: &'a str,
    /// When it claimed the order, in milliseconds since 1970.
    pub started_at_ms: i64,
    /// How long the work took, in milliseconds, once it is done.
    pub duration_ms: Option<i64>,
}

/// One line of an order.
#[derive(Clone, Copy, Debug)]
pub struct LineView<'a> {
    /// The SKU, or the plain text of an item without one.
    pub sku: &'a str,
    /// How many.
    pub quantity: u32,
    /// The price of one in the currency's major unit; `None` when only the whole order has an amount.
    pub price: Option<Decimal>,
    /// Whether it came as a plain string, and so goes back as one.
    pub plain: bool,
}

/// The parts of an order that only its readers see.
#[derive(Clone, Copy, Debug)]
pub struct OrderDetails<'a> {
    /// All lines.
    pub lines: &'a [LineView<'a>],
    /// Who ordered.
    pub customer: &'a str,
    /// Where it goes.
    pub address: &'a str,
    /// What the customer added.
    pub notes: Option<&'a str>,
    /// Discounts, taxes, shipping.
    pub charges: &'a [ChargeView<'a>],
    /// Why a price is not the catalogue's.
    pub price_override: Option<&'a str>,
    /// What rounding the sum of lines and charges to the currency left over, in the major unit.
    pub rounding: Decimal,
    /// Why the last attempt failed.
    pub last_error: Option<&'a str>,
    /// The rest, where one order is asked for.
    pub extent: Option<OrderExtent<'a>>,
}

/// Writes an order with everything its readers may see, as one JSON object.
pub fn write_order(summary: &OrderSummary<'_>, details: &OrderDetails<'_>, out: &mut Vec<u8>) {
    let mut json = JsonWriter::new(out);
    json.begin_object();
    json.key("id").string(summary.id).key("number").integer(summary.number);
    json.key("amount").decimal(summary.amount);
    json.key("currency").string(summary.currency);
    json.key("items").begin_array();
    for line in details.lines {
        if line.plain {
            json.string(line.sku);
        } else {
            write_line(&mut json, line);
        }
    }
    json.end_array();
    if !details.charges.is_empty() {
        json.key("charges").begin_array();
        for charge in details.charges {
            json.begin_object().key("kind").string(charge.kind);
            if let Some(name) = charge.name {
                json.key("name").string(name);
            }
            json.key("amount").decimal(charge.amount).end_object();
        }
        json.end_array();
    }
    if let Some(reason) = details.price_override {
        json.key("price_override").string(reason);
    }
    json.key("customer").string(details.customer);
    json.key("customer_id").string(summary.customer_id);
    json.key("status").string(summary.status);
    json.key("address").string(details.address);
    json.key("priority").integer(summary.priority);
    if let Some(notes) = details.notes {
        json.key("notes").string(notes);
    }
    json.key("item_count").integer(summary.item_count);
    if details.rounding.value != 0 {
        json.key("rounding").decimal(details.rounding.trimmed(0));
    }
    write_rest(&mut json, summary);
    if let Some(last_error) = details.last_error {
        json.key("last_error").string(last_error);
    }
    if let Some(extent) = &details.extent {
        write_extent(&mut json, extent);
    }
    json.end_object();
}

fn write_extent(json: &mut JsonWriter<'_>, extent: &OrderExtent<'_>) {
    if let Some(captured) = extent.captured {
        json.key("captured").decimal(captured);
    }
    if !extent.progress.is_empty() {
        json.key("fulfilment").begin_array();
        for line in extent.progress {
            json.begin_object().key("line").integer(line.line).key("shipped").integer(line.shipped);
            json.key("cancelled").integer(line.cancelled).key("returned").integer(line.returned).end_object();
        }
        json.end_array();
    }
    if !extent.ledger.is_empty() {
        json.key("ledger").begin_array();
        for entry in extent.ledger {
            json.begin_object().key("kind").string(entry.kind).key("amount").decimal(entry.amount);
            json.key("version").integer(entry.version).key("actor").string(entry.actor);
            if let Some(reason) = entry.reason {
                json.key("reason").string(reason);
            }
            json.key("at").instant(entry.at_ms).end_object();
        }
        json.end_array();
    }
    json.key("allowed").begin_array();
    for action in extent.allowed {
        json.string(action);
    }
    json.end_array();
}

/// Writes the summary as the value of the key written last.
pub fn write_summary(json: &mut JsonWriter<'_>, summary: &OrderSummary<'_>, lines: Option<&[LineView<'_>]>) {
    json.begin_object();
    json.key("id").string(summary.id).key("number").integer(summary.number);
    json.key("amount").decimal(summary.amount);
    json.key("currency").string(summary.currency);
    json.key("priority").integer(summary.priority);
    json.key("customer_id").string(summary.customer_id);
    json.key("item_count").integer(summary.item_count);
    json.key("status").string(summary.status);
    if let Some(lines) = lines {
        json.key("lines").begin_array();
        for line in lines {
            write_line(json, line);
        }
        json.end_array();
    }
    write_rest(json, summary);
    json.end_object();
}

fn write_rest(json: &mut JsonWriter<'_>, summary: &OrderSummary<'_>) {
    json.key("created_at").instant(summary.created_at_ms);
    if let Some(placed_at_ms) = summary.placed_at_ms {
        json.key("placed_at").instant(placed_at_ms);
    }
    json.key("updated_at").instant(summary.updated_at_ms);
    json.key("version").integer(summary.version);
    json.key("attempts").integer(summary.attempts);
    if let Some(due_at_ms) = summary.due_at_ms {
        json.key("due_at").instant(due_at_ms);
    }
    if summary.cancel_requested {
        json.key("cancel_requested").boolean(true);
    }
    if let Some(refunded) = summary.refunded {
        json.key("refunded").decimal(refunded);
    }
    if summary.demo {
        json.key("demo").boolean(true);
    }
    if let Some(processing) = &summary.processing {
        json.key("processing").begin_object();
        json.key("worker").string(processing.worker);
        json.key("started_at").instant(processing.started_at_ms);
        if let Some(duration_ms) = processing.duration_ms {
            json.key("duration_ms").integer(duration_ms);
        }
        json.end_object();
    }
}

fn write_line(json: &mut JsonWriter<'_>, line: &LineView<'_>) {
    json.begin_object();
    json.key("sku").string(line.sku);
    json.key("quantity").integer(line.quantity);
    if let Some(price) = line.price {
        json.key("price").decimal(price);
    }
    json.end_object();
}
