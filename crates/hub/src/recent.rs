//! The last events of a log that went through a shard, and pages that were read lately: what many subscribers who
//! come back at once want, wrapped once for all of them.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use ordercast_protocol::channel::View;
use ordercast_protocol::redaction::tombstone;

use crate::feed::{Run, Segment};
use crate::frames::{Form, Frames, Wrapper};
use crate::slab::Key;

/// Maximum size of the bodies in a block, in bytes. One commit is never cut.
const BLOCK_BYTES: usize = 64 * 1024;
/// Most forms of a block that are kept wrapped.
const MAX_WRAPPED: usize = 4;
/// Pages are kept for others when two subscribers have read within this time, and forgotten when nobody has, in
/// milliseconds. A reader that is alone needs the last page only.
const SHARING_MS: u64 = 5_000;

/// Where a block's events are.
enum Content {
    /// As they were announced.
    Announced(Vec<Segment>),
    /// As they were read.
    Read(Vec<(u64, Bytes)>),
}

/// Consecutive events of a log.
pub(crate) struct Block {
    first: u64,
    last: u64,
    bytes: usize,
    content: Content,
    /// Wrapped frames, by channel name and form, for the subscribers that wanted them.
    wrapped: Vec<(Arc<str>, Form, Arc<Frames>)>,
}

impl Block {
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    fn holds(&self, offset: u64) -> bool {
        (self.first..=self.last).contains(&offset)
    }

    /// The events above `after` that belong to a view.
    pub(crate) fn events(&self, after: u64, view: &View) -> Vec<(u64, Bytes)> {
        match &self.content {
            Content::Read(events) => {
                debug_assert_eq!(*view, View::All, "what was read tells not whose it is");
                events.iter().filter(|(offset, _)| *offset > after).cloned().collect()
            }
            Content::Announced(segments) => {
                let events = segments.iter().flat_map(Segment::events);
                let events = events.filter(|(offset, event)| *offset > after && view.holds(&event.topics));
                events.map(|(offset, event)| (offset, event.body.clone())).collect()
            }
        }
    }

    /// Removes the body of an event, if it is here.
    fn redact(&mut self, offset: u64) {
        if !self.holds(offset) {
            return;
        }
        self.wrapped.clear();
        match &mut self.content {
            Content::Announced(segments) => {
                let _ = segments.iter_mut().any(|segment| segment.redact(offset));
            }
            Content::Read(events) => {
                if let Ok(index) = events.binary_search_by_key(&offset, |(offset, _)| *offset) {
                    events[index].1 = tombstone();
                }
            }
        }
    }

    /// All events, wrapped.
    pub(crate) fn frames(&mut self, channel: &Arc<str>, form: Form, wrapper: &mut Wrapper) -> Arc<Frames> {
        let known = self.wrapped.iter().find(|(name, own, _)| name == channel && *own == form);
        if let Some((_, _, frames)) = known {
            return Arc::clone(frames);
        }
        let frames = Arc::new(match &self.content {
            Content::Read(events) => wrapper.wrap(form, channel, events.iter().map(|(offset, body)| (*offset, body))),
            Content::Announced(segments) => {
                let events = segments.iter().flat_map(Segment::events);
                wrapper.wrap(form, channel, events.map(|(offset, event)| (offset, &event.body)))
            }
        });
        if self.wrapped.len() >= MAX_WRAPPED {
            self.wrapped.remove(0);
        }
        self.wrapped.push((Arc::clone(channel), form, Arc::clone(&frames)));
        frames
    }
}

/// Blocks up to a number of bytes, oldest first: those that were announced, without a gap, and those that were read.
pub(crate) struct Recent {
    announced: VecDeque<Block>,
    read: VecDeque<Block>,
    announced_bytes: usize,
    read_bytes: usize,
    max_bytes: usize,
    /// Who had a page read last, and when, in milliseconds of the shard's clock.
    last_reader: Option<(Key, u64)>,
    /// Pages are kept for others up to this time, in milliseconds.
    shared_until_ms: u64,
}

