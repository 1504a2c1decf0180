//! The history of memory channels: it numbers publications, and keeps the last of them for subscribers who come back.
//!
//! All hubs that share a history give the same offsets to the same publications. Every call must return at once, because
//! shards and publishers make them; calls for one channel take effect in the order in which they return.

use std::sync::Arc;

use bytes::Bytes;
use ordercast_protocol::channel::Retention;
use ordercast_protocol::position::{Epoch, Position};

/// What can be read of a log or of a channel's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Its life.
    pub epoch: Epoch,
    /// The last offset.
    pub head: u64,
    /// The last offset that is gone.
    pub floor: u64,
}

/// Consecutive events, for one subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The events with their offsets, oldest first.
    pub events: Vec<(u64, Bytes)>,
    /// Everything up to here has been looked at.
    pub read_to: u64,
    /// What could be read at that moment.
    pub extent: Extent,
}

/// The bounds of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageBounds {
    /// Maximum number of events.
    pub events: usize,
    /// Maximum bytes of bodies; a single larger event is a page of its own.
    pub bytes: usize,
}

/// What to read of a memory channel's history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Only what is newer than this offset; with `reverse` only what is older.
    pub since: Option<u64>,
    /// Maximum number of publications; all when missing.
    pub limit: Option<usize>,
    /// The newest first.
    pub reverse: bool,
}

/// The history of a memory channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Its end.
    pub position: Position,
    /// The last offset that is gone.
    pub floor: u64,
    /// Publications with their offsets.
    pub events: Vec<(u64, Bytes)>,
}

/// The history of one channel.
pub trait ChannelHistory: Send + Sync {
    /// Numbers a publication, and keeps it as `retention` says.
    fn publish(&self, retention: Retention, body: &Bytes) -> Position;

    /// Notes that somebody follows the channel, with the retention that its settings have now; gives what can be read.
    fn follow(&self, retention: Retention) -> Extent;

    /// Notes that a shard follows the channel no longer: its counter is kept for a while from now on.
    fn unfollow(&self);

    /// What can be read.
    fn extent(&self) -> Extent;

    /// What is kept above `after`.
    fn page(&self, after: u64, bounds: PageBounds) -> Page;

    /// A part of the kept publications.
    fn query(&self, query: HistoryQuery) -> History;

    /// Forgets what is kept; the offsets go on.
    fn clear(&self);

    /// Whether the channel can be forgotten at this time, in milliseconds of the hub's steady clock: nothing is kept, and
    /// nobody who comes back needs its counter.
    fn is_over(&self, now_ms: u64) -> bool;
}

/// The histories of all memory channels.
pub trait MemoryHistory: Send + Sync + 'static {
    /// Finds the history of a channel, or begins it.
    fn open(&self, channel: &Arc<str>) -> Arc<dyn ChannelHistory>;

    /// Finds the history of a channel.
    fn find(&self, channel: &str) -> Option<Arc<dyn ChannelHistory>>;

    /// Whether the channel exists, or may be begun.
    fn has_capacity_for(&self, channel: &str) -> bool;

    /// Channels, and bytes of publications that they keep.
    fn figures(&self) -> (usize, u64);

    /// Forgets channels that are over ([`ChannelHistory::is_over`]) and that nobody holds.
    fn sweep(&self, now_ms: u64);
}
