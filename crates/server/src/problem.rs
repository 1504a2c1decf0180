//! Every error on its way to the wire: RFC 9457 over HTTP, an `error` frame over WebSockets.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_VERSION, WWW_AUTHENTICATE};
use ordercast_domain::Violation;
use ordercast_domain::decide::Refusal;
use ordercast_engine::CommandError;
use ordercast_hub::handler::SubscribeError;
use ordercast_protocol::error::{ErrorCode, FieldError};
use ordercast_protocol::excerpt::cut;
use ordercast_protocol::frame::write_error;
use ordercast_protocol::intake::BodyError;
use ordercast_protocol::json::JsonWriter;
use ordercast_store::StoreError;

/// Seconds after which a client that was turned away for lack of room may try again. Batches take
/// milliseconds; a second spreads those who come back.
const RETRY_AFTER_S: u32 = 1;
/// Longest detail of an error, in bytes.
const MAX_DETAIL_BYTES: usize = 1_024;

/// An error as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which kind of error it is.
    pub code: ErrorCode,
    /// What is wrong this time, and how to mend it.
    pub detail: String,
    /// Which fields are wrong.
    pub fields: Vec<FieldError>,
    /// The order that an id or key was used for before.
    pub order_id: Option<String>,
    /// The order's version, when another was expected.
    pub version: Option<u32>,
    /// What can be done instead.
    pub allowed: Option<Vec<&'static str>>,
}

