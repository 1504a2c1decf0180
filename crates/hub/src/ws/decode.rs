//! Frames from a client.

use std::ops::ControlFlow;

use ordercast_protocol::close;

use super::deflate::{InflateError, Inflater, max_compressed_bytes};
use super::header::{
    BINARY, CLOSE, CONTINUATION, Header, MAX_CONTROL_BYTES, MAX_HEADER_BYTES, Opcode, PING, PONG, TEXT,
};

/// Least room that is made for a message that comes in parts, in bytes.
const MIN_ROOM_BYTES: usize = 64;

/// What a client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A whole text message, checked as UTF-8.
    Text(&'a [u8]),
    /// A whole binary message.
    Binary(&'a [u8]),
    /// A ping, to be answered with its payload.
    Ping(&'a [u8]),
    /// A pong.
    Pong,
    /// The client closes, with the code it gave.
    Close(Option<u16>),
}

/// Whether to go on after an item; after [`Flow::Break`] the rest of the bytes is not looked at.
pub type Flow = ControlFlow<()>;

/// A rule of the protocol that the client broke; the connection is to be closed with this code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// 1002, 1007 or 1009.
    pub code: u16,
    /// What was wrong, for the close frame.
    pub reason: &'static str,
}

const fn broken(reason: &'static str) -> Violation {
    Violation { code: close::PROTOCOL_ERROR, reason }
}

const NOT_UTF8: Violation = Violation { code: close::INVALID_UTF8, reason: "text that is not UTF-8" };
/// RFC 7692 names no code. By RFC 6455 §7.4.1 it is that of data which is not what its message says it is.
const NOT_DEFLATE: Violation = Violation { code: close::INVALID_UTF8, reason: "compressed data that cannot be read" };
const TOO_BIG: Violation = Violation { code: close::TOO_BIG, reason: "message too big" };

/// The state between reads. Holds memory only while a frame or a fragmented message is incomplete, and then
/// in proportion to what has come, not to what was announced.
#[derive(Default)]
pub struct Decoder {
    pending: Option<Box<Pending>>,
}

/// What is incomplete.
#[derive(Default)]
struct Pending {
    /// The first bytes of a header.
    head: [u8; MAX_HEADER_BYTES],
    head_len: usize,
    /// The frame whose payload has not come as a whole, and how much of it has.
    frame: Option<(Header, usize)>,
    /// The payload of a control frame so far. It may stand inside a message.
    control: Vec<u8>,
    message: Option<Message>,
}

/// A message so far, over its frames.
struct Message {
    opcode: Opcode,
    is_compressed: bool,
    bytes: Vec<u8>,
    /// The number of bytes that are known to be UTF-8, where that is required.
    valid: usize,
}

/// What has come of a frame's payload in one piece, unmasked.
struct Part<'a> {
    header: Header,
    bytes: &'a [u8],
    /// Where it begins in the payload.
    at: usize,
    /// The number of bytes that are known to be UTF-8.
    valid: usize,
}

/// What one call works with.
struct Call<'a> {
    max_message_bytes: usize,
    inflater: Option<&'a mut Inflater>,
    visit: &'a mut dyn FnMut(Item<'_>) -> Flow,
}

