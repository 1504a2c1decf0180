//! One log as a shard hears of it: announcements in, runs of events without hole or repeat out.
//!
//! The broker may lose, repeat and reorder. What is missing is read from the log once for all subscribers of
//! the shard, so that a lost announcement costs a page and not a page for each of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use ordercast_broker::{AnnouncedEvent, Announcement};
use ordercast_protocol::position::Position;
use ordercast_protocol::redaction::tombstone;
use ordercast_store::log::{LogPage, LogState, StoredEvent};

/// Announcements that are kept while one before them is missing; beyond it they are read from the log.
const MAX_EARLY: usize = 64;

/// Events of one announcement from `skip` on.
pub(crate) struct Segment {
    announcement: Arc<Announcement>,
    skip: usize,
}

impl Segment {
    /// All events of an announcement.
    #[cfg(test)]
    pub(crate) fn whole(announcement: Arc<Announcement>) -> Self {
        Self { announcement, skip: 0 }
    }

    /// Removes the body of an event, if it is here.
    pub(crate) fn redact(&mut self, offset: u64) -> bool {
        let first = self.announcement.first + self.skip as u64;
        let is_here = (first..=self.announcement.last()).contains(&offset);
        if is_here {
            remove_body(&mut self.announcement, offset);
        }
        is_here
    }

    pub(crate) fn events(&self) -> impl Iterator<Item = (u64, &AnnouncedEvent)> + Clone {
        let events = self.announcement.events.iter().enumerate().skip(self.skip);
        events.map(|(index, event)| (self.announcement.first + index as u64, event))
    }

    /// Bytes of the bodies.
    pub(crate) fn bytes(&self) -> usize {
        self.announcement.events[self.skip..].iter().map(|event| event.body.len()).sum()
    }
}

/// Other shards may have the announcement too, so that it is copied; they are few who get one.
fn remove_body(announcement: &mut Arc<Announcement>, offset: u64) {
    let index = offset.checked_sub(announcement.first).and_then(|index| usize::try_from(index).ok());
    if let Some(event) = index.and_then(|index| Arc::make_mut(announcement).events.get_mut(index)) {
        event.body = tombstone();
    }
}

/// Consecutive events to be delivered.
pub(crate) struct Run {
    pub(crate) segments: Vec<Segment>,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Run {
    pub(crate) fn events(&self) -> impl Iterator<Item = (u64, &AnnouncedEvent)> + Clone {
        self.segments.iter().flat_map(Segment::events)
    }

    pub(crate) fn bodies(&self) -> impl Iterator<Item = (u64, &Bytes)> + Clone {
        self.events().map(|(offset, event)| (offset, &event.body))
    }
}

/// The log is no longer the one that subscribers read: another life, or events removed before they were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// What a shard knows of a log.
pub(crate) struct Feed {
    known: LogState,
    /// Up to here events are in `ready` or delivered; `known.head` counts the delivered alone.
    accepted: u64,
    /// The highest offset that is known to be durable.
    durable: u64,
    ready: VecDeque<Segment>,
    early: BTreeMap<u64, Arc<Announcement>>,
    /// After which offset the log is being read.
    repairing: Option<u64>,
    /// A body up to here was removed before its event came: up to here only the log is believed.
    redacted_to: u64,
    /// Whether that became known after the log was asked.
    is_outdated: bool,
    is_due: bool,
}

impl Feed {
    pub(crate) fn new(state: LogState) -> Self {
        Self {
            accepted: state.head,
            durable: state.head,
            known: state,
            ready: VecDeque::new(),
            early: BTreeMap::new(),
            repairing: None,
            redacted_to: 0,
            is_outdated: false,
            is_due: false,
        }
    }

    /// The log; its head is the last offset that was delivered to the subscribers of this shard.
    pub(crate) fn known(&self) -> &LogState {
        &self.known
    }

    pub(crate) fn announce(&mut self, announcement: &Arc<Announcement>) {
        if announcement.epoch != self.known.epoch || announcement.events.is_empty() || announcement.first == 0 {
            // Another life of the log is found by looking at it, not believed from the broker.
            return;
        }
        self.durable = self.durable.max(announcement.last());
        if self.accepted < self.redacted_to {
            self.is_due = true;
            return;
        }
        self.take(announcement);
    }

    /// Removes the body of an event from what is not delivered yet, and from what comes late.
    pub(crate) fn redact(&mut self, offset: u64) {
        if offset <= self.accepted {
            let _ = self.ready.iter_mut().any(|segment| segment.redact(offset));
            return;
        }
        self.redacted_to = self.redacted_to.max(offset);
        self.early.retain(|first, _| *first > offset);
        self.is_outdated |= self.repairing.is_some();
    }

