//! Parsing what is to be tried again, by filter.
//!
//! A field that is not known is refused: a filter whose name was misspelled would try everything again.

use std::borrow::Cow;

use crate::error::ErrorCode;
use crate::fields::{BodyError, FieldReader};
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
    /// Only those accepted before this time, in milliseconds since 1970.
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

const FIELDS: [&str; 9] = ["status", "customer_id", "from", "to", "error", "limit", "cursor", "reason", "dry_run"];

/// Parses what is to be tried again.
///
/// # Errors
/// [`BodyError`] with `malformed-json`, or with `invalid-action` and every wrong field.
pub fn parse_redrive(body: &[u8]) -> Result<RedriveRequest<'_>, BodyError> {
    let mut fields = FieldReader::default();
    let object = fields.body(body, "{\"status\":\"failed\"}")?;
    if !fields.errors.is_empty() {
        return Err(BodyError::of_fields(ErrorCode::InvalidAction, fields.errors));
    }
    fields.check_known("", &object, &[&FIELDS], &[]);
    let request = RedriveRequest {
        status: fields.required("/status", object.get("status"), 64),
        customer_id: fields.text("/customer_id", object.get("customer_id"), MAX_TEXT_BYTES),
        from_ms: fields.instant("/from", object.get("from")),
        to_ms: fields.instant("/to", object.get("to")),
        error: fields.text("/error", object.get("error"), MAX_TEXT_BYTES),
        limit: fields.integer("/limit", object.get("limit")),
        cursor: fields.text("/cursor", object.get("cursor"), 32),
        reason: fields.text("/reason", object.get("reason"), MAX_TEXT_BYTES),
        is_dry_run: fields.boolean("/dry_run", object.get("dry_run")),
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
            (r#"{"status":"failed","customer":"c_1"}"#, &["/customer"]),
            ("null", &[""]),
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
