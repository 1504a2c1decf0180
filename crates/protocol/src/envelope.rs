//! Wrapping a stored event body for each protocol, by concatenation.
//!
//! A body is a JSON object, encoded once when the event is written. Channel and offset are known only to
//! the wrapper: the closing brace of the body is replaced by them and put back.

use crate::json::write_string;

/// The protocols a subscriber may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wire {
    /// Plain JSON text frames on `/ws`.
    PlainJson,
    /// The data part of Server-Sent Events on `/events`; the id is each stream's own.
    ServerSentEvents,
}

impl Wire {
    /// Every protocol, for tables indexed by [`Wire::index`].
    pub const ALL: [Self; 2] = [Self::PlainJson, Self::ServerSentEvents];

    /// Its place in [`Wire::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// Appends the event for `channel` at `offset`. `body` must be a JSON object with at least one field.
    pub fn wrap(self, channel: &str, offset: u64, body: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::PlainJson => wrap_json(channel, offset, body, out),
            Self::ServerSentEvents => {
                out.extend_from_slice(b"data: ");
                wrap_json(channel, offset, body, out);
                out.extend_from_slice(b"\n\n");
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_and_offset_are_added_to_the_body() {
        for (wire, text) in [
            (Wire::PlainJson, r#"{"type":"x","channel":"order:\"","offset":42}"#),
            (Wire::ServerSentEvents, "data: {\"type\":\"x\",\"channel\":\"order:\\\"\",\"offset\":42}\n\n"),
        ] {
            let mut out = Vec::new();
            wire.wrap("order:\"", 42, br#"{"type":"x"}"#, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
