//! Cutting JSON bodies into fields, so that every wrong field is named.
//!
//! A field that is not known is refused: a misspelled `quantity` would otherwise order one, and a misspelled `run_at`
//! would start at once.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{ErrorCode, FieldError};
use crate::excerpt::excerpt;
use crate::json::{nesting_depth, parse_instant};
use crate::limits::{MAX_FIELDS, MAX_NESTING};
use crate::nearest::nearest_field;

/// The mark that some programs write in front of UTF-8 text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Why a body was refused before its meaning was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyError {
    /// Which kind of error it is.
    pub code: ErrorCode,
    /// What is wrong with the body as a whole.
    pub detail: String,
    /// Which fields are wrong.
    pub fields: Vec<FieldError>,
}

impl BodyError {
    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self { code: ErrorCode::MalformedJson, detail: detail.into(), fields: Vec::new() }
    }

    /// Wrong fields, as an error of `code`.
    pub(crate) fn of_fields(code: ErrorCode, fields: Vec<FieldError>) -> Self {
        Self { code, detail: FieldError::sum_up(&fields), fields }
    }
}

/// Where a body came in. The same fields are known at every entrance; each has a few more that only say whose frame it
/// is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The body of a request over HTTP, a line of a bulk request or of a file.
    Body,
    /// A frame of the plain JSON protocol: it has a `type` and may have a `ref`.
    Frame,
    /// The data of a call.
    Call,
}

impl Form {
    /// The fields of the frame itself.
    pub(crate) fn own_fields(self) -> &'static [&'static str] {
        match self {
            Self::Frame => &["type", "ref"],
            Self::Body | Self::Call => &[],
        }
    }
}

/// A text without the byte order mark in front of it, if there is one.
pub fn without_byte_order_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// The fields of one object, as they were sent.
#[derive(Default)]
pub(crate) struct Object<'a> {
    fields: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// How many there are beyond [`MAX_FIELDS`].
    beyond: usize,
}

impl<'a> Object<'a> {
    /// The field of a name, if it was sent.
    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// Reads text that must be an object; `None` when it is another JSON value.
    ///
    /// # Errors
    /// What serde_json says of text that is no JSON.
    fn read(text: &'a [u8]) -> Result<Option<Self>, serde_json::Error> {
        if text.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
            return serde_json::from_slice::<&RawValue>(text).map(|_| None);
        }
        let mut reader = serde_json::Deserializer::from_slice(text);
        let object = reader.deserialize_map(FieldsVisitor)?;
        reader.end()?;
        Ok(Some(object))
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
        let mut object = Object { fields: Vec::with_capacity(16), beyond: 0 };
        while let Some(name) = map.next_key::<&'de RawValue>()? {
            let value = map.next_value::<&'de RawValue>()?;
            if object.fields.len() == MAX_FIELDS {
                object.beyond += 1;
                continue;
            }
            let name = string_of(name.get()).ok_or_else(|| A::Error::custom("a field's name is no text"))?;
            object.fields.push((name, value));
        }
        Ok(object)
    }
}

/// Refuses what is nested too deep, whichever field it hides in.
pub(crate) fn check_nesting(body: &[u8]) -> Result<(), BodyError> {
    if nesting_depth(body) > MAX_NESTING {
        return Err(BodyError::malformed(format!("nested deeper than {MAX_NESTING} levels")));
    }
    Ok(())
}

/// Reads fields one by one and gathers what is wrong with them. Pointers are written only for what is wrong.
#[derive(Default)]
pub(crate) struct FieldReader {
    pub(crate) errors: Vec<FieldError>,
}