impl Problem {
    /// An error without fields.
    ///
    /// A detail may repeat what a client sent: beyond [`MAX_DETAIL_BYTES`] it is cut.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        let mut detail = detail.into();
        if detail.len() > MAX_DETAIL_BYTES {
            detail = cut(&detail, MAX_DETAIL_BYTES).into_owned();
        }
        Self { code, detail, fields: Vec::new(), order_id: None, version: None, allowed: None }
    }

    /// Violations of rules, as an error of `code`.
    pub fn violations(code: ErrorCode, violations: Vec<Violation>) -> Self {
        let fields = violations.into_iter().map(|wrong| FieldError::new(wrong.pointer, wrong.detail));
        Self::fields(code, fields.collect())
    }

    /// Wrong fields, as an error of `code`.
    pub fn fields(code: ErrorCode, fields: Vec<FieldError>) -> Self {
        let detail = FieldError::sum_up(&fields);
        Self { fields, ..Self::new(code, detail) }
    }

    /// An order that a client asked for and the engine did not take.
    pub fn of_order(error: CommandError) -> Self {
        Self::of_command(ErrorCode::InvalidOrder, error)
    }

    /// A command that the engine refused; `invalid` is the code for broken rules of the request.
    pub fn of_command(invalid: ErrorCode, error: CommandError) -> Self {
        match error {
            CommandError::Refused(refusal) => Self::of_refusal(invalid, refusal),
            CommandError::ClientFull => Self::new(
                ErrorCode::TooManyRequests,
                "wait for answers before sending more, or spread the load over time",
            ),
            CommandError::Full => Self::new(ErrorCode::Overloaded, "nothing was stored; try again in a moment"),
            CommandError::Stopping => Self::new(ErrorCode::Unavailable, "the server is stopping; try again soon"),
            CommandError::Unavailable => Self::new(
                ErrorCode::Unavailable,
                "another program has the database locked; nothing was stored, try again in a moment",
            ),
            CommandError::StoreFailed => Self::new(
                ErrorCode::Unavailable,
                "the store failed and the outcome is not known; try again with the same id or Idempotency-Key",
            ),
        }
    }

    fn of_refusal(invalid: ErrorCode, refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid(violations) => Self::violations(invalid, violations),
            Refusal::Conflict { id } => Self {
                order_id: Some(id.to_string()),
                ..Self::new(
                    ErrorCode::IdempotencyConflict,
                    format!("{id} has it, for another request; use a new id and Idempotency-Key"),
                )
            },
            Refusal::OutOfStock { line, sku, left } => {
                let pointer = format!("/items/{line}/quantity");
                Self {
                    fields: vec![FieldError::new(pointer, format!("only {left} of {sku} are left"))],
                    ..Self::new(ErrorCode::OutOfStock, format!("only {left} of {sku} are left"))
                }
            }
            Refusal::UnknownProducts { violations, .. } => Self::violations(ErrorCode::UnknownProduct, violations),
            Refusal::PriceDiffers(violations) => Self::violations(ErrorCode::PriceDiffers, violations),
            Refusal::UnknownProduct { sku } => {
                Self::new(ErrorCode::UnknownProduct, format!("{sku} is not in the catalogue; see GET /products"))
            }
            Refusal::NotFound => Self::new(ErrorCode::NotFound, "there is no such order"),
            Refusal::StaleToken => Self::new(
                ErrorCode::StaleToken,
                "the order is not in work under this lease and token; it has moved on, and nothing was changed",
            ),
            Refusal::AlreadyReported { outcome } => Self::new(
                ErrorCode::AlreadyReported,
                format!("{} was reported under this lease and token before, and stands", outcome.name()),
            ),
            Refusal::StaleVersion { current } => Self {
                version: Some(current),
                ..Self::new(
                    ErrorCode::StaleVersion,
                    format!("the order is at version {current}; look at it again, and send If-Match: \"{current}\""),
                )
            },
            Refusal::NoLease => Self::new(
                ErrorCode::LeaseEnded,
                "there is no such lease, or it has ended: its orders are back in the queue; claim without a lease",
            ),
            Refusal::InvalidTransition { from, action, allowed } => {
                let allowed: Vec<_> = allowed.iter().map(|action| action.name()).collect();
                let open = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
                let detail = format!(
                    "{} is not open to you for an order that is {}; open is: {open}",
                    action.name(),
                    from.name()
                );
                Self { allowed: Some(allowed), ..Self::new(ErrorCode::InvalidTransition, detail) }
            }
        }
    }

    /// A read that failed.
    pub fn of_store(error: &StoreError) -> Self {
        if *error == StoreError::Busy {
            return Self::new(ErrorCode::Overloaded, "too many reads wait; try again after the time in Retry-After");
        }
        tracing::error!(%error, "a read failed");
        Self::new(ErrorCode::Internal, "the store could not be read; the server's log says why")
    }

    /// The body of the answer over HTTP. `base_path` goes before the address of the page about the error.
    pub fn to_json(&self, base_path: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        let mut json = JsonWriter::new(&mut out);
        json.begin_object();
        json.key("type").string(&format!("{base_path}/docs/errors/{}", self.code.name()));
        json.key("title").string(self.code.title());
        json.key("status").integer(self.code.http_status());
        json.key("detail").string(&self.detail);
        if let Some(order_id) = &self.order_id {
            json.key("order_id").string(order_id);
        }
        if let Some(version) = self.version {
            json.key("version").integer(version);
        }
        if let Some(allowed) = &self.allowed {
            json.key("allowed").begin_array();
            for action in allowed {
                json.string(action);
            }
            json.end_array();
        }
        if !self.fields.is_empty() {
            json.key("errors").begin_array();
            for field in &self.fields {
                json.begin_object().key("pointer").string(&field.pointer);
                json.key("detail").string(&field.detail).end_object();
            }
            json.end_array();
        }
        json.end_object();
        out
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        Self { fields: error.fields, ..Self::new(error.code, error.detail) }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::of_store(&error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.to_json("")));
        *response.status_mut() =
            StatusCode::from_u16(self.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.code.http_status() {
            429 | 503 => {
                headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
            }
            401 => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("ApiKey"));
            }
            // What is left of the body may still come.
            408 => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            426 => {
                headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            _ => {}
        }
        response.extensions_mut().insert(self);
        response
    }
}
impl From<SubscribeError> for Problem {
    fn from(error: SubscribeError) -> Self {
        Self::new(ErrorCode::ChannelLimit, error.to_string())
    }
}

impl Problem {
    /// The problem as a frame of the plain JSON protocol.
    pub(crate) fn frame(&self, reference: Option<&str>) -> Vec<u8> {
        let mut frame = Vec::with_capacity(256);
        write_error(reference, self.code, &self.detail, &self.fields, &mut frame);
        frame
    }
}
