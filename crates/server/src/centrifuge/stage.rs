//! How far a conversation is, and what is known of the client.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use ordercast_protocol::centrifuge::message::ConnectResult;
use ordercast_protocol::principal::Role;

use super::permission::Caller;

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

/// Who the client is.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    /// The user's id; empty when anonymous.
    pub(super) user: Arc<str>,
    pub(super) caller: Caller,
    /// What others see of it, if there is anything.
    info: Option<Box<Bytes>>,
}

impl Identity {
    /// Of a client that has not connected.
    pub(super) fn unknown() -> Self {
        let caller = Caller { role: Role::Customer, customer_id: None, is_user: false };
        Self::new(no_user(), caller, Bytes::new())
    }

    pub(super) fn new(user: Arc<str>, caller: Caller, info: Bytes) -> Self {
        Self { user, caller, info: (!info.is_empty()).then(|| Box::new(info)) }
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
