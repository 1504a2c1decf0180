//! Deltas in the format of Fossil, which SDKs apply to the data of the publication before.
//!
//! A delta is text: the size of the target and a line feed, then commands, then the target's checksum and
//! `;`. A command copies from the source (`count@offset,`) or inserts what follows it (`count:bytes`).
//! Numbers are in base 64 with their own digits. The format is described in the documents of Fossil.

use std::collections::HashMap;
use std::fmt;

/// Length of the pieces of the source that a copy is found by. Shorter copies hardly save anything.
const BLOCK_BYTES: usize = 16;
/// Places in the source that are tried for one place in the target.
const MAX_CANDIDATES: usize = 16;
/// Longest source or target that a delta is made for, in bytes. Bounds the time that is spent on one.
const MAX_INPUT_BYTES: usize = 4 * 1024 * 1024;
/// Most digits of a number: 32 bits.
const MAX_DIGITS: usize = 6;
const DIGITS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";

/// A delta that turns `source` into `target`, when it is shorter than `target`.
///
/// When `target` is UTF-8, so is the delta: copies begin and end between its characters.
pub fn create(source: &[u8], target: &[u8]) -> Option<Vec<u8>> {
    if source.len() > MAX_INPUT_BYTES || target.len() > MAX_INPUT_BYTES {
        return None;
    }
    let finder = Finder::new(source, target);
    let mut delta = Vec::with_capacity(64);
    write_number(target.len() as u32, b'\n', &mut delta);
    let (mut written, mut at) = (0, 0);
    while delta.len() < target.len() && at + BLOCK_BYTES <= target.len() {
        let Some(copy) = finder.copy_around(at, written) else {
            at += 1;
            continue;
        };
        write_insert(&target[written..copy.target], &mut delta);
        write_number(copy.length as u32, b'@', &mut delta);
        write_number(copy.source as u32, b',', &mut delta);
        written = copy.target + copy.length;
        at = written;
    }
    write_insert(&target[written..], &mut delta);
    write_number(checksum(target), b';', &mut delta);
    (delta.len() < target.len()).then_some(delta)
}

/// A run that source and target share.
struct Copy {
    source: usize,
    target: usize,
    length: usize,
}

struct Finder<'a> {
    source: &'a [u8],
    target: &'a [u8],
    is_text: bool,
    /// Where each block of the source lies; blocks begin at multiples of their length.
    blocks: HashMap<&'a [u8], Vec<usize>>,
}

impl<'a> Finder<'a> {
    fn new(source: &'a [u8], target: &'a [u8]) -> Self {
        let mut blocks: HashMap<&[u8], Vec<usize>> = HashMap::with_capacity(source.len() / BLOCK_BYTES);
        for (index, block) in source.chunks_exact(BLOCK_BYTES).enumerate() {
            let places = blocks.entry(block).or_default();
            if places.len() < MAX_CANDIDATES {
                places.push(index * BLOCK_BYTES);
            }
        }
        Self { source, target, is_text: std::str::from_utf8(target).is_ok(), blocks }
    }

    /// The longest copy that holds the block at `at` of the target and begins at `from` or later.
    fn copy_around(&self, at: usize, from: usize) -> Option<Copy> {
        let places = self.blocks.get(&self.target[at..at + BLOCK_BYTES])?;
        let copies = places.iter().map(|&place| self.widen(place, at, from));
        copies.max_by_key(|copy| copy.length).filter(|copy| copy.length >= BLOCK_BYTES)
    }

    /// All that is equal around two places; in text up to the last characters that are whole.
    fn widen(&self, place: usize, at: usize, from: usize) -> Copy {
        let before = self.source[..place].iter().rev().zip(self.target[from..at].iter().rev());
        let before = before.take_while(|(a, b)| a == b).count();
        let after = self.source[place..].iter().zip(&self.target[at..]).take_while(|(a, b)| a == b).count();
        let (mut begin, mut end) = (at - before, at + after);
        let is_inside_char = |place: usize| self.target.get(place).is_some_and(|byte| byte & 0xC0 == 0x80);
        while self.is_text && begin < end && is_inside_char(begin) {
            begin += 1;
        }
        while self.is_text && begin < end && is_inside_char(end) {
            end -= 1;
        }
        Copy { source: place + begin - at, target: begin, length: end - begin }
    }
}

