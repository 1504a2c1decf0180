//! Codes of the protocol: errors of commands, ends of subscriptions, ends of connections.
//!
//! Ranges are the policy. Errors below 400 are the protocol's, 400 to 1999 the application's. A subscription
//! that ended below 2500 is over, from there on it is made again. A connection that ended with 3500 to 3999
//! or 4500 to 4999 is over, with any other code the client comes back.

use super::message::{ErrorReply, UnsubscribePush};

/// Why a command was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Error {
    /// The server failed.
    Internal = 100,
    /// There is no user, and one is needed.
    Unauthorized = 101,
    /// No such channel or namespace.
    UnknownChannel = 102,
    /// The user may not do this.
    PermissionDenied = 103,
    /// The schema has no such command.
    MethodNotFound = 104,
    /// The connection has this subscription.
    AlreadySubscribed = 105,
    /// A limit of the connection or of the command is passed.
    LimitExceeded = 106,
    /// The command makes no sense.
    BadRequest = 107,
    /// The server or the channel does not offer this.
    NotAvailable = 108,
    /// The token has expired: get a new one and connect or subscribe again.
    TokenExpired = 109,
    /// The new token has expired too.
    Expired = 110,
    /// Slow down.
    TooManyRequests = 111,
    /// What followed the position is not there any more.
    UnrecoverablePosition = 112,
    /// The state changed between two pages.
    ConcurrentPagination = 113,
}

impl Error {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Internal,
        Self::Unauthorized,
        Self::UnknownChannel,
        Self::PermissionDenied,
        Self::MethodNotFound,
        Self::AlreadySubscribed,
        Self::LimitExceeded,
        Self::BadRequest,
        Self::NotAvailable,
        Self::TokenExpired,
        Self::Expired,
        Self::TooManyRequests,
        Self::UnrecoverablePosition,
        Self::ConcurrentPagination,
    ];

    /// The number on the wire.
    pub fn code(self) -> u32 {
        u32::from(self as u16)
    }

    /// The text on the wire.
    pub fn message(self) -> &'static str {
        match self {
            Self::Internal => "internal server error",
            Self::Unauthorized => "unauthorized",
            Self::UnknownChannel => "unknown channel",
            Self::PermissionDenied => "permission denied",
            Self::MethodNotFound => "method not found",
            Self::AlreadySubscribed => "already subscribed",
            Self::LimitExceeded => "limit exceeded",
            Self::BadRequest => "bad request",
            Self::NotAvailable => "not available",
            Self::TokenExpired => "token expired",
            Self::Expired => "expired",
            Self::TooManyRequests => "too many requests",
            Self::UnrecoverablePosition => "unrecoverable position",
            Self::ConcurrentPagination => "concurrent pagination",
        }
    }

    /// Whether the same command may succeed later; SDKs retry then.
    pub fn is_temporary(self) -> bool {
        matches!(self, Self::Internal | Self::TooManyRequests | Self::ConcurrentPagination)
    }
}

impl From<Error> for ErrorReply {
    fn from(error: Error) -> Self {
        Self { code: error.code(), message: error.message().to_owned(), temporary: error.is_temporary() }
    }
}

/// Why the server ended a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Unsubscribe {
    /// Somebody asked the server to.
    Server = 2000,
    /// The client's position cannot be kept without a hole: subscribe again, and recover.
    InsufficientState = 2500,
    /// The subscription's token has expired.
    Expired = 2501,
    /// What the client knows is void: drop positions and tokens, subscribe again.
    StateInvalidated = 2502,
}

impl Unsubscribe {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Server, Self::InsufficientState, Self::Expired, Self::StateInvalidated];

    /// The number on the wire.
    pub fn code(self) -> u32 {
        u32::from(self as u16)
    }

    /// The text on the wire.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Server => "server unsubscribe",
            Self::InsufficientState => "insufficient state",
            Self::Expired => "subscription expired",
            Self::StateInvalidated => "state invalidated",
        }
    }

    /// Whether the client makes the subscription again by itself.
    pub fn is_resubscribed(self) -> bool {
        self.code() >= 2500
    }
}

impl From<Unsubscribe> for UnsubscribePush {
    fn from(unsubscribe: Unsubscribe) -> Self {
        Self { code: unsubscribe.code(), reason: unsubscribe.reason().to_owned() }
    }
}

