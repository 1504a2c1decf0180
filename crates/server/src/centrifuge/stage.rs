//! How far a conversation is, and what is known of the client.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use ordercast_protocol::centrifuge::message::ConnectResult;

/// How far the conversation is.
pub(super) enum Stage {
    /// Nothing has been said.
    New,
    /// The client is known, and the server's subscriptions are being made.
    Connecting(Box<Connecting>),
    /// Commands are carried out.
    Connected,
    /// The connect command was answered with an error; what else the client sent before it knew is void.
    Refused,
    /// The connection is being closed.
    Closed,
}

/// The reply to the connect command, as far as it is known.
pub(super) struct Connecting {
    pub(super) id: u32,
    pub(super) result: ConnectResult,
    /// Subscriptions that have not begun.
    pub(super) waiting: usize,
}

/// The client as other clients see it. Its principal stands in the origin of its connection.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    /// The user's id as its token names it; empty when anonymous.
    pub(super) user: Arc<str>,
    /// What others see of it, if there is anything.
    info: Option<Box<Bytes>>,
}

impl Profile {
    /// Of a client that has not connected.
    pub(super) fn unknown() -> Self {
        Self::new(no_user(), Bytes::new())
    }

    pub(super) fn new(user: Arc<str>, info: Bytes) -> Self {
        Self { user, info: (!info.is_empty()).then(|| Box::new(info)) }
    }

    /// What others see of the client.
    pub(super) fn info(&self) -> Bytes {
        self.info.as_deref().cloned().unwrap_or_default()
    }
}

/// The id of somebody without one, kept once for all of them.
pub(super) fn no_user() -> Arc<str> {
    static NONE: LazyLock<Arc<str>> = LazyLock::new(|| "".into());
    Arc::clone(&NONE)
}

/// Where the client sends the commands of a stream: its session's secret, and this node.
#[derive(Clone, Debug)]
pub(super) struct ReturnPath {
    pub(super) secret: Arc<str>,
    pub(super) node: String,
}