impl Recent {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            announced: VecDeque::new(),
            read: VecDeque::new(),
            announced_bytes: 0,
            read_bytes: 0,
            max_bytes,
            last_reader: None,
            shared_until_ms: 0,
        }
    }

    /// Adds what was delivered.
    pub(crate) fn push(&mut self, run: Run) {
        let Run { segments, first, last } = run;
        let bytes: usize = segments.iter().map(Segment::bytes).sum();
        self.announced_bytes += bytes;
        match self.announced.back_mut() {
            Some(Block { last: before, bytes: own, content: Content::Announced(present), wrapped, .. })
                if *own < BLOCK_BYTES && *before + 1 == first =>
            {
                (*before, *own) = (last, *own + bytes);
                present.extend(segments);
                wrapped.clear();
            }
            _ => {
                let content = Content::Announced(segments);
                self.announced.push_back(Block { first, last, bytes, content, wrapped: Vec::new() });
            }
        }
        self.announced_bytes -= evict(&mut self.announced, self.announced_bytes, self.max_bytes);
    }

    /// Adds a page of the log that was read for somebody; it must not be empty.
    pub(crate) fn push_read(&mut self, events: Vec<(u64, Bytes)>, readers: impl Iterator<Item = Key>, now_ms: u64) {
        let (Some((first, _)), Some((last, _))) = (events.first(), events.last()) else {
            return;
        };
        let (first, last) = (*first, *last);
        let bytes = events.iter().map(|(_, body)| body.len()).sum();
        self.read_bytes += bytes;
        self.read.push_back(Block { first, last, bytes, content: Content::Read(events), wrapped: Vec::new() });
        for reader in readers {
            let before = self.last_reader.replace((reader, now_ms));
            if before.is_some_and(|(key, at_ms)| key != reader && now_ms - at_ms <= SHARING_MS) {
                self.shared_until_ms = now_ms + SHARING_MS;
            }
        }
        let most = if now_ms <= self.shared_until_ms { self.max_bytes } else { 0 };
        self.read_bytes -= evict(&mut self.read, self.read_bytes, most);
    }

    /// Removes the body of an event from every block. Blocks count as large as they were: they are let go by that.
    pub(crate) fn redact(&mut self, offset: u64) {
        self.announced.iter_mut().chain(&mut self.read).for_each(|block| block.redact(offset));
    }

    /// Whether a page that was read ends here.
    pub(crate) fn is_read_to(&self, offset: u64) -> bool {
        self.read.iter().rev().any(|block| block.last == offset)
    }

    /// Forgets pages that nobody has wanted for a while.
    pub(crate) fn forget_read(&mut self, now_ms: u64) {
        if self.last_reader.is_some_and(|(_, at_ms)| now_ms - at_ms > SHARING_MS) {
            (self.read, self.read_bytes, self.last_reader) = (VecDeque::new(), 0, None);
        }
    }

    /// The block with the event after `after`. Only announced blocks tell whose an event is.
    pub(crate) fn find(&mut self, after: u64, view: &View) -> Option<&mut Block> {
        let wanted = after + 1;
        let index = self.announced.partition_point(|block| block.last < wanted);
        if self.announced.get(index).is_some_and(|block| block.holds(wanted)) {
            return self.announced.get_mut(index);
        }
        self.read.iter_mut().rev().find(|block| *view == View::All && block.holds(wanted))
    }

    /// All events above `after` that belong to a view and are here without a gap, and up to where that is.
    pub(crate) fn events(&mut self, after: u64, view: &View) -> (Vec<(u64, Bytes)>, u64) {
        let (mut events, mut read_to) = (Vec::new(), after);
        while let Some(block) = self.find(read_to, view) {
            events.append(&mut block.events(read_to, view));
            read_to = block.last();
        }
        (events, read_to)
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.max_bytes);
    }
}

/// Drops the oldest blocks above the bound, but never the last one; gives their bytes.
fn evict(blocks: &mut VecDeque<Block>, bytes: usize, max_bytes: usize) -> usize {
    let mut evicted = 0;
    while bytes - evicted > max_bytes && blocks.len() > 1 {
        evicted += blocks.pop_front().map_or(0, |block| block.bytes);
    }
    evicted
}

#[cfg(test)]
mod tests {
    use ordercast_broker::{AnnouncedEvent, Announcement};
    use ordercast_protocol::channel::Log;
    use ordercast_protocol::envelope::Wire;
    use ordercast_protocol::position::Epoch;
    use ordercast_protocol::topic::{Topic, TopicKind};

    use super::*;

    const BODY_BYTES: usize = 1_000;

    fn run(first: u64, count: u64) -> Run {
        let event = |offset: u64| AnnouncedEvent {
            body: vec![b'x'; BODY_BYTES].into(),
            topics: Topic::new(TopicKind::Order, format!("order-{}", offset % 2)).into(),
        };
        let events = (first..first + count).map(event).collect();
        let announcement =
            Announcement { log: Log::Orders, epoch: Epoch("e".into()), first, events, redacted: Vec::new() };
        Run { segments: vec![Segment::whole(Arc::new(announcement))], first, last: first + count - 1 }
    }

    fn offsets(block: &Block, after: u64, view: &View) -> Vec<u64> {
        block.events(after, view).into_iter().map(|(offset, _)| offset).collect()
    }

