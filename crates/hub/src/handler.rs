//! What speaks over a connection, without knowing what carries it.
//!
//! A [`ConnectionHandler`] is the codec and the state of one client; the hub calls it on the thread of the shard that
//! owns the socket. It must return at once: what takes time is handed to the engine, and the answer comes
//! back by a [`Replies`] handle.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use ordercast_access::{Origin, Principal};
pub use ordercast_broker::presence::Presence;
use ordercast_broker::signal::{Signal, Target};
use ordercast_protocol::channel::Channel;
use ordercast_protocol::envelope::Wire;
use ordercast_protocol::position::{Epoch, Position};

/// What a client sent, or is sent, in one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Text, which is UTF-8.
    Text(&'a [u8]),
    /// Anything.
    Binary(&'a [u8]),
}

impl<'a> Message<'a> {
    /// The payload, whatever its kind.
    pub fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Text(bytes) | Self::Binary(bytes) => bytes,
        }
    }
}

/// One client's side of the conversation.
pub trait ConnectionHandler: Send {
    /// The connection is open and nothing has been read from it.
    fn on_open(&mut self, connection: &mut dyn Connection);

    /// A whole message: text that has been checked as UTF-8, or binary.
    fn on_message(&mut self, message: Message<'_>, connection: &mut dyn Connection);

    /// A subscription begins here. Called once after each [`Connection::subscribe`], before any event of it;
    /// and again, with `recovered` false, when retention overtakes a subscriber that was too slow.
    fn on_subscribed(&mut self, channel: &Channel, subscribed: &Subscribed, connection: &mut dyn Connection);

    /// The time of [`Connection::wake_after`] has come.
    fn on_wake(&mut self, connection: &mut dyn Connection) {
        let _ = connection;
    }

    /// A signal of [`crate::Hub::signal`] that may be for this connection: its client or its user is the target's, or the
    /// target names only a session.
    fn on_signal(&mut self, target: &Target, signal: &Signal, connection: &mut dyn Connection) {
        let _ = (target, signal, connection);
    }

    /// Something waits in the [`Answers`] that this handler made.
    fn on_answer(&mut self, connection: &mut dyn Connection) {
        let _ = connection;
    }

    /// How this protocol says goodbye. Called once, when the server begins to close, with a code of
    /// [`ordercast_protocol::close`] or the one that the handler gave.
    fn farewell(&mut self, code: u16, reason: &str) -> Farewell {
        Farewell { code, reason: reason.into(), message: None }
    }

    /// The user id by which [`crate::Hub::signal`] addresses this client; empty if it has none.
    fn user(&self) -> &str {
        ""
    }

    /// The connection is gone. Called once.
    fn on_closed(&mut self) {}

    /// How events are wrapped for this client. Must not change. A wire that does not fit what carries the
    /// connection counts as [`Wire::PlainJson`].
    fn wire(&self) -> Wire;
}

/// The last words of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// The code of the close frame.
    pub code: u16,
    /// The reason beside it.
    pub reason: Box<str>,
    /// What is sent first, such as when to come back.
    pub message: Option<Vec<u8>>,
}

/// Where a subscription begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// The life of the log or memory channel.
    pub epoch: Epoch,
    /// Events above this offset follow, those of `events` first.
    pub offset: u64,
    /// Given when a position was asked for: whether everything since then follows.
    pub recovered: Option<bool>,
    /// Given when `recovered` is false: the last offset of the log that can no longer be read.
    pub floor: Option<u64>,
    /// With [`Subscribe::first_page`]: the first missed events, which are not sent again.
    pub events: Vec<(u64, Bytes)>,
}

/// What a subscription is to be like.
#[derive(Clone, Debug, Default)]
pub struct Subscribe {
    /// From where; from now on when missing.
    pub since: Option<Position>,
    /// Put the first missed events into the answer.
    pub first_page: bool,
    /// Send each publication as its difference from the one before; for wires and channels that can.
    pub delta: bool,
    /// Appear in the presence of the channel for as long as the subscription lasts.
    pub presence: Option<Presence>,
    /// Deliver joins and leaves.
    pub join_leave: bool,
    /// How often events are delivered.
    pub pace: Pace,
}

/// How often events are delivered to a subscriber. A channel without history delivers all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// Every event.
    #[default]
    All,
    /// The newest of each subject (see [`ordercast_protocol::event::subject`]) among those that came while the
    /// client was busy with the last; everything that has no subject is one.
    Latest,
    /// As [`Pace::Latest`], among those that came within this time.
    Sampled(Duration),
}

impl Subscribe {
    /// A plain subscription from a position, or from now on.
    pub fn since(since: Option<Position>) -> Self {
        Self { since, ..Self::default() }
    }
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

/// What a handler can do with its connection.
pub trait Connection {
    /// The connection's name, unique among all connections of this and other hubs.
    fn id(&self) -> &str;

    /// Who is connected, and from where.
    fn origin(&self) -> &Origin;

    /// Makes somebody else of the client; what was done before stands.
    fn set_principal(&mut self, principal: Principal);

    /// Whether there is a subscription to the channel of this name.
    fn is_subscribed(&self, channel: &str) -> bool;

    /// Sends one message, framed as the handler's wire wants it, on the control lane: it overtakes events that
    /// wait, and replies keep their order.
    fn send(&mut self, message: &[u8]);

