//! Compressed messages (RFC 7692 §7.2), each on its own: nothing of one is left when the next begins.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::encode;
use super::header::{COMPRESSED, FINAL, Opcode, push_header};

/// Speed over ratio: a shard compresses between two commits.
const LEVEL: u32 = 1;
/// Payloads below it are sent as they are: their gain is a few bytes, the price is that of a large one.
const MIN_PAYLOAD_BYTES: usize = 128;
/// What a flush leaves at the end of a message, and what is not sent (RFC 7692 §7.2.1): an empty block.
const FLUSH_MARK: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
/// What is read after a message: the mark, and an empty last block, by which it is seen whether the message
/// was whole.
const MESSAGE_END: [u8; 6] = [0x00, 0x00, 0xff, 0xff, 0x03, 0x00];
/// Most ends of a stream inside one message. One is usual where there is any (RFC 7692 §7.2.3.4), but each
/// costs as much as kilobytes do.
const MAX_STREAM_ENDS: usize = 64;
/// Least room that is made for what comes out, in bytes.
const MIN_ROOM_BYTES: usize = 4 * 1024;
/// Most room that is kept from one message to the next, in bytes.
const MAX_KEPT_BYTES: usize = 256 * 1024;

/// Why a compressed message cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InflateError {
    /// It is not DEFLATE, or cut off.
    Invalid,
    /// It is more than was allowed.
    TooBig,
}

/// Reads compressed messages. Empty until it is first used, then some 40 KiB and the room for a message.
#[derive(Default)]
pub struct Inflater {
    stream: Option<Decompress>,
    room: Vec<u8>,
}

/// The largest that a compressed message of `max_message_bytes` need be, in bytes: no literal takes more than
/// 9 bits under the fixed code (RFC 1951 §3.2.6), and a block or two begin and end.
pub(super) fn max_compressed_bytes(max_message_bytes: usize) -> usize {
    const BLOCK_BYTES: usize = 64;
    max_message_bytes.saturating_add(max_message_bytes / 8).saturating_add(BLOCK_BYTES)
}

impl Inflater {
    /// The message, at most `max_bytes` of it.
    pub(super) fn inflate(&mut self, message: &[u8], max_bytes: usize) -> Result<&[u8], InflateError> {
        let stream = self.stream.get_or_insert_with(|| Decompress::new(false));
        stream.reset(false);
        let room = &mut self.room;
        let (mut len, mut ends) = (0, 0);
        for (mut rest, is_end) in [(message, false), (&MESSAGE_END[..], true)] {
            loop {
                if len == room.len() {
                    grow(room, max_bytes);
                }
                let (read, written) = (stream.total_in(), stream.total_out());
                let status = stream.decompress(rest, &mut room[len..], FlushDecompress::Sync);
                rest = &rest[(stream.total_in() - read) as usize..];
                len += (stream.total_out() - written) as usize;
                if len > max_bytes {
                    return Err(InflateError::TooBig);
                }
                match status.map_err(|_| InflateError::Invalid)? {
                    Status::StreamEnd if is_end && rest.is_empty() => return Ok(&room[..len]),
                    Status::StreamEnd if ends == MAX_STREAM_ENDS => return Err(InflateError::Invalid),
                    Status::StreamEnd => {
                        ends += 1;
                        stream.reset(false);
                    }
                    Status::Ok | Status::BufError if len == room.len() => {}
                    Status::Ok | Status::BufError if rest.is_empty() => break,
                    Status::Ok => {}
                    Status::BufError => return Err(InflateError::Invalid),
                }
            }
        }
        Err(InflateError::Invalid)
    }

    /// Gives back the room of a large message.
    pub(super) fn shrink(&mut self) {
        if self.room.len() > MAX_KEPT_BYTES {
            self.room = Vec::new();
        }
    }
}

/// Doubles the room, up to one byte more than is allowed, by which too much is seen.
fn grow(room: &mut Vec<u8>, max_bytes: usize) {
    let size = room.len().saturating_mul(2).max(MIN_ROOM_BYTES).min(max_bytes.saturating_add(1));
    room.reserve_exact(size.saturating_sub(room.len()));
    room.resize(size.max(room.len()), 0);
}

/// Makes compressed frames. Empty until it is first used, then some 300 KiB and the room for a frame.
#[derive(Default)]
pub struct Deflater {
    stream: Option<Compress>,
    room: Vec<u8>,
}

impl Deflater {
    /// Appends a frame: compressed where that makes it smaller, else as it is. For clients with an
    /// [`super::Agreement`] only. The payload of a text must be UTF-8.
    pub fn push_frame(&mut self, opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
        match self.deflate(payload) {
            None => encode::push_frame(opcode, payload, out),
            Some(compressed) => {
                push_header(FINAL | COMPRESSED | opcode as u8, compressed.len(), out);
                out.extend_from_slice(compressed);
            }
        }
        if self.room.len() > MAX_KEPT_BYTES {
            self.room = Vec::new();
        }
    }

    /// `None` when it would not be smaller.
    fn deflate(&mut self, payload: &[u8]) -> Option<&[u8]> {
        if payload.len() < MIN_PAYLOAD_BYTES {
            return None;
        }
        // What does not fit here is not smaller.
        let most = payload.len() + FLUSH_MARK.len();
        if self.room.len() < most {
            self.room.resize(most, 0);
        }
        let stream = self.stream.get_or_insert_with(|| Compress::new(Compression::new(LEVEL), false));
        stream.reset();
        stream.compress(payload, &mut self.room[..most], FlushCompress::Sync).ok()?;
        let (read, written) = (stream.total_in() as usize, stream.total_out() as usize);
        // When all the room is used, there may be more to come.
        let is_whole = read == payload.len() && written < most;
        self.room[..written].strip_suffix(&FLUSH_MARK).filter(|_| is_whole)
    }
}

#[cfg(test)]
#[path = "deflate_tests.rs"]
mod tests;
