//! Parsing what is to be done to an order, and what external workers say.
//!
//! A field that is not known is refused here: a refund whose amount was misspelled would pay back everything.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::error::{ErrorCode, FieldError};
use crate::fields::{BodyError, FieldReader, Form};
use crate::limits::{MAX_LINES, MAX_TEXT_BYTES};

/// An action on an order with its arguments. Arguments that do not belong to the action are refused or passed over by the
/// domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActionRequest<'a> {
    /// The order, where no address names it.
    pub id: Option<Cow<'a, str>>,
    /// The action, where no address names it.
    pub action: Option<Cow<'a, str>>,
    /// The version that it is meant for, where no header gives it.
    pub version: Option<i64>,
    /// The client's idempotency key, where no header gives it.
    pub idempotency_key: Option<Cow<'a, str>>,
    /// Why.
    pub reason: Option<Cow<'a, str>>,
    /// Lines, from 0, and units of them.
    pub lines: Option<Vec<(u32, i64)>>,
    /// The text of a JSON number in the major unit.
    pub amount: Option<&'a str>,
    /// How long it is held, in milliseconds since 1970.
    pub until_ms: Option<i64>,
    /// When it is to start, in milliseconds since 1970.
    pub run_at_ms: Option<i64>,
    /// Whether what is left is called off.
    pub closes: bool,
    /// Whether what comes back can be sold again.
    pub restocks: bool,
}

/// Fields of any action.
const ACTION_FIELDS: [&str; 8] = ["reason", "lines", "amount", "until", "run_at", "time_zone", "close", "restock"];
const LINE_FIELDS: [&str; 2] = ["line", "quantity"];
const WORK_FIELDS: [&str; 8] = ["worker", "lease", "capacity", "wait_s", "token", "outcome", "reason", "retry_after_s"];

/// What names the order and the condition where no address and no header can, and where it stands otherwise.
const NAMING_FIELDS: [(&str, &str); 4] = [
    ("id", "stands in the address"),
    ("action", "stands in the address"),
    ("version", "is sent in the header If-Match"),
    ("idempotency_key", "is sent in the header Idempotency-Key"),
];

/// Parses what is to be done to an order. An empty body is an empty object.
///
/// # Errors
/// [`BodyError`] with `malformed-json`, or with `invalid-action` and every wrong field.
pub fn parse_action(body: &[u8], form: Form) -> Result<ActionRequest<'_>, BodyError> {
    if body.is_empty() {
        return Ok(ActionRequest::default());
    }
    let mut fields = FieldReader::default();
    let object = fields.body(body, "{\"reason\":\"…\"}")?;
    let naming = NAMING_FIELDS.map(|(name, _)| name);
    if form == Form::Body {
        let misplaced = NAMING_FIELDS.iter().filter(|(name, _)| object.get(name).is_some());
        fields.errors.extend(misplaced.map(|(name, detail)| FieldError::new(format!("/{name}"), *detail)));
    }
    fields.check_known("", &object, &[&ACTION_FIELDS], &[&naming, form.own_fields()]);
    let [until_ms, run_at_ms] = fields.scheduled(&object, &["until", "run_at"]);
    let request = ActionRequest {
        id: fields.text("/id", object.get("id"), MAX_TEXT_BYTES),
        action: fields.text("/action", object.get("action"), 32),
        version: fields.integer("/version", object.get("version")),
        idempotency_key: fields.key("/idempotency_key", object.get("idempotency_key")),
        reason: fields.text("/reason", object.get("reason"), MAX_TEXT_BYTES),
        lines: object.get("lines").and_then(|lines| fields.lines(lines)),
        amount: fields.number("/amount", object.get("amount")),
        until_ms,
        run_at_ms,
        closes: fields.boolean("/close", object.get("close")),
        restocks: fields.boolean("/restock", object.get("restock")),
    };
    fields.finish(request, ErrorCode::InvalidAction)
}

/// Parses a body that only says why something is done. An empty body is an empty object.
///
/// # Errors
/// As for [`parse_action`].
pub fn parse_reason(body: &[u8]) -> Result<Option<Cow<'_, str>>, BodyError> {
    if body.is_empty() {
        return Ok(None);
    }
    let mut fields = FieldReader::default();
    let object = fields.body(body, "{\"reason\":\"…\"}")?;
    fields.check_known("", &object, &[&["reason"]], &[]);
    let reason = fields.text("/reason", object.get("reason"), MAX_TEXT_BYTES);
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