impl Decoder {
    /// Feeds bytes as they came; they are unmasked in place. Messages above `max_message_bytes`, compressed or
    /// not, break a rule; so do compressed ones without an `inflater`, which is there when the client has an
    /// [`super::Agreement`]. Text is judged at its first wrong byte, however much of its frame is missing;
    /// compressed text when the message is whole. Gives how many bytes at the end of `input` were not looked at,
    /// because `visit` broke off: they may be fed again.
    ///
    /// # Errors
    /// The [`Violation`] to close with. Nothing may be fed afterwards.
    pub fn decode(
        &mut self,
        input: &mut [u8],
        max_message_bytes: usize,
        inflater: Option<&mut Inflater>,
        visit: &mut dyn FnMut(Item<'_>) -> Flow,
    ) -> Result<usize, Violation> {
        let mut call = Call { max_message_bytes, inflater, visit };
        let mut rest = input;
        while !rest.is_empty() {
            let under_way = self.pending.as_mut().and_then(|pending| pending.frame.take());
            let (header, at) = match under_way {
                Some(frame) => frame,
                None => {
                    let Some(header) = self.next_header(&mut rest)? else {
                        return Ok(0);
                    };
                    self.check(&header, &call)?;
                    (header, 0)
                }
            };
            let (bytes, tail) = rest.split_at_mut(rest.len().min(header.len - at));
            rest = tail;
            let is_ascii = header.unmask(bytes, at);
            let part = Part { header, bytes, at, valid: if is_ascii { bytes.len() } else { 0 } };
            if self.on_part(&part, &mut call)?.is_break() {
                break;
            }
        }
        Ok(rest.len())
    }

    /// Whether nothing is kept between reads.
    pub fn is_idle(&self) -> bool {
        self.pending.is_none()
    }

    /// Memory that is kept between reads, in bytes.
    pub fn held_bytes(&self) -> usize {
        let held = |pending: &Pending| {
            let message = pending.message.as_ref().map_or(0, |message| message.bytes.capacity());
            size_of::<Pending>() + pending.control.capacity() + message
        };
        self.pending.as_deref().map_or(0, held)
    }

    /// Takes a header from the front of `rest`; what is too short for one is kept.
    fn next_header(&mut self, rest: &mut &mut [u8]) -> Result<Option<Header>, Violation> {
        let held = self.pending.as_ref().map_or(0, |pending| pending.head_len);
        if held == 0
            && let Some(header) = Header::parse(rest).map_err(broken)?
        {
            *rest = &mut std::mem::take(rest)[header.size..];
            return Ok(Some(header));
        }
        let pending = self.pending.get_or_insert_default();
        let taken = rest.len().min(MAX_HEADER_BYTES - held);
        pending.head[held..held + taken].copy_from_slice(&rest[..taken]);
        let header = Header::parse(&pending.head[..held + taken]).map_err(broken)?;
        let (used, head_len) = match &header {
            Some(header) => (header.size - held, 0),
            None => (taken, held + taken),
        };
        pending.head_len = head_len;
        *rest = &mut std::mem::take(rest)[used..];
        Ok(header)
    }

    /// What can be said of a frame before its payload has come.
    fn check(&self, header: &Header, call: &Call<'_>) -> Result<(), Violation> {
        let message = self.pending.as_ref().and_then(|pending| pending.message.as_ref());
        if header.is_compressed() && !(matches!(header.opcode(), TEXT | BINARY) && call.inflater.is_some()) {
            return Err(broken("a reserved bit is set"));
        }
        match (header.opcode(), message) {
            (CLOSE | PING | PONG, _) if !header.is_final() => Err(broken("a control frame in fragments")),
            (CLOSE | PING | PONG, _) if header.len > MAX_CONTROL_BYTES => {
                Err(broken("a control frame above 125 bytes"))
            }
            (CLOSE | PING | PONG, _) => Ok(()),
            (CONTINUATION, None) => Err(broken("a continuation of nothing")),
            (TEXT | BINARY, Some(_)) => Err(broken("a new message inside another")),
            (CONTINUATION | TEXT | BINARY, message) => {
                let before = message.map_or(0, |message| message.bytes.len());
                let is_compressed = message.map_or(header.is_compressed(), |message| message.is_compressed);
                let max_bytes = call.max_bytes(is_compressed);
                if header.len > max_bytes.saturating_sub(before) { Err(TOO_BIG) } else { Ok(()) }
            }
            _ => Err(broken("a reserved opcode")),
        }
    }

    fn on_part(&mut self, part: &Part<'_>, call: &mut Call<'_>) -> Result<Flow, Violation> {
        let header = &part.header;
        match header.opcode() {
            TEXT | BINARY if part.is_whole() && header.is_final() => {
                self.release();
                call.on_message(header.message_opcode(), header.is_compressed(), part.bytes, part.valid)
            }
            CLOSE | PING | PONG if part.is_whole() => self.on_control(header.opcode(), part.bytes, call),
            _ => self.keep(part, call),
        }
    }

    /// Takes a part of something larger.
    fn keep(&mut self, part: &Part<'_>, call: &mut Call<'_>) -> Result<Flow, Violation> {
        let header = &part.header;
        let pending = self.pending.get_or_insert_default();
        if !part.is_last() {
            pending.frame = Some((*header, part.at + part.bytes.len()));
            if part.bytes.is_empty() {
                // The rest may come as a whole.
                return Ok(Flow::Continue(()));
            }
        }
        if header.is_control() {
            pending.control.extend_from_slice(part.bytes);
            if !part.is_last() {
                return Ok(Flow::Continue(()));
            }
            let payload = std::mem::take(&mut pending.control);
            return self.on_control(header.opcode(), &payload, call);
        }
        pending.message(header).append(part, call)?;
        let Some(message) = pending.message.take_if(|_| part.is_last() && header.is_final()) else {
            return Ok(Flow::Continue(()));
        };
        self.release();
        call.on_message(message.opcode, message.is_compressed, &message.bytes, message.valid)
    }

    fn on_control(&mut self, opcode: u8, payload: &[u8], call: &mut Call<'_>) -> Result<Flow, Violation> {
        self.release();
        match opcode {
            PING => Ok((call.visit)(Item::Ping(payload))),
            PONG => Ok((call.visit)(Item::Pong)),
            _ => {
                let code = close_code(payload)?;
                // Nothing counts after a close, whatever the visitor wants.
                let _ = (call.visit)(Item::Close(code));
                Ok(Flow::Break(()))
            }
        }
    }

    /// Frees what was kept for a frame, unless it stood inside a message. Called when a frame is complete.
    fn release(&mut self) {
        self.pending.take_if(|pending| pending.message.is_none());
    }
}

impl Pending {
    /// The message that a frame of data belongs to.
    fn message(&mut self, header: &Header) -> &mut Message {
        self.message.get_or_insert_with(|| Message {
            opcode: header.message_opcode(),
            is_compressed: header.is_compressed(),
            bytes: Vec::new(),
            valid: 0,
        })
    }
}

impl Part<'_> {
    fn is_last(&self) -> bool {
        self.at + self.bytes.len() == self.header.len
    }

