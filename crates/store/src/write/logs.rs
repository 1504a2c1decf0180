//! Logs: events to append, and events to remove.

use bytes::Bytes;
use ordercast_domain::order::OrderSeq;
use ordercast_protocol::channel::Log;
use ordercast_protocol::position::Epoch;
use ordercast_protocol::redaction::Redaction;
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
    /// Events whose bodies are replaced by the tombstone; each keeps its offset, its time and its topics. An event that is
    /// not in the log before the batch, or no longer, is passed over. The batch's side announces them and not the store: of a
    /// commit that was looked up by its id, a store knows the offsets of its own events only.
    pub redactions: Vec<Redaction>,
    /// What may be removed, at most one for a log.
    pub trims: Vec<Trim>,
}

impl LogWrites {
    /// Whether nothing changes, unless there is something to be removed: trims are limits, and whether any event passes one
    /// is the store's to find out.
    pub fn is_empty(&self) -> bool {
        let Self { events, redactions, trims: _ } = self;
        events.is_empty() && redactions.is_empty()
    }

    /// Asserts what holds of every batch. Stores call it before they write.
    ///
    /// # Panics
    /// When a body of a log is removed without an event of that log. Readers learn of removals with the next event of the
    /// log: one who missed the event sees a hole in the offsets, and then believes nothing that it keeps.
    pub fn check(&self) {
        for redaction in &self.redactions {
            let is_told = self.events.iter().any(|event| event.log == redaction.log());
            assert!(is_told, "a body of {} is removed, and no event of that log tells of it", redaction.log().name());
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn redaction(events: Vec<EventInsert>) -> LogWrites {
        let redactions = Redaction::new(Log::Publications, 1).into_iter().collect();
        LogWrites { events, redactions, ..LogWrites::default() }
    }

    fn event(log: Log) -> EventInsert {
        EventInsert { log, order: None, topics: Topics::default(), body: Bytes::new() }
    }

    #[test]
    fn a_redaction_is_a_change() {
        assert!(!redaction(Vec::new()).is_empty());
        redaction(vec![event(Log::Products), event(Log::Publications)]).check();
    }

    #[test]
    #[should_panic(expected = "a body of publications is removed, and no event of that log tells of it")]
    fn a_redaction_is_told_in_its_log() {
        redaction(vec![event(Log::Products)]).check();
    }
}
