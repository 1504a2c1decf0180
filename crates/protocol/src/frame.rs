//! The frames of the plain JSON protocol on `/ws`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::{ErrorCode, FieldError};
use crate::event::ProductView;
use crate::intake::{BodyError, parse_object, string_of};
use crate::json::JsonWriter;
use crate::limits::MAX_CHANNELS;
use crate::position::{Epoch, Position};

/// What a client asks for in one frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// An order of one product of the catalogue, by hash or SKU.
    OrderProduct {
        /// Hash or SKU.
        product: Cow<'a, str>,
        /// How many.
        quantity: i64,
        /// Who orders; the connection's guest when missing.
        customer: Option<Cow<'a, str>>,
        /// Where it goes; the connection's guest address when missing.
        address: Option<Cow<'a, str>>,
    },
    /// A full order; the frame itself is its body, for [`crate::intake::parse_order`].
    Order,
    /// Start, or start again from a position.
    Subscribe {
        /// Channel names.
        channels: Vec<String>,
        /// From where, by channel name; from now on where missing.
        since: BTreeMap<String, Position>,
    },
    /// Stop.
    Unsubscribe {
        /// Channel names.
        channels: Vec<String>,
    },
    /// A sign of life.
    Ping,
}

/// A frame from a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFrame<'a> {
    /// The client's own mark, as JSON, given back in the answer.
    pub reference: Option<&'a str>,
    /// What is asked.
    pub request: Request<'a>,
}

/// A frame that could not be understood, with the mark to answer it by if that could.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameError<'a> {
    /// The client's own mark, as JSON.
    pub reference: Option<&'a str>,
    /// What is wrong.
    pub error: BodyError,
}

#[derive(Deserialize)]
struct RawFrame<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Option<&'a RawValue>,
    #[serde(borrow, rename = "ref", default)]
    reference: Option<&'a RawValue>,
    #[serde(borrow, default)]
    product: Option<&'a RawValue>,
    #[serde(borrow, default)]
    quantity: Option<&'a RawValue>,
    #[serde(borrow, default)]
    customer: Option<&'a RawValue>,
    #[serde(borrow, default)]
    address: Option<&'a RawValue>,
    #[serde(borrow, default)]
    channels: Option<&'a RawValue>,
    #[serde(borrow, default)]
    since: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawPosition {
    epoch: String,
    offset: u64,
}

/// Parses one message of a client.
///
/// # Errors
/// [`FrameError`] with `malformed-json`, `unknown-type`, `unknown-channel` or `invalid-order`.
pub fn parse_frame(text: &[u8]) -> Result<ClientFrame<'_>, FrameError<'_>> {
    let raw: RawFrame<'_> = parse_object(text).map_err(|mut error| {
        if !error.detail.contains("nested") {
            error.detail = format!("a frame is a JSON object with a type: {}", error.detail);
        }
        FrameError { reference: None, error }
    })?;
    let reference = raw.reference.map(RawValue::get).filter(|reference| reference.len() <= 256);
    let request = parse_request(&raw).map_err(|error| FrameError { reference, error })?;
    Ok(ClientFrame { reference, request })
}

fn parse_request<'a>(raw: &RawFrame<'a>) -> Result<Request<'a>, BodyError> {
    let kind = raw.kind.and_then(|kind| string_of(kind.get()));
    match kind.as_deref() {
        Some("order") if raw.product.is_some() => parse_product_order(raw),
        Some("order") => Ok(Request::Order),
        Some("subscribe") => {
            Ok(Request::Subscribe { channels: channels_of(raw.channels)?, since: since_of(raw.since)? })
        }
        Some("unsubscribe") => Ok(Request::Unsubscribe { channels: channels_of(raw.channels)? }),
        Some("ping") => Ok(Request::Ping),
        _ => {
            let known = "known are order, subscribe, unsubscribe and ping";
            let detail = match kind {
                Some(kind) => {
                    format!("no frame has the type \"{}\"; {known}", kind.chars().take(40).collect::<String>())
                }
                None => format!("the frame has no type; {known}"),
            };
            Err(BodyError { code: ErrorCode::UnknownType, detail, fields: Vec::new() })
        }
    }
}

