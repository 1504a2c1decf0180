//! Parsing the data of calls that only read.

use std::borrow::Cow;

use crate::error::ErrorCode;
use crate::fields::{BodyError, FieldReader};
use crate::limits::MAX_TEXT_BYTES;

/// What the reading calls may be given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallRequest<'a> {
    /// An order.
    pub id: Option<Cow<'a, str>>,
    /// Only events above this offset.
    pub after: Option<i64>,
    /// Most orders or events.
    pub limit: Option<i64>,
    /// What `next` said.
    pub cursor: Option<Cow<'a, str>>,
    /// The status of the orders.
    pub status: Option<Cow<'a, str>>,
    /// Whose orders, by opaque id.
    pub customer_id: Option<Cow<'a, str>>,
}

/// Parses the data of a call whose method knows these fields. No data and `null` are an empty object.
///
/// # Errors
/// [`BodyError`] with `malformed-json`, or with `invalid-query` and every wrong field.
pub fn parse_call<'a>(data: &'a [u8], known: &[&str]) -> Result<CallRequest<'a>, BodyError> {
    if matches!(data, b"" | b"null") {
        return Ok(CallRequest::default());
    }
    let mut fields = FieldReader::default();
    let object = fields.body(data, "{\"limit\":10}")?;
    fields.check_known("", &object, &[known], &[]);
    let request = CallRequest {
        id: fields.text("/id", object.get("id"), MAX_TEXT_BYTES),
        after: fields.integer("/after", object.get("after")),
        limit: fields.integer("/limit", object.get("limit")),
        cursor: fields.text("/cursor", object.get("cursor"), 32),
        status: fields.text("/status", object.get("status"), 64),
        customer_id: fields.text("/customer_id", object.get("customer_id"), MAX_TEXT_BYTES),
    };
    for (pointer, number) in [("/after", request.after), ("/limit", request.limit)] {
        if number.is_some_and(|number| number < 0) {
            fields.refuse::<()>(pointer, "must not be negative");
        }
    }
    fields.finish(request, ErrorCode::InvalidQuery)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_knows_its_own_fields() {
        for (data, wrong) in [
            ("", &[][..]),
            ("null", &[]),
            (r#"{"id":"a","limit":null}"#, &[]),
            (r#"{"id":7,"limt":1}"#, &["/limt", "/id"]),
            (r#"{"status":"failed"}"#, &["/status"]),
            (r#"{"limit":-1}"#, &["/limit"]),
            ("[1]", &[""]),
        ] {
            let errors = parse_call(data.as_bytes(), &["id", "limit"]).err().map(|error| error.fields);
            let errors = errors.unwrap_or_default();
            assert_eq!(errors.iter().map(|error| &*error.pointer).collect::<Vec<_>>(), wrong, "{data}");
        }
    }
}
