//! What the server says.

use crate::error::{ErrorCode, FieldError};
use crate::event::ProductView;
use crate::json::JsonWriter;
use crate::position::Epoch;

/// Writes `{"type":"connect","id":…}`.
pub fn write_connect(id: &str, out: &mut Vec<u8>) {
    JsonWriter::new(out).begin_object().key("type").string("connect").key("id").string(id).end_object();
}

/// Writes the product list; an empty one says what to do.
pub fn write_products<'a>(products: impl IntoIterator<Item = ProductView<'a>>, continues: bool, out: &mut Vec<u8>) {
    let mut json = JsonWriter::new(out);
    json.begin_object().key("type").string("products").key("products").begin_array();
    let mut empty = true;
    for product in products {
        empty = false;
        json.begin_object();
        product.write_fields(&mut json);
        json.end_object();
    }
    json.end_array();
    if empty {
        json.key("message")
            .string("The catalogue is empty. Load products with POST /products or: ordercast products import FILE");
    }
    if continues {
        json.key("continues").boolean(true);
    }
    json.end_object();
}

/// Writes the acknowledgement of an order; `order` is its JSON object.
pub fn write_order_ack(reference: Option<&str>, order: &str, replayed: bool, out: &mut Vec<u8>) {
    let mut json = JsonWriter::new(out);
    json.begin_object().key("type").string("order_ack");
    if let Some(reference) = reference {
        json.key("ref").raw(reference);
    }
    if replayed {
        json.key("replayed").boolean(true);
    }
    json.key("order").raw(order).end_object();
}

/// Writes an error frame.
pub fn write_error(reference: Option<&str>, code: ErrorCode, message: &str, fields: &[FieldError], out: &mut Vec<u8>) {
    let mut json = JsonWriter::new(out);
    json.begin_object().key("type").string("error").key("code").string(code.name()).key("message").string(message);
    if let Some(reference) = reference {
        json.key("ref").raw(reference);
    }
    if !fields.is_empty() {
        json.key("errors").begin_array();
        for field in fields {
            json.begin_object().key("pointer").string(&field.pointer).key("detail").string(&field.detail).end_object();
        }
        json.end_array();
    }
    json.end_object();
}

/// Writes the answer to a subscription.
///
/// `recovered` is given when a position was asked for: `false` means that events were missed for good, and
/// `floor` is the last offset that can no longer be read.
pub fn write_subscribed(
    channel: &str,
    epoch: &Epoch,
    offset: u64,
    recovered: Option<bool>,
    floor: Option<u64>,
    out: &mut Vec<u8>,
) {
    let mut json = JsonWriter::new(out);
    json.begin_object().key("type").string("subscribed").key("channel").string(channel);
    json.key("epoch").string(&epoch.0).key("offset").integer(offset);
    if let Some(recovered) = recovered {
        json.key("recovered").boolean(recovered);
    }
    if let Some(floor) = floor {
        json.key("floor").integer(floor);
    }
    json.end_object();
}

/// Writes `{"type":"unsubscribed","channel":…}`.
pub fn write_unsubscribed(channel: &str, out: &mut Vec<u8>) {
    JsonWriter::new(out).begin_object().key("type").string("unsubscribed").key("channel").string(channel).end_object();
}

/// Writes `{"type":"pong"}`, with the client's mark if it gave one.
pub fn write_pong(reference: Option<&str>, out: &mut Vec<u8>) {
    let mut json = JsonWriter::new(out);
    json.begin_object().key("type").string("pong");
    if let Some(reference) = reference {
        json.key("ref").raw(reference);
    }
    json.end_object();
}

/// Where a channel's past, or a list of it, ends.
#[derive(Clone, Copy, Debug)]
pub struct Extent<'a> {
    /// The life of the log or memory channel.
    pub epoch: &'a Epoch,
    /// Its last offset.
    pub offset: u64,
    /// The last offset that can no longer be read.
    pub floor: u64,
}

/// Writes a part of a channel's past, newest first; `events` are wrapped as they travel. `next` is where the next
/// part begins, if there is one.
pub fn write_history<'a>(
    reference: Option<&str>,
    channel: &str,
    extent: Extent<'_>,
    events: impl IntoIterator<Item = &'a str>,
    next: Option<u64>,
    out: &mut Vec<u8>,
) {
    let mut json = JsonWriter::new(out);
    begin_answer(&mut json, "history", reference);
    json.key("channel").string(channel);
    json.key("epoch").string(&extent.epoch.0).key("offset").integer(extent.offset).key("floor").integer(extent.floor);
    json.key("events").begin_array();
    for event in events {
        json.raw(event);
    }
    json.end_array().key("next");
    match next {
        Some(next) => json.integer(next),
        None => json.raw("null"),
    };
    json.end_object();
}

/// Writes who is in a channel: how many connections and users there are, and some members as JSON objects. `next` is
/// the connection after which the next of them come, if there are any.
pub fn write_presence<'a>(
    reference: Option<&str>,
    channel: &str,
    (clients, users): (usize, usize),
    members: impl IntoIterator<Item = &'a str>,
    next: Option<&str>,
    out: &mut Vec<u8>,
) {
    let mut json = JsonWriter::new(out);
    begin_answer(&mut json, "presence", reference);
    json.key("channel").string(channel).key("clients").integer(clients).key("users").integer(users);
    json.key("members").begin_array();
    for member in members {
        json.raw(member);
    }
    json.end_array().key("next");
    match next {
        Some(next) => json.string(next),
        None => json.raw("null"),
    };
    json.end_object();
}

/// Writes when to come back to a server that goes away.
pub fn write_reconnect(after_ms: u64, out: &mut Vec<u8>) {
    let mut json = JsonWriter::new(out);
    json.begin_object().key("type").string("reconnect").key("after_ms").integer(after_ms).end_object();
}

fn begin_answer(json: &mut JsonWriter<'_>, kind: &str, reference: Option<&str>) {
    json.begin_object().key("type").string(kind);
    if let Some(reference) = reference {
        json.key("ref").raw(reference);
    }
}