    fn is_whole(&self) -> bool {
        self.bytes.len() == self.header.len
    }
}

impl Message {
    fn append(&mut self, part: &Part<'_>, call: &Call<'_>) -> Result<(), Violation> {
        let before = self.bytes.len();
        let needed = before + part.bytes.len();
        if needed > self.bytes.capacity() {
            // Doubling, but not beyond the end where that is known.
            let end = match part.header.is_final() {
                true => before - part.at + part.header.len,
                false => call.max_bytes(self.is_compressed),
            };
            let room = needed.saturating_mul(2).max(MIN_ROOM_BYTES).min(end);
            self.bytes.reserve_exact(room.saturating_sub(before));
        }
        self.bytes.extend_from_slice(part.bytes);
        if self.opcode != Opcode::Text || self.is_compressed {
            return Ok(());
        }
        if self.valid == before {
            self.valid += part.valid;
        }
        match std::str::from_utf8(&self.bytes[self.valid..]) {
            Ok(_) => self.valid = self.bytes.len(),
            // A character may go on in the next part.
            Err(error) if error.error_len().is_none() => self.valid += error.valid_up_to(),
            Err(_) => return Err(NOT_UTF8),
        }
        Ok(())
    }
}

impl Call<'_> {
    /// Most bytes of a message on the wire.
    fn max_bytes(&self, is_compressed: bool) -> usize {
        if is_compressed { max_compressed_bytes(self.max_message_bytes) } else { self.max_message_bytes }
    }

    /// Passes a whole message on; its first `valid` bytes are known to be UTF-8 if that is asked of them.
    fn on_message(
        &mut self,
        opcode: Opcode,
        is_compressed: bool,
        bytes: &[u8],
        valid: usize,
    ) -> Result<Flow, Violation> {
        if !is_compressed {
            return visit_message(self.visit, opcode, bytes, valid);
        }
        let Some(inflater) = &mut self.inflater else {
            return Err(broken("compression was not agreed on"));
        };
        let flow = match inflater.inflate(bytes, self.max_message_bytes) {
            Ok(bytes) => visit_message(self.visit, opcode, bytes, 0),
            Err(InflateError::Invalid) => Err(NOT_DEFLATE),
            Err(InflateError::TooBig) => Err(TOO_BIG),
        };
        inflater.shrink();
        flow
    }
}

fn visit_message(
    visit: &mut dyn FnMut(Item<'_>) -> Flow,
    opcode: Opcode,
    bytes: &[u8],
    valid: usize,
) -> Result<Flow, Violation> {
    match opcode {
        Opcode::Text if std::str::from_utf8(&bytes[valid..]).is_err() => Err(NOT_UTF8),
        Opcode::Text => Ok(visit(Item::Text(bytes))),
        Opcode::Binary => Ok(visit(Item::Binary(bytes))),
    }
}

/// The code of a close frame (RFC 6455 §7.4, and 1012 to 1014 of its registry).
fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    let (code, reason) = match payload {
        [] => return Ok(None),
        [_] => return Err(broken("half a close code")),
        [a, b, reason @ ..] => (u16::from_be_bytes([*a, *b]), reason),
    };
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(broken("a close code that must not be sent"));
    }
    std::str::from_utf8(reason).map_err(|_| NOT_UTF8)?;
    Ok(Some(code))
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
