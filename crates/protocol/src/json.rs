//! Writing JSON straight into a byte buffer, and cutting it apart without interpreting numbers.
//!
//! Event bodies and orders are written on the hot path with amounts that must stay exact, so they are
//! written field by field: no intermediate tree, no floating point, one pass over the buffer.

use jiff::Timestamp;

/// A decimal number as an integer and a number of digits after the point: `value / 10^scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// The digits as one integer.
    pub value: i64,
    /// How many of them stand after the decimal point.
    pub scale: u8,
}

impl Decimal {
    /// The same number with zeros at its end removed, down to `keep` digits after the point.
    pub fn trimmed(mut self, keep: u8) -> Self {
        while self.scale > keep && self.value % 10 == 0 {
            self.value /= 10;
            self.scale -= 1;
        }
        self
    }

    /// Appends the number as JSON (and decimal) text.
    pub fn write(self, out: &mut Vec<u8>) {
        let mut digits = itoa::Buffer::new();
        if self.scale == 0 {
            out.extend_from_slice(digits.format(self.value).as_bytes());
            return;
        }
        if self.value < 0 {
            out.push(b'-');
        }
        let unit = 10u64.pow(u32::from(self.scale));
        let whole = self.value.unsigned_abs() / unit;
        out.extend_from_slice(digits.format(whole).as_bytes());
        out.push(b'.');
        let mut place = unit / 10;
        let mut rest = self.value.unsigned_abs() % unit;
        while place > 0 {
            out.push(b'0' + u8::try_from(rest / place).unwrap_or(0));
            rest %= place;
            place /= 10;
        }
    }
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = Vec::with_capacity(24);
        self.write(&mut out);
        f.write_str(std::str::from_utf8(&out).map_err(|_| std::fmt::Error)?)
    }
}

/// Writes JSON values with the commas in the right places.
pub struct JsonWriter<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> JsonWriter<'a> {
    /// Appends to `out`, which may already hold text.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, first: true }
    }

    /// Opens an object: as a value of the key written last, as an array's element, or at the top.
    pub fn begin_object(&mut self) -> &mut Self {
        self.open(b'{')
    }

    /// Closes the object opened last.
    pub fn end_object(&mut self) -> &mut Self {
        self.close(b'}')
    }

    /// Opens an array.
    pub fn begin_array(&mut self) -> &mut Self {
        self.open(b'[')
    }

    /// Closes the array opened last.
    pub fn end_array(&mut self) -> &mut Self {
        self.close(b']')
    }

    /// Writes a key; the next call writes its value. `name` must need no escaping.
    pub fn key(&mut self, name: &str) -> &mut Self {
        self.comma();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.first = true;
        self
    }

    /// Writes a string value, escaped.
    pub fn string(&mut self, text: &str) -> &mut Self {
        self.comma();
        write_string(text, self.out);
        self
    }

    /// Writes one string value that consists of several texts, escaped.
    pub fn joined(&mut self, texts: &[&str]) -> &mut Self {
        self.comma();
        self.out.push(b'"');
        texts.iter().for_each(|text| write_escaped(text, self.out));
        self.out.push(b'"');
        self
    }

    /// Writes an integer value.
    pub fn integer(&mut self, number: impl itoa::Integer) -> &mut Self {
        self.comma();
        self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        self
    }

    /// Writes an exact decimal value.
    pub fn decimal(&mut self, number: Decimal) -> &mut Self {
        self.comma();
        number.write(self.out);
        self
    }

    /// Writes `true` or `false`.
    pub fn boolean(&mut self, value: bool) -> &mut Self {
        self.raw(if value { "true" } else { "false" })
    }

    /// Writes text that already is JSON.
    pub fn raw(&mut self, json: &str) -> &mut Self {
        self.comma();
        self.out.extend_from_slice(json.as_bytes());
        self
    }

    /// Writes an instant in milliseconds since 1970 as an RFC 3339 string in UTC.
    pub fn instant(&mut self, unix_ms: i64) -> &mut Self {
        self.comma();
        self.out.push(b'"');
        write_instant(unix_ms, self.out);
        self.out.push(b'"');
        self
    }

    fn open(&mut self, bracket: u8) -> &mut Self {
        self.comma();
        self.out.push(bracket);
        self.first = true;
        self
    }

    fn close(&mut self, bracket: u8) -> &mut Self {
        self.out.push(bracket);
        self.first = false;
        self
    }

    fn comma(&mut self) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
    }
}

/// Appends `text` as a JSON string with its quotes.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    write_escaped(text, out);
    out.push(b'"');
}

/// The inside of a string.
fn write_escaped(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut done = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[done..at]);
        done = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
    }
    out.extend_from_slice(&bytes[done..]);
}

/// Appends an instant (milliseconds since 1970, UTC) as RFC 3339 text without quotes.
///
/// An instant outside the years -9999 to 9999 is written as the nearest one inside.
pub fn write_instant(unix_ms: i64, out: &mut Vec<u8>) {
    let at = Timestamp::from_millisecond(unix_ms).unwrap_or(if unix_ms < 0 { Timestamp::MIN } else { Timestamp::MAX });
    // Writing into a Vec cannot fail.
    let _ = std::io::Write::write_fmt(out, format_args!("{at:.3}"));
}

/// Reads an RFC 3339 instant as milliseconds since 1970; `None` when it is none.
pub fn parse_instant(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(|at| at.as_millisecond())
}

/// The deepest nesting of arrays and objects in `json`, brackets inside strings apart.
///
/// Checked before parsing so that a deeply nested body is refused by name, whichever field it hides in.
pub fn nesting_depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0usize, 0usize);
    let mut in_string = false;
    let mut escaped = false;
    for &byte in json {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_their_digits() {
        for (value, scale, text) in [
            (9999, 2, "99.99"),
            (5, 2, "0.05"),
            (-5, 2, "-0.05"),
            (100_000, 2, "1000.00"),
            (7, 0, "7"),
            (i64::MIN, 6, "-9223372036854.775808"),
        ] {
            assert_eq!(Decimal { value, scale }.to_string(), text);
        }
        assert_eq!(Decimal { value: 2_550_000, scale: 6 }.trimmed(2).to_string(), "2.55");
        assert_eq!(Decimal { value: 2_000_000, scale: 6 }.trimmed(2).to_string(), "2.00");
    }

    #[test]
    fn strings_are_escaped_as_serde_json_reads_them() {
        for text in ["plain", "quo\"te", "back\\slash", "line\nfeed\ttab\r", "\u{1}\u{1f}", "naïve 🍕"] {
            let mut out = Vec::new();
            write_string(text, &mut out);
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }

    #[test]
    fn nesting_is_counted_outside_strings() {
        for (json, depth) in [("1", 0), ("[]", 1), (r#"{"a":[1,{"b":2}]}"#, 3), (r#"["[[[\"["]"#, 1)] {
            assert_eq!(nesting_depth(json.as_bytes()), depth, "{json}");
        }
    }

    #[test]
    fn instants_go_both_ways() {
        let mut out = Vec::new();
        write_instant(1_705_314_600_123, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "2024-01-15T10:30:00.123Z");
        assert_eq!(parse_instant("2024-01-15T11:30:00+01:00"), Some(1_705_314_600_000));
        assert_eq!(parse_instant("yesterday"), None);
    }
}
