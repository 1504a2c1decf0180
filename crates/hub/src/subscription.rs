//! Where one subscriber stands in one channel.
//!
//! The hand-over from log to live is decided here and nowhere else: a subscription is live when it has seen
//! everything up to the head that its shard has delivered. A live subscription has seen everything up to that
//! head or its own offset, whichever is higher, so that runs without events for it need not touch it.

use std::collections::HashSet;

use bytes::Bytes;
use ordercast_broker::history::{Extent, Page};
use ordercast_protocol::channel::{Channel, Retention, Source, View};
use ordercast_protocol::event::subject;
use ordercast_protocol::position::{Epoch, Position};
use ordercast_store::log::{LogPage, LogState};

use crate::frames::Form;
use crate::handler::Subscribed;
use crate::presence::MemberGuard;

/// How a subscription gets its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The first page comes with the answer; or it asked for a position above the head that the shard knows,
    /// and the log is asked whether that exists.
    Asking,
    /// Pages are read from the log.
    CatchingUp,
    /// Runs are taken as they come.
    Live,
    /// Nothing is read until the client has taken what waits for it.
    Parked,
}

/// What can be read of a log.
pub(crate) fn extent_of(state: &LogState) -> Extent {
    Extent { epoch: state.epoch.clone(), head: state.head, floor: state.floor }
}

/// A page of a log without what only the store needs.
pub(crate) fn page_of(page: LogPage) -> Page {
    let events = page.events.into_iter().map(|event| (event.offset, event.body)).collect();
    Page { events, read_to: page.read_to, extent: extent_of(&page.state) }
}

/// Where a subscription stands in a log or a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    offset: u64,
    state: State,
}

/// What a page means for a subscription.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PageVerdict {
    /// Its events are to be sent, after this answer if there is one.
    Send(Option<Subscribed>),
    /// The position asked for does not exist, or retention passed it; the subscription starts afresh.
    Restarted(Subscribed),
    /// The page is not for the subscription as it is now.
    Stale,
    /// The page has a hole or leads nowhere; read it again later.
    Bad,
}

fn afresh(extent: &Extent, recovered: Option<bool>) -> Subscribed {
    let floor = (recovered == Some(false)).then_some(extent.floor);
    Subscribed { epoch: extent.epoch.clone(), offset: extent.head, recovered, floor, events: Vec::new() }
}

fn resumed(epoch: Epoch, offset: u64) -> Subscribed {
    Subscribed { epoch, offset, recovered: Some(true), floor: None, events: Vec::new() }
}

impl Cursor {
    /// Starts a subscription; without an answer a page must be read first.
    pub(crate) fn start(since: Option<&Position>, extent: &Extent, first_page: bool) -> (Self, Option<Subscribed>) {
        let live = Self { offset: extent.head, state: State::Live };
        let Some(since) = since else {
            return (live, Some(afresh(extent, None)));
        };
        if since.epoch != extent.epoch || since.offset < extent.floor {
            return (live, Some(afresh(extent, Some(false))));
        }
        let offset = since.offset;
        let state = match offset {
            _ if offset > extent.head || (first_page && offset < extent.head) => {
                return (Self { offset, state: State::Asking }, None);
            }
            _ if offset == extent.head => State::Live,
            _ => State::CatchingUp,
        };
        (Self { offset, state }, Some(resumed(extent.epoch.clone(), offset)))
    }

    /// The last offset it has seen, with `head` as what the shard has delivered.
    pub(crate) fn position(&self, head: u64) -> u64 {
        if self.state == State::Live { self.offset.max(head) } else { self.offset }
    }

    /// Takes a run up to `last`; gives the offset after which its events are new, unless none are or the
    /// subscription reads the log. `head` is what was delivered before the run.
    pub(crate) fn take_run(&mut self, head: u64, last: u64) -> Option<u64> {
        let before = self.position(head);
        if self.state != State::Live || last <= before {
            return None;
        }
        self.offset = last;
        Some(before)
    }

    /// After which offset the next page is to be read, if one is.
    pub(crate) fn wants_page(&self) -> Option<u64> {
        matches!(self.state, State::Asking | State::CatchingUp).then_some(self.offset)
    }

