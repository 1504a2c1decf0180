//! How publications of application channels are stored, once for every encoding.
//!
//! The stored body is a JSON object on one line that begins with [`PREFIX`]; `data_base64` and `data` come
//! first, so that the wrapper for JSON clients only cuts:
//!
//! ```text
//! {"type":"publication","data":<json>,"info":{…},"tags":{…},"time":<ms>}
//! ```
//!
//! Protobuf clients must get the very bytes that were published. Where `data` alone would not tell them,
//! `data_base64` holds them: without `data` when they are not JSON (JSON clients get the base64 text as a
//! string), beside it when they are JSON on several lines or with spaces around it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::codec::Encoding;
use super::message::{ClientInfo, Publication, json_text};
use crate::json::{nesting_depth, write_string};
use crate::limits::MAX_NESTING;

/// How every stored publication begins. Events of logs do not: their whole body is data.
pub const PREFIX: &[u8] = b"{\"type\":\"publication\",";

/// A publication that is to be stored.
#[derive(Clone, Copy, Debug)]
pub struct PublicationBody<'a> {
    /// What was published: JSON, or any other bytes.
    pub data: &'a [u8],
    /// By whom; `None` for a server.
    pub info: Option<&'a ClientInfo>,
    /// Marks of the publisher.
    pub tags: &'a BTreeMap<String, String>,
    /// When, in milliseconds since 1970; 0 when that is not known.
    pub time_ms: i64,
}

/// Appends the stored form: one JSON object on one line.
pub fn write_publication(publication: &PublicationBody<'_>, out: &mut Vec<u8>) {
    let data = publication.data;
    out.extend_from_slice(PREFIX);
    let json = serde_json::from_slice::<&RawValue>(data).ok().filter(|_| nesting_depth(data) <= MAX_NESTING);
    let one_line = json.map(|raw| json_text(raw.get().as_bytes()));
    if one_line.as_ref().is_none_or(|text| text.as_bytes() != data) {
        out.extend_from_slice(b"\"data_base64\":\"");
        out.extend_from_slice(STANDARD.encode(data).as_bytes());
        out.push(b'"');
    }
    if let Some(text) = one_line {
        if !out.ends_with(b",") {
            out.push(b',');
        }
        out.extend_from_slice(b"\"data\":");
        out.extend_from_slice(text.as_bytes());
    }
    write_attributes(publication.info, publication.tags, publication.time_ms, out);
    out.push(b'}');
}

/// Writes what stands after the data, each with a comma before it.
pub(super) fn write_attributes(
    info: Option<&ClientInfo>,
    tags: &BTreeMap<String, String>,
    time_ms: i64,
    out: &mut Vec<u8>,
) {
    if let Some(info) = info {
        out.extend_from_slice(b",\"info\":");
        write_json(info, out);
    }
    if !tags.is_empty() {
        out.extend_from_slice(b",\"tags\":");
        write_json(tags, out);
    }
    if time_ms != 0 {
        out.extend_from_slice(b",\"time\":");
        out.extend_from_slice(itoa::Buffer::new().format(time_ms).as_bytes());
    }
}

fn write_json(value: &impl serde::Serialize, out: &mut Vec<u8>) {
    let written = serde_json::to_writer(out, value).is_ok();
    debug_assert!(written, "maps with string keys always have JSON");
}

/// A stored publication, read where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicationRef<'a> {
    /// The data as JSON text; `None` when it is not JSON.
    pub json: Option<&'a str>,
    /// The published bytes in base64, where `json` does not tell them.
    pub base64: Option<&'a str>,
    /// Who published.
    pub info: Option<ClientInfo>,
    /// Marks of the publisher.
    pub tags: BTreeMap<String, String>,
    /// When, in milliseconds since 1970; 0 when that is not known.
    pub time_ms: i64,
}

#[derive(Deserialize)]
struct Stored<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data_base64: Option<&'a str>,
    #[serde(default)]
    info: Option<ClientInfo>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    time: i64,
}

/// A value that is there, even when it is null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads a stored publication; `None` when the body is an event, or broken.
pub fn parse_publication(body: &[u8]) -> Option<PublicationRef<'_>> {
    if !body.starts_with(PREFIX) {
        return None;
    }
    let Stored { data, data_base64: base64, info, tags, time } = serde_json::from_slice(body).ok()?;
    let json = data.map(RawValue::get);
    (json.is_some() || base64.is_some()).then_some(PublicationRef { json, base64, info, tags, time_ms: time })
}

impl<'a> PublicationRef<'a> {
    /// The data as clients of an encoding get it: JSON text, or the published bytes.
    pub fn data(&self, encoding: Encoding) -> Cow<'a, [u8]> {
        let json = self.json.map(|json| Cow::Borrowed(json.as_bytes()));
        match (encoding, json, self.base64) {
            (Encoding::Json, Some(json), _) | (_, Some(json), None) => json,
            (Encoding::Json, None, base64) => Cow::Owned(format!("\"{}\"", base64.unwrap_or_default()).into_bytes()),
            // Only broken base64 is not decoded, and we wrote it.
            (Encoding::Protobuf, _, base64) => {
                Cow::Owned(base64.and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default())
            }
        }
    }
}

/// The data of a stored body as clients of an encoding get it; of an event the whole body.
///
/// Deltas are made between two of these.
pub fn data_of(encoding: Encoding, body: &[u8]) -> Cow<'_, [u8]> {
    parse_publication(body).map_or(Cow::Borrowed(body), |publication| publication.data(encoding))
}

/// A stored body as a message, for replies that hold several.
pub fn to_message(encoding: Encoding, offset: u64, body: &[u8]) -> Publication {
    match parse_publication(body) {
        None => Publication { data: Bytes::copy_from_slice(body), offset, ..Publication::default() },
        Some(stored) => Publication {
            data: Bytes::from(stored.data(encoding).into_owned()),
            info: stored.info,
            offset,
            tags: stored.tags,
            time: stored.time_ms,
            ..Publication::default()
        },
    }
}

/// The message of a subscription that negotiated deltas: JSON clients get the data as text in a string.
///
/// `delta` goes in place of the data; it must lead from the data of the publication before to this one's.
pub fn to_delta_message(encoding: Encoding, offset: u64, body: &[u8], delta: Option<&[u8]>) -> Publication {
    let full = to_message(encoding, offset, body);
    let text = delta.filter(|delta| is_sendable(encoding, delta));
    let data = text.unwrap_or(&full.data);
    let data = match encoding {
        Encoding::Json => in_string(data),
        Encoding::Protobuf => Bytes::copy_from_slice(data),
    };
    Publication { data, delta: text.is_some(), ..full }
}

/// Whether a delta can be sent: as text it must be UTF-8.
pub(super) fn is_sendable(encoding: Encoding, delta: &[u8]) -> bool {
    encoding == Encoding::Protobuf || std::str::from_utf8(delta).is_ok()
}

fn in_string(text: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(text.len() + text.len() / 8 + 2);
    write_string(&String::from_utf8_lossy(text), &mut out);
    Bytes::from(out)
}

#[cfg(test)]
#[path = "publication_tests.rs"]
mod tests;