impl FieldReader {
    /// Reads a whole body, which must be an object such as `example`. A value of another kind is a wrong field, with the
    /// pointer to the whole body.
    ///
    /// # Errors
    /// [`BodyError`] with `malformed-json` when the body is no JSON, or nested too deep.
    pub(crate) fn body<'a>(&mut self, body: &'a [u8], example: &str) -> Result<Object<'a>, BodyError> {
        let body = without_byte_order_mark(body);
        check_nesting(body)?;
        match Object::read(body) {
            Ok(Some(object)) => Ok(object),
            Ok(None) => {
                self.errors.push(FieldError::new("", format!("must be an object such as {example}")));
                Ok(Object::default())
            }
            Err(error) => Err(BodyError::malformed(error.to_string())),
        }
    }

    /// Reads an object within a body; `None` when it is none.
    pub(crate) fn object<'a>(&self, raw: &'a RawValue) -> Option<Object<'a>> {
        Object::read(raw.get().as_bytes()).ok().flatten()
    }

    /// Refuses the fields of an object at the pointer `at` that are neither `known` nor `ignored`, and known ones that
    /// were sent twice. What is ignored is not spoken of: it is not the client's to set, or differs by entrance.
    pub(crate) fn check_known(
        &mut self,
        at: impl fmt::Display,
        object: &Object<'_>,
        known: &[&[&str]],
        ignored: &[&[&str]],
    ) {
        for (place, (name, _)) in object.fields.iter().enumerate() {
            let is_known = known.iter().any(|names| names.contains(&&**name));
            if !is_known && ignored.iter().any(|names| names.contains(&&**name)) {
                continue;
            }
            if object.fields[..place].iter().any(|(earlier, _)| earlier == name) {
                self.errors.push(FieldError::new(pointer_to(&at, name), "is sent more than once"));
            } else if !is_known {
                let detail = unknown_detail(name, &known.concat());
                self.errors.push(FieldError::new(pointer_to(&at, name), detail));
            }
        }
        if object.beyond > 0 {
            let count = object.fields.len() + object.beyond;
            self.errors
                .push(FieldError::new(at.to_string(), format!("has {count} fields; at most {MAX_FIELDS} are allowed")));
        }
    }

    pub(crate) fn finish<T>(self, value: T, code: ErrorCode) -> Result<T, BodyError> {
        if self.errors.is_empty() {
            return Ok(value);
        }
        Err(BodyError::of_fields(code, self.errors))
    }

    pub(crate) fn refuse<T>(&mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Option<T> {
        self.errors.push(FieldError::new(pointer, detail));
        None
    }

    pub(crate) fn text<'a>(
        &mut self,
        pointer: impl fmt::Display,
        raw: Option<&'a RawValue>,
        most: usize,
    ) -> Option<Cow<'a, str>> {
        let raw = raw?.get();
        let Some(text) = string_of(raw) else {
            return if raw == "null" { None } else { self.refuse(pointer.to_string(), "must be a string") };
        };
        if text.len() > most {
            return self.refuse(pointer.to_string(), format!("has {} bytes; at most {most} are allowed", text.len()));
        }
        Some(text)
    }

    /// An idempotency key; an empty one is none.
    pub(crate) fn key<'a>(&mut self, pointer: impl fmt::Display, raw: Option<&'a RawValue>) -> Option<Cow<'a, str>> {
        self.text(pointer, raw, crate::limits::MAX_IDEMPOTENCY_KEY_BYTES).filter(|key| !key.is_empty())
    }

    pub(crate) fn required<'a>(
        &mut self,
        pointer: impl fmt::Display,
        raw: Option<&'a RawValue>,
        most: usize,
    ) -> Option<Cow<'a, str>> {
        let before = self.errors.len();
        match self.text(&pointer, raw, most) {
            Some(text) if !text.is_empty() => Some(text),
            _ if self.errors.len() > before => None,
            _ => self.refuse(pointer.to_string(), "is required"),
        }
    }

    pub(crate) fn number<'a>(&mut self, pointer: impl fmt::Display, raw: Option<&'a RawValue>) -> Option<&'a str> {
        let raw = raw?.get();
        match raw.as_bytes().first() {
            Some(b'-' | b'0'..=b'9') => Some(raw),
            _ if raw == "null" => None,
            _ => self.refuse(pointer.to_string(), "must be a number, such as 99.99"),
        }
    }

    pub(crate) fn integer(&mut self, pointer: impl fmt::Display, raw: Option<&RawValue>) -> Option<i64> {
        let raw = raw?.get();
        match whole_number(raw) {
            Some(number) => Some(number),
            None if raw == "null" => None,
            None => self.refuse(pointer.to_string(), "must be a whole number"),
        }
    }

    pub(crate) fn boolean(&mut self, pointer: impl fmt::Display, raw: Option<&RawValue>) -> bool {
        match raw.map(RawValue::get) {
            None | Some("null" | "false") => false,
            Some("true") => true,
            Some(_) => {
                self.errors.push(FieldError::new(pointer.to_string(), "must be true or false"));
                false
            }
        }
    }

    pub(crate) fn instant(&mut self, pointer: impl fmt::Display, raw: Option<&RawValue>) -> Option<i64> {
        let text = self.text(&pointer, raw, 64)?;
        match parse_instant(&text) {
            Some(unix_ms) => Some(unix_ms),
            None => self.refuse(pointer.to_string(), "must be an RFC 3339 time such as 2024-01-15T10:30:00Z"),
        }
    }
}

/// The pointer (RFC 6901) to a field of an object, with a name of bounded length.
pub(crate) fn pointer_to(at: impl fmt::Display, name: &str) -> String {
    let name = excerpt(name);
    if name.contains(['~', '/']) {
        return format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
    }
    format!("{at}/{name}")
}

/// What is said of a name that is not known, whether of a field or of a parameter.
pub fn unknown_detail(name: &str, known: &[&str]) -> String {
    if let Some(nearest) = nearest_field(name, known) {
        return format!("is not known; did you mean {nearest}?");
    }
    if known.is_empty() {
        return "is not known; there are none".to_owned();
    }
    format!("is not known; known are {}", known.join(", "))
}

