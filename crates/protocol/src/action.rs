//! Parsing what is to be done to an order, and what external workers say.
//!
//! A field that is not known is refused here: a refund whose amount was misspelled would pay back everything.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::{ErrorCode, FieldError};
use crate::fields::{BodyError, FieldReader, parse_object};
use crate::limits::{MAX_IDEMPOTENCY_KEY_BYTES, MAX_LINES, MAX_TEXT_BYTES};

/// What is to be done to an order, apart from its name: what does not belong to it is the domain's to refuse or pass
/// over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActionRequest<'a> {
    /// The order, where no address names it.
    pub id: Option<Cow<'a, str>>,
    /// The action, likewise.
    pub action: Option<Cow<'a, str>>,
    /// The version it is meant for, where no header can tell.
    pub version: Option<i64>,
    /// The client's idempotency key, likewise.
    pub idempotency_key: Option<Cow<'a, str>>,
    /// Why.
    pub reason: Option<Cow<'a, str>>,
    /// Lines, from 0, and units of them.
    pub lines: Option<Vec<(u32, i64)>>,
    /// The text of a JSON number in the major unit.
    pub amount: Option<&'a str>,
    /// How long it is held, in milliseconds since 1970.
    pub until_ms: Option<i64>,
    /// When it is to start, likewise.
    pub run_at_ms: Option<i64>,
    /// Whether what is left is called off.
    pub closes: bool,
    /// Whether what comes back can be sold again.
    pub restocks: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAction<'a> {
    #[serde(borrow, default)]
    reason: Option<&'a RawValue>,
    #[serde(borrow, default)]
    lines: Option<&'a RawValue>,
    #[serde(borrow, default)]
    amount: Option<&'a RawValue>,
    #[serde(borrow, default)]
    until: Option<&'a RawValue>,
    #[serde(borrow, default)]
    run_at: Option<&'a RawValue>,
    #[serde(borrow, default)]
    time_zone: Option<&'a RawValue>,
    #[serde(borrow, default)]
    close: Option<&'a RawValue>,
    #[serde(borrow, default)]
    restock: Option<&'a RawValue>,
    // Of frames and calls only.
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    action: Option<&'a RawValue>,
    #[serde(borrow, default)]
    version: Option<&'a RawValue>,
    #[serde(borrow, default)]
    idempotency_key: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "type")]
    _kind: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "ref")]
    _reference: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLine {
    line: u32,
    quantity: i64,
}

/// Parses what is to be done to an order. An empty body is an empty object.
///
/// # Errors
/// [`BodyError`] with `malformed-json`, or with `invalid-action` and every wrong field.
pub fn parse_action(body: &[u8]) -> Result<ActionRequest<'_>, BodyError> {
    if body.is_empty() {
        return Ok(ActionRequest::default());
    }
    let raw: RawAction<'_> = parse_object(body)?;
    let mut fields = FieldReader { errors: Vec::new() };
    let request = ActionRequest {
        id: fields.text("/id", raw.id, MAX_TEXT_BYTES),
        action: fields.text("/action", raw.action, 32),
        version: fields.integer("/version", raw.version),
        idempotency_key: fields.text("/idempotency_key", raw.idempotency_key, MAX_IDEMPOTENCY_KEY_BYTES),
        reason: fields.text("/reason", raw.reason, MAX_TEXT_BYTES),
        lines: raw.lines.and_then(|lines| fields.lines(lines)),
        amount: fields.number("/amount", raw.amount),
        until_ms: fields.zoned(("/until", raw.until), raw.time_zone),
        run_at_ms: fields.zoned(("/run_at", raw.run_at), raw.time_zone),
        closes: fields.boolean("/close", raw.close),
        restocks: fields.boolean("/restock", raw.restock),
    };
    fields.finish(request, ErrorCode::InvalidAction)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReason<'a> {
    #[serde(borrow, default)]
    reason: Option<&'a RawValue>,
}

/// Parses a body that only says why something is done. An empty body is an empty object.
///
/// # Errors
/// As for [`parse_action`].
pub fn parse_reason(body: &[u8]) -> Result<Option<Cow<'_, str>>, BodyError> {
    if body.is_empty() {
        return Ok(None);
    }
    let raw: RawReason<'_> = parse_object(body)?;
    let mut fields = FieldReader { errors: Vec::new() };
    let reason = fields.text("/reason", raw.reason, MAX_TEXT_BYTES);
    fields.finish(reason, ErrorCode::InvalidAction)
}

