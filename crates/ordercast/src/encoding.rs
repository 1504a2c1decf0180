//! Text of a file as UTF-8: a byte order mark is read past, and UTF-16 with one is converted while it is read.

use std::io::{self, Read};

const UTF8_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];
const UTF16_LE_MARK: [u8; 2] = [0xff, 0xfe];
const UTF16_BE_MARK: [u8; 2] = [0xfe, 0xff];
/// Bytes converted at a time.
const CHUNK_BYTES: usize = 64 * 1024;
/// What to do about text in another encoding.
pub(crate) const HOW_TO_CONVERT: &str = "convert the file: iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW-FILE";

/// The text of an input without its byte order mark.
///
/// # Errors
/// When the input cannot be read.
pub(crate) fn text_of(mut input: Box<dyn Read>) -> io::Result<Box<dyn Read>> {
    let mut start = Vec::with_capacity(UTF8_MARK.len());
    input.by_ref().take(UTF8_MARK.len() as u64).read_to_end(&mut start)?;
    let big_endian = match start.get(..2) {
        Some(mark) if mark == UTF16_LE_MARK => Some(false),
        Some(mark) if mark == UTF16_BE_MARK => Some(true),
        _ => None,
    };
    let Some(is_big_endian) = big_endian else {
        let rest = start.strip_prefix(&UTF8_MARK[..]).unwrap_or(&start).to_vec();
        return Ok(Box::new(io::Cursor::new(rest).chain(input)));
    };
    let input = io::Cursor::new(start[2..].to_vec()).chain(input);
    Ok(Box::new(Utf16 { input, is_big_endian, left: Vec::new(), high: None, text: io::Cursor::default() }))
}

/// UTF-16, read as UTF-8.
struct Utf16<R> {
    input: R,
    is_big_endian: bool,
    /// A byte whose other half is still to come.
    left: Vec<u8>,
    /// The first half of a surrogate pair.
    high: Option<u16>,
    /// What was converted and not yet taken.
    text: io::Cursor<Vec<u8>>,
}

impl<R: Read> Utf16<R> {
    /// Converts the next chunk; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        let mut bytes = std::mem::take(&mut self.left);
        let read = self.input.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut bytes)?;
        if read == 0 {
            return if bytes.is_empty() && self.high.is_none() { Ok(false) } else { Err(broken()) };
        }
        let (pairs, rest) = bytes.as_chunks::<2>();
        self.left = rest.to_vec();
        let unit =
            |pair: &[u8; 2]| if self.is_big_endian { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) };
        let mut units: Vec<u16> = self.high.take().into_iter().chain(pairs.iter().map(unit)).collect();
        if units.last().is_some_and(|last| (0xd800..0xdc00).contains(last)) {
            self.high = units.pop();
        }
        let text = String::from_utf16(&units).map_err(|_| broken())?;
        self.text = io::Cursor::new(text.into_bytes());
        Ok(true)
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let taken = self.text.read(buffer)?;
            if taken > 0 || buffer.is_empty() || !self.fill()? {
                return Ok(taken);
            }
        }
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the file begins as UTF-16 and goes on as something else")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: Vec<u8>) -> io::Result<String> {
        let mut text = String::new();
        text_of(Box::new(io::Cursor::new(bytes)))?.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn marks_are_read_past_and_utf_16_is_converted() {
        let text = "id,name\n1,Tee für 😀\n".repeat(20_000);
        let utf16 = |mark: [u8; 2], bytes: fn(u16) -> [u8; 2]| {
            mark.into_iter().chain(text.encode_utf16().flat_map(bytes)).collect::<Vec<u8>>()
        };
        for bytes in [
            text.clone().into_bytes(),
            [&UTF8_MARK[..], text.as_bytes()].concat(),
            utf16(UTF16_LE_MARK, u16::to_le_bytes),
            utf16(UTF16_BE_MARK, u16::to_be_bytes),
        ] {
            assert_eq!(read(bytes).unwrap(), text);
        }
        for short in ["", "a", "ab"] {
            assert_eq!(read(short.as_bytes().to_vec()).unwrap(), short);
        }
        for broken in [&[0xff, 0xfe, 0x61][..], &[0xff, 0xfe, 0x00, 0xd8], &[0xff, 0xfe, 0x00, 0xdc, 0x61, 0x00]] {
            assert!(read(broken.to_vec()).is_err(), "{broken:?}");
        }
    }
}
