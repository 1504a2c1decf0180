//! Memory channels as this node's subscribers have them: which shards follow a channel, and the one road from a publication
//! to those shards.
//!
//! A channel's lock is held while a publication is numbered, kept and passed to the shards, so that a shard that
//! asks where the channel stands knows that everything above will reach its mailbox, and nothing below.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use ordercast_broker::history::{ChannelHistory, Extent, History, HistoryQuery, MemoryHistory, Page, PageBounds};
use ordercast_protocol::channel::Retention;
use ordercast_protocol::position::Position;
use ordercast_store::log::PageLimit;

/// Maximum number of shards: each is a bit of [`MemoryChannel`]'s set of followers.
pub(crate) const MAX_SHARDS: usize = 64;

/// One channel.
pub(crate) struct MemoryChannel {
    name: Arc<str>,
    history: Arc<dyn ChannelHistory>,
    /// The shards with subscribers, a bit each.
    listeners: Mutex<u64>,
    subscribers: AtomicUsize,
    /// Shards for which publications did not wait, because too much waited already; a bit each.
    behind: AtomicU64,
}

/// Calls `deliver` for each shard of a set.
fn for_each_shard(mut shards: u64, mut deliver: impl FnMut(usize)) {
    while shards != 0 {
        deliver(shards.trailing_zeros() as usize);
        shards &= shards - 1;
    }
}

impl MemoryChannel {
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Numbers a publication, keeps it as long as it may be, and calls `deliver` for each listening shard.
    pub(crate) fn publish(&self, retention: Retention, body: &Bytes, mut deliver: impl FnMut(usize, u64)) -> Position {
        let listeners = self.lock();
        let position = self.history.publish(retention, body);
        for_each_shard(*listeners, |shard| deliver(shard, position.offset));
        position
    }

    /// Calls `deliver` for each listening shard with what another hub has published, unless that has another history.
    pub(crate) fn relay(&self, position: &Position, mut deliver: impl FnMut(usize, u64)) {
        let listeners = self.lock();
        if self.history.extent().epoch == position.epoch {
            for_each_shard(*listeners, |shard| deliver(shard, position.offset));
        }
    }

    /// Adds the shard as a listener for the publications from now on; gives the position of the channel.
    pub(crate) fn listen(&self, shard: usize, retention: Retention) -> Extent {
        let mut listeners = self.lock();
        *listeners |= 1 << shard;
        self.history.follow(retention)
    }

    pub(crate) fn unlisten(&self, shard: usize) {
        let mut listeners = self.lock();
        *listeners &= !(1 << shard);
        self.history.unfollow();
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
        self.history.extent()
    }

    /// What is kept above `after`.
    pub(crate) fn page(&self, after: u64, limit: PageLimit) -> Page {
        self.history.page(after, PageBounds { events: limit.events, bytes: limit.bytes })
    }

    /// Notes that publications do not wait for the shard; true when it must be notified.
    pub(crate) fn fall_behind(&self, shard: usize) -> bool {
        self.behind.fetch_or(1 << shard, Ordering::AcqRel) & (1 << shard) == 0
    }

    /// The shard reads the publications that it did not get.
    pub(crate) fn catch_up(&self, shard: usize) {
        self.behind.fetch_and(!(1 << shard), Ordering::AcqRel);
    }

    fn is_over(&self, now_ms: u64) -> bool {
        *self.lock() == 0 && self.history.is_over(now_ms)
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All memory channels of this node.
pub(crate) struct MemoryChannels {
    table: RwLock<HashMap<Arc<str>, Arc<MemoryChannel>>>,
    histories: Arc<dyn MemoryHistory>,
}

impl MemoryChannels {
    /// None yet; `histories` numbers and keeps what is published.
    pub(crate) fn new(histories: Arc<dyn MemoryHistory>) -> Self {
        Self { table: RwLock::default(), histories }
    }

    /// Whether the channel exists, or may be begun.
    pub(crate) fn has_capacity_for(&self, name: &str) -> bool {
        self.histories.has_capacity_for(name)
    }

    /// Channels, and bytes of publications that they keep.
    pub(crate) fn figures(&self) -> (usize, u64) {
        self.histories.figures()
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
            Arc::new(MemoryChannel {
                name: Arc::clone(name),
                history: self.histories.open(name),
                listeners: Mutex::new(0),
                subscribers: AtomicUsize::new(0),
                behind: AtomicU64::new(0),
            })
        });
        Arc::clone(channel)
    }

    pub(crate) fn history(&self, name: &Arc<str>, query: HistoryQuery) -> History {
        self.open(name).history.query(query)
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
        if let Some(history) = self.histories.find(name) {
            history.clear();
        }
    }

    /// Forgets channels that nobody listens to, of which nothing is kept, and whose counter is of no use any more.
    pub(crate) fn sweep(&self, now_ms: u64) {
        let over: Vec<_> = {
            let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
            table.values().filter(|channel| channel.is_over(now_ms)).map(|channel| Arc::clone(channel.name())).collect()
        };
        if !over.is_empty() {
            let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
            for name in over {
                // Somebody may hold it, or have come back to it, since it was looked at.
                if table.get(&name).is_some_and(|channel| Arc::strong_count(channel) == 1 && channel.is_over(now_ms)) {
                    table.remove(&name);
                }
            }
        }
        self.histories.sweep(now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{COUNTER_AGE_MS, EPHEMERAL_AGE_MS, InProcessHistory};
    use crate::steady;

    const KEEP_3: Retention = Retention { events: 3, age_s: 0 };

    fn channels(boot: u64, max_channels: usize, max_bytes: usize) -> MemoryChannels {
        MemoryChannels::new(Arc::new(InProcessHistory::new(boot, max_channels, max_bytes)))
    }

    fn offsets(events: &[(u64, Bytes)]) -> Vec<u64> {
        events.iter().map(|(offset, _)| *offset).collect()
    }

    #[test]
    fn the_last_publications_are_kept() {
        let channels = channels(7, 100, 1 << 20);
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
        let channels = channels(7, 100, 1 << 20);
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
        let channels = channels(7, 2, 10_000);
        let body = Bytes::from(vec![b'x'; 1_000]);
        let publish = |name: &str| channels.open(&name.into()).publish(MANY, &body, |_, _| {});
        (0..100).for_each(|_| drop(publish("a")));
        let kept = |name: &str| channels.history(&name.into(), HistoryQuery::default()).events.len();
        assert_eq!(kept("a"), 9, "as many as fit");
        (0..100).for_each(|_| drop(publish("b")));
        assert_eq!((kept("a"), kept("b")), (9, 0), "the one that is published into gives way");
        assert!(channels.figures().1 <= 10_000);
        assert!(channels.has_capacity_for("a") && !channels.has_capacity_for("c"));
        channels.remove_history("a");
        assert_eq!(channels.figures(), (2, 0));
        (0..100).for_each(|_| drop(publish("b")));
        assert_eq!(kept("b"), 9);
        channels.sweep(steady::now_ms() + COUNTER_AGE_MS);
        assert!(channels.has_capacity_for("c"), "a channel that is of no use any more makes room");
    }
}
