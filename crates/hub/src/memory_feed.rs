//! One memory channel as a shard hears of it: publications in, runs without hole or repeat out, as [`crate::feed`] does it for
//! logs.
//!
//! What did not come is read from the channel's history, which is in reach at once. What is kept nowhere is lost.

use std::sync::Arc;

use bytes::Bytes;
use ordercast_broker::history::Page;

use crate::memory::MemoryChannel;

/// Consecutive publications to be delivered, with their offsets; never empty.
pub(crate) type Publications = Vec<(u64, Bytes)>;

/// What a publication means for the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It is old, or of another life of the channel.
    Nothing,
    /// It is ready to be delivered.
    Ready,
    /// Something before it is missing, and is to be read.
    Hole,
}

/// The history no longer has what is missing: every subscriber goes on by reading,
/// and gets a gap where the history does not reach back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// What was delivered before the gap.
    pub(crate) head: u64,
}

/// What a shard knows of a memory channel.
pub(crate) struct MemoryFeed {
    channel: Arc<MemoryChannel>,
    is_kept: bool,
    head: u64,
    ready: Publications,
    previous: Option<(u64, Bytes)>,
}

impl MemoryFeed {
    /// A feed that has got up to `head`; `is_kept` says whether what is published can be read again.
    pub(crate) fn new(channel: Arc<MemoryChannel>, head: u64, is_kept: bool) -> Self {
        Self { channel, is_kept, head, ready: Vec::new(), previous: None }
    }

    pub(crate) fn channel(&self) -> &Arc<MemoryChannel> {
        &self.channel
    }

    /// Whether what is published can be read again.
    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// The last offset that was delivered to the subscribers of this shard.
    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    /// Whether something is to be delivered.
    pub(crate) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The last publication that was delivered, from which the next may differ.
    pub(crate) fn previous(&self) -> Option<&(u64, Bytes)> {
        self.previous.as_ref()
    }

    /// The last offset that is delivered or ready to be.
    fn accepted(&self) -> u64 {
        self.ready.last().map_or(self.head, |(offset, _)| *offset)
    }

    pub(crate) fn announce(&mut self, channel: &Arc<MemoryChannel>, offset: u64, body: Bytes) -> Heard {
        let accepted = self.accepted();
        // Everybody left in between, and the channel began another life.
        if !Arc::ptr_eq(&self.channel, channel) || offset <= accepted {
            return Heard::Nothing;
        }
        if self.is_kept && offset > accepted + 1 {
            return Heard::Hole;
        }
        self.ready.push((offset, body));
        Heard::Ready
    }

    /// Takes over the missing publications, as far as the history has them.
    pub(crate) fn repair(&mut self) -> Result<(), Gap> {
        let accepted = self.accepted();
        let everything = ordercast_store::log::PageLimit { events: usize::MAX, bytes: usize::MAX };
        let Page { events, extent, read_to: _ } = self.channel.page(accepted, everything);
        if extent.floor <= accepted {
            self.ready.extend(events);
            return Ok(());
        }
        self.ready.clear();
        self.previous = None;
        Err(Gap { head: std::mem::replace(&mut self.head, extent.head) })
    }

    /// The next publications to deliver.
    pub(crate) fn take_run(&mut self) -> Option<Publications> {
        Some(std::mem::take(&mut self.ready)).filter(|run| !run.is_empty())
    }

    /// A run that was taken is with the subscribers now.
    pub(crate) fn delivered(&mut self, mut run: Publications) {
        debug_assert!(run.first().is_none_or(|(first, _)| *first > self.head), "delivered twice");
        debug_assert!(!self.is_kept || run.first().is_none_or(|(first, _)| *first == self.head + 1), "a hole");
        if let Some(last) = run.pop() {
            self.head = last.0;
            self.previous = Some(last);
        }
    }
}

#[cfg(test)]
mod tests {
    use ordercast_protocol::channel::Retention;

    use super::*;
    use crate::history::InProcessHistory;
    use crate::memory::MemoryChannels;

    const KEEP_3: Retention = Retention { events: 3, age_s: 0 };

    fn channel(retention: Retention, publications: u64) -> Arc<MemoryChannel> {
        let channel = MemoryChannels::new(Arc::new(InProcessHistory::new(7, 10, 1 << 20))).open(&"news".into());
        publish(&channel, retention, publications);
        channel
    }

    fn publish(channel: &MemoryChannel, retention: Retention, count: u64) {
        (0..count).for_each(|_| drop(channel.publish(retention, &Bytes::from_static(b"{}"), |_, _| {})));
    }

    fn run(feed: &mut MemoryFeed) -> Vec<u64> {
        let run = feed.take_run().unwrap_or_default();
        let offsets = run.iter().map(|(offset, _)| *offset).collect();
        feed.delivered(run);
        offsets
    }

    fn hear(feed: &mut MemoryFeed, offset: u64) -> Heard {
        let channel = Arc::clone(feed.channel());
        feed.announce(&channel, offset, Bytes::from_static(b"{}"))
    }

    #[test]
    fn repeats_are_cut_off_and_holes_are_read() {
        let channel = channel(KEEP_3, 2);
        let mut feed = MemoryFeed::new(Arc::clone(&channel), 2, true);
        publish(&channel, KEEP_3, 3);
        assert_eq!([2, 3, 3].map(|offset| hear(&mut feed, offset)), [Heard::Nothing, Heard::Ready, Heard::Nothing]);
        assert_eq!(hear(&mut feed, 5), Heard::Hole);
        assert_eq!(feed.repair(), Ok(()));
        assert_eq!((run(&mut feed), feed.head()), (vec![3, 4, 5], 5));
        assert_eq!(feed.previous().map(|(offset, _)| *offset), Some(5));
        let other = MemoryChannels::new(Arc::new(InProcessHistory::new(8, 10, 1 << 20))).open(&"news".into());
        assert_eq!(feed.announce(&other, 6, Bytes::from_static(b"{}")), Heard::Nothing, "another life");
        publish(&channel, KEEP_3, 4);
        assert_eq!(hear(&mut feed, 9), Heard::Hole);
        assert_eq!(feed.repair(), Err(Gap { head: 5 }), "6 is kept no longer");
        assert_eq!((run(&mut feed), feed.head(), feed.previous()), (vec![], 9, None));
    }

    #[test]
    fn what_is_kept_nowhere_is_delivered_over_holes() {
        let mut feed = MemoryFeed::new(channel(Retention::NONE, 9), 2, false);
        assert_eq!([4, 3, 9].map(|offset| hear(&mut feed, offset)), [Heard::Ready, Heard::Nothing, Heard::Ready]);
        assert_eq!((run(&mut feed), feed.head()), (vec![4, 9], 9));
    }
}
