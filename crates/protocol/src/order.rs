//! An order as it travels: the whole order of the HTTP interface and the summary in events.

use crate::json::{Decimal, JsonWriter};

/// What of an order may be in an event: no name, address or note.
#[derive(Clone, Copy, Debug)]
pub struct OrderSummary<'a> {
    /// The order's id.
    pub id: &'a str,
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
    /// When it last changed, likewise.
    pub updated_at_ms: i64,
    /// When it was placed, if that was earlier than here, likewise.
    pub placed_at_ms: Option<i64>,
    /// Whether it is made up by the demo generator.
    pub demo: bool,
    /// Who works on it, or did last.
    pub processing: Option<Processing<'a>>,
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
    /// What rounding the sum of the lines to the currency left over, in the major unit.
    pub rounding: Decimal,
}

/// Writes an order with everything its readers may see, as one JSON object.
pub fn write_order(summary: &OrderSummary<'_>, details: &OrderDetails<'_>, out: &mut Vec<u8>) {
    let mut json = JsonWriter::new(out);
    json.begin_object();
    json.key("id").string(summary.id);
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
    json.end_object();
}

/// Writes the summary as the value of the key written last.
pub fn write_summary(json: &mut JsonWriter<'_>, summary: &OrderSummary<'_>, lines: Option<&[LineView<'_>]>) {
    json.begin_object();
    json.key("id").string(summary.id);
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
