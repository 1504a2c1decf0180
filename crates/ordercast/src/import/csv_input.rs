//! CSV as programs of the trade write it: the delimiter is found in the header unless it is given.

use std::io::{self, BufRead, BufReader, Read};

use crate::cli::Delimiter;

/// Longest header that is looked at, in bytes.
const MAX_HEADER_BYTES: u64 = 64 * 1024;
/// What separates columns, the most likely first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// A reader of records, and the names of its columns.
pub(super) struct CsvInput {
    pub(super) reader: csv::Reader<Box<dyn Read>>,
    pub(super) header: Vec<String>,
}

/// Reads the header of a text.
///
/// # Errors
/// When the text cannot be read.
pub(super) fn open(text: Box<dyn Read>, delimiter: Option<Delimiter>) -> io::Result<CsvInput> {
    let mut text = BufReader::new(text);
    let mut start = Vec::new();
    text.by_ref().take(MAX_HEADER_BYTES).read_until(b'\n', &mut start)?;
    let delimiter = delimiter.map_or_else(|| likely(&start), Delimiter::byte);
    let all: Box<dyn Read> = Box::new(io::Cursor::new(start).chain(text));
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(all);
    let header = reader.byte_headers().map_err(io_error)?;
    let header = header.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
    Ok(CsvInput { reader, header })
}

/// What stands most often in the header, outside of quotes.
fn likely(header: &[u8]) -> u8 {
    let mut is_quoted = false;
    let mut counts = [0usize; DELIMITERS.len()];
    for byte in header {
        is_quoted ^= *byte == b'"';
        if let Some(at) = DELIMITERS.iter().position(|known| known == byte).filter(|_| !is_quoted) {
            counts[at] += 1;
        }
    }
    let most = counts.iter().max().copied().unwrap_or(0);
    counts.iter().position(|count| *count == most).map_or(b',', |at| DELIMITERS[at])
}

/// A number as a JSON number: with a comma as its decimal sign, points and blanks only group its digits.
pub(super) fn plain_number(text: &str, has_decimal_comma: bool) -> String {
    if !has_decimal_comma {
        return text.to_owned();
    }
    let digits = text.chars().filter(|letter| !matches!(letter, '.' | ' ' | '\u{a0}' | '\u{202f}' | '\''));
    digits.map(|letter| if letter == ',' { '.' } else { letter }).collect()
}

pub(super) fn io_error(error: csv::Error) -> io::Error {
    let message = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        _ => io::Error::new(io::ErrorKind::InvalidData, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_that_of_the_header() {
        for (header, expected) in [
            ("a,b;c,d\n", b','),
            ("a;b;c,d\n", b';'),
            ("a\tb\tc\n", b'\t'),
            ("a|b\n", b'|'),
            ("\"a,b,c,d\";e;f\n", b';'),
            ("alone\n", b','),
        ] {
            assert_eq!(likely(header.as_bytes()), expected, "{header}");
        }
    }

    #[test]
    fn commas_may_be_decimal_signs() {
        for (text, comma, expected) in [
            ("3,40", true, "3.40"),
            ("1.234,56", true, "1234.56"),
            ("-1 234,5", true, "-1234.5"),
            ("3.40", false, "3.40"),
        ] {
            assert_eq!(plain_number(text, comma), expected);
        }
    }
}
