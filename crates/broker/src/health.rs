//! How a broker is.

use std::fmt;

/// Whether a broker carries messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Ready,
    /// It does not. Nothing is lost for good: hubs read the logs, later than they would be notified.
    Unavailable(Reason),
}

/// Why a broker carries nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// [`crate::Broker::start`] has not been called.
    NotStarted,
    /// It has no connection and is trying to get one.
    Connecting,
    /// The server does not accept the credentials or the configuration; trying again will not help.
    Refused,
    /// [`crate::Broker::stop`] has been called.
    Stopped,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotStarted => "the broker has not been started",
            Self::Connecting => "the broker has no connection and is trying to get one",
            Self::Refused => "the broker's server refuses the connection; check its address and credentials",
            Self::Stopped => "the broker has been stopped",
        })
    }
}

impl std::error::Error for Reason {}
