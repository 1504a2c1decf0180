//! What clients ask for.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::error::{ErrorCode, FieldError};
use crate::fields::{BodyError, FieldReader, Form, Object, pointer_to, string_of, whole_number};
use crate::limits::MAX_CHANNELS;
use crate::position::{Epoch, MAX_EPOCH_BYTES, Position, is_epoch};

/// What a client asks for in one frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// An order, in full or of one product; the frame itself is its body, for [`crate::intake::parse_order`].
    Order,
    /// Something that is to be done to an order; the frame itself is its body, for [`crate::action::parse_action`].
    OrderAction,
    /// Start, or start again from a position.
    Subscribe {
        /// Channel names.
        channels: Vec<String>,
        /// From where, by channel name; from now on where missing.
        since: BTreeMap<String, Position>,
        /// How often events are delivered.
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

/// How often events are delivered to a subscriber.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Every event.
    #[default]
    All,
    /// The newest of each order or product, when the client is behind.
    Latest,
    /// As above, at most once in this number of milliseconds.
    Sampled(u32),
}

/// A frame from a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFrame<'a> {
    /// The client's own mark, as JSON, given back in the answer.
    pub reference: Option<&'a str>,
    /// What is asked.
    pub request: Request,
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

/// Fields of each type of frame, beside its own (`type` and `ref`). Those of orders and actions are known where these are
/// parsed.
const FIELDS: [(&str, &[&str]); 5] = [
    ("subscribe", &["channels", "since", "policy", "interval_ms", "snapshot"]),
    ("unsubscribe", &["channels"]),
    ("history", &["channel", "before", "limit"]),
    ("presence", &["channel", "limit", "after"]),
    ("ping", &[]),
];
const POSITION_FIELDS: [&str; 2] = ["epoch", "offset"];
/// Longest mark of a client, in bytes; a longer one is not given back.
const MAX_REFERENCE_BYTES: usize = 256;

/// Parses one message of a client.
///
/// # Errors
/// [`FrameError`] with `malformed-json`, `unknown-type`, `unknown-channel`, `invalid-query` or `invalid-order`.
pub fn parse_frame(text: &[u8]) -> Result<ClientFrame<'_>, FrameError<'_>> {
    let mut fields = FieldReader::default();
    let frame = fields.body(text, "{\"type\":\"ping\"}").map_err(|mut error| {
        if !error.detail.contains("nested") {
            error.detail = format!("a frame is a JSON object with a type: {}", error.detail);
        }
        FrameError { reference: None, error }
    })?;
    let reference = frame.get("ref").map(RawValue::get).filter(|reference| reference.len() <= MAX_REFERENCE_BYTES);
    if !fields.errors.is_empty() {
        let error = BodyError::of_fields(ErrorCode::InvalidQuery, fields.errors);
        return Err(FrameError { reference, error });
    }
    let request = parse_request(&frame, fields).map_err(|error| FrameError { reference, error })?;
    Ok(ClientFrame { reference, request })
}

