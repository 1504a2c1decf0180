//! Announcing commits, and passing on what is never stored.
//!
//! A broker wakes the hubs after a commit and carries the bodies along. It is never the truth: it may lose,
//! repeat or reorder, and hubs repair from the log. What it must not do is announce what is not durable (the
//! engine calls it after the commit is synced) or block the caller.

use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use ordercast_protocol::channel::Log;
use ordercast_protocol::position::Epoch;
use ordercast_protocol::topic::Topics;

pub mod conformance;

/// One event of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnouncedEvent {
    /// The body, the same bytes as on disk.
    pub body: Bytes,
    /// What it is about.
    pub topics: Topics,
}

/// The events that one commit added to one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Which log.
    pub log: Log,
    /// The log's life.
    pub epoch: Epoch,
    /// The offset of the first event; the others follow without a gap.
    pub first: u64,
    /// The events; never empty.
    pub events: Vec<AnnouncedEvent>,
    /// The offsets of earlier events of the log whose bodies the commit removed: nobody serves them any more.
    pub redacted: Vec<u64>,
}

impl Announcement {
    /// The offset of the last event.
    pub fn last(&self) -> u64 {
        self.first + self.events.len() as u64 - 1
    }
}

/// What a broker carries.
#[derive(Clone, Debug)]
pub enum Message {
    /// A durable commit.
    Commit(Arc<Announcement>),
    /// Something that is told once and never stored, for a channel by name.
    Ephemeral {
        /// The channel.
        channel: Arc<str>,
        /// A JSON object.
        body: Bytes,
    },
}

/// Called for every message, on the announcing thread: it must return at once.
pub type Listener = Box<dyn Fn(&Message) + Send + Sync>;

/// Carries messages to every hub, this process's included.
pub trait Broker: Send + Sync + 'static {
    /// Passes a message on. Never blocks; what cannot be delivered is lost.
    fn announce(&self, message: Message);

    /// Calls `listener` for every message from now on, for as long as the broker lives.
    fn listen(&self, listener: Listener);
}

/// The broker of a single node: it calls its listeners, in the order they came.
#[derive(Default)]
pub struct InProcessBroker {
    listeners: RwLock<Vec<Listener>>,
}

impl InProcessBroker {
    /// A broker without listeners.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Broker for InProcessBroker {
    fn announce(&self, message: Message) {
        for listener in self.listeners.read().unwrap_or_else(PoisonError::into_inner).iter() {
            listener(&message);
        }
    }

    fn listen(&self, listener: Listener) {
        self.listeners.write().unwrap_or_else(PoisonError::into_inner).push(listener);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_in_process_broker_conforms() {
        conformance::check(&InProcessBroker::new());
    }
}
