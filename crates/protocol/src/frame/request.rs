//! What clients ask for.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::{ErrorCode, FieldError};
use crate::fields::{BodyError, parse_object, string_of};
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
    /// Something that is to be done to an order; the frame itself is its body, for [`crate::action::parse_action`].
    OrderAction,
    /// Start, or start again from a position.
    Subscribe {
        /// Channel names.
        channels: Vec<String>,
        /// From where, by channel name; from now on where missing.
        since: BTreeMap<String, Position>,
        /// How much of what happens is wanted.
        policy: Policy,
        /// Tell first how things stand, then what happens from there on.
        snapshot: bool,
    },
    /// Stop.
    Unsubscribe {
        /// Channel names.
        channels: Vec<String>,
    },
    /// The past of a channel, newest first.
    History {
        /// Channel name.
        channel: String,
        /// Only what is older than this offset.
        before: Option<u64>,
        /// Most events, from 1 to [`MAX_HISTORY_EVENTS`].
        limit: usize,
    },
    /// Who is in a channel.
    Presence {
        /// Channel name.
        channel: String,
        /// Most members that are listed, up to [`MAX_PRESENCE_MEMBERS`].
        limit: usize,
        /// Only those whose connections come after this one.
        after: Option<String>,
    },
    /// A sign of life.
    Ping,
}

/// How much of what happens a subscriber wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Every event.
    #[default]
    All,
    /// The newest of each order or product, when the client is behind.
    Latest,
    /// As above, at most once in so many milliseconds.
    Sampled(u32),
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

/// Most events of one `history` frame.
pub const MAX_HISTORY_EVENTS: usize = 500;
const DEFAULT_HISTORY_EVENTS: usize = 50;
/// Most members of one `presence` frame.
pub const MAX_PRESENCE_MEMBERS: usize = 1_000;
const DEFAULT_PRESENCE_MEMBERS: usize = 100;
/// The longest time between two samples, in milliseconds, and the one that is taken when none is named.
pub const MAX_SAMPLE_MS: u64 = 3_600_000;
const DEFAULT_SAMPLE_MS: u64 = 1_000;

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
    #[serde(borrow, default)]
    policy: Option<&'a RawValue>,
    #[serde(borrow, default)]
    interval_ms: Option<&'a RawValue>,
    #[serde(borrow, default)]
    snapshot: Option<&'a RawValue>,
    #[serde(borrow, default)]
    channel: Option<&'a RawValue>,
    #[serde(borrow, default)]
    before: Option<&'a RawValue>,
    #[serde(borrow, default)]
    after: Option<&'a RawValue>,
    #[serde(borrow, default)]
    limit: Option<&'a RawValue>,
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
        Some("order_action") => Ok(Request::OrderAction),
        Some("subscribe") => {
            let (channels, since) = (channels_of(raw.channels)?, since_of(raw.since)?);
            Ok(Request::Subscribe {
                channels,
                since,
                policy: policy_of(raw)?,
                snapshot: flag("/snapshot", raw.snapshot)?,
            })
        }
        Some("unsubscribe") => Ok(Request::Unsubscribe { channels: channels_of(raw.channels)? }),
        Some("history") => parse_history(raw),
        Some("presence") => parse_presence(raw),
        Some("ping") => Ok(Request::Ping),
        _ => {
            let known = "known are order, order_action, subscribe, unsubscribe, history, presence and ping";
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

fn wrong(pointer: &str, detail: &str) -> BodyError {
    BodyError {
        code: ErrorCode::InvalidQuery,
        detail: format!("{pointer} {detail}"),
        fields: vec![FieldError::new(pointer, detail)],
    }
}

/// A field that is there and not null.
fn given(raw: Option<&RawValue>) -> Option<&str> {
    raw.map(RawValue::get).filter(|raw| *raw != "null")
}

fn flag(pointer: &str, raw: Option<&RawValue>) -> Result<bool, BodyError> {
    given(raw).map_or(Ok(false), |raw| raw.parse().map_err(|_| wrong(pointer, "must be true or false")))
}

fn number(pointer: &str, raw: Option<&RawValue>, least: u64, most: u64) -> Result<Option<u64>, BodyError> {
    let Some(raw) = given(raw) else {
        return Ok(None);
    };
    let number = raw.parse().ok().filter(|number| (least..=most).contains(number));
    number.map(Some).ok_or_else(|| wrong(pointer, &format!("must be a whole number from {least} to {most}")))
}

fn policy_of(raw: &RawFrame<'_>) -> Result<Policy, BodyError> {
    let interval_ms = number("/interval_ms", raw.interval_ms, 1, MAX_SAMPLE_MS)?.unwrap_or(DEFAULT_SAMPLE_MS);
    match given(raw.policy) {
        None | Some("\"all\"") => Ok(Policy::All),
        Some("\"latest\"") => Ok(Policy::Latest),
        Some("\"sampled\"") => Ok(Policy::Sampled(u32::try_from(interval_ms).unwrap_or(u32::MAX))),
        Some(_) => Err(wrong("/policy", "must be \"all\", \"latest\" or \"sampled\" (with interval_ms)")),
    }
}

fn channel_of(raw: &RawFrame<'_>) -> Result<String, BodyError> {
    let name = given(raw.channel).and_then(string_of).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| wrong("/channel", "must be a channel's name, such as \"orders\""))?;
    Ok(name.into_owned())
}

