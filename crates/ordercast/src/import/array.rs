//! A file with a JSON array of order bodies. It is cut into its elements while it is read; one of them is in memory.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use ordercast_protocol::limits::MAX_BODY_BYTES;

use super::input::{self, SourceId};
use super::ndjson::parcel_of;
use super::parcel::{Kind, Parcel};
use super::source::Source;
use super::tally::FileTally;
use crate::exact::Exact;

/// A file of orders, element by element.
pub(super) struct ArraySource {
    elements: Elements,
    source: SourceId,
    total: u64,
    tally: FileTally,
}

/// Opens a file and counts its elements.
///
/// # Errors
/// When it cannot be read, or is no array.
pub(super) fn open(path: &Path, source: SourceId) -> io::Result<ArraySource> {
    let mut counting = Elements::new(input::open(path)?);
    let mut total = 0;
    while counting.next()?.is_some() {
        total += 1;
    }
    Ok(ArraySource { elements: Elements::new(input::open(path)?), source, total, tally: FileTally::default() })
}

impl Source for ArraySource {
    fn total(&self) -> u64 {
        self.total
    }

    fn next(&mut self) -> io::Result<Option<Parcel>> {
        while let Some(element) = self.elements.next()? {
            let place = self.elements.count;
            let parcel = match element {
                Element::Whole(text) => parcel_of(&text, place, &self.source)
                    .map_err(|reason| reason.replace("a line that", "an element that")),
                Element::TooLong => Err(format!("an element of more than {MAX_BODY_BYTES} bytes")),
            };
            match parcel {
                Ok(parcel) => {
                    self.tally.kinds.entry(Kind::Order).or_default().add(parcel.lines, Exact::default());
                    return Ok(Some(parcel));
                }
                Err(reason) => self.tally.skipped.add(reason, || format!("element {place}")),
            }
        }
        Ok(None)
    }

    fn tally(&self) -> &FileTally {
        &self.tally
    }
}

enum Element {
    Whole(Vec<u8>),
    TooLong,
}

/// The elements of an array as they stand in the text.
struct Elements {
    input: BufReader<Box<dyn Read>>,
    has_begun: bool,
    count: u64,
}

impl Elements {
    fn new(input: Box<dyn Read>) -> Self {
        Self { input: BufReader::new(input), has_begun: false, count: 0 }
    }

    fn next(&mut self) -> io::Result<Option<Element>> {
        if !self.has_begun {
            if self.byte_after_blanks()? != Some(b'[') {
                return Err(broken("a JSON array of orders begins with ["));
            }
            self.has_begun = true;
        }
        let mut text = Vec::new();
        let mut size = 0;
        let (mut depth, mut in_string, mut is_escaped) = (0u32, false, false);
        loop {
            let Some(byte) = self.byte()? else { return Err(broken("the array has no end; the file may be cut off")) };
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' if in_string => is_escaped = true,
                b'"' => in_string = !in_string,
                _ if in_string => {}
                b'{' | b'[' => depth += 1,
                b']' if depth == 0 => return self.end(text),
                b'}' | b']' => depth = depth.saturating_sub(1),
                b',' if depth == 0 => break,
                _ => {}
            }
            size += 1;
            if size <= MAX_BODY_BYTES {
                text.push(byte);
            }
        }
        self.count += 1;
        Ok(Some(if size > MAX_BODY_BYTES { Element::TooLong } else { Element::Whole(text.trim_ascii().to_vec()) }))
    }

    /// The last element, if there is one, when the array ends.
    fn end(&mut self, text: Vec<u8>) -> io::Result<Option<Element>> {
        if self.byte_after_blanks()?.is_some() {
            return Err(broken("something follows the array"));
        }
        // The end is put back by leaving an array of nothing behind.
        let text = text.trim_ascii();
        let rest: Box<dyn Read> = Box::new(io::Cursor::new(b"]".to_vec()));
        if text.is_empty() {
            self.input = BufReader::new(rest);
            return Ok(None);
        }
        self.count += 1;
        self.input = BufReader::new(rest);
        Ok(Some(Element::Whole(text.to_vec())))
    }

    fn byte_after_blanks(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.byte()? {
                Some(byte) if byte.is_ascii_whitespace() => {}
                other => return Ok(other),
            }
        }
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        let byte = self.input.fill_buf()?.first().copied();
        self.input.consume(usize::from(byte.is_some()));
        Ok(byte)
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(text: &str) -> io::Result<Vec<String>> {
        let mut elements = Elements::new(Box::new(io::Cursor::new(text.as_bytes().to_vec())));
        let mut found = Vec::new();
        while let Some(element) = elements.next()? {
            found.push(match element {
                Element::Whole(text) => String::from_utf8(text).unwrap(),
                Element::TooLong => "too long".to_owned(),
            });
        }
        Ok(found)
    }

    #[test]
    fn arrays_are_cut_into_their_elements() {
        for (text, expected) in [
            ("[]", &[][..]),
            (" [ ] \n", &[]),
            (r#"[{"a":1}]"#, &[r#"{"a":1}"#]),
            (r#"[ {"a":[1,2],"b":"]},{\"" } , {"c":{}} ]"#, &[r#"{"a":[1,2],"b":"]},{\"" }"#, r#"{"c":{}}"#]),
            ("[1,\"x\"]", &["1", "\"x\""]),
        ] {
            assert_eq!(elements(text).unwrap(), expected, "{text}");
        }
        for broken in ["", "{}", "[{}", "[{}] {}", "[\"", "[{\"a\":"] {
            assert!(elements(broken).is_err(), "{broken}");
        }
        let long = format!("[{{}},\"{}\",{{}}]", "x".repeat(MAX_BODY_BYTES));
        assert_eq!(elements(&long).unwrap(), ["{}", "too long", "{}"]);
    }
}