/// Why the server ended a connection; on WebSockets the close code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Disconnect {
    /// Closed, for no reason of its own.
    Closed = 3000,
    /// The server stops.
    Shutdown = 3001,
    /// The server failed.
    ServerError = 3004,
    /// The connection's token has expired.
    Expired = 3005,
    /// A subscription's token has expired.
    SubscriptionExpired = 3006,
    /// The client reads too slowly.
    Slow = 3008,
    /// Writing failed.
    WriteError = 3009,
    /// A server-side subscription cannot be kept without a hole.
    InsufficientState = 3010,
    /// Somebody asked the server to.
    ForceReconnect = 3011,
    /// No pong came in time.
    NoPong = 3012,
    /// The client sends too much.
    TooManyRequests = 3013,
    /// What the client knows is void.
    StateInvalidated = 3014,
    /// The token is not one of ours.
    InvalidToken = 3500,
    /// The client broke the protocol.
    BadRequest = 3501,
    /// No connect command came in time.
    Stale = 3502,
    /// Somebody asked the server to, for good.
    ForceDisconnect = 3503,
    /// The user has too many connections.
    ConnectionLimit = 3504,
    /// The connection has too many subscriptions.
    ChannelLimit = 3505,
    /// The transport cannot do this.
    InappropriateProtocol = 3506,
    /// The user may not connect.
    PermissionDenied = 3507,
    /// The server does not offer what was asked.
    NotAvailable = 3508,
    /// The client erred too often.
    TooManyErrors = 3509,
}

impl Disconnect {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::Closed,
        Self::Shutdown,
        Self::ServerError,
        Self::Expired,
        Self::SubscriptionExpired,
        Self::Slow,
        Self::WriteError,
        Self::InsufficientState,
        Self::ForceReconnect,
        Self::NoPong,
        Self::TooManyRequests,
        Self::StateInvalidated,
        Self::InvalidToken,
        Self::BadRequest,
        Self::Stale,
        Self::ForceDisconnect,
        Self::ConnectionLimit,
        Self::ChannelLimit,
        Self::InappropriateProtocol,
        Self::PermissionDenied,
        Self::NotAvailable,
        Self::TooManyErrors,
    ];

    /// The number on the wire.
    pub fn code(self) -> u16 {
        self as u16
    }

    /// The text on the wire.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Closed => "connection closed",
            Self::Shutdown => "shutdown",
            Self::ServerError => "internal server error",
            Self::Expired => "connection expired",
            Self::SubscriptionExpired => "subscription expired",
            Self::Slow => "slow",
            Self::WriteError => "write error",
            Self::InsufficientState => "insufficient state",
            Self::ForceReconnect => "force reconnect",
            Self::NoPong => "no pong",
            Self::TooManyRequests => "too many requests",
            Self::StateInvalidated => "state invalidated",
            Self::InvalidToken => "invalid token",
            Self::BadRequest => "bad request",
            Self::Stale => "stale",
            Self::ForceDisconnect => "force disconnect",
            Self::ConnectionLimit => "connection limit",
            Self::ChannelLimit => "channel limit",
            Self::InappropriateProtocol => "inappropriate protocol",
            Self::PermissionDenied => "permission denied",
            Self::NotAvailable => "not available",
            Self::TooManyErrors => "too many errors",
        }
    }

    /// Whether the client comes back by itself.
    pub fn is_reconnected(self) -> bool {
        may_reconnect(u32::from(self.code()))
    }
}

/// Whether SDKs come back after a connection ended with `code`.
pub fn may_reconnect(code: u32) -> bool {
    !matches!(code, 3500..=3999 | 4500..=4999)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_the_policy() {
        for error in Error::ALL {
            assert!((100..400).contains(&error.code()), "{error:?}");
        }
        for (code, is_resubscribed) in [(2000, false), (2500, true), (2501, true), (2502, true)] {
            let found = Unsubscribe::ALL.into_iter().find(|known| known.code() == code).unwrap();
            assert_eq!(found.is_resubscribed(), is_resubscribed, "{code}");
        }
        for disconnect in Disconnect::ALL {
            assert_eq!(disconnect.is_reconnected(), disconnect.code() < 3500, "{disconnect:?}");
            assert!(disconnect.reason().len() <= 32, "{disconnect:?}");
        }
        assert!(may_reconnect(4000) && !may_reconnect(4500) && may_reconnect(1001));
    }

    #[test]
    fn codes_are_unique() {
        let mut codes: Vec<u32> = Error::ALL.iter().map(|error| error.code()).collect();
        codes.extend(Unsubscribe::ALL.iter().map(|unsubscribe| unsubscribe.code()));
        codes.extend(Disconnect::ALL.iter().map(|disconnect| u32::from(disconnect.code())));
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
    }
}
