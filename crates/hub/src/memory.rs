//! Channels that live in the memory of this process: a counter, and the last publications for whoever comes back.
//!
//! A channel's lock is held while a publication is numbered, kept and passed to the shards, so that a shard that
//! asks where the channel stands knows that everything above will reach its mailbox, and nothing below.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use ordercast_protocol::channel::Retention;
use ordercast_protocol::position::{Epoch, Position};
use ordercast_store::log::PageLimit;

use crate::steady;
use crate::subscription::{Extent, Page};

/// Most shards: each is a bit of [`MemoryChannel`]'s list of listeners.
pub(crate) const MAX_SHARDS: usize = 64;
/// How long the counter of a channel is kept that nobody listens to and of which nothing is kept any more, so that
/// a client who comes back learns that it missed nothing.
const COUNTER_AGE_MS: u64 = 3_600_000;
/// As above, for a channel that never keeps anything: nobody can come back to it.
const EPHEMERAL_AGE_MS: u64 = 60_000;
/// What a kept publication takes beside its body, in bytes.
const KEPT_BYTES: u64 = 48;

/// Something published, kept for a while.
struct Kept {
    at_ms: u64,
    body: Bytes,
}

/// Bytes of publications that all channels keep, and how many they may.
struct Room {
    bytes: AtomicU64,
    most: u64,
}

impl Room {
    fn weight(kept: &Kept) -> u64 {
        kept.body.len() as u64 + KEPT_BYTES
    }

    fn is_over(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > self.most
    }
}

struct Stream {
    epoch: Epoch,
    head: u64,
    /// The publications up to `head`, oldest first.
    kept: VecDeque<Kept>,
    retention: Retention,
    /// The shards with subscribers, a bit each.
    listeners: u64,
    used_at_ms: u64,
    room: Arc<Room>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Stream {
    fn keep(&mut self, kept: Kept) {
        self.room.bytes.fetch_add(Room::weight(&kept), Ordering::Relaxed);
        self.kept.push_back(kept);
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.kept.pop_front() {
            self.room.bytes.fetch_sub(Room::weight(&oldest), Ordering::Relaxed);
        }
    }

    fn clear(&mut self) {
        let bytes = self.kept.iter().map(Room::weight).sum();
        self.room.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.kept = VecDeque::new();
    }

    fn floor(&self) -> u64 {
        self.head - self.kept.len() as u64
    }

    fn expire(&mut self, now_ms: u64) {
        let age_ms = u64::from(self.retention.age_s) * 1_000;
        while age_ms > 0 && self.kept.front().is_some_and(|kept| kept.at_ms + age_ms <= now_ms) {
            self.forget_oldest();
        }
        if self.kept.is_empty() && self.kept.capacity() > 0 {
            self.kept = VecDeque::new();
        }
    }

    fn extent(&self) -> Extent {
        Extent { epoch: self.epoch.clone(), head: self.head, floor: self.floor() }
    }

    fn position(&self) -> Position {
        Position { epoch: self.epoch.clone(), offset: self.head }
    }

    /// The kept publications above `after`, with their offsets.
    fn above(&self, after: u64) -> impl DoubleEndedIterator<Item = (u64, Bytes)> + '_ {
        let floor = self.floor();
        let skip = after.clamp(floor, self.head) - floor;
        self.kept
            .iter()
            .enumerate()
            .skip(skip as usize)
            .map(move |(index, kept)| (floor + 1 + index as u64, kept.body.clone()))
    }
}

/// One channel.
pub(crate) struct MemoryChannel {
    name: Arc<str>,
    stream: Mutex<Stream>,
    subscribers: AtomicUsize,
    /// Shards for which publications did not wait, because too much waited already; a bit each.
    behind: AtomicU64,
}