/// A JSON number that is whole, however it is written: `3`, `3.0` and `3e0` are the same number.
pub(crate) fn whole_number(raw: &str) -> Option<i64> {
    if let Ok(number) = raw.parse::<i64>() {
        // JSON has no such numbers, but queries and headers might.
        return (!raw.starts_with('+')).then_some(number);
    }
    if !matches!(raw.as_bytes().first(), Some(b'-' | b'0'..=b'9')) {
        return None;
    }
    let (mantissa, exponent) = raw.split_once(['e', 'E']).unwrap_or((raw, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i64 = exponent.parse().ok()?;
    let digits = format!("{whole}{fraction}");
    let shift = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let number: i128 = digits.parse().ok()?;
    let scale = 10i128.checked_pow(u32::try_from(shift.unsigned_abs()).ok()?);
    let number = match scale {
        _ if number == 0 => 0,
        Some(scale) if shift >= 0 => number.checked_mul(scale)?,
        Some(scale) if number % scale == 0 => number / scale,
        _ => return None,
    };
    i64::try_from(number).ok()
}

/// The string that a JSON text is; borrowed when nothing in it is escaped.
pub(crate) fn string_of(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str::<String>(raw).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::excerpt::MAX_EXCERPT_BYTES;

    fn check(body: &str) -> Vec<(String, String)> {
        let mut fields = FieldReader::default();
        let object = fields.body(body.as_bytes(), "{}").unwrap();
        fields.check_known("", &object, &[&["quantity", "run_at"], &["sku"]], &[&["status"]]);
        fields.errors.into_iter().map(|error| (error.pointer, error.detail)).collect()
    }

    #[test]
    fn unknown_and_repeated_fields_are_named() {
        for (body, expected) in [
            (r#"{"quantity":1,"status":{"any":[1]},"status":2}"#, &[][..]),
            (r#"{"qty":1}"#, &[("/qty", "is not known; did you mean quantity?")]),
            (
                r#"{"runAt":1,"SKU":"x"}"#,
                &[("/runAt", "is not known; did you mean run_at?"), ("/SKU", "is not known; did you mean sku?")],
            ),
            (r#"{"colour":1}"#, &[("/colour", "is not known; known are quantity, run_at, sku")]),
            (r#"{"sku":1,"s\u006bu":2}"#, &[("/sku", "is sent more than once")]),
            (r#"{"a/b~c":1}"#, &[("/a~1b~0c", "is not known; known are quantity, run_at, sku")]),
            ("[1]", &[("", "must be an object such as {}")]),
            ("\u{feff} null ", &[("", "must be an object such as {}")]),
            ("\u{feff}{\"sku\":1}", &[]),
        ] {
            let expected: Vec<_> =
                expected.iter().map(|(pointer, detail)| ((*pointer).to_owned(), (*detail).to_owned())).collect();
            assert_eq!(check(body), expected, "{body}");
        }
    }

    #[test]
    fn names_and_numbers_of_unknown_fields_are_bounded() {
        let long = format!("{{\"{}\":1}}", "ä".repeat(10_000));
        assert_eq!(check(&long)[0].0.len(), 1 + MAX_EXCERPT_BYTES + "…".len());
        let many: Vec<_> = (0..10_000).map(|n| format!("\"x{n}\":0")).collect();
        let errors = check(&format!("{{{}}}", many.join(",")));
        assert_eq!(errors.len(), MAX_FIELDS + 1);
        assert_eq!(errors[MAX_FIELDS].1, format!("has 10000 fields; at most {MAX_FIELDS} are allowed"));
    }

    #[test]
    fn what_is_no_json_is_said_to_be_none() {
        for body in ["", "{", "{\"a\":}", "{} x", "nul", "[1", "{\"a\":1,}", "{a:1}"] {
            let error = FieldReader::default().body(body.as_bytes(), "{}").err().expect("it is no JSON");
            assert_eq!(error.code, ErrorCode::MalformedJson, "{body}");
        }
    }

    #[test]
    fn whole_numbers_may_be_written_in_any_way() {
        for (raw, number) in [
            ("3", Some(3)),
            ("-3", Some(-3)),
            ("3.0", Some(3)),
            ("3.000e0", Some(3)),
            ("0.3e1", Some(3)),
            ("30e-1", Some(3)),
            ("-0.0", Some(0)),
            ("0e999999999", Some(0)),
            ("9223372036854775807.0", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("1e999999999999", None),
            ("3.5", None),
            ("1e-1", None),
            ("+3", None),
            ("\"3\"", None),
            ("true", None),
        ] {
            assert_eq!(whole_number(raw), number, "{raw}");
        }
    }
}
