//! Logs: events to append, and events to remove.

use bytes::Bytes;
use ordercast_domain::order::OrderSeq;
use ordercast_protocol::channel::Log;
use ordercast_protocol::position::Epoch;
use ordercast_protocol::topic::Topics;

use super::Writes;

/// An event to append. Offsets are given in the order of [`LogWrites::events`], per log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventInsert {
    /// Which log.
    pub log: Log,
    /// The order's number, for every event of [`Log::Orders`] and for no other: a store that keeps orders in rows refers
    /// to the row by it, and finds the topics of such an event there.
    pub order: Option<OrderSeq>,
    /// What it is about. An event of [`Log::Orders`] has its order and the order's customer, one of [`Log::Publications`] its
    /// channel, and no second topic of these kinds.
    pub topics: Topics,
    /// The encoded body.
    pub body: Bytes,
}

/// The oldest events of a log, to be removed for good. The orders, lines and keys that they announced stay.
///
/// An event goes when any bound is passed, the oldest first; those of the batch itself are not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// Which log.
    pub log: Log,
    /// Maximum number of events that stay, the newest.
    pub max_events: Option<u64>,
    /// Those that were committed before this time go, in milliseconds since 1970; looking ends at the first that
    /// was not.
    pub before_ms: Option<i64>,
    /// Maximum number of events that are removed at once, so that no commit becomes long.
    pub most: u64,
}

/// What a batch adds to logs, and what it removes from them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogWrites {
    /// Events, in the order of their offsets.
    pub events: Vec<EventInsert>,
    /// What may be removed, at most one for a log.
    pub trims: Vec<Trim>,
}

impl LogWrites {
    /// Whether nothing changes, unless there is something to be removed: trims are limits, and whether any event passes one
    /// is the store's to find out.
    pub fn is_empty(&self) -> bool {
        let Self { events, trims: _ } = self;
        events.is_empty()
    }
}

/// The offsets that a commit gave to its events in one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRange {
    /// Which log.
    pub log: Log,
    /// The log's life.
    pub epoch: Epoch,
    /// The offset of the first event.
    pub first: u64,
    /// How many events.
    pub count: u64,
}

/// The events that a commit removed from one log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trimmed {
    /// Which log.
    pub log: Log,
    /// Its floor now: the offset of the last of them.
    pub floor: u64,
    /// How many.
    pub count: u64,
}

impl From<LogWrites> for Writes {
    fn from(logs: LogWrites) -> Self {
        Self { logs, ..Self::default() }
    }
}
