//! Pushes. Publications are wrapped by concatenation, once for all subscribers of an encoding; everything
//! else is rare and goes through the structs.
//!
//! What is appended stands in a frame as it is; [`super::codec::append_encoded`] joins several.

use std::borrow::Cow;

use prost::Message;

use super::code::{Unsubscribe, may_reconnect};
use super::codec::{Encoding, encode_reply};
use super::message::{
    ClientInfo, DisconnectPush, JoinPush, LeavePush, MessagePush, Publication, Push, Reply, SubscribePush,
};
use super::publication::{PREFIX, is_sendable, parse_publication, write_attributes};
use crate::json::write_string;

/// Field `push` of `Reply`: number 4, length-delimited.
const PUSH_KEY: u8 = 0x22;
/// Field `channel` of `Push`: number 2, length-delimited.
const CHANNEL_KEY: u8 = 0x12;
/// Field `pub` of `Push`: number 4, length-delimited.
const PUBLICATION_KEY: u8 = 0x22;
/// Field `data` of `Publication`: number 4, length-delimited.
const DATA_KEY: u8 = 0x22;

/// Appends the push of a stored body; of an event the whole body is the data. `offset` 0 is left out.
pub fn push_publication(encoding: Encoding, channel: &str, offset: u64, body: &[u8], out: &mut Vec<u8>) {
    match encoding {
        Encoding::Json => {
            begin_json(channel, out);
            match body.strip_prefix(PREFIX) {
                Some(fields) => write_stored_fields(fields, out),
                None => {
                    out.extend_from_slice(b"\"data\":");
                    out.extend_from_slice(body);
                }
            }
            end_json(offset, out);
        }
        Encoding::Protobuf => push_protobuf(channel, offset, body, None, out),
    }
}

/// Appends the push for subscriptions that negotiated deltas. JSON clients get the data as text in a string.
///
/// `delta`, which leads from the data of the publication before to this one's, goes in place of the data,
/// unless the encoding is JSON and it is not UTF-8.
pub fn push_delta(
    encoding: Encoding,
    channel: &str,
    offset: u64,
    body: &[u8],
    delta: Option<&[u8]>,
    out: &mut Vec<u8>,
) {
    let delta = delta.filter(|delta| is_sendable(encoding, delta));
    if encoding == Encoding::Protobuf {
        return push_protobuf(channel, offset, body, delta, out);
    }
    let stored = parse_publication(body);
    let full = stored.as_ref().map_or(Cow::Borrowed(body), |stored| stored.data(encoding));
    begin_json(channel, out);
    out.extend_from_slice(b"\"data\":");
    write_string(&String::from_utf8_lossy(delta.unwrap_or(&full)), out);
    if delta.is_some() {
        out.extend_from_slice(b",\"delta\":true");
    }
    if let Some(stored) = &stored {
        write_attributes(stored.info.as_ref(), &stored.tags, stored.time_ms, out);
    }
    end_json(offset, out);
}

fn begin_json(channel: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"push\":{\"channel\":");
    write_string(channel, out);
    out.extend_from_slice(b",\"pub\":{");
}

fn end_json(offset: u64, out: &mut Vec<u8>) {
    if offset != 0 {
        out.extend_from_slice(b",\"offset\":");
        out.extend_from_slice(itoa::Buffer::new().format(offset).as_bytes());
    }
    out.extend_from_slice(b"}}}");
}

/// Writes the fields of a stored publication without what only Protobuf clients need.
fn write_stored_fields(fields: &[u8], out: &mut Vec<u8>) {
    let fields = fields.strip_suffix(b"}").unwrap_or(fields);
    let Some(base64) = fields.strip_prefix(b"\"data_base64\":\"") else {
        return out.extend_from_slice(fields);
    };
    // Base64 holds no quotes.
    let end = base64.iter().position(|&byte| byte == b'"').unwrap_or(base64.len());
    match base64.get(end..) {
        Some(rest) if rest.starts_with(b"\",\"data\":") => out.extend_from_slice(&rest[2..]),
        _ => {
            out.extend_from_slice(b"\"data\":\"");
            out.extend_from_slice(base64);
        }
    }
}