fn parse_history<'a>(raw: &RawFrame<'a>) -> Result<Request<'a>, BodyError> {
    let limit = number("/limit", raw.limit, 1, MAX_HISTORY_EVENTS as u64)?;
    Ok(Request::History {
        channel: channel_of(raw)?,
        before: number("/before", raw.before, 0, u64::MAX)?,
        limit: limit.map_or(DEFAULT_HISTORY_EVENTS, |limit| limit as usize),
    })
}

fn parse_presence<'a>(raw: &RawFrame<'a>) -> Result<Request<'a>, BodyError> {
    let limit = number("/limit", raw.limit, 0, MAX_PRESENCE_MEMBERS as u64)?;
    let after = match given(raw.after) {
        None => None,
        Some(raw) => Some(string_of(raw).ok_or_else(|| wrong("/after", "must be a connection's id"))?.into_owned()),
    };
    Ok(Request::Presence {
        channel: channel_of(raw)?,
        limit: limit.map_or(DEFAULT_PRESENCE_MEMBERS, |limit| limit as usize),
        after,
    })
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
        let Request::Subscribe { channels, since, .. } = frame.request else { panic!("not a subscribe: {frame:?}") };
        assert_eq!(channels, ["orders"]);
        assert_eq!(since["orders"].offset, 41);
    }

    #[test]
    fn wishes_are_understood() {
        for (fields, policy, snapshot) in [
            ("", Policy::All, false),
            (r#","policy":"latest","snapshot":true"#, Policy::Latest, true),
            (r#","policy":"sampled""#, Policy::Sampled(1_000), false),
            (r#","policy":"sampled","interval_ms":250,"snapshot":null"#, Policy::Sampled(250), false),
        ] {
            let text = format!(r#"{{"type":"subscribe","channels":["orders"]{fields}}}"#);
            let Request::Subscribe { policy: own, snapshot: wanted, .. } =
                parse_frame(text.as_bytes()).unwrap().request
            else {
                panic!("not a subscribe: {text}")
            };
            assert_eq!((own, wanted), (policy, snapshot), "{text}");
        }
        fn request(text: &str) -> Request<'_> {
            parse_frame(text.as_bytes()).unwrap().request
        }
        let history = Request::History { channel: "orders".to_owned(), before: Some(7), limit: 3 };
        let text = r#"{"type":"history","channel":"orders","before":7,"limit":3}"#;
        assert_eq!(request(text), history);
        let presence = Request::Presence { channel: "a".to_owned(), limit: 100, after: Some("x".to_owned()) };
        assert_eq!(request(r#"{"type":"presence","channel":"a","after":"x"}"#), presence);
    }

    #[test]
    fn bad_frames_keep_their_mark() {
        for (text, reference, code) in [
            (r#"{"type":"dance","ref":1}"#, Some("1"), ErrorCode::UnknownType),
            (r#"{"ref":1}"#, Some("1"), ErrorCode::UnknownType),
            (r#"{"type":"subscribe","ref":2,"channels":[]}"#, Some("2"), ErrorCode::UnknownChannel),
            (r#"{"type":"order","ref":3,"product":"a","quantity":"x"}"#, Some("3"), ErrorCode::InvalidOrder),
            (r#"{"type":"history","ref":4}"#, Some("4"), ErrorCode::InvalidQuery),
            (r#"{"type":"history","ref":4,"channel":"a","limit":0}"#, Some("4"), ErrorCode::InvalidQuery),
            (r#"{"type":"history","ref":4,"channel":"a","before":-1}"#, Some("4"), ErrorCode::InvalidQuery),
            (r#"{"type":"presence","ref":4,"channel":7}"#, Some("4"), ErrorCode::InvalidQuery),
            (r#"{"type":"subscribe","ref":5,"channels":["a"],"policy":"some"}"#, Some("5"), ErrorCode::InvalidQuery),
            (r#"{"type":"subscribe","ref":5,"channels":["a"],"snapshot":1}"#, Some("5"), ErrorCode::InvalidQuery),
            ("{", None, ErrorCode::MalformedJson),
            ("7", None, ErrorCode::MalformedJson),
        ] {
            let error = parse_frame(text.as_bytes()).unwrap_err();
            assert_eq!((error.reference, error.error.code), (reference, code), "{text}");
        }
    }
}
