//! Stable names of errors, the same over HTTP (`type` of problem+json) and in frames (`code`).

mod help;

/// What went wrong. A name is never reused for another meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The body or frame is not JSON, or is nested too deep.
    MalformedJson,
    /// Fields are missing, of a wrong type or outside their bounds.
    InvalidOrder,
    /// As above, for a product.
    InvalidProduct,
    /// As above, for an adjustment.
    InvalidAdjustment,
    /// As above, for something that is to be done to an order.
    InvalidAction,
    /// The query of a list is wrong.
    InvalidQuery,
    /// The id or idempotency key was used with another body.
    IdempotencyConflict,
    /// The product is not in the catalogue.
    UnknownProduct,
    /// Prices are not those of the catalogue.
    PriceDiffers,
    /// Less is left than was ordered.
    OutOfStock,
    /// The status table does not allow the move.
    InvalidTransition,
    /// The order has changed since the client read it.
    StaleVersion,
    /// The worker's lease has ended.
    LeaseEnded,
    /// The order is not in work under the worker's lease and token.
    StaleToken,
    /// The worker has reported another outcome of the same claim before.
    AlreadyReported,
    /// There is no such thing.
    NotFound,
    /// The route does not know the method.
    MethodNotAllowed,
    /// The body is too large.
    TooLarge,
    /// The body has another content type than JSON.
    UnsupportedMediaType,
    /// This client has too many commands waiting.
    TooManyRequests,
    /// The server has too many commands waiting.
    Overloaded,
    /// The server is stopping, or its store failed.
    Unavailable,
    /// The request comes from an origin or for a host that is not allowed.
    ForbiddenOrigin,
    /// The client is not authenticated.
    Unauthorized,
    /// The principal may not do this.
    PermissionDenied,
    /// The body did not come in time.
    RequestTimeout,
    /// The request must be a WebSocket handshake of another version.
    UpgradeRequired,
    /// No more connections are accepted.
    ConnectionLimit,
    /// The frame's type is unknown.
    UnknownType,
    /// The channel is unknown.
    UnknownChannel,
    /// A connection has too many subscriptions.
    ChannelLimit,
    /// A defect of the server.
    Internal,
}

impl ErrorCode {
    /// All codes, for documentation and metrics.
    pub const ALL: [Self; 32] = [
        Self::MalformedJson,
        Self::InvalidOrder,
        Self::InvalidProduct,
        Self::InvalidAdjustment,
        Self::InvalidAction,
        Self::InvalidQuery,
        Self::IdempotencyConflict,
        Self::UnknownProduct,
        Self::PriceDiffers,
        Self::OutOfStock,
        Self::InvalidTransition,
        Self::StaleVersion,
        Self::LeaseEnded,
        Self::StaleToken,
        Self::AlreadyReported,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::TooManyRequests,
        Self::Overloaded,
        Self::Unavailable,
        Self::ForbiddenOrigin,
        Self::Unauthorized,
        Self::PermissionDenied,
        Self::RequestTimeout,
        Self::UpgradeRequired,
        Self::ConnectionLimit,
        Self::UnknownType,
        Self::UnknownChannel,
        Self::ChannelLimit,
        Self::Internal,
    ];

    /// The stable name.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status of the answer.
    pub fn http_status(self) -> u16 {
        self.row().1
    }

    /// A short title, the same for every occurrence.
    pub fn title(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::MalformedJson => ("malformed-json", 400, "The body is not valid JSON"),
            Self::InvalidOrder => ("invalid-order", 422, "The order is not valid"),
            Self::InvalidProduct => ("invalid-product", 422, "The product is not valid"),
            Self::InvalidAdjustment => ("invalid-adjustment", 422, "The adjustment is not valid"),
            Self::InvalidAction => ("invalid-action", 422, "The action is not valid"),
            Self::StaleVersion => ("stale-version", 412, "The order has changed meanwhile"),
            Self::LeaseEnded => ("lease-ended", 409, "The worker's lease has ended"),
            Self::InvalidQuery => ("invalid-query", 400, "The query is not valid"),
            Self::IdempotencyConflict => ("idempotency-conflict", 409, "The key was used for another order"),
            Self::UnknownProduct => ("unknown-product", 422, "The product is not in the catalogue"),
            Self::PriceDiffers => ("price-differs", 422, "The price is another now"),
            Self::OutOfStock => ("out-of-stock", 409, "Not enough in stock"),
            Self::InvalidTransition => ("invalid-transition", 409, "This cannot be done to the order now"),
            Self::StaleToken => ("stale-token", 409, "The order is no longer this worker's"),
            Self::AlreadyReported => ("already-reported", 409, "Another outcome was reported before"),
            Self::NotFound => ("not-found", 404, "There is no such thing"),
            Self::MethodNotAllowed => ("method-not-allowed", 405, "The route does not know this method"),
            Self::TooLarge => ("too-large", 413, "The body is too large"),
            Self::UnsupportedMediaType => ("unsupported-media-type", 415, "The body must be JSON"),
            Self::TooManyRequests => ("too-many-requests", 429, "This client has too many commands waiting"),
            Self::Overloaded => ("overloaded", 503, "The server has too many commands waiting"),
            Self::Unavailable => ("unavailable", 503, "The server is not taking commands"),
            Self::ForbiddenOrigin => ("forbidden-origin", 403, "The request comes from a place that is not allowed"),
            Self::Unauthorized => ("unauthorized", 401, "Who asks is not known"),
            Self::PermissionDenied => ("permission-denied", 403, "The principal may not do this"),
            Self::RequestTimeout => ("request-timeout", 408, "The body did not come in time"),
            Self::UpgradeRequired => ("upgrade-required", 426, "Another version of the WebSocket protocol is needed"),
            Self::ConnectionLimit => ("connection-limit", 503, "No more connections are accepted"),
            Self::UnknownType => ("unknown-type", 400, "The frame's type is unknown"),
            Self::UnknownChannel => ("unknown-channel", 404, "There is no such channel"),
            Self::ChannelLimit => ("channel-limit", 429, "Too many subscriptions on one connection"),
            Self::Internal => ("internal", 500, "The server failed"),
        }
    }
}

/// One field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) to the field, such as `/items/2/quantity`.
    pub pointer: String,
    /// What is wrong and what would be right.
    pub detail: String,
}

impl FieldError {
    /// Names a wrong field.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }

    /// All that is wrong in one line.
    pub fn sum_up(fields: &[Self]) -> String {
        match fields {
            [one] => one.to_string(),
            more => format!("{} fields are wrong", more.len()),
        }
    }

    /// Every wrong field in one line of at most about `most` bytes, for protocols whose errors are only text.
    pub fn list(fields: &[Self], most: usize) -> String {
        let mut line = Self::sum_up(fields);
        if fields.len() < 2 {
            return line;
        }
        for (at, field) in fields.iter().enumerate() {
            if line.len() > most {
                line.push_str("; …");
                break;
            }
            line.push_str(if at == 0 { ": " } else { "; " });
            line.push_str(&field.to_string());
        }
        line
    }
}

impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let subject = if self.pointer.is_empty() { "the body" } else { &self.pointer };
        write!(f, "{subject} {}", self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_all_are_listed() {
        let mut names: Vec<_> = ErrorCode::ALL.iter().map(|code| code.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ErrorCode::ALL.len());
    }
}