/// What an external worker says: it claims, renews, or ends the work on an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkRequest<'a> {
    /// What the worker calls itself.
    pub worker: Option<Cow<'a, str>>,
    /// Its lease.
    pub lease: Option<Cow<'a, str>>,
    /// Most orders it can take.
    pub capacity: Option<i64>,
    /// How long it waits for one, in seconds.
    pub wait_s: Option<i64>,
    /// The token of the order.
    pub token: Option<i64>,
    /// How the work failed: `retry`, `fail`, `reject` or `hold`.
    pub outcome: Option<Cow<'a, str>>,
    /// Why.
    pub reason: Option<Cow<'a, str>>,
    /// Not to be tried sooner, in seconds.
    pub retry_after_s: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWork<'a> {
    #[serde(borrow, default)]
    worker: Option<&'a RawValue>,
    #[serde(borrow, default)]
    lease: Option<&'a RawValue>,
    #[serde(borrow, default)]
    capacity: Option<&'a RawValue>,
    #[serde(borrow, default)]
    wait_s: Option<&'a RawValue>,
    #[serde(borrow, default)]
    token: Option<&'a RawValue>,
    #[serde(borrow, default)]
    outcome: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reason: Option<&'a RawValue>,
    #[serde(borrow, default)]
    retry_after_s: Option<&'a RawValue>,
}

/// Parses what an external worker says. An empty body is an empty object.
///
/// # Errors
/// As for [`parse_action`].
pub fn parse_work(body: &[u8]) -> Result<WorkRequest<'_>, BodyError> {
    if body.is_empty() {
        return Ok(WorkRequest::default());
    }
    let raw: RawWork<'_> = parse_object(body)?;
    let mut fields = FieldReader { errors: Vec::new() };
    let request = WorkRequest {
        worker: fields.text("/worker", raw.worker, 64),
        lease: fields.text("/lease", raw.lease, 64),
        capacity: fields.integer("/capacity", raw.capacity),
        wait_s: fields.integer("/wait_s", raw.wait_s),
        token: fields.integer("/token", raw.token),
        outcome: fields.text("/outcome", raw.outcome, 16),
        reason: fields.text("/reason", raw.reason, MAX_TEXT_BYTES),
        retry_after_s: fields.integer("/retry_after_s", raw.retry_after_s),
    };
    fields.finish(request, ErrorCode::InvalidAction)
}

impl FieldReader {
    fn lines(&mut self, raw: &RawValue) -> Option<Vec<(u32, i64)>> {
        let detail = "must be an array of {\"line\",\"quantity\"}; lines are counted from 0";
        let Ok(rows) = serde_json::from_str::<Option<Vec<&RawValue>>>(raw.get()) else {
            return self.refuse("/lines", detail);
        };
        let rows = rows?.into_iter().map(|row| parse_object::<RawLine>(row.get().as_bytes()));
        let Ok(rows) = rows.collect::<Result<Vec<_>, _>>() else {
            return self.refuse("/lines", detail);
        };
        if rows.len() > MAX_LINES {
            self.errors.push(FieldError::new("/lines", format!("has more than {MAX_LINES} entries")));
            return None;
        }
        Some(rows.into_iter().map(|row| (row.line, row.quantity)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_field_is_named_and_none_is_passed_over() {
        for (body, wrong) in [
            ("", &[][..]),
            (r#"{"reason":"x","lines":[{"line":0,"quantity":2}],"amount":1e2,"close":true,"restock":null}"#, &[]),
            (r#"{"lines":null}"#, &[]),
            (r#"{"lines":[{"line":-1,"quantity":1}]}"#, &["/lines"]),
            (r#"{"lines":[[0,1]]}"#, &["/lines"]),
            (r#"{"amount":"5","close":1,"until":"soon"}"#, &["/amount", "/until", "/close"]),
            (r#"{"run_at":"2026-03-01T09:00:00","time_zone":"Mars/Dome"}"#, &["/time_zone"]),
            (r#"{"amout":5}"#, &["malformed-json"]),
            ("[]", &["malformed-json"]),
        ] {
            let pointers: Vec<String> = match parse_action(body.as_bytes()) {
                Ok(_) => vec![],
                Err(error) if error.fields.is_empty() => vec![error.code.name().to_owned()],
                Err(error) => error.fields.into_iter().map(|field| field.pointer).collect(),
            };
            assert_eq!(pointers, wrong, "{body}");
        }
        assert_eq!(parse_work(br#"{"token":3,"retry_after_s":5}"#).unwrap().retry_after_s, Some(5));
        assert!(parse_work(br#"{"tokn":3}"#).is_err());
    }
}