/// Parses what an external worker says. An empty body is an empty object.
///
/// # Errors
/// As for [`parse_action`].
pub fn parse_work(body: &[u8]) -> Result<WorkRequest<'_>, BodyError> {
    if body.is_empty() {
        return Ok(WorkRequest::default());
    }
    let mut fields = FieldReader::default();
    let object = fields.body(body, "{\"token\":1}")?;
    fields.check_known("", &object, &[&WORK_FIELDS], &[]);
    let request = WorkRequest {
        worker: fields.text("/worker", object.get("worker"), 64),
        lease: fields.text("/lease", object.get("lease"), 64),
        capacity: fields.integer("/capacity", object.get("capacity")),
        wait_s: fields.integer("/wait_s", object.get("wait_s")),
        token: fields.integer("/token", object.get("token")),
        outcome: fields.text("/outcome", object.get("outcome"), 16),
        reason: fields.text("/reason", object.get("reason"), MAX_TEXT_BYTES),
        retry_after_s: fields.integer("/retry_after_s", object.get("retry_after_s")),
    };
    fields.finish(request, ErrorCode::InvalidAction)
}

impl FieldReader {
    fn lines(&mut self, raw: &RawValue) -> Option<Vec<(u32, i64)>> {
        let detail = "must be an array of {\"line\",\"quantity\"}; lines are counted from 0";
        let Ok(rows) = serde_json::from_str::<Option<Vec<&RawValue>>>(raw.get()) else {
            return self.refuse("/lines", detail);
        };
        let rows = rows?;
        if rows.len() > MAX_LINES {
            return self.refuse("/lines", format!("has more than {MAX_LINES} entries"));
        }
        let before = self.errors.len();
        let lines: Vec<_> = rows.into_iter().enumerate().filter_map(|(at, row)| self.line(at, row)).collect();
        (self.errors.len() == before).then_some(lines)
    }

    fn line(&mut self, at: usize, raw: &RawValue) -> Option<(u32, i64)> {
        let at = format!("/lines/{at}");
        let Some(object) = self.object(raw) else {
            return self.refuse(at, "must be {\"line\",\"quantity\"}; lines are counted from 0");
        };
        self.check_known(&at, &object, &[&LINE_FIELDS], &[]);
        let (line, quantity) = (format!("{at}/line"), format!("{at}/quantity"));
        let number = match self.integer(&line, object.get("line")).map(u32::try_from) {
            Some(Ok(number)) => Some(number),
            Some(Err(_)) => self.refuse(line, "is counted from 0"),
            None => self.missing(&line),
        };
        let units = match self.integer(&quantity, object.get("quantity")) {
            None => self.missing(&quantity),
            units => units,
        };
        Some((number?, units?))
    }

    /// Refuses a field that is not there, unless what is wrong with it has been said.
    fn missing<T>(&mut self, pointer: &str) -> Option<T> {
        if self.errors.last().is_some_and(|error| error.pointer == pointer) {
            return None;
        }
        self.refuse(pointer, "is required")
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
            (r#"{"lines":[{"line":-1,"quantity":1}]}"#, &["/lines/0/line"]),
            (r#"{"lines":[{"line":0.0,"quantity":2},{"line":1,"units":1}]}"#, &["/lines/1/units", "/lines/1/quantity"]),
            (r#"{"lines":[[0,1]]}"#, &["/lines/0"]),
            (r#"{"amount":"5","close":1,"until":"soon"}"#, &["/until", "/amount", "/close"]),
            (r#"{"reason":"x","time_zone":"Europe/Berlin"}"#, &["/time_zone"]),
            (r#"{"run_at":"2026-03-01T09:00:00","time_zone":"Mars/Dome"}"#, &["/time_zone"]),
            (r#"{"amout":5}"#, &["/amout"]),
            ("[]", &[""]),
            ("[", &["malformed-json"]),
        ] {
            let pointers: Vec<String> = match parse_action(body.as_bytes(), Form::Frame) {
                Ok(_) => vec![],
                Err(error) if error.fields.is_empty() => vec![error.code.name().to_owned()],
                Err(error) => error.fields.into_iter().map(|field| field.pointer).collect(),
            };
            assert_eq!(pointers, wrong, "{body}");
        }
        assert_eq!(parse_work(br#"{"token":3,"retry_after_s":5}"#).unwrap().retry_after_s, Some(5));
        assert_eq!(parse_work(br#"{"tokn":3}"#).unwrap_err().detail, "/tokn is not known; did you mean token?");
    }

    #[test]
    fn what_stands_elsewhere_over_http_is_not_passed_over_in_a_body() {
        let body = br#"{"id":"a","version":3,"reason":"x"}"#;
        assert!(parse_action(body, Form::Call).is_ok());
        let error = parse_action(body, Form::Body).unwrap_err();
        assert_eq!(error.fields.iter().map(|field| &*field.pointer).collect::<Vec<_>>(), ["/id", "/version"]);
        assert!(parse_action(br#"{"type":"order_action"}"#, Form::Call).is_err(), "a call has no type");
    }
}
