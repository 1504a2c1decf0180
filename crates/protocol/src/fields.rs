//! Cutting JSON bodies into fields, so that every wrong field is named.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::{ErrorCode, FieldError};
use crate::json::{nesting_depth, parse_instant};
use crate::limits::MAX_NESTING;

/// Why a body was refused before anyone judged its meaning.
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
}

/// Parses a JSON object, refusing what serde would let pass in its place and what is nested too deep.
pub(crate) fn parse_object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, BodyError> {
    check_nesting(body)?;
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(BodyError::malformed("a JSON object is expected, such as {\"items\":[\"tea\"],\"amount\":2.5}"));
    }
    serde_json::from_slice(body).map_err(|error| BodyError::malformed(error.to_string()))
}

pub(crate) fn check_nesting(body: &[u8]) -> Result<(), BodyError> {
    if nesting_depth(body) > MAX_NESTING {
        return Err(BodyError::malformed(format!("nested deeper than {MAX_NESTING} levels")));
    }
    Ok(())
}

/// Reads fields one by one and gathers what is wrong with them.
pub(crate) struct FieldReader {
    pub(crate) errors: Vec<FieldError>,
}

impl FieldReader {
    pub(crate) fn finish<T>(self, value: T, code: ErrorCode) -> Result<T, BodyError> {
        if self.errors.is_empty() {
            return Ok(value);
        }
        let detail = match self.errors.as_slice() {
            [one] => format!("{} {}", one.pointer, one.detail),
            more => format!("{} fields are wrong", more.len()),
        };
        Err(BodyError { code, detail, fields: self.errors })
    }

    pub(crate) fn refuse<T>(&mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Option<T> {
        self.errors.push(FieldError::new(pointer, detail));
        None
    }

    pub(crate) fn text<'a>(&mut self, pointer: &str, raw: Option<&'a RawValue>, most: usize) -> Option<Cow<'a, str>> {
        let raw = raw?.get();
        let Some(text) = string_of(raw) else {
            return if raw == "null" { None } else { self.refuse(pointer, "must be a string") };
        };
        if text.len() > most {
            return self.refuse(pointer, format!("has {} bytes; at most {most} are allowed", text.len()));
        }
        Some(text)
    }

    pub(crate) fn required<'a>(
        &mut self,
        pointer: &str,
        raw: Option<&'a RawValue>,
        most: usize,
    ) -> Option<Cow<'a, str>> {
        let before = self.errors.len();
        match self.text(pointer, raw, most) {
            Some(text) if !text.is_empty() => Some(text),
            _ if self.errors.len() > before => None,
            _ => self.refuse(pointer, "is required"),
        }
    }

    pub(crate) fn number<'a>(&mut self, pointer: &str, raw: Option<&'a RawValue>) -> Option<&'a str> {
        let raw = raw?.get();
        match raw.as_bytes().first() {
            Some(b'-' | b'0'..=b'9') => Some(raw),
            _ if raw == "null" => None,
            _ => self.refuse(pointer, "must be a number, such as 99.99"),
        }
    }

    pub(crate) fn integer(&mut self, pointer: &str, raw: Option<&RawValue>) -> Option<i64> {
        let raw = raw?.get();
        match raw.parse::<i64>() {
            Ok(number) => Some(number),
            Err(_) if raw == "null" => None,
            Err(_) => self.refuse(pointer, "must be a whole number"),
        }
    }

    pub(crate) fn boolean(&mut self, pointer: &str, raw: Option<&RawValue>) -> bool {
        match raw.map(RawValue::get) {
            None | Some("null" | "false") => false,
            Some("true") => true,
            Some(_) => {
                self.errors.push(FieldError::new(pointer, "must be true or false"));
                false
            }
        }
    }

    pub(crate) fn instant(&mut self, pointer: &str, raw: Option<&RawValue>) -> Option<i64> {
        let text = self.text(pointer, raw, 64)?;
        match parse_instant(&text) {
            Some(unix_ms) => Some(unix_ms),
            None => self.refuse(pointer, "must be an RFC 3339 time such as 2024-01-15T10:30:00Z"),
        }
    }
}

/// The string that a JSON text is; borrowed when nothing in it is escaped.
pub(crate) fn string_of(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str::<String>(raw).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}
