//! Frames from a client.

use std::ops::ControlFlow;

use ordercast_protocol::close;

use super::{BINARY, CLOSE, CONTINUATION, FINAL, MAX_CONTROL_BYTES, PING, PONG, TEXT};

const RESERVED_BITS: u8 = 0x70;
const OPCODE_BITS: u8 = 0x0F;
const MASK_BIT: u8 = 0x80;
const LENGTH_BITS: u8 = 0x7F;
const MASK_BYTES: usize = 4;

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

/// The state between reads. Holds memory only while a frame or a fragmented message is incomplete.
#[derive(Default)]
pub struct Decoder {
    /// The first bytes of a frame that has not arrived as a whole, header included.
    partial: Vec<u8>,
    /// The fragments of a message so far.
    message: Option<Box<Message>>,
}

struct Message {
    is_text: bool,
    bytes: Vec<u8>,
    /// So many bytes are known to be UTF-8.
    valid: usize,
}

struct Header {
    is_final: bool,
    opcode: u8,
    mask: [u8; MASK_BYTES],
    size: usize,
    len: usize,
}

impl Decoder {
    /// Feeds bytes as they came; they are unmasked in place. Messages above `max_message_bytes` break a rule.
    ///
    /// # Errors
    /// The [`Violation`] to close with. Nothing may be fed afterwards.
    pub fn decode(
        &mut self,
        input: &mut [u8],
        max_message_bytes: usize,
        visit: &mut dyn FnMut(Item<'_>) -> Flow,
    ) -> Result<(), Violation> {
        let mut rest = input;
        loop {
            if !self.partial.is_empty() {
                let Some(header) = self.complete_partial(&mut rest, max_message_bytes)? else {
                    return Ok(());
                };
                let mut frame = std::mem::take(&mut self.partial);
                if self.on_frame(&header, &mut frame[header.size..], visit)?.is_break() {
                    return Ok(());
                }
                continue;
            }
            let header = Header::parse(rest)?;
            if let Some(header) = &header {
                self.check(header, max_message_bytes)?;
            }
            match header {
                Some(header) if rest.len() - header.size >= header.len => {
                    let (frame, tail) = rest.split_at_mut(header.size + header.len);
                    rest = tail;
                    if self.on_frame(&header, &mut frame[header.size..], visit)?.is_break() {
                        return Ok(());
                    }
                }
                _ => {
                    self.partial.extend_from_slice(rest);
                    return Ok(());
                }
            }
        }
    }

    /// Whether nothing is kept between reads.
    pub fn is_idle(&self) -> bool {
        self.partial.is_empty() && self.message.is_none()
    }

    /// Moves bytes from `rest` until the frame is whole; `None` when it needs more than there are.
    fn complete_partial(&mut self, rest: &mut &mut [u8], max: usize) -> Result<Option<Header>, Violation> {
        loop {
            let header = Header::parse(&self.partial)?;
            // Without a header, one byte more: what follows the frame must not be taken along.
            let missing = match &header {
                Some(header) => {
                    self.check(header, max)?;
                    header.size + header.len - self.partial.len()
                }
                None => 1,
            };
            let taken = missing.min(rest.len());
            let (head, tail) = std::mem::take(rest).split_at_mut(taken);
            self.partial.extend_from_slice(head);
            *rest = tail;
            if header.is_some() || taken == 0 {
                return Ok(header.filter(|_| taken == missing));
            }
        }
    }

    fn check(&self, header: &Header, max_message_bytes: usize) -> Result<(), Violation> {
        match (header.opcode, &self.message) {
            (CLOSE | PING | PONG, _) if !header.is_final => Err(broken("a control frame in fragments")),
            (CLOSE | PING | PONG, _) if header.len > MAX_CONTROL_BYTES => {
                Err(broken("a control frame above 125 bytes"))
            }
            (CLOSE | PING | PONG, _) => Ok(()),
            (CONTINUATION, None) => Err(broken("a continuation of nothing")),
            (TEXT | BINARY, Some(_)) => Err(broken("a new message inside another")),
            (CONTINUATION | TEXT | BINARY, message) => {
                let before = message.as_ref().map_or(0, |message| message.bytes.len());
                if header.len > max_message_bytes.saturating_sub(before) {
                    return Err(Violation { code: close::TOO_BIG, reason: "message too big" });
                }
                Ok(())
            }
            _ => Err(broken("a reserved opcode")),
        }
    }

    fn on_frame(
        &mut self,
        header: &Header,
        payload: &mut [u8],
        visit: &mut dyn FnMut(Item<'_>) -> Flow,
    ) -> Result<Flow, Violation> {
        unmask(payload, header.mask);
        match header.opcode {
            PING => Ok(visit(Item::Ping(payload))),
            PONG => Ok(visit(Item::Pong)),
            CLOSE => {
                let code = close_code(payload)?;
                // Nothing counts after a close, whatever the visitor wants.
                let _ = visit(Item::Close(code));
                Ok(Flow::Break(()))
            }
            TEXT if header.is_final => {
                std::str::from_utf8(payload).map_err(|_| NOT_UTF8)?;
                Ok(visit(Item::Text(payload)))
            }
            BINARY if header.is_final => Ok(visit(Item::Binary(payload))),
            opcode => self.on_fragment(opcode, header.is_final, payload, visit),
        }
    }

    fn on_fragment(
        &mut self,
        opcode: u8,
        is_final: bool,
        payload: &[u8],
        visit: &mut dyn FnMut(Item<'_>) -> Flow,
    ) -> Result<Flow, Violation> {
        let mut message = self
            .message
            .take()
            .unwrap_or_else(|| Box::new(Message { is_text: opcode == TEXT, bytes: Vec::new(), valid: 0 }));
        message.bytes.extend_from_slice(payload);
        if message.is_text {
            match std::str::from_utf8(&message.bytes[message.valid..]) {
                Ok(_) => message.valid = message.bytes.len(),
                // A character cut by the end of a fragment may go on in the next.
                Err(error) if error.error_len().is_none() && !is_final => message.valid += error.valid_up_to(),
                Err(_) => return Err(NOT_UTF8),
            }
        }
        if !is_final {
            self.message = Some(message);
            return Ok(Flow::Continue(()));
        }
        Ok(visit(if message.is_text { Item::Text(&message.bytes) } else { Item::Binary(&message.bytes) }))
    }
}

impl Header {
    /// `None` when there are too few bytes to tell.
    fn parse(bytes: &[u8]) -> Result<Option<Self>, Violation> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        if first & RESERVED_BITS != 0 {
            return Err(broken("a reserved bit is set"));
        }
        if second & MASK_BIT == 0 {
            return Err(broken("a frame of a client must be masked"));
        }
        let (len, len_bytes) = match (second & LENGTH_BITS, rest) {
            (126, [a, b, ..]) => (u64::from(u16::from_be_bytes([*a, *b])), 2),
            (127, [a, b, c, d, e, f, g, h, ..]) => (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), 8),
            (126 | 127, _) => return Ok(None),
            (len, _) => (u64::from(len), 0),
        };
        let shortest = match len_bytes {
            2 => 126,
            8 => 65_536,
            _ => 0,
        };
        if len < shortest || len >> 63 != 0 {
            return Err(broken("a length in a form that is not allowed"));
        }
        let Some(mask) = rest.get(len_bytes..).and_then(|rest| rest.first_chunk()) else {
            return Ok(None);
        };
        Ok(Some(Self {
            is_final: first & FINAL != 0,
            opcode: first & OPCODE_BITS,
            mask: *mask,
            size: 2 + len_bytes + MASK_BYTES,
            len: usize::try_from(len).unwrap_or(usize::MAX),
        }))
    }
}

fn unmask(payload: &mut [u8], mask: [u8; MASK_BYTES]) {
    let wide = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let (words, tail) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in tail.iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= mask;
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
