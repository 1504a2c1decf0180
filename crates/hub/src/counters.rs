//! What a hub counts: added up by each shard alone, and joined once a turn.

use std::cmp::Ordering as CmpOrdering;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Close codes counted apart; any further one is counted as code 0.
const MAX_CLOSE_CODES: usize = 64;

/// One thing that is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Counter {
    FramesIn,
    FramesOut,
    BytesIn,
    BytesOut,
    Writes,
    EventsDelivered,
    Parked,
    ParkEnded,
    Resumed,
    Dropped,
    Errors,
    PagesRead,
    Repairs,
    DamagedReads,
    CommitsSkipped,
}

const COUNTERS: usize = Counter::CommitsSkipped as usize + 1;

/// Bytes that wait for clients, over all connections: what the ceiling [`crate::HubConfig::waiting_bytes`] is held
/// against.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    /// Wrapped events that anybody holds; a buffer that many share counts once.
    events: AtomicU64,
    /// What is held for one connection alone: replies, and messages of its client that are not whole.
    replies: AtomicU64,
}

impl Backlog {
    /// Takes `before` bytes of events out and puts `now` in.
    pub(crate) fn add_events(&self, before: usize, now: usize) {
        change(&self.events, before, now);
    }

    /// As [`Backlog::add_events`], of replies.
    pub(crate) fn add_replies(&self, before: usize, now: usize) {
        change(&self.replies, before, now);
    }

    pub(crate) fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    pub(crate) fn replies(&self) -> u64 {
        self.replies.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.events() + self.replies()
    }
}

fn change(value: &AtomicU64, before: usize, now: usize) {
    match now.cmp(&before) {
        CmpOrdering::Greater => value.fetch_add((now - before) as u64, Ordering::Relaxed),
        CmpOrdering::Less => value.fetch_sub((before - now) as u64, Ordering::Relaxed),
        CmpOrdering::Equal => 0,
    };
}

/// The counts of one shard since they were last joined.
#[derive(Default)]
pub(crate) struct Tally([u64; COUNTERS]);

impl Tally {
    pub(crate) fn add(&mut self, counter: Counter, count: usize) {
        self.0[counter as usize] += count as u64;
    }
}

/// The counts of the hub since its start.
#[derive(Default)]
pub(crate) struct Counters {
    values: [AtomicU64; COUNTERS],
    closes: Mutex<BTreeMap<u16, u64>>,
    /// Shards that ended in a panic.
    pub(crate) shards_lost: AtomicU64,
    pub(crate) backlog: Arc<Backlog>,
}

impl Counters {
    /// Adds what a shard counted, which starts again from nothing.
    pub(crate) fn join(&self, tally: &mut Tally) {
        for (value, count) in self.values.iter().zip(&mut tally.0) {
            if *count > 0 {
                value.fetch_add(std::mem::take(count), Ordering::Relaxed);
            }
        }
    }

    /// Counts what happens outside of the shards.
    pub(crate) fn add(&self, counter: Counter, count: usize) {
        self.values[counter as usize].fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(crate) fn get(&self, counter: Counter) -> u64 {
        self.values[counter as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn closed(&self, code: u16) {
        let mut closes = self.closes.lock().unwrap_or_else(PoisonError::into_inner);
        let code = if closes.len() < MAX_CLOSE_CODES || closes.contains_key(&code) { code } else { 0 };
        *closes.entry(code).or_default() += 1;
    }

    pub(crate) fn closes(&self) -> BTreeMap<u16, u64> {
        self.closes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A snapshot of the hub's counters since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HubStats {
    /// Sockets and streams open or reserved now.
    pub active: usize,
    /// Most that were open at once.
    pub peak: usize,
    /// Reservations given.
    pub accepted: u64,
    /// Reservations refused because of the limit.
    pub refused: u64,
    /// The limit.
    pub limit: usize,
    /// WebSockets open now.
    pub websockets: usize,
    /// Event streams open now.
    pub streams: usize,
    /// WebSocket frames and messages received.
    pub frames_in: u64,
    /// WebSocket frames and events of streams sent.
    pub frames_out: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Calls of the kernel that sent something.
    pub writes: u64,
    /// Events handed to the kernel or to a stream's reader.
    pub events_delivered: u64,
    /// Connections that are parked now.
    pub parked_now: u64,
    /// Times a connection was parked.
    pub parked_total: u64,
    /// Times a parked connection read on.
    pub resumed: u64,
    /// Ephemeral messages that slow subscribers did not get.
    pub dropped: u64,
    /// Broken protocols, failed page reads, panics of handlers.
    pub errors: u64,
    /// Pages read from logs.
    pub pages_read: u64,
    /// Pages read because the broker lost, delayed or reordered an announcement.
    pub repairs: u64,
    /// Readers that got a gap because an event of a log is damaged.
    pub damaged_reads: u64,
    /// Announced commits that were not queued for a shard because too many bytes waited for it already; it
    /// reads them from the log.
    pub commits_skipped: u64,
    /// Bytes of events that wait for clients or are kept for those who come back, each buffer once.
    pub waiting_event_bytes: u64,
    /// Bytes of replies that wait for clients, and of their messages that are not whole.
    pub waiting_reply_bytes: u64,
    /// The ceiling over both; beyond it new connections are refused.
    pub max_waiting_bytes: u64,
    /// Channels in memory.
    pub memory_channels: usize,
    /// Bytes of publications that they keep.
    pub memory_bytes: u64,
    /// Shards whose thread ended in a panic, with all their connections: not healthy when above 0.
    pub shards_lost: u64,
    /// WebSockets closed, by close code; 1005 when the client gave none, 1006 without a closing handshake.
    pub closes: BTreeMap<u16, u64>,
}