    /// As [`Connection::send`], but of the kind of `message`; for sockets.
    fn send_as(&mut self, message: Message<'_>);

    /// As [`Connection::send`], for a text message that many sockets share; it is not copied.
    fn send_shared(&mut self, message: Bytes);

    /// Starts a subscription; a present one of the same channel is replaced, and what waits for it dropped.
    ///
    /// # Errors
    /// [`SubscribeError`]; nothing has changed then.
    fn subscribe(&mut self, channel: Channel, options: Subscribe) -> Result<(), SubscribeError>;

    /// Ends a subscription, and drops what waits for it. False when there was none.
    fn unsubscribe(&mut self, channel: &str) -> bool;

    /// Has [`ConnectionHandler::on_wake`] called after `delay`, with a precision of a tenth of a second; replaces what was
    /// set before.
    fn wake_after(&mut self, delay: Duration);

    /// Sends the replies that wait and then a close frame; events that wait are dropped, and no further
    /// message is read.
    fn close(&mut self, code: u16, reason: &str);

    /// A handle for answers that come later.
    fn replies(&self) -> Replies;

    /// Asks something that takes time to answer. The questions of one connection are begun one at a time, in their
    /// order, and only when the client has taken nearly all replies before. While [`MAX_WAITING_QUESTIONS`] wait, no
    /// message of the client is read.
    fn ask(&mut self, question: Question);
}

/// Questions of one connection that wait for their turn before its socket is left unread.
pub const MAX_WAITING_QUESTIONS: usize = 16;

/// Begins to answer a question: it must return at once. The turn of the connection lasts until every clone of the
/// handle is dropped.
pub type Question = Box<dyn FnOnce(Replies) + Send>;

/// Takes replies for connections by number. Implemented by what owns connections, and by test doubles.
pub trait ReplyPath: Send + Sync {
    /// Passes a message on; drops it when the connection is gone. Never blocks.
    fn reply(&self, connection: u64, message: Vec<u8>);

    /// Closes the connection after the replies that wait.
    fn close(&self, connection: u64, code: u16, reason: &'static str);

    /// Has the handler of the connection look at its answers.
    fn answer(&self, connection: u64);

    /// As [`Connection::ask`].
    fn ask(&self, connection: u64, question: Question);

    /// The question that was begun last has been answered.
    fn answered(&self, connection: u64);
}

/// Answers on their way to a handler from other threads, of a type that only the handler knows.
///
/// The handler makes a [`Post`] for each question, the task that finds the answer sends it, and
/// [`ConnectionHandler::on_answer`] takes it. No memory is held while no question is under way.
#[derive(Debug)]
pub struct Answers<T>(Option<Arc<Mutex<Vec<T>>>>);

impl<T> Default for Answers<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Send + 'static> Answers<T> {
    /// What an answer is sent with; `kind` makes it one of the answers of this handler.
    pub fn post<A: 'static>(&mut self, kind: impl FnOnce(A) -> T + Send + 'static) -> Post<A> {
        let inbox = Arc::clone(self.0.get_or_insert_with(|| Arc::new(Mutex::new(Vec::new()))));
        Post(Box::new(move |answer, replies| {
            inbox.lock().unwrap_or_else(PoisonError::into_inner).push(kind(answer));
            // Dropped first, so that the handler can free the memory when it takes the answer.
            drop(inbox);
            replies.path.answer(replies.connection);
        }))
    }

    /// Takes the answers that have come, in their order.
    pub fn take(&mut self) -> Vec<T> {
        let Some(inbox) = &self.0 else {
            return Vec::new();
        };
        let mut answered = inbox.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = std::mem::take(&mut *answered);
        // Counted under the lock: who sends holds the memory until the answer is in it.
        let is_last = Arc::strong_count(inbox) == 1;
        drop(answered);
        if is_last {
            self.0 = None;
        }
        answers
    }
}

/// Sends one answer to the handler that asked.
pub struct Post<A>(Deliver<A>);

type Deliver<A> = Box<dyn FnOnce(A, &Replies) + Send>;

impl<A> Post<A> {
    /// Sends the answer, and has [`ConnectionHandler::on_answer`] called. Does nothing when the connection is gone.
    pub fn send(self, answer: A, replies: &Replies) {
        (self.0)(answer, replies);
    }
}

/// Answers one connection from any thread, even long after the message that asked.
#[derive(Clone)]
pub struct Replies {
    path: Arc<dyn ReplyPath>,
    connection: u64,
    /// Ends with the last clone.
    _turn: Option<Arc<Turn>>,
}

/// The turn of a connection's question.
struct Turn {
    path: Arc<dyn ReplyPath>,
    connection: u64,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.path.answered(self.connection);
    }
}

impl Replies {
    /// A handle for a connection of `path`.
    pub fn new(path: Arc<dyn ReplyPath>, connection: u64) -> Self {
        Self { path, connection, _turn: None }
    }

    /// A handle for the answer to a question whose turn has come.
    pub fn to_question(path: Arc<dyn ReplyPath>, connection: u64) -> Self {
        let turn = Turn { path: Arc::clone(&path), connection };
        Self { path, connection, _turn: Some(Arc::new(turn)) }
    }

    /// Asks something on behalf of the connection, as [`Connection::ask`] does. Does nothing when the connection is
    /// gone.
    pub fn ask(&self, question: Question) {
        self.path.ask(self.connection, question);
    }

    /// Sends one message as [`Connection::send`] does. Does nothing when the connection is gone.
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
