//! What a broker carries: closed, and of plain data, so that every kind can be written to a wire.

use std::sync::Arc;

use bytes::Bytes;
use ordercast_protocol::channel::Log;
use ordercast_protocol::position::{Epoch, Position};
use ordercast_protocol::topic::Topics;

use crate::presence::PresenceChange;
use crate::sender::Sender;
use crate::signal::{Signal, Target};

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

/// Something published into a memory channel that keeps a history. The history has numbered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The hub that published it.
    pub from: Sender,
    /// The name of the channel.
    pub channel: Arc<str>,
    /// Its offset, and the life of the channel's history.
    pub position: Position,
    /// A JSON object.
    pub body: Bytes,
}

/// Something that is delivered once to the subscribers who are there, and stored nowhere: typing, figures,
/// publications of channels without a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ephemeral {
    /// The hub that sent it.
    pub from: Sender,
    /// The name of the channel.
    pub channel: Arc<str>,
    /// A JSON object.
    pub body: Bytes,
}

/// A signal for connections, whatever node they are on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentSignal {
    /// The hub that sent it.
    pub from: Sender,
    /// Which connections it is for.
    pub target: Target,
    /// What they are to do.
    pub signal: Signal,
}

/// What a broker carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The events of a durable commit. The hub of the node that committed hears of it in the same way as all others.
    Commit(Arc<Announcement>),
    /// A publication of a memory channel.
    Publication(Publication),
    /// A signal for connections. One that the broker loses is lost: its effect lies with clients that come back.
    Signal(Arc<SentSignal>),
    /// A change of a channel's presence.
    Presence(Arc<PresenceChange>),
    /// Something that is stored nowhere.
    Ephemeral(Ephemeral),
    /// Messages may have been lost before this one. Brokers say so to their listeners, after a lost connection for
    /// example; nobody announces it. Hubs then compare what they have delivered with the logs and the histories.
    Lost,
}