fn parse_product_order<'a>(raw: &RawFrame<'a>) -> Result<Request<'a>, BodyError> {
    let wrong = |pointer: &str, detail: &str| BodyError {
        code: ErrorCode::InvalidOrder,
        detail: format!("{pointer} {detail}"),
        fields: vec![FieldError::new(pointer, detail)],
    };
    let text = |pointer, raw: Option<&'a RawValue>| match raw.map(RawValue::get) {
        None | Some("null") => Ok(None),
        Some(raw) => string_of(raw).map(Some).ok_or_else(|| wrong(pointer, "must be a string")),
    };
    let product =
        text("/product", raw.product)?.ok_or_else(|| wrong("/product", "must be a hash or SKU of the catalogue"))?;
    let quantity = match raw.quantity.map(RawValue::get) {
        None | Some("null") => 1,
        Some(raw) => raw.parse().map_err(|_| wrong("/quantity", "must be a whole number"))?,
    };
    Ok(Request::OrderProduct {
        product,
        quantity,
        customer: text("/customer", raw.customer)?,
        address: text("/address", raw.address)?,
    })
}

fn channels_of(raw: Option<&RawValue>) -> Result<Vec<String>, BodyError> {
    let names: Vec<String> = raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    if (1..=MAX_CHANNELS).contains(&names.len()) {
        return Ok(names);
    }
    Err(BodyError {
        code: ErrorCode::UnknownChannel,
        detail: format!("channels must be an array of 1 to {MAX_CHANNELS} names, such as [\"orders\"]"),
        fields: vec![FieldError::new("/channels", "must be an array of channel names")],
    })
}

fn since_of(raw: Option<&RawValue>) -> Result<BTreeMap<String, Position>, BodyError> {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else {
        return Ok(BTreeMap::new());
    };
    let positions: BTreeMap<String, RawPosition> = serde_json::from_str(raw.get()).map_err(|error| BodyError {
        code: ErrorCode::UnknownChannel,
        detail: format!(
            "since must hold a position by channel, such as {{\"orders\":{{\"epoch\":\"…\",\"offset\":41}}}}: {error}"
        ),
        fields: vec![FieldError::new("/since", "must be an object of positions")],
    })?;
    let position = |raw: RawPosition| Position { epoch: Epoch(raw.epoch.into()), offset: raw.offset };
    Ok(positions.into_iter().map(|(channel, raw)| (channel, position(raw))).collect())
}

/// Writes `{"type":"connect","id":…}`.
pub fn write_connect(id: &str, out: &mut Vec<u8>) {
    JsonWriter::new(out).begin_object().key("type").string("connect").key("id").string(id).end_object();
}

/// Writes the product list; an empty one says what to do.
pub fn write_products<'a>(products: impl IntoIterator<Item = ProductView<'a>>, out: &mut Vec<u8>) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_told_apart() {
        let frame = parse_frame(br#"{"type":"order","ref":"7","product":"ab","quantity":2}"#).unwrap();
        assert_eq!(frame.reference, Some("\"7\""));
        assert!(matches!(frame.request, Request::OrderProduct { quantity: 2, .. }));
        assert_eq!(parse_frame(br#"{"type":"order","items":["a"]}"#).unwrap().request, Request::Order);
        let frame =
            parse_frame(br#"{"type":"subscribe","channels":["orders"],"since":{"orders":{"epoch":"e","offset":41}}}"#)
                .unwrap();
        let Request::Subscribe { channels, since } = frame.request else { panic!("not a subscribe: {frame:?}") };
        assert_eq!(channels, ["orders"]);
        assert_eq!(since["orders"].offset, 41);
    }

    #[test]
    fn bad_frames_keep_their_mark() {
        for (text, reference, code) in [
            (r#"{"type":"dance","ref":1}"#, Some("1"), ErrorCode::UnknownType),
            (r#"{"ref":1}"#, Some("1"), ErrorCode::UnknownType),
            (r#"{"type":"subscribe","ref":2,"channels":[]}"#, Some("2"), ErrorCode::UnknownChannel),
            (r#"{"type":"order","ref":3,"product":"a","quantity":"x"}"#, Some("3"), ErrorCode::InvalidOrder),
            ("{", None, ErrorCode::MalformedJson),
            ("7", None, ErrorCode::MalformedJson),
        ] {
            let error = parse_frame(text.as_bytes()).unwrap_err();
            assert_eq!((error.reference, error.error.code), (reference, code), "{text}");
        }
    }
}
