//! What speaks over a connection, without knowing what carries it.
//!
//! A [`Session`] is the codec and the state of one client; the hub calls it on the thread of the shard that
//! owns the socket. It must return at once: what takes time is handed to the engine, and the answer comes
//! back by a [`Replies`] handle.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use ordercast_protocol::channel::Channel;
use ordercast_protocol::envelope::Wire;
use ordercast_protocol::position::{Epoch, Position};
use ordercast_protocol::principal::Principal;

/// One client's side of the conversation.
pub trait Session: Send {
    /// The connection is open and nothing has been read from it.
    fn on_open(&mut self, connection: &mut dyn Connection);

    /// A whole message: text that has been checked as UTF-8, or binary.
    fn on_message(&mut self, message: &[u8], connection: &mut dyn Connection);

    /// A subscription begins here. Called once after each [`Connection::subscribe`], before any event of it;
    /// and again, with `recovered` false, when retention overtakes a subscriber that was too slow.
    fn on_subscribed(&mut self, channel: &Channel, subscribed: &Subscribed, connection: &mut dyn Connection);

    /// The connection is gone. Called once.
    fn on_closed(&mut self) {}

    /// How events are wrapped for this client. [`Wire::ServerSentEvents`] is not for sockets and counts as
    /// [`Wire::PlainJson`].
    fn wire(&self) -> Wire;
}

/// Where a subscription begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// The life of the log; of the boot for an ephemeral channel.
    pub epoch: Epoch,
    /// Events above this offset follow.
    pub offset: u64,
    /// Given when a position was asked for: whether everything since then follows.
    pub recovered: Option<bool>,
    /// Given when `recovered` is false: the last offset of the log that can no longer be read.
    pub floor: Option<u64>,
}

/// Why a subscription was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscribeError {
    /// The connection has [`crate::HubConfig::max_channels`] subscriptions, or one message asked for more than
    /// twice as many.
    TooMany,
    /// The connection is being closed.
    Closing,
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooMany => "too many subscriptions on one connection",
            Self::Closing => "the connection is being closed",
        })
    }
}

impl std::error::Error for SubscribeError {}

/// What a session can do with its connection.
pub trait Connection {
    /// The connection's name, unique among all connections of this and other hubs.
    fn id(&self) -> &str;

    /// Who is connected.
    fn principal(&self) -> &Principal;

    /// Sends one text message on the control lane: it overtakes events that wait, and replies keep their order.
    fn send(&mut self, message: &[u8]);

    /// As [`Connection::send`], for a message that many connections share; it is not copied.
    fn send_shared(&mut self, message: Bytes);

    /// Starts a subscription; a present one of the same channel is replaced, and what waits for it dropped.
    /// Without `since` it starts with what comes next.
    ///
    /// # Errors
    /// [`SubscribeError`]; nothing has changed then.
    fn subscribe(&mut self, channel: Channel, since: Option<Position>) -> Result<(), SubscribeError>;

    /// Ends a subscription, and drops what waits for it. False when there was none.
    fn unsubscribe(&mut self, channel: &str) -> bool;

    /// Sends the replies that wait and then a close frame; events that wait are dropped, and no further
    /// message is read.
    fn close(&mut self, code: u16, reason: &str);

    /// A handle for answers that come later.
    fn replies(&self) -> Replies;
}

/// Takes replies for connections by number. Implemented by what owns connections, and by test doubles.
pub trait ReplyPath: Send + Sync {
    /// Passes a text message on; drops it when the connection is gone. Never blocks.
    fn reply(&self, connection: u64, message: Vec<u8>);

    /// Closes the connection after the replies that wait.
    fn close(&self, connection: u64, code: u16, reason: &'static str);
}

/// Answers one connection from any thread, even long after the message that asked.
#[derive(Clone)]
pub struct Replies {
    path: Arc<dyn ReplyPath>,
    connection: u64,
}

impl Replies {
    /// A handle for a connection of `path`.
    pub fn new(path: Arc<dyn ReplyPath>, connection: u64) -> Self {
        Self { path, connection }
    }

    /// Sends one text message on the control lane. Does nothing when the connection is gone.
    pub fn send(&self, message: Vec<u8>) {
        self.path.reply(self.connection, message);
    }

    /// Closes the connection after the replies that wait. Does nothing when it is gone.
    pub fn close(&self, code: u16, reason: &'static str) {
        self.path.close(self.connection, code, reason);
    }
}

impl fmt::Debug for Replies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies").field("connection", &self.connection).finish_non_exhaustive()
    }
}
