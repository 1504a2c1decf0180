//! A connection without a socket, for the tests of sessions.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use ordercast_protocol::channel::Channel;
use ordercast_protocol::principal::Principal;

use crate::session::{Connection, Message, Replies, ReplyPath, Signal, Subscribe, SubscribeError};

/// Records what a session does. Subscriptions are recorded and not answered: call
/// [`crate::session::Session::on_subscribed`] yourself.
pub struct RecordingConnection {
    /// What [`Connection::id`] gives.
    pub id: String,
    /// What [`Connection::principal`] gives.
    pub principal: Principal,
    /// Messages sent by the session itself, in order.
    pub sent: Vec<Vec<u8>>,
    /// Subscriptions in force, in the order they were made.
    pub subscriptions: Vec<(Channel, Subscribe)>,
    /// The wake-up that is set, if any.
    pub wake_after: Option<Duration>,
    /// Most subscriptions.
    pub max_channels: usize,
    /// The first close, if any.
    pub closed: Option<(u16, String)>,
    replies: Arc<RecordedReplies>,
}

#[derive(Default)]
struct RecordedReplies {
    sent: Mutex<Vec<Vec<u8>>>,
    closed: Mutex<Option<(u16, &'static str)>>,
    signals: Mutex<Vec<Signal>>,
}

impl ReplyPath for RecordedReplies {
    fn reply(&self, _connection: u64, message: Vec<u8>) {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(message);
    }

    fn close(&self, _connection: u64, code: u16, reason: &'static str) {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert((code, reason));
    }

    fn signal(&self, _connection: u64, signal: Signal) {
        self.signals.lock().unwrap_or_else(PoisonError::into_inner).push(signal);
    }
}

impl RecordingConnection {
    /// A connection named `id`.
    pub fn new(id: &str, principal: Principal) -> Self {
        Self {
            id: id.to_owned(),
            principal,
            sent: Vec::new(),
            subscriptions: Vec::new(),
            wake_after: None,
            max_channels: ordercast_protocol::limits::MAX_CHANNELS,
            closed: None,
            replies: Arc::default(),
        }
    }

    /// Takes what has been sent so far as texts: by the session itself first, then through [`Replies`].
    ///
    /// # Panics
    /// When a message is not UTF-8.
    pub fn take_texts(&mut self) -> Vec<String> {
        let later = std::mem::take(&mut *self.replies.sent.lock().unwrap_or_else(PoisonError::into_inner));
        let sent = std::mem::take(&mut self.sent).into_iter().chain(later);
        sent.map(|message| String::from_utf8(message).expect("text messages are UTF-8")).collect()
    }

    /// Takes what was told to the session through [`Replies`].
    pub fn take_signals(&mut self) -> Vec<Signal> {
        std::mem::take(&mut *self.replies.signals.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How the connection was closed through [`Replies`], if it was.
    pub fn closed_by_replies(&self) -> Option<(u16, &'static str)> {
        *self.replies.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection for RecordingConnection {
    fn id(&self) -> &str {
        &self.id
    }

    fn principal(&self) -> &Principal {
        &self.principal
    }

    fn set_principal(&mut self, principal: Principal) {
        self.principal = principal;
    }

    fn send(&mut self, message: &[u8]) {
        self.sent.push(message.to_vec());
    }

    fn send_as(&mut self, message: Message<'_>) {
        self.sent.push(message.bytes().to_vec());
    }

    fn wake_after(&mut self, delay: Duration) {
        self.wake_after = Some(delay);
    }

    fn send_shared(&mut self, message: Bytes) {
        self.sent.push(message.to_vec());
    }

    fn subscribe(&mut self, channel: Channel, options: Subscribe) -> Result<(), SubscribeError> {
        if self.closed.is_some() {
            return Err(SubscribeError::Closing);
        }
        let is_new = self.subscriptions.iter().all(|(present, _)| present.name != channel.name);
        if is_new && self.subscriptions.len() >= self.max_channels {
            return Err(SubscribeError::TooMany);
        }
        self.subscriptions.retain(|(present, _)| present.name != channel.name);
        self.subscriptions.push((channel, options));
        Ok(())
    }

    fn unsubscribe(&mut self, channel: &str) -> bool {
        let before = self.subscriptions.len();
        self.subscriptions.retain(|(present, _)| &*present.name != channel);
        self.subscriptions.len() < before
    }

    fn close(&mut self, code: u16, reason: &str) {
        self.closed.get_or_insert_with(|| (code, reason.to_owned()));
    }

    fn replies(&self) -> Replies {
        let path: Arc<dyn ReplyPath> = self.replies.clone();
        Replies::new(path, 0)
    }
}