impl MemoryChannel {
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Numbers a publication, keeps it as long as it may be, and calls `deliver` for each listening shard.
    pub(crate) fn publish(&self, retention: Retention, body: &Bytes, mut deliver: impl FnMut(usize, u64)) -> Position {
        let now_ms = steady::now_ms();
        let mut stream = self.lock();
        stream.retention = retention;
        stream.used_at_ms = now_ms;
        stream.head += 1;
        if retention.events > 0 {
            stream.keep(Kept { at_ms: now_ms, body: body.clone() });
        }
        // When all channels together keep too much, the one that is published into gives way.
        while stream.kept.len() > retention.events as usize || (stream.room.is_over() && !stream.kept.is_empty()) {
            stream.forget_oldest();
        }
        stream.expire(now_ms);
        let (mut listeners, offset) = (stream.listeners, stream.head);
        while listeners != 0 {
            deliver(listeners.trailing_zeros() as usize, offset);
            listeners &= listeners - 1;
        }
        stream.position()
    }

    /// Has the shard told of what is published from now on; gives where the channel stands.
    pub(crate) fn listen(&self, shard: usize, retention: Retention) -> Extent {
        let now_ms = steady::now_ms();
        let mut stream = self.lock();
        (stream.retention, stream.used_at_ms) = (retention, now_ms);
        stream.listeners |= 1 << shard;
        stream.expire(now_ms);
        stream.extent()
    }

    pub(crate) fn unlisten(&self, shard: usize) {
        let mut stream = self.lock();
        stream.listeners &= !(1 << shard);
        stream.used_at_ms = steady::now_ms();
    }

    /// Counts a subscriber.
    pub(crate) fn enter(&self) {
        self.subscribers.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a subscriber who has left.
    pub(crate) fn exit(&self) {
        self.subscribers.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn extent(&self) -> Extent {
        let mut stream = self.lock();
        stream.expire(steady::now_ms());
        stream.extent()
    }

    /// What is kept above `after`.
    pub(crate) fn page(&self, after: u64, limit: PageLimit) -> Page {
        let mut stream = self.lock();
        stream.expire(steady::now_ms());
        let mut page = Page { events: Vec::new(), read_to: stream.head, extent: stream.extent() };
        let mut bytes = 0;
        for (offset, body) in stream.above(after) {
            bytes += body.len();
            if !page.events.is_empty() && (page.events.len() >= limit.events || bytes > limit.bytes) {
                page.read_to = offset - 1;
                break;
            }
            page.events.push((offset, body));
        }
        page
    }

    /// Notes that publications do not wait for the shard; true when it must be told.
    pub(crate) fn fall_behind(&self, shard: usize) -> bool {
        self.behind.fetch_or(1 << shard, Ordering::AcqRel) & (1 << shard) == 0
    }

    /// The shard reads what it was not told.
    pub(crate) fn catch_up(&self, shard: usize) {
        self.behind.fetch_and(!(1 << shard), Ordering::AcqRel);
    }

    fn lock(&self) -> MutexGuard<'_, Stream> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What to read of a memory channel's past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Only what is newer than this offset; with `reverse` only what is older.
    pub since: Option<u64>,
    /// Most publications; all when missing.
    pub limit: Option<usize>,
    /// The newest first.
    pub reverse: bool,
}

/// The past of a memory channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Its end.
    pub position: Position,
    /// The last offset that is gone.
    pub floor: u64,
    /// Publications with their offsets.
    pub events: Vec<(u64, Bytes)>,
}

/// All memory channels.
pub(crate) struct MemoryChannels {
    boot: u64,
    /// Makes each life of a channel another epoch.
    created: AtomicU64,
    table: RwLock<HashMap<Arc<str>, Arc<MemoryChannel>>>,
    most_channels: usize,
    room: Arc<Room>,
}

impl MemoryChannels {
    /// None yet; at most `most_channels` are meant to be, which keep `most_bytes` together.
    pub(crate) fn new(boot: u64, most_channels: usize, most_bytes: usize) -> Self {
        let room = Arc::new(Room { bytes: AtomicU64::new(0), most: most_bytes as u64 });
        Self { boot, created: AtomicU64::new(0), table: RwLock::default(), most_channels, room }
    }

