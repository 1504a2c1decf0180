//! The history of memory channels in the memory of this process.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use ordercast_broker::history::{ChannelHistory, Extent, History, HistoryQuery, MemoryHistory, Page, PageBounds};
use ordercast_protocol::channel::Retention;
use ordercast_protocol::position::{Epoch, Position};

use crate::steady;

/// How long the counter of a channel is kept that nobody follows and of which nothing is kept any more, in milliseconds, so
/// that a client that reconnects learns that it missed nothing.
pub(crate) const COUNTER_AGE_MS: u64 = 3_600_000;
/// As above, for a channel that never keeps anything: nobody can come back to it.
pub(crate) const EPHEMERAL_AGE_MS: u64 = 60_000;
/// What a kept publication takes beside its body, in bytes.
const KEPT_BYTES: u64 = 48;

/// Something published, kept for a while.
struct Kept {
    at_ms: u64,
    body: Bytes,
}

/// Bytes of publications that all channels keep, and how many they may.
struct Capacity {
    bytes: AtomicU64,
    most: u64,
}

impl Capacity {
    fn weight(kept: &Kept) -> u64 {
        kept.body.len() as u64 + KEPT_BYTES
    }

    fn is_over(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > self.most
    }
}

/// One channel.
struct Stream {
    epoch: Epoch,
    head: u64,
    /// The publications up to `head`, oldest first.
    kept: VecDeque<Kept>,
    retention: Retention,
    used_at_ms: u64,
    capacity: Arc<Capacity>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Stream {
    fn keep(&mut self, kept: Kept) {
        self.capacity.bytes.fetch_add(Capacity::weight(&kept), Ordering::Relaxed);
        self.kept.push_back(kept);
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.kept.pop_front() {
            self.capacity.bytes.fetch_sub(Capacity::weight(&oldest), Ordering::Relaxed);
        }
    }

    fn clear(&mut self) {
        let bytes = self.kept.iter().map(Capacity::weight).sum();
        self.capacity.bytes.fetch_sub(bytes, Ordering::Relaxed);
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

/// A channel's stream behind its lock.
struct MemoryStream(Mutex<Stream>);

impl MemoryStream {
    fn lock(&self) -> MutexGuard<'_, Stream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stream without what is too old by now.
    fn current(&self) -> MutexGuard<'_, Stream> {
        let mut stream = self.lock();
        stream.expire(steady::now_ms());
        stream
    }
}

impl ChannelHistory for MemoryStream {
    fn publish(&self, retention: Retention, body: &Bytes) -> Position {
        let now_ms = steady::now_ms();
        let mut stream = self.lock();
        stream.retention = retention;
        stream.used_at_ms = now_ms;
        stream.head += 1;
        if retention.events > 0 {
            stream.keep(Kept { at_ms: now_ms, body: body.clone() });
        }
        // When all channels together keep too much, the one that is published into gives way.
        while stream.kept.len() > retention.events as usize || (stream.capacity.is_over() && !stream.kept.is_empty()) {
            stream.forget_oldest();
        }
        stream.expire(now_ms);
        stream.position()
    }

    fn follow(&self, retention: Retention) -> Extent {
        let now_ms = steady::now_ms();
        let mut stream = self.lock();
        (stream.retention, stream.used_at_ms) = (retention, now_ms);
        stream.expire(now_ms);
        stream.extent()
    }

    fn unfollow(&self) {
        self.lock().used_at_ms = steady::now_ms();
    }

    fn extent(&self) -> Extent {
        self.current().extent()
    }

    fn page(&self, after: u64, bounds: PageBounds) -> Page {
        let stream = self.current();
        let mut page = Page { events: Vec::new(), read_to: stream.head, extent: stream.extent() };
        let mut bytes = 0;
        for (offset, body) in stream.above(after) {
            bytes += body.len();
            if !page.events.is_empty() && (page.events.len() >= bounds.events || bytes > bounds.bytes) {
                page.read_to = offset - 1;
                break;
            }
            page.events.push((offset, body));
        }
        page
    }

    fn query(&self, query: HistoryQuery) -> History {
        let stream = self.current();
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

    fn clear(&self) {
        self.lock().clear();
    }

    fn is_over(&self, now_ms: u64) -> bool {
        let mut stream = self.lock();
        stream.expire(now_ms);
        let is_ephemeral = stream.head == 0 || stream.retention.events == 0;
        let age_ms = if is_ephemeral { EPHEMERAL_AGE_MS } else { COUNTER_AGE_MS };
        stream.kept.is_empty() && stream.used_at_ms + age_ms <= now_ms
    }
}

/// The histories of the channels of one process.
pub struct InProcessHistory {
    boot: u64,
    /// Makes each life of a channel another epoch.
    created: AtomicU64,
    table: RwLock<HashMap<Arc<str>, Arc<MemoryStream>>>,
    max_channels: usize,
    capacity: Arc<Capacity>,
}

impl InProcessHistory {
    /// No channel yet. At most `max_channels` are meant to be begun, and they keep at most `max_bytes` together. `boot` tells
    /// the epochs of one run from those of another.
    pub fn new(boot: u64, max_channels: usize, max_bytes: usize) -> Self {
        let capacity = Arc::new(Capacity { bytes: AtomicU64::new(0), most: max_bytes as u64 });
        Self { boot, created: AtomicU64::new(0), table: RwLock::default(), max_channels, capacity }
    }

    fn present(&self, channel: &str) -> Option<Arc<MemoryStream>> {
        self.table.read().unwrap_or_else(PoisonError::into_inner).get(channel).cloned()
    }
}

impl MemoryHistory for InProcessHistory {
    fn open(&self, channel: &Arc<str>) -> Arc<dyn ChannelHistory> {
        if let Some(present) = self.present(channel) {
            return present;
        }
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let stream = table.entry(Arc::clone(channel)).or_insert_with(|| {
            let life = self.created.fetch_add(1, Ordering::Relaxed);
            Arc::new(MemoryStream(Mutex::new(Stream {
                epoch: Epoch(format!("{:08x}{life:x}", self.boot as u32).into()),
                head: 0,
                kept: VecDeque::new(),
                retention: Retention::NONE,
                used_at_ms: steady::now_ms(),
                capacity: Arc::clone(&self.capacity),
            })))
        });
        Arc::<MemoryStream>::clone(stream)
    }

    fn find(&self, channel: &str) -> Option<Arc<dyn ChannelHistory>> {
        self.present(channel).map(|stream| stream as Arc<dyn ChannelHistory>)
    }

    fn has_capacity_for(&self, channel: &str) -> bool {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.len() < self.max_channels || table.contains_key(channel)
    }

    fn figures(&self) -> (usize, u64) {
        let channels = self.table.read().unwrap_or_else(PoisonError::into_inner).len();
        (channels, self.capacity.bytes.load(Ordering::Relaxed))
    }

    fn sweep(&self, now_ms: u64) {
        let over: Vec<_> = {
            let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
            table.iter().filter(|(_, stream)| stream.is_over(now_ms)).map(|(name, _)| Arc::clone(name)).collect()
        };
        if over.is_empty() {
            return;
        }
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        for name in over {
            // Somebody may hold it, or have come back to it, since it was looked at.
            if table.get(&name).is_some_and(|stream| Arc::strong_count(stream) == 1 && stream.is_over(now_ms)) {
                table.remove(&name);
            }
        }
    }
}