    /// Judges a page that was read after `after`, and moves over it. `head` is what the shard has delivered.
    pub(crate) fn on_page(&mut self, after: u64, view: &View, page: &Page, head: u64) -> PageVerdict {
        if self.wants_page() != Some(after) {
            return PageVerdict::Stale;
        }
        let mut known = page.extent.clone();
        known.head = head.max(known.head);
        let exists = (known.floor..=known.head).contains(&after);
        let answer = match self.state {
            _ if !exists => {
                // Live from what the shard delivers next; what a page knows beyond it will be announced.
                known.head = head;
                *self = Self { offset: head, state: State::Live };
                return PageVerdict::Restarted(afresh(&known, Some(false)));
            }
            State::Asking => Some(resumed(known.epoch, after)),
            _ => None,
        };
        if !is_consecutive(after, view, page) || (page.read_to <= after && head > after) {
            return PageVerdict::Bad;
        }
        self.advance(page.read_to.max(after), head);
        PageVerdict::Send(answer)
    }

    /// Moves over events up to `read_to`.
    pub(crate) fn advance(&mut self, read_to: u64, head: u64) {
        self.offset = read_to;
        self.state = if self.offset >= head { State::Live } else { State::CatchingUp };
    }

    /// Whether the first page comes with the answer.
    pub(crate) fn is_asking(&self) -> bool {
        self.state == State::Asking
    }

    /// Stops reading; the client has everything up to `reached`.
    pub(crate) fn park(&mut self, reached: u64) {
        if self.state != State::Asking {
            *self = Self { offset: reached, state: State::Parked };
        }
    }

    /// Reads on after `head`, up to which everything was delivered: what came next was not.
    pub(crate) fn fall_back(&mut self, head: u64) {
        if self.state == State::Live {
            *self = Self { offset: self.offset.max(head), state: State::CatchingUp };
        }
    }

    /// Reads on after a park.
    pub(crate) fn resume(&mut self, head: u64) {
        if self.state == State::Parked {
            self.state = if self.offset >= head { State::Live } else { State::CatchingUp };
        }
    }
}

/// Offsets of a log have no gap; those of a view only rise, up to what was looked at.
fn is_consecutive(after: u64, view: &View, page: &Page) -> bool {
    let mut last = after;
    for (offset, _) in &page.events {
        let is_next = match view {
            View::All => *offset == last + 1,
            View::Topic(_) => *offset > last,
        };
        if !is_next {
            return false;
        }
        last = *offset;
    }
    match view {
        View::All => page.read_to <= after || page.read_to == last,
        View::Topic(_) => page.events.is_empty() || page.read_to >= last,
    }
}

/// A channel of a connection.
#[derive(Debug)]
pub(crate) struct Subscription {
    /// Tells it from an earlier one of the same channel.
    pub(crate) id: u32,
    pub(crate) form: Form,
    pub(crate) channel: Channel,
    /// Its place; never used for a channel of which nothing is kept.
    pub(crate) cursor: Cursor,
    /// Where it is in the list of those who get the same bytes.
    pub(crate) place: u32,
    /// The last publication that was sent to it, from which the next may differ; 0 for none.
    pub(crate) delta_base: u64,
    /// Its membership in the presence of the channel, if it appears there.
    pub(crate) _member: Option<Box<MemberGuard>>,
    /// What was asked for beside the events.
    pub(crate) options: Options,
    /// Nothing is delivered before, in milliseconds of the shard's clock; for those that are paced.
    pub(crate) paced_until_ms: u64,
}

/// What a subscription has beside its events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) first_page: bool,
    pub(crate) join_leave: bool,
    /// Least time between two deliveries, in milliseconds.
    pub(crate) interval_ms: u32,
}

impl Subscription {
    /// Whether nothing of its channel is kept.
    pub(crate) fn is_ephemeral(&self) -> bool {
        self.channel.source == Source::Memory(Retention::NONE)
    }
}

/// Keeps the newest event of each subject.
pub(crate) fn conflate(events: &mut Vec<(u64, Bytes)>) {
    let mut seen = HashSet::new();
    let mut newest: Vec<bool> = events.iter().rev().map(|(_, body)| seen.insert(subject(body))).collect();
    drop(seen);
    events.retain(|_| newest.pop().unwrap_or(true));
}

#[cfg(test)]
#[path = "subscription_tests.rs"]
mod tests;
