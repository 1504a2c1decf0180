//! Messages that the server compressed (RFC 7692 §7.2.2), each on its own: no window goes over to the next.

use std::collections::HashMap;
use std::io;

use flate2::{Decompress, FlushDecompress};

/// What the client offers: no side keeps a window, so that the server may share a compressed frame.
pub const OFFER: &str = "permessage-deflate; client_no_context_takeover; server_no_context_takeover";
/// What a compressor leaves off at the end of a message.
const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];
/// Longest message that is believed.
const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// Messages that are remembered.
const MOST_REMEMBERED: usize = 512;

/// Inflates messages; one serves any number of connections. What thousands hear is inflated once, so that the
/// clients of a load do not take the CPU that the server needs.
#[derive(Debug)]
pub struct Inflater {
    state: Decompress,
    remembered: HashMap<Vec<u8>, Vec<u8>>,
}

impl Default for Inflater {
    fn default() -> Self {
        Self { state: Decompress::new(false), remembered: HashMap::new() }
    }
}

impl Inflater {
    /// The message of a compressed payload.
    ///
    /// # Errors
    /// When the payload is no such thing, or too long.
    pub fn inflate(&mut self, payload: &[u8]) -> io::Result<&[u8]> {
        if !self.remembered.contains_key(payload) {
            let message = self.inflate_new(payload)?;
            if self.remembered.len() >= MOST_REMEMBERED {
                self.remembered.clear();
            }
            self.remembered.insert(payload.to_vec(), message);
        }
        Ok(&self.remembered[payload])
    }

    fn inflate_new(&mut self, payload: &[u8]) -> io::Result<Vec<u8>> {
        self.state.reset(false);
        let mut out = Vec::new();
        for part in [payload, &TAIL] {
            self.feed(part, &mut out)?;
        }
        out.shrink_to_fit();
        Ok(out)
    }

    fn feed(&mut self, mut part: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        while !part.is_empty() {
            out.reserve(part.len().max(1024) * 4);
            let before = self.state.total_in();
            self.state.decompress_vec(part, out, FlushDecompress::None).map_err(io::Error::other)?;
            let taken = usize::try_from(self.state.total_in() - before).map_err(io::Error::other)?;
            part = &part[taken..];
            if out.len() > MAX_MESSAGE_BYTES {
                return Err(io::Error::other("a message longer than any that a server sends"));
            }
            if taken == 0 && out.len() < out.capacity() {
                return Err(io::Error::other("a compressed message that goes on after its end"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compress, Compression, FlushCompress};

    use super::*;

    fn deflate(message: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(message.len() + 64);
        Compress::new(Compression::fast(), false).compress_vec(message, &mut out, FlushCompress::Sync).unwrap();
        assert!(out.ends_with(&TAIL));
        out.truncate(out.len() - TAIL.len());
        out
    }

    #[test]
    fn messages_come_out_as_they_went_in() {
        let mut inflater = Inflater::default();
        for message in [&b""[..], b"{\"offset\":1}", &[b'x'; 100_000], b"again, after a long one"] {
            assert_eq!(inflater.inflate(&deflate(message)).unwrap(), message);
        }
        assert!(inflater.inflate(b"\xFFno deflate").is_err());
    }
}
