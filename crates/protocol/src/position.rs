//! Positions in logs: an epoch and an offset, alone and as the event ids of Server-Sent Events.

use std::fmt;
use std::sync::Arc;

/// Names one life of a log. Renewed only when a store is created or restored, so that an offset of an
/// older life is never mistaken for one of this.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Epoch(pub Arc<str>);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Longest epoch, in bytes.
pub const MAX_EPOCH_BYTES: usize = 32;

/// Whether a text may be an epoch. Positions that clients send are written back into lines of text, so nothing else is
/// let in: an epoch with a line break would put lines of the client's own into its stream.
pub fn is_epoch(text: &str) -> bool {
    (1..=MAX_EPOCH_BYTES).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
}

/// The last event of a log that somebody has seen; offset 0 is before the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The log's life.
    pub epoch: Epoch,
    /// The last offset seen.
    pub offset: u64,
}

/// Positions of several channels in one text: `orders=1f3a.41,products=1f3a.7`.
///
/// Channel names are percent-encoded where they would break the form.
pub fn encode_positions<'a>(positions: impl IntoIterator<Item = (&'a str, &'a Epoch, u64)>) -> String {
    let mut text = String::new();
    for (channel, epoch, offset) in positions {
        if !text.is_empty() {
            text.push(',');
        }
        escape(channel, &mut text);
        text.push_str(&format!("={epoch}.{offset}"));
    }
    text
}

/// Reads what [`encode_positions`] wrote; `None` when any part of it is malformed.
pub fn decode_positions(text: &str) -> Option<Vec<(String, Position)>> {
    text.split(',')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (channel, position) = part.split_once('=')?;
            let (epoch, offset) = position.rsplit_once('.')?;
            let offset = offset.parse().ok().filter(|_| offset.bytes().all(|byte| byte.is_ascii_digit()))?;
            let position = is_epoch(epoch).then(|| Position { epoch: Epoch(epoch.into()), offset })?;
            Some((unescape(channel)?, position))
        })
        .collect()
}

fn escape(channel: &str, out: &mut String) {
    for byte in channel.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'%' {
            let hex = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(byte);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_go_both_ways() {
        let epoch = Epoch("1f3a".into());
        let text = encode_positions([("orders", &epoch, 41), ("order:ä,b=c", &epoch, 7)]);
        let read = decode_positions(&text).unwrap();
        assert_eq!(read[0], ("orders".into(), Position { epoch: epoch.clone(), offset: 41 }));
        assert_eq!(read[1].0, "order:ä,b=c");
        let long = format!("orders={}.1", "e".repeat(MAX_EPOCH_BYTES + 1));
        for broken in [
            "orders",
            "orders=1",
            "orders=a.b",
            "%zz=a.1",
            "orders=.1",
            "orders=a.+1",
            "orders=A.1",
            "orders=x\nevent: FORGED\ndata: {}\n\nid: y.5",
            "orders=x\r.5",
            &long,
        ] {
            assert_eq!(decode_positions(broken), None, "{broken}");
        }
        assert_eq!(decode_positions(""), Some(vec![]));
    }
}