fn write_insert(bytes: &[u8], delta: &mut Vec<u8>) {
    if !bytes.is_empty() {
        write_number(bytes.len() as u32, b':', delta);
        delta.extend_from_slice(bytes);
    }
}

fn write_number(number: u32, end: u8, delta: &mut Vec<u8>) {
    let mut shift = 6 * (MAX_DIGITS as u32 - 1);
    while shift > 0 && number >> shift == 0 {
        shift -= 6;
    }
    loop {
        delta.push(DIGITS[(number >> shift & 63) as usize]);
        if shift == 0 {
            break;
        }
        shift -= 6;
    }
    delta.push(end);
}

/// The sum of all big-endian 32-bit words, the last one filled up with zeros.
fn checksum(bytes: &[u8]) -> u32 {
    let words = bytes.chunks(4).map(|chunk| {
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        u32::from_be_bytes(word)
    });
    words.fold(0, u32::wrapping_add)
}

/// Why a delta could not be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeltaError {
    /// It is not a delta, or ends early.
    Malformed,
    /// It makes more than was allowed, or than it says itself.
    TooLong,
    /// It copies from beyond the end of the source.
    OutOfSource,
    /// What it makes is not what it was made for: the source is another.
    WrongResult,
}

impl fmt::Display for DeltaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a delta, or cut off",
            Self::TooLong => "the delta makes more than is allowed",
            Self::OutOfSource => "the delta copies from beyond the end of the source",
            Self::WrongResult => "the delta was made for another source",
        })
    }
}

impl std::error::Error for DeltaError {}

/// Makes the target out of the source, of at most `limit` bytes.
///
/// # Errors
/// [`DeltaError`]; any bytes may be given as a delta.
pub fn apply(source: &[u8], delta: &[u8], limit: usize) -> Result<Vec<u8>, DeltaError> {
    let mut rest = Reader(delta);
    let (size, b'\n') = rest.number()? else { return Err(DeltaError::Malformed) };
    let size = size as usize;
    if size > limit {
        return Err(DeltaError::TooLong);
    }
    let mut target = Vec::new();
    loop {
        let (number, command) = rest.number()?;
        let piece = match command {
            b'@' => {
                let (offset, b',') = rest.number()? else { return Err(DeltaError::Malformed) };
                let from = source.get(offset as usize..).unwrap_or_default();
                from.get(..number as usize).ok_or(DeltaError::OutOfSource)?
            }
            b':' => rest.take(number as usize)?,
            b';' if target.len() == size && number == checksum(&target) => return Ok(target),
            b';' => return Err(DeltaError::WrongResult),
            _ => return Err(DeltaError::Malformed),
        };
        if piece.len() > size - target.len() {
            return Err(DeltaError::TooLong);
        }
        target.extend_from_slice(piece);
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// A number, which may have no digits, and the byte after it.
    fn number(&mut self) -> Result<(u32, u8), DeltaError> {
        let mut number = 0u32;
        loop {
            let (&byte, rest) = self.0.split_first().ok_or(DeltaError::Malformed)?;
            self.0 = rest;
            let Some(digit) = digit_of(byte) else { return Ok((number, byte)) };
            if number > u32::MAX >> 6 {
                return Err(DeltaError::Malformed);
            }
            number = number << 6 | digit;
        }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], DeltaError> {
        let (piece, rest) = self.0.split_at_checked(count).ok_or(DeltaError::Malformed)?;
        self.0 = rest;
        Ok(piece)
    }
}

fn digit_of(byte: u8) -> Option<u32> {
    let digit = match byte {
        b'0'..=b'9' => byte - b'0',
        b'A'..=b'Z' => byte - b'A' + 10,
        b'_' => 36,
        b'a'..=b'z' => byte - b'a' + 37,
        b'~' => 63,
        _ => return None,
    };
    Some(u32::from(digit))
}

#[cfg(test)]
#[path = "fossil_tests.rs"]
mod tests;
