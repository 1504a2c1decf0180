//! Wrapping a stored event body for each protocol, by concatenation.
//!
//! A body is a JSON object, encoded once when the event is written. Channel and offset are known only to
//! the wrapper: the closing brace of the body is replaced by them and put back.

use crate::centrifuge::codec::{Encoding, append_encoded};
use crate::centrifuge::message::ClientInfo;
use crate::centrifuge::push::{push_delta, push_join, push_leave, push_publication};
use crate::json::write_string;

/// The protocols a subscriber may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wire {
    /// Plain JSON text frames on `/ws`.
    PlainJson,
    /// The data part of Server-Sent Events on `/events`; the id is each stream's own.
    ServerSentEvents,
    /// Centrifuge v2 in JSON: text frames.
    CentrifugeJson,
    /// Centrifuge v2 in Protobuf: binary frames.
    CentrifugeProtobuf,
    /// Centrifuge v2 in JSON as Server-Sent Events.
    CentrifugeEvents,
    /// Centrifuge v2 in JSON as lines of a response.
    CentrifugeLines,
    /// Centrifuge v2 in Protobuf as a response of messages with their lengths.
    CentrifugeDelimited,
}

/// What carries messages and events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// Text frames of a WebSocket.
    TextFrames,
    /// Binary frames of a WebSocket.
    BinaryFrames,
    /// The body of a response that does not end.
    Stream,
}

impl Wire {
    /// What carries it.
    pub fn carrier(self) -> Carrier {
        match self {
            Self::PlainJson | Self::CentrifugeJson => Carrier::TextFrames,
            Self::CentrifugeProtobuf => Carrier::BinaryFrames,
            Self::ServerSentEvents | Self::CentrifugeEvents | Self::CentrifugeLines | Self::CentrifugeDelimited => {
                Carrier::Stream
            }
        }
    }

    /// The encoding, when it is one of Centrifuge's.
    pub fn centrifuge(self) -> Option<Encoding> {
        match self {
            Self::PlainJson | Self::ServerSentEvents => None,
            Self::CentrifugeJson | Self::CentrifugeEvents | Self::CentrifugeLines => Some(Encoding::Json),
            Self::CentrifugeProtobuf | Self::CentrifugeDelimited => Some(Encoding::Protobuf),
        }
    }

    /// Whether its messages are bytes and not text.
    pub fn is_binary(self) -> bool {
        self.centrifuge() == Some(Encoding::Protobuf)
    }

    /// Whether somebody else than the hub speaks on it: a session that answers.
    pub fn has_handler(self) -> bool {
        self != Self::ServerSentEvents
    }

    /// Whether publications may be sent as their difference from the one before.
    pub fn has_delta(self) -> bool {
        self.centrifuge().is_some()
    }

    /// Appends the event for `channel` at `offset`. `body` must be a JSON object with at least one field.
    pub fn wrap(self, channel: &str, offset: u64, body: &[u8], out: &mut Vec<u8>) {
        self.envelop(out, |out| match self.centrifuge() {
            Some(encoding) => push_publication(encoding, channel, offset, body, out),
            None => wrap_json(channel, offset, body, out),
        });
    }

    /// As [`Wire::wrap`], for subscriptions that negotiated differences: `delta` leads from the data of the
    /// publication before to this one's, and the data is whole without it.
    pub fn wrap_delta(self, channel: &str, offset: u64, body: &[u8], delta: Option<&[u8]>, out: &mut Vec<u8>) {
        self.envelop(out, |out| match self.centrifuge() {
            Some(encoding) => push_delta(encoding, channel, offset, body, delta, out),
            None => wrap_json(channel, offset, body, out),
        });
    }

    /// Appends who came to a channel and who left it: pairs of whether they came, and the JSON object that is told
    /// of them.
    pub fn wrap_presence<'a>(
        self,
        channel: &str,
        changes: impl Iterator<Item = (bool, &'a [u8])> + Clone,
        out: &mut Vec<u8>,
    ) {
        self.envelop(out, |out| match self.centrifuge() {
            Some(encoding) => wrap_changes(encoding, channel, changes, out),
            None => wrap_presence_json(channel, changes, out),
        });
    }

    /// Appends a message of a session to a stream's body, where frames do not mark its end.
    pub fn push_message(self, message: &[u8], out: &mut Vec<u8>) {
        self.envelop(out, |out| out.extend_from_slice(message));
    }

