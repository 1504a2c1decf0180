//! Adjustments as clients send them.

use std::borrow::Cow;

use super::{ADJUSTMENT_ITEM_FIELDS, ItemRequest};
use crate::error::ErrorCode;
use crate::fields::{BodyError, FieldReader};
use crate::limits::MAX_TEXT_BYTES;

const FIELDS: [&str; 7] = ["id", "kind", "currency", "items", "customer", "notes", "placed_at"];
/// Fields of an adjustment that the server sets: they are read past, so that an adjustment that the server has shown can
/// be sent as it is. The OpenAPI document calls them `readOnly`.
pub const ADJUSTMENT_SERVER_FIELDS: [&str; 5] = ["amount", "rounding", "customer_id", "line_count", "created_at"];

/// An adjustment as a client sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdjustmentRequest<'a> {
    /// Its id, unique among adjustments.
    pub id: Cow<'a, str>,
    /// `cancellation`, `write_off` or `bad_debt`.
    pub kind: Cow<'a, str>,
    /// ISO 4217 code.
    pub currency: Option<Cow<'a, str>>,
    /// The lines; quantities and prices may be negative.
    pub items: Vec<ItemRequest<'a>>,
    /// Whom it concerns.
    pub customer: Option<Cow<'a, str>>,
    /// Free text.
    pub notes: Option<Cow<'a, str>>,
    /// When it happened, in milliseconds since 1970.
    pub placed_at_ms: Option<i64>,
}

/// Parses the body of `POST /adjustments`.
///
/// # Errors
/// [`BodyError`] as for [`super::parse_order`], with `invalid-adjustment`.
pub fn parse_adjustment(body: &[u8]) -> Result<AdjustmentRequest<'_>, BodyError> {
    let mut fields = FieldReader::default();
    let object = fields.body(body, "{\"id\":\"C1\",\"kind\":\"cancellation\",\"items\":[…]}")?;
    if !fields.errors.is_empty() {
        return Err(BodyError::of_fields(ErrorCode::InvalidAdjustment, fields.errors));
    }
    let id = fields.required("/id", object.get("id"), MAX_TEXT_BYTES);
    let kind = fields.required("/kind", object.get("kind"), 64);
    let items = object.get("items");
    let adjustment = AdjustmentRequest {
        id: id.unwrap_or_default(),
        kind: kind.unwrap_or_default(),
        currency: fields.text("/currency", object.get("currency"), 16),
        items: items.map(|items| fields.items(items, &ADJUSTMENT_ITEM_FIELDS)).unwrap_or_default(),
        customer: fields.text("/customer", object.get("customer"), MAX_TEXT_BYTES),
        notes: fields.text("/notes", object.get("notes"), MAX_TEXT_BYTES),
        placed_at_ms: fields.instant("/placed_at", object.get("placed_at")),
    };
    fields.check_known("", &object, &[&FIELDS], &[&ADJUSTMENT_SERVER_FIELDS]);
    fields.finish(adjustment, ErrorCode::InvalidAdjustment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_are_not_known_are_refused() {
        for (body, wrong) in [
            (r#"{"id":"a","kind":"write_off","items":[{"sku":"x"}],"created_at":1}"#, &[][..]),
            (r#"{"id":"a","kind":"write_off","reason":"x"}"#, &["/reason"]),
            (r#"{"id":"a","kind":"write_off","items":[{"sku":"x","untracked":true}]}"#, &["/items/0/untracked"]),
            ("[]", &[""]),
        ] {
            let errors = parse_adjustment(body.as_bytes()).err().map(|error| error.fields).unwrap_or_default();
            assert_eq!(errors.iter().map(|error| &*error.pointer).collect::<Vec<_>>(), wrong, "{body}");
        }
    }
}
