//! The header of a frame (RFC 6455 §5.2).

/// Largest payload of a control frame, in bytes (RFC 6455 §5.5).
pub const MAX_CONTROL_BYTES: usize = 125;

pub(super) const CONTINUATION: u8 = 0x0;
pub(super) const TEXT: u8 = Opcode::Text as u8;
pub(super) const BINARY: u8 = Opcode::Binary as u8;
pub(super) const CLOSE: u8 = 0x8;
pub(super) const PING: u8 = 0x9;
pub(super) const PONG: u8 = 0xA;
/// The last frame of a message, or its only one.
pub(super) const FINAL: u8 = 0x80;
/// RSV1: the message is compressed (RFC 7692 §6).
pub(super) const COMPRESSED: u8 = 0x40;
/// RSV2 and RSV3: no extension that is spoken here gives them a meaning.
const RESERVED_BITS: u8 = 0x30;
const OPCODE_BITS: u8 = 0x0F;
const MASK_BIT: u8 = 0x80;
const LENGTH_BITS: u8 = 0x7F;
/// The length is in the next two bytes.
const LENGTH_IN_2: u8 = 126;
/// The length is in the next eight bytes.
const LENGTH_IN_8: u8 = 127;
const MASK_BYTES: usize = 4;
/// Longest header that a client sends, in bytes.
pub(super) const MAX_HEADER_BYTES: usize = 2 + 8 + MASK_BYTES;

/// The bits of eight bytes that ASCII leaves clear.
const NOT_ASCII: u64 = 0x8080_8080_8080_8080;

/// What a message holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// UTF-8.
    Text = 0x1,
    /// Bytes of any kind.
    Binary = 0x2,
}

/// The header of a frame from a client. Its fields are numbers, not flags and bytes: those would be copied
/// by piece, which costs as much as reading them.
#[derive(Clone, Copy)]
pub(super) struct Header {
    /// Of the header itself, in bytes.
    pub(super) size: usize,
    /// Of the payload, in bytes.
    pub(super) len: usize,
    /// The first byte of the mask is the lowest.
    mask: u32,
    first: u32,
}

impl Header {
    /// `None` when there are too few bytes to tell.
    ///
    /// # Errors
    /// What is wrong with it, for a close with 1002.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<Self>, &'static str> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        if first & RESERVED_BITS != 0 {
            return Err("a reserved bit is set");
        }
        if second & MASK_BIT == 0 {
            return Err("a frame of a client must be masked");
        }
        let (len, len_bytes) = match (second & LENGTH_BITS, rest) {
            (LENGTH_IN_2, [a, b, ..]) => (u64::from(u16::from_be_bytes([*a, *b])), 2),
            (LENGTH_IN_8, [a, b, c, d, e, f, g, h, ..]) => (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), 8),
            (LENGTH_IN_2 | LENGTH_IN_8, _) => return Ok(None),
            (len, _) => (u64::from(len), 0),
        };
        let shortest = match len_bytes {
            2 => 126,
            8 => 65_536,
            _ => 0,
        };
        if len < shortest || len >> 63 != 0 {
            return Err("a length in a form that is not allowed");
        }
        let Some(mask) = rest.get(len_bytes..).and_then(|rest| rest.first_chunk()) else {
            return Ok(None);
        };
        Ok(Some(Self {
            size: 2 + len_bytes + MASK_BYTES,
            len: usize::try_from(len).unwrap_or(usize::MAX),
            mask: u32::from_le_bytes(*mask),
            first: u32::from(*first),
        }))
    }

    pub(super) fn is_final(&self) -> bool {
        self.first as u8 & FINAL != 0
    }

    pub(super) fn is_compressed(&self) -> bool {
        self.first as u8 & COMPRESSED != 0
    }

    pub(super) fn opcode(&self) -> u8 {
        self.first as u8 & OPCODE_BITS
    }

    pub(super) fn is_control(&self) -> bool {
        self.opcode() >= CLOSE
    }

    /// Of a frame of data that begins a message.
    pub(super) fn message_opcode(&self) -> Opcode {
        if self.opcode() == TEXT { Opcode::Text } else { Opcode::Binary }
    }

    /// Unmasks in place the part of the payload that begins `at` bytes into it. Says whether all of it is ASCII,
    /// which costs little here and spares a second look at most texts.
    #[inline]
    pub(super) fn unmask(&self, part: &mut [u8], at: usize) -> bool {
        let mask = self.mask.rotate_right(8 * (at % MASK_BYTES) as u32);
        let wide = u64::from(mask) << 32 | u64::from(mask);
        let mut seen = 0;
        let (words, tail) = part.as_chunks_mut::<8>();
        for word in words {
            let plain = u64::from_le_bytes(*word) ^ wide;
            seen |= plain;
            *word = plain.to_le_bytes();
        }
        for (byte, mask) in tail.iter_mut().zip(wide.to_le_bytes()) {
            *byte ^= mask;
            seen |= u64::from(*byte);
        }
        seen & NOT_ASCII == 0
    }
}

/// Appends the header of a frame from the server: never masked. `first` is its first byte.
pub(super) fn push_header(first: u8, len: usize, out: &mut Vec<u8>) {
    out.push(first);
    if len < usize::from(LENGTH_IN_2) {
        out.push(len as u8);
    } else if let Ok(len) = u16::try_from(len) {
        out.push(LENGTH_IN_2);
        out.extend_from_slice(&len.to_be_bytes());
    } else {
        out.push(LENGTH_IN_8);
        out.extend_from_slice(&(len as u64).to_be_bytes());
    }
}