    /// What stands around each message where no frame does.
    fn envelop(self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        match self {
            Self::ServerSentEvents | Self::CentrifugeEvents => {
                out.extend_from_slice(b"data: ");
                let start = out.len();
                write(out);
                continue_lines(start, out);
                out.extend_from_slice(b"\n\n");
            }
            Self::CentrifugeLines => {
                write(out);
                out.push(b'\n');
            }
            // Protobuf messages begin with their length.
            Self::PlainJson | Self::CentrifugeJson | Self::CentrifugeProtobuf | Self::CentrifugeDelimited => write(out),
        }
    }
}

/// Each line of an event's data says so itself (HTML, 9.2.6); JSON has line ends only between messages.
fn continue_lines(start: usize, out: &mut Vec<u8>) {
    if out[start..].contains(&b'\n') {
        let lines = out.split_off(start);
        for (index, line) in lines.split(|byte| *byte == b'\n').enumerate() {
            out.extend_from_slice(if index == 0 { b"" } else { b"\ndata: " });
            out.extend_from_slice(line);
        }
    }
}

/// A push for each change. What is told of a connection that is not a client's info is left out.
fn wrap_changes<'a>(
    encoding: Encoding,
    channel: &str,
    changes: impl Iterator<Item = (bool, &'a [u8])>,
    out: &mut Vec<u8>,
) {
    let mut push = Vec::new();
    let mut joined = Vec::new();
    for (is_join, info) in changes {
        let Ok(info) = serde_json::from_slice::<ClientInfo>(info) else {
            continue;
        };
        push.clear();
        match is_join {
            true => push_join(encoding, channel, info, &mut push),
            false => push_leave(encoding, channel, info, &mut push),
        }
        append_encoded(encoding, &push, &mut joined);
    }
    out.extend_from_slice(&joined);
}

fn wrap_json(channel: &str, offset: u64, body: &[u8], out: &mut Vec<u8>) {
    let open = body.strip_suffix(b"}").unwrap_or(body);
    out.extend_from_slice(open);
    out.extend_from_slice(b",\"channel\":");
    write_string(channel, out);
    out.extend_from_slice(b",\"offset\":");
    out.extend_from_slice(itoa::Buffer::new().format(offset).as_bytes());
    out.push(b'}');
}

fn wrap_presence_json<'a>(channel: &str, changes: impl Iterator<Item = (bool, &'a [u8])> + Clone, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"presence\",\"channel\":");
    write_string(channel, out);
    for (name, wanted) in [("joined", true), ("left", false)] {
        out.extend_from_slice(format!(",\"{name}\":[").as_bytes());
        for (index, (_, info)) in changes.clone().filter(|(is_join, _)| *is_join == wanted).enumerate() {
            out.extend_from_slice(if index == 0 { b"" } else { b"," });
            out.extend_from_slice(info);
        }
        out.push(b']');
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_and_offset_are_added_to_the_body() {
        for (wire, text) in [
            (Wire::PlainJson, r#"{"type":"x","channel":"order:\"","offset":42}"#),
            (Wire::ServerSentEvents, "data: {\"type\":\"x\",\"channel\":\"order:\\\"\",\"offset\":42}\n\n"),
            (
                Wire::CentrifugeLines,
                "{\"push\":{\"channel\":\"order:\\\"\",\"pub\":{\"data\":{\"type\":\"x\"},\"offset\":42}}}\n",
            ),
        ] {
            let mut out = Vec::new();
            wire.wrap("order:\"", 42, br#"{"type":"x"}"#, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn several_messages_are_one_of_their_carrier() {
        for (wire, text) in [
            (Wire::CentrifugeJson, "{}\n{}"),
            (Wire::CentrifugeLines, "{}\n{}\n"),
            (Wire::CentrifugeEvents, "data: {}\ndata: {}\n\n"),
        ] {
            let mut out = Vec::new();
            wire.push_message(b"{}\n{}", &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn changes_of_presence_are_one_message() {
        let changes = [(true, &br#"{"user":"a","client":"1"}"#[..]), (false, br#"{"user":"b","client":"2"}"#)];
        for (wire, text) in [
            (
                Wire::PlainJson,
                r#"{"type":"presence","channel":"x","joined":[{"user":"a","client":"1"}],"left":[{"user":"b","client":"2"}]}"#,
            ),
            (
                Wire::CentrifugeEvents,
                "data: {\"push\":{\"channel\":\"x\",\"join\":{\"info\":{\"user\":\"a\",\"client\":\"1\"}}}}\n\
                 data: {\"push\":{\"channel\":\"x\",\"leave\":{\"info\":{\"user\":\"b\",\"client\":\"2\"}}}}\n\n",
            ),
        ] {
            let mut out = Vec::new();
            wire.wrap_presence("x", changes.into_iter(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
