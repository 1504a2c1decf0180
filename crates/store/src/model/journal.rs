//! One log in memory: the events above its floor.

use std::collections::VecDeque;

use ordercast_protocol::channel::Log;
use ordercast_protocol::position::Epoch;
use ordercast_protocol::redaction::tombstone;
use ordercast_protocol::topic::Topics;

use crate::log::{LogPage, LogState, PageQuery, Start, StoredEvent};
use crate::write::{EventInsert, Trim, Trimmed};

#[derive(Default)]
pub(super) struct Journal {
    floor: u64,
    events: VecDeque<StoredEvent>,
}

impl Journal {
    pub(super) fn head(&self) -> u64 {
        self.floor + self.events.len() as u64
    }

    pub(super) fn state(&self, log: Log, epoch: Epoch) -> LogState {
        LogState { log, epoch, head: self.head(), floor: self.floor }
    }

    pub(super) fn append(&mut self, event: EventInsert, now_ms: i64) {
        self.events.push_back(StoredEvent {
            offset: self.head() + 1,
            at_ms: now_ms,
            body: event.body,
            topics: event.topics,
        });
    }

    /// Removes the body of an event, if it is here.
    pub(super) fn redact(&mut self, offset: u64) {
        let index = offset.checked_sub(self.floor + 1).and_then(|index| usize::try_from(index).ok());
        if let Some(event) = index.and_then(|index| self.events.get_mut(index)) {
            event.body = tombstone();
        }
    }

    /// Removes what has passed a bound.
    pub(super) fn trim(&mut self, trim: &Trim) -> Option<Trimmed> {
        let too_many = trim.max_events.map_or(0, |most| (self.events.len() as u64).saturating_sub(most));
        let is_old = |event: &&StoredEvent| trim.before_ms.is_some_and(|before| event.at_ms < before);
        let too_old = self.events.iter().take_while(is_old).count() as u64;
        let count = too_many.max(too_old).min(trim.most);
        self.events.drain(..usize::try_from(count).unwrap_or(usize::MAX));
        self.floor += count;
        (count > 0).then_some(Trimmed { log: trim.log, floor: self.floor, count })
    }

    pub(super) fn page(&self, state: LogState, query: &PageQuery) -> LogPage {
        match query.start {
            Start::After(after) => {
                let events = self.events.iter().filter(|event| event.offset > after);
                fill(query, events, LogPage { events: Vec::new(), read_to: state.head, state })
            }
            Start::Before(before) => {
                let events = self.events.iter().rev().filter(|event| event.offset < before);
                fill(query, events, LogPage { events: Vec::new(), read_to: state.floor + 1, state })
            }
        }
    }
}

fn fill<'a>(query: &PageQuery, events: impl Iterator<Item = &'a StoredEvent>, mut page: LogPage) -> LogPage {
    let mut bytes = 0;
    for event in events.filter(|event| query.view.holds(&event.topics)) {
        bytes += event.body.len();
        let is_full = page.events.len() >= query.limit.events.max(1) || bytes > query.limit.bytes;
        if is_full && let Some(last) = page.events.last() {
            page.read_to = last.offset;
            break;
        }
        let topics = if query.with_topics { event.topics.clone() } else { Topics::default() };
        page.events.push(StoredEvent { topics, ..event.clone() });
    }
    page
}