    /// Whether the channel exists, or may be begun.
    pub(crate) fn has_room_for(&self, name: &str) -> bool {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.len() < self.most_channels || table.contains_key(name)
    }

    /// Channels, and bytes of publications that they keep.
    pub(crate) fn figures(&self) -> (usize, u64) {
        let channels = self.table.read().unwrap_or_else(PoisonError::into_inner).len();
        (channels, self.room.bytes.load(Ordering::Relaxed))
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<MemoryChannel>> {
        self.table.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Finds a channel, or begins it.
    pub(crate) fn open(&self, name: &Arc<str>) -> Arc<MemoryChannel> {
        if let Some(channel) = self.find(name) {
            return channel;
        }
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let channel = table.entry(Arc::clone(name)).or_insert_with(|| {
            let life = self.created.fetch_add(1, Ordering::Relaxed);
            let stream = Stream {
                epoch: Epoch(format!("{:08x}{life:x}", self.boot as u32).into()),
                head: 0,
                kept: VecDeque::new(),
                retention: Retention::NONE,
                listeners: 0,
                used_at_ms: steady::now_ms(),
                room: Arc::clone(&self.room),
            };
            let channel = MemoryChannel {
                name: Arc::clone(name),
                stream: Mutex::new(stream),
                subscribers: AtomicUsize::new(0),
                behind: AtomicU64::new(0),
            };
            Arc::new(channel)
        });
        Arc::clone(channel)
    }

    pub(crate) fn history(&self, name: &Arc<str>, query: HistoryQuery) -> History {
        let channel = self.open(name);
        let mut stream = channel.lock();
        stream.expire(steady::now_ms());
        let limit = query.limit.unwrap_or(usize::MAX);
        let events = match query.reverse {
            false => stream.above(query.since.unwrap_or(0)).take(limit).collect(),
            true => {
                let before = query.since.unwrap_or(u64::MAX);
                stream.above(0).rev().filter(|(offset, _)| *offset < before).take(limit).collect()
            }
        };
        History { position: stream.position(), floor: stream.floor(), events }
    }

    /// The channels with subscribers, and how many those are.
    pub(crate) fn subscribed(&self) -> Vec<(Arc<str>, usize)> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let count = |channel: &Arc<MemoryChannel>| channel.subscribers.load(Ordering::Relaxed);
        table
            .values()
            .map(|channel| (Arc::clone(&channel.name), count(channel)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    pub(crate) fn remove_history(&self, name: &str) {
        if let Some(channel) = self.find(name) {
            channel.lock().clear();
        }
    }

    /// Forgets channels that nobody listens to, of which nothing is kept, and whose counter is of no use any more.
    pub(crate) fn sweep(&self, now_ms: u64) {
        let is_over = |channel: &Arc<MemoryChannel>| {
            let mut stream = channel.lock();
            stream.expire(now_ms);
            let is_ephemeral = stream.head == 0 || stream.retention.events == 0;
            let age_ms = if is_ephemeral { EPHEMERAL_AGE_MS } else { COUNTER_AGE_MS };
            stream.listeners == 0 && stream.kept.is_empty() && stream.used_at_ms + age_ms <= now_ms
        };
        let over: Vec<_> = {
            let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
            table.values().filter(|channel| is_over(channel)).map(|channel| Arc::clone(channel.name())).collect()
        };
        if over.is_empty() {
            return;
        }
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        for name in over {
            // Somebody may hold it, or have come back to it, since it was looked at.
            if table.get(&name).is_some_and(|channel| Arc::strong_count(channel) == 1 && is_over(channel)) {
                table.remove(&name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP_3: Retention = Retention { events: 3, age_s: 0 };

    fn offsets(events: &[(u64, Bytes)]) -> Vec<u64> {
        events.iter().map(|(offset, _)| *offset).collect()
    }

    #[test]
    fn the_last_publications_are_kept() {
        let channels = MemoryChannels::new(7, 100, 1 << 20);
        let name: Arc<str> = "news".into();
        let channel = channels.open(&name);
        channel.listen(2, KEEP_3);
        for n in 1..=5u64 {
            let mut told = Vec::new();
            channel.publish(KEEP_3, &Bytes::from(n.to_string()), |shard, offset| told.push((shard, offset)));
            assert_eq!(told, [(2, n)]);
        }
        let extent = channel.extent();
        assert_eq!((extent.head, extent.floor), (5, 2));
        for (after, limit, expected, read_to) in
            [(0, 9, vec![3, 4, 5], 5), (3, 9, vec![4, 5], 5), (3, 1, vec![4], 4), (5, 9, vec![], 5), (9, 9, vec![], 5)]
        {
            let page = channel.page(after, PageLimit { events: limit, bytes: 1_000 });
            assert_eq!((offsets(&page.events), page.read_to), (expected, read_to), "after {after}");
        }
        for (since, limit, reverse, expected) in [
            (None, None, false, vec![3, 4, 5]),
            (Some(3), Some(1), false, vec![4]),
            (None, Some(2), true, vec![5, 4]),
            (Some(5), None, true, vec![4, 3]),
            (None, Some(0), false, vec![]),
        ] {
            let history = channels.history(&name, HistoryQuery { since, limit, reverse });
            assert_eq!((offsets(&history.events), history.position.offset), (expected, 5), "{since:?} {limit:?}");
        }
    }

    #[test]
    fn another_life_has_another_epoch() {
        let channels = MemoryChannels::new(7, 100, 1 << 20);
        let name: Arc<str> = "news".into();
        let first = channels.open(&name).publish(Retention::NONE, &Bytes::from_static(b"{}"), |_, _| {});
        channels.sweep(steady::now_ms());
        assert!(channels.find(&name).is_some(), "it was just used");
        channels.sweep(steady::now_ms() + EPHEMERAL_AGE_MS);
        assert!(channels.find(&name).is_none(), "nobody listens and nothing is kept");
        let second = channels.open(&name).publish(KEEP_3, &Bytes::from_static(b"{}"), |_, _| {});
        assert_eq!((first.offset, second.offset), (1, 1));
        assert_ne!(first.epoch, second.epoch);
        channels.remove_history(&name);
        channels.sweep(steady::now_ms() + EPHEMERAL_AGE_MS);
        let third = channels.open(&name).publish(KEEP_3, &Bytes::from_static(b"{}"), |_, _| {});
        assert_eq!((third.offset, third.epoch), (2, second.epoch), "its counter is kept for those who come back");
    }

    #[test]
    fn channels_and_what_they_keep_are_bounded_together() {
        const MANY: Retention = Retention { events: 1_000, age_s: 0 };
        let channels = MemoryChannels::new(7, 2, 10_000);
        let body = Bytes::from(vec![b'x'; 1_000]);
        let publish = |name: &str| channels.open(&name.into()).publish(MANY, &body, |_, _| {});
        (0..100).for_each(|_| drop(publish("a")));
        let kept = |name: &str| channels.history(&name.into(), HistoryQuery::default()).events.len();
        assert_eq!(kept("a"), 9, "as many as fit");
        (0..100).for_each(|_| drop(publish("b")));
        assert_eq!((kept("a"), kept("b")), (9, 0), "the one that is published into gives way");
        assert!(channels.figures().1 <= 10_000);
        assert!(channels.has_room_for("a") && !channels.has_room_for("c"));
        channels.remove_history("a");
        assert_eq!(channels.figures(), (2, 0));
        (0..100).for_each(|_| drop(publish("b")));
        assert_eq!(kept("b"), 9);
        channels.sweep(steady::now_ms() + COUNTER_AGE_MS);
        assert!(channels.has_room_for("c"), "a channel that is of no use any more makes room");
    }
}