fn push_protobuf(channel: &str, offset: u64, body: &[u8], delta: Option<&[u8]>, out: &mut Vec<u8>) {
    let stored = parse_publication(body);
    let full = stored.as_ref().map_or(Cow::Borrowed(body), |stored| stored.data(Encoding::Protobuf));
    let data = delta.unwrap_or(&full);
    let mut rest = Publication { offset, delta: delta.is_some(), ..Publication::default() };
    if let Some(stored) = stored {
        (rest.info, rest.tags, rest.time) = (stored.info, stored.tags, stored.time_ms);
    }
    let publication = field_len(data.len()) + rest.encoded_len();
    let push = field_len(channel.len()) + field_len(publication);
    write_varint(field_len(push), out);
    begin_field(PUSH_KEY, push, out);
    begin_field(CHANNEL_KEY, channel.len(), out);
    out.extend_from_slice(channel.as_bytes());
    begin_field(PUBLICATION_KEY, publication, out);
    begin_field(DATA_KEY, data.len(), out);
    out.extend_from_slice(data);
    let written = rest.encode(out).is_ok();
    debug_assert!(written, "a Vec takes everything");
}

/// Bytes of a length-delimited field of a number below 16.
fn field_len(content: usize) -> usize {
    1 + prost::length_delimiter_len(content) + content
}

fn begin_field(key: u8, content: usize, out: &mut Vec<u8>) {
    out.push(key);
    write_varint(content, out);
}

fn write_varint(number: usize, out: &mut Vec<u8>) {
    let written = prost::encode_length_delimiter(number, out).is_ok();
    debug_assert!(written, "a Vec takes everything");
}

/// Appends the push that says who came into a channel.
pub fn push_join(encoding: Encoding, channel: &str, info: ClientInfo, out: &mut Vec<u8>) {
    push(encoding, Push { join: Some(JoinPush { info: Some(info) }), ..of(channel) }, out);
}

/// Appends the push that says who left a channel.
pub fn push_leave(encoding: Encoding, channel: &str, info: ClientInfo, out: &mut Vec<u8>) {
    push(encoding, Push { leave: Some(LeavePush { info: Some(info) }), ..of(channel) }, out);
}

/// Appends the push that tells a client that the server made a subscription for it.
pub fn push_subscribe(encoding: Encoding, channel: &str, subscribe: SubscribePush, out: &mut Vec<u8>) {
    push(encoding, Push { subscribe: Some(subscribe), ..of(channel) }, out);
}

/// Appends the push that tells a client that the server ended a subscription.
pub fn push_unsubscribe(encoding: Encoding, channel: &str, why: Unsubscribe, out: &mut Vec<u8>) {
    push(encoding, Push { unsubscribe: Some(why.into()), ..of(channel) }, out);
}

/// Appends the push that tells a client that its connection ends, for transports without close codes.
pub fn push_disconnect(encoding: Encoding, code: u32, reason: &str, out: &mut Vec<u8>) {
    let disconnect = DisconnectPush { code, reason: reason.to_owned(), reconnect: may_reconnect(code) };
    push(encoding, Push { disconnect: Some(disconnect), ..Push::default() }, out);
}

/// Appends a message to one connection.
pub fn push_message(encoding: Encoding, data: &[u8], out: &mut Vec<u8>) {
    let message = MessagePush { data: bytes::Bytes::copy_from_slice(data) };
    push(encoding, Push { message: Some(message), ..Push::default() }, out);
}

fn of(channel: &str) -> Push {
    Push { channel: channel.to_owned(), ..Push::default() }
}

fn push(encoding: Encoding, push: Push, out: &mut Vec<u8>) {
    encode_reply(encoding, &Reply { push: Some(push), ..Reply::default() }, out);
}

#[cfg(test)]
#[path = "push_tests.rs"]
mod tests;