fn parse_request(frame: &Object<'_>, mut fields: FieldReader) -> Result<Request, BodyError> {
    let kind = frame.get("type").and_then(|kind| string_of(kind.get()));
    if let Some((_, known)) = FIELDS.iter().find(|(name, _)| kind.as_deref() == Some(name)) {
        fields.check_known("", frame, &[known], &[Form::Frame.own_fields()]);
        if !fields.errors.is_empty() {
            return Err(BodyError::of_fields(ErrorCode::InvalidQuery, fields.errors));
        }
    }
    match kind.as_deref() {
        Some("order") => Ok(Request::Order),
        Some("order_action") => Ok(Request::OrderAction),
        Some("subscribe") => {
            let (channels, since) = (channels_of(frame.get("channels"))?, since_of(frame.get("since"))?);
            Ok(Request::Subscribe {
                channels,
                since,
                policy: policy_of(frame)?,
                snapshot: flag("/snapshot", frame.get("snapshot"))?,
            })
        }
        Some("unsubscribe") => Ok(Request::Unsubscribe { channels: channels_of(frame.get("channels"))? }),
        Some("history") => parse_history(frame),
        Some("presence") => parse_presence(frame),
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

/// Positions by channel. The same channel twice, or one that is not asked for, is the session's to judge.
fn since_of(raw: Option<&RawValue>) -> Result<BTreeMap<String, Position>, BodyError> {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else {
        return Ok(BTreeMap::new());
    };
    let mut fields = FieldReader::default();
    let by_channel: BTreeMap<String, &RawValue> = match serde_json::from_str(raw.get()) {
        Ok(by_channel) if raw.get().starts_with('{') => by_channel,
        _ => {
            let example = "{\"orders\":{\"epoch\":\"…\",\"offset\":41}}";
            return Err(wrong("/since", &format!("must be an object of positions by channel, such as {example}")));
        }
    };
    let positions = by_channel.into_iter().filter_map(|(channel, raw)| {
        let position = fields.position(&pointer_to("/since", &channel), raw)?;
        Some((channel, position))
    });
    let positions = positions.collect();
    fields.finish(positions, ErrorCode::InvalidQuery)
}

impl FieldReader {
    fn position(&mut self, at: &str, raw: &RawValue) -> Option<Position> {
        let Some(position) = self.object(raw) else {
            return self.refuse(at, "must be a position such as {\"epoch\":\"…\",\"offset\":41}");
        };
        self.check_known(at, &position, &[&POSITION_FIELDS], &[]);
        let epoch = self.required(format_args!("{at}/epoch"), position.get("epoch"), MAX_EPOCH_BYTES)?;
        if !is_epoch(&epoch) {
            return self.refuse(format!("{at}/epoch"), "must be an epoch that this server gave");
        }
        let offset = position.get("offset").and_then(|raw| whole(raw.get()));
        match offset {
            Some(offset) => Some(Position { epoch: Epoch(epoch.into()), offset }),
            None => self.refuse(format!("{at}/offset"), format!("must be a whole number from 0 to {}", u64::MAX)),
        }
    }
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
    let number = whole(raw).filter(|number| (least..=most).contains(number));
    number.map(Some).ok_or_else(|| wrong(pointer, &format!("must be a whole number from {least} to {most}")))
}

/// A whole number that is not negative, however it is written.
fn whole(raw: &str) -> Option<u64> {
    raw.parse().ok().or_else(|| u64::try_from(whole_number(raw)?).ok())
}

fn policy_of(raw: &Object<'_>) -> Result<Policy, BodyError> {
    let interval_ms = number("/interval_ms", raw.get("interval_ms"), 1, MAX_SAMPLE_MS)?.unwrap_or(DEFAULT_SAMPLE_MS);
    match given(raw.get("policy")) {
        None | Some("\"all\"") => Ok(Policy::All),
        Some("\"latest\"") => Ok(Policy::Latest),
        Some("\"sampled\"") => Ok(Policy::Sampled(u32::try_from(interval_ms).unwrap_or(u32::MAX))),
        Some(_) => Err(wrong("/policy", "must be \"all\", \"latest\" or \"sampled\" (with interval_ms)")),
    }
}

fn channel_of(raw: &Object<'_>) -> Result<String, BodyError> {
    let name = given(raw.get("channel")).and_then(string_of).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| wrong("/channel", "must be a channel's name, such as \"orders\""))?;
    Ok(name.into_owned())
}

fn parse_history(raw: &Object<'_>) -> Result<Request, BodyError> {
    let limit = number("/limit", raw.get("limit"), 1, MAX_HISTORY_EVENTS as u64)?;
    Ok(Request::History {
        channel: channel_of(raw)?,
        before: number("/before", raw.get("before"), 0, u64::MAX)?,
        limit: limit.map_or(DEFAULT_HISTORY_EVENTS, |limit| limit as usize),
    })
}

fn parse_presence(raw: &Object<'_>) -> Result<Request, BodyError> {
    let limit = number("/limit", raw.get("limit"), 0, MAX_PRESENCE_MEMBERS as u64)?;
    let after = match given(raw.get("after")) {
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
        assert_eq!(frame.request, Request::Order);
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
        fn request(text: &str) -> Request {
            parse_frame(text.as_bytes()).unwrap().request
        }
        let history = Request::History { channel: "orders".to_owned(), before: Some(7), limit: 3 };
        for text in [
            r#"{"type":"history","channel":"orders","before":7,"limit":3}"#,
            r#"{"type":"history","channel":"orders","before":7.0,"limit":0.3e1}"#,
        ] {
            assert_eq!(request(text), history, "{text}");
        }
        let presence = Request::Presence { channel: "a".to_owned(), limit: 100, after: Some("x".to_owned()) };
        assert_eq!(request(r#"{"type":"presence","channel":"a","after":"x"}"#), presence);
    }

    #[test]
    fn bad_frames_keep_their_mark() {
        for (text, reference, code) in [
            (r#"{"type":"dance","ref":1}"#, Some("1"), ErrorCode::UnknownType),
            (r#"{"ref":1}"#, Some("1"), ErrorCode::UnknownType),
            (r#"{"type":"subscribe","ref":2,"channels":[]}"#, Some("2"), ErrorCode::UnknownChannel),
            (r#"{"type":"ping","ref":3,"at":1}"#, Some("3"), ErrorCode::InvalidQuery),
            (r#"{"type":"history","ref":3,"channel":"a","befor":1}"#, Some("3"), ErrorCode::InvalidQuery),
            (r#"{"type":"subscribe","ref":3,"channel":"a","channels":["a"]}"#, Some("3"), ErrorCode::InvalidQuery),
            (
                r#"{"type":"subscribe","ref":3,"channels":["a"],"since":{"a":{"epoch":"E\n","offset":1}}}"#,
                Some("3"),
                ErrorCode::InvalidQuery,
            ),
            (
                r#"{"type":"subscribe","ref":3,"channels":["a"],"since":{"a":{"epoch":"e","ofset":1}}}"#,
                Some("3"),
                ErrorCode::InvalidQuery,
            ),
            (r#"{"type":"history","ref":4}"#, Some("4"), ErrorCode::InvalidQuery),
            (r#"{"type":"history","ref":4,"channel":"a","limit":0}"#, Some("4"), ErrorCode::InvalidQuery),
            (r#"{"type":"history","ref":4,"channel":"a","before":-1}"#, Some("4"), ErrorCode::InvalidQuery),
            (r#"{"type":"presence","ref":4,"channel":7}"#, Some("4"), ErrorCode::InvalidQuery),
            (r#"{"type":"subscribe","ref":5,"channels":["a"],"policy":"some"}"#, Some("5"), ErrorCode::InvalidQuery),
            (r#"{"type":"subscribe","ref":5,"channels":["a"],"snapshot":1}"#, Some("5"), ErrorCode::InvalidQuery),
            ("{", None, ErrorCode::MalformedJson),
            ("7", None, ErrorCode::InvalidQuery),
        ] {
            let error = parse_frame(text.as_bytes()).unwrap_err();
            assert_eq!((error.reference, error.error.code), (reference, code), "{text}");
        }
    }
}