    fn take(&mut self, announcement: &Arc<Announcement>) {
        if announcement.first > self.accepted + 1 {
            self.is_due = true;
            if self.early.len() < MAX_EARLY {
                self.early.insert(announcement.first, Arc::clone(announcement));
            }
            return;
        }
        self.accept(Arc::clone(announcement));
        self.accept_early();
    }

    fn accept_early(&mut self) {
        while let Some(entry) = self.early.first_entry().filter(|entry| *entry.key() <= self.accepted + 1) {
            let announcement = entry.remove();
            self.accept(announcement);
        }
    }

    /// The next events to deliver, at most about `max_bytes` of bodies.
    pub(crate) fn take_run(&mut self, max_bytes: usize) -> Option<Run> {
        let first = self.known.head + 1;
        let mut segments = Vec::new();
        let mut bytes = 0;
        while let Some(segment) = self.ready.pop_front() {
            bytes += segment.bytes();
            segments.push(segment);
            if bytes >= max_bytes {
                break;
            }
        }
        let last = segments.last()?.announcement.last();
        Some(Run { segments, first, last })
    }

    /// A run that was taken is with the subscribers now.
    pub(crate) fn delivered(&mut self, run: &Run) {
        debug_assert_eq!(run.first, self.known.head + 1, "a hole between two runs");
        self.known.head = run.last;
    }

    /// After which offset the log is to be read, when something is missing and is not being read.
    pub(crate) fn repair(&mut self) -> Option<u64> {
        let is_wanted = self.is_due && self.repairing.is_none() && self.durable > self.accepted;
        self.is_due &= self.durable > self.accepted;
        if !is_wanted {
            return None;
        }
        self.repairing = Some(self.accepted);
        self.repairing
    }

    /// The answer to a repair; `None` when the read failed, which is tried again at the next look.
    pub(crate) fn on_page(&mut self, page: Option<LogPage>) -> Result<(), Broken> {
        let after = self.repairing.take();
        let Some(page) = page else {
            (self.is_due, self.is_outdated) = (false, false);
            return Ok(());
        };
        if std::mem::take(&mut self.is_outdated) {
            self.is_due = true;
            return Ok(());
        }
        self.check(&page.state)?;
        if let Some(first) = page.events.first().map(|event| event.offset)
            && page.events.iter().zip(first..).all(|(event, offset)| event.offset == offset)
        {
            let event = |event: StoredEvent| AnnouncedEvent { body: event.body, topics: event.topics };
            let events = page.events.into_iter().map(event).collect();
            let (log, epoch) = (self.known.log, self.known.epoch.clone());
            let announcement = Announcement { log, epoch, first, events, redacted: Vec::new() };
            self.durable = self.durable.max(announcement.last());
            self.take(&Arc::new(announcement));
        }
        // Without progress since it was asked for the next look at the log tries again, not a loop.
        self.is_due = Some(self.accepted) > after;
        Ok(())
    }

    /// A look at the log. What was durable at the last look and is still not announced has been lost.
    pub(crate) fn on_look(&mut self, state: &LogState) -> Result<(), Broken> {
        self.check(state)?;
        self.is_due |= self.durable > self.accepted;
        self.durable = self.durable.max(state.head);
        Ok(())
    }

    /// The broker has lost messages: what is known to be durable and not here need not be waited for.
    pub(crate) fn on_lost(&mut self) {
        self.is_due |= self.durable > self.accepted;
    }

    /// Announcements up to this position were not queued for the shard, and nothing else will bring them.
    pub(crate) fn on_skipped(&mut self, head: &Position) {
        if head.epoch == self.known.epoch {
            self.durable = self.durable.max(head.offset);
            self.is_due |= self.durable > self.accepted;
        }
    }

    /// Counts everything up to this position as delivered: only for a shard without subscribers of the log. False when it
    /// has got as far already.
    pub(crate) fn skip_to(&mut self, head: &Position) -> bool {
        if head.epoch != self.known.epoch || head.offset <= self.accepted {
            return false;
        }
        self.ready.clear();
        (self.known.head, self.accepted) = (head.offset, head.offset);
        self.durable = self.durable.max(head.offset);
        self.accept_early();
        true
    }

    /// Starts again with another life of the log, or after a part of it that is gone.
    pub(crate) fn restart(&mut self, state: LogState) {
        *self = Self::new(state);
    }

    fn check(&mut self, state: &LogState) -> Result<(), Broken> {
        if state.epoch != self.known.epoch || state.floor > self.accepted {
            return Err(Broken);
        }
        self.known.floor = self.known.floor.max(state.floor);
        Ok(())
    }

    fn accept(&mut self, announcement: Arc<Announcement>) {
        let last = announcement.last();
        if last > self.accepted {
            let skip = (self.accepted + 1 - announcement.first) as usize;
            self.ready.push_back(Segment { announcement, skip });
            self.accepted = last;
        }
    }
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