    #[test]
    fn the_last_events_are_found_and_older_ones_forgotten() {
        let mut recent = Recent::new(100 * BODY_BYTES);
        assert!(recent.find(0, &View::All).is_none());
        for first in (1..=391).step_by(10) {
            recent.push(run(first, 10));
        }
        assert!(recent.find(400, &View::All).is_none(), "nothing comes after the head");
        assert!(recent.find(200, &View::All).is_none(), "too long ago");
        let block = recent.find(396, &View::All).unwrap();
        assert_eq!((offsets(block, 396, &View::All), block.last()), (vec![397, 398, 399, 400], 400));
        assert_eq!(offsets(block, 396, &View::of(TopicKind::Order, "order-1")), [397, 399]);
        let mut seen = 350;
        while let Some(block) = recent.find(seen, &View::All) {
            assert_eq!(offsets(block, seen, &View::All)[0], seen + 1);
            seen = block.last();
        }
        assert_eq!(seen, 400);
        assert!(recent.announced_bytes <= 100 * BODY_BYTES + BLOCK_BYTES);
    }

    #[test]
    fn frames_are_shared_until_something_is_added() {
        let mut recent = Recent::new(1_000_000);
        let (name, form, mut wrapper) = ("orders".into(), Form::plain(Wire::PlainJson), Wrapper::default());
        recent.push(run(1, 10));
        let mut frames = |recent: &mut Recent| recent.find(3, &View::All).unwrap().frames(&name, form, &mut wrapper);
        let first = frames(&mut recent);
        assert!(Arc::ptr_eq(&first, &frames(&mut recent)));
        assert_eq!(first.count(first.start_after(3), first.len()), 7);
        recent.push(run(11, 1));
        assert_eq!(frames(&mut recent).count(0, first.len() * 2), 11);
    }

    #[test]
    fn pages_that_were_read_are_found_too() {
        let mut recent = Recent::new(10_000);
        recent.push(run(1_000, 1));
        let page = |first: u64| (first..first + 5).map(|offset| (offset, vec![b'x'; BODY_BYTES].into())).collect();
        for (reader, first) in [(1, 1), (2, 101), (1, 201)] {
            recent.push_read(page(first), std::iter::once(Key::from_u64(reader)), 10);
        }
        assert!(recent.find(1, &View::All).is_none(), "only so many are kept");
        assert_eq!(recent.find(102, &View::All).unwrap().last(), 105);
        assert_eq!([105, 5, 104].map(|offset| recent.is_read_to(offset)), [true, false, false]);
        assert!(recent.find(102, &View::of(TopicKind::Order, "a")).is_none());
        assert!(recent.find(205, &View::All).is_none());
        recent.forget_read(10 + SHARING_MS);
        assert!(recent.find(102, &View::All).is_some());
        recent.forget_read(11 + SHARING_MS);
        assert!(recent.find(102, &View::All).is_none(), "nobody wanted it for a while");
    }

    #[test]
    fn bodies_that_were_removed_are_in_no_block() {
        let mut recent = Recent::new(1_000_000);
        let (name, form, mut wrapper) = ("orders".into(), Form::plain(Wire::PlainJson), Wrapper::default());
        recent.push(run(11, 5));
        let page = (1..=5).map(|offset| (offset, vec![b'x'; BODY_BYTES].into())).collect();
        recent.push_read(page, std::iter::once(Key::from_u64(1)), 0);
        for (after, removed) in [(10, 12), (0, 2)] {
            let mut frames =
                |recent: &mut Recent| recent.find(after, &View::All).unwrap().frames(&name, form, &mut wrapper);
            let before = frames(&mut recent).len();
            recent.redact(removed);
            recent.redact(99);
            let block = recent.find(after, &View::All).unwrap();
            let bodies = block.events(after, &View::All);
            let is_removed: Vec<_> = bodies.iter().map(|(_, body)| *body == tombstone()).collect();
            assert_eq!(is_removed, [false, true, false, false, false]);
            assert!(frames(&mut recent).len() < before - BODY_BYTES / 2, "wrapped anew");
        }
    }

    #[test]
    fn who_reads_alone_has_one_page() {
        let mut recent = Recent::new(1_000_000);
        let page = |first: u64| (first..first + 5).map(|offset| (offset, vec![b'x'; BODY_BYTES].into())).collect();
        let mut read = |reader, first, now_ms| {
            recent.push_read(page(first), std::iter::once(Key::from_u64(reader)), now_ms);
            recent.read.len()
        };
        let later = SHARING_MS + 1;
        assert_eq!([read(1, 1, 0), read(1, 6, 1), read(1, 11, 2)], [1, 1, 1]);
        assert_eq!(read(2, 1, 2 + later), 1, "the first has long ended");
        assert_eq!([read(1, 16, 3 + later), read(1, 21, 4 + later)], [2, 3], "two at a time share");
    }
}
