//! What sessions are told by other parts of the server.

use std::sync::Arc;

use ordercast_protocol::centrifuge::code;

use crate::access::tokens::ChannelOptions;

/// Whom a signal of the server API means: a user, of it perhaps only one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) user: Arc<str>,
    /// Only this connection.
    pub(crate) client: Option<Arc<str>>,
    /// Only the connection with this session.
    pub(crate) session: Option<Arc<str>>,
}

/// A position that a server-side subscription begins at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Since {
    pub(crate) epoch: String,
    pub(crate) offset: u64,
}

/// What a session is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Whether an order that the client wishes to follow is its own.
    OrderSeen { channel: Arc<str>, is_own: Result<bool, ()> },
    /// Subscribe the client.
    Subscribe { target: Target, channel: Arc<str>, options: Box<ChannelOptions>, since: Option<Since> },
    /// End a subscription.
    Unsubscribe { target: Target, channel: Arc<str>, why: code::Unsubscribe },
    /// End the connection, unless it is one of `kept`.
    Disconnect { target: Target, code: u16, reason: Arc<str>, kept: Vec<Arc<str>> },
    /// The connection ends at another time, in seconds since 1970; never when missing.
    Refresh { target: Target, expires_at: Option<i64> },
}
