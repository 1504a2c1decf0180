//! Parsing what is to be tried again, by filter.
//!
//! A field that is not known is refused: a filter whose name was misspelled would try everything again.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::ErrorCode;
use crate::fields::{BodyError, FieldReader, parse_object};
use crate::limits::MAX_TEXT_BYTES;

/// Which orders are to be tried again, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedriveRequest<'a> {
    /// The status they are in.
    pub status: Option<Cow<'a, str>>,
    /// Only those of this customer, by opaque id.
    pub customer_id: Option<Cow<'a, str>>,
    /// Only those accepted at this time or later, in milliseconds since 1970.
    pub from_ms: Option<i64>,
    /// Only those accepted before this time, likewise.
    pub to_ms: Option<i64>,
    /// Only those whose last error holds this text.
    pub error: Option<Cow<'a, str>>,
    /// Most orders.
    pub limit: Option<i64>,
    /// Where the last request ended.
    pub cursor: Option<Cow<'a, str>>,
    /// Why they are tried again.
    pub reason: Option<Cow<'a, str>>,
    /// Whether they are only counted.
    pub is_dry_run: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRedrive<'a> {
    #[serde(borrow, default)]
    status: Option<&'a RawValue>,
    #[serde(borrow, default)]
    customer_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    from: Option<&'a RawValue>,
    #[serde(borrow, default)]
    to: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    limit: Option<&'a RawValue>,
    #[serde(borrow, default)]
    cursor: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reason: Option<&'a RawValue>,
    #[serde(borrow, default)]
    dry_run: Option<&'a RawValue>,
}

/// Parses what is to be tried again.
///
/// # Errors
/// [`BodyError`] with `malformed-json`, or with `invalid-action` and every wrong field.
pub fn parse_redrive(body: &[u8]) -> Result<RedriveRequest<'_>, BodyError> {
    let raw: RawRedrive<'_> = parse_object(body)?;
    let mut fields = FieldReader { errors: Vec::new() };
    let request = RedriveRequest {
        status: fields.required("/status", raw.status, 64),
        customer_id: fields.text("/customer_id", raw.customer_id, MAX_TEXT_BYTES),
        from_ms: fields.instant("/from", raw.from),
        to_ms: fields.instant("/to", raw.to),
        error: fields.text("/error", raw.error, MAX_TEXT_BYTES),
        limit: fields.integer("/limit", raw.limit),
        cursor: fields.text("/cursor", raw.cursor, 32),
        reason: fields.text("/reason", raw.reason, MAX_TEXT_BYTES),
        is_dry_run: fields.boolean("/dry_run", raw.dry_run),
    };
    fields.finish(request, ErrorCode::InvalidAction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_field_is_named() {
        for (body, wrong) in [
            (r#"{"status":"failed","from":"2026-03-01T09:00:00Z","error":"oven","dry_run":true}"#, &[][..]),
            (r#"{"status":"failed","limit":5,"cursor":"7","customer_id":null}"#, &[]),
            ("{}", &["/status"]),
            (r#"{"status":1,"from":"soon","limit":"5","dry_run":1}"#, &["/status", "/from", "/limit", "/dry_run"]),
            (r#"{"status":"failed","customer":"c_1"}"#, &["malformed-json"]),
            ("", &["malformed-json"]),
        ] {
            let pointers: Vec<String> = match parse_redrive(body.as_bytes()) {
                Ok(_) => vec![],
                Err(error) if error.fields.is_empty() => vec![error.code.name().to_owned()],
                Err(error) => error.fields.into_iter().map(|field| field.pointer).collect(),
            };
            assert_eq!(pointers, wrong, "{body}");
        }
    }
}
