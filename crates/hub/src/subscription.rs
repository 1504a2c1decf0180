//! Where one subscriber stands in one channel.
//!
//! The hand-over from log to live is decided here and nowhere else: a subscription is live when it has seen
//! everything up to the head that its shard has delivered. A live subscription has seen everything up to that
//! head or its own offset, whichever is higher, so that runs without events for it need not touch it.

use ordercast_protocol::channel::{Channel, Source, View};
use ordercast_protocol::position::Position;
use ordercast_store::log::{LogPage, LogState};

use crate::session::Subscribed;

/// How a subscription gets its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It asked for a position above the head that the shard knows; the log is asked whether it exists.
    Asking,
    /// Pages are read from the log.
    CatchingUp,
    /// Runs are taken as they come.
    Live,
    /// Nothing is read until the client has taken what waits for it.
    Parked,
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

fn afresh(log: &LogState, recovered: Option<bool>) -> Subscribed {
    let floor = (recovered == Some(false)).then_some(log.floor);
    Subscribed { epoch: log.epoch.clone(), offset: log.head, recovered, floor }
}

impl Cursor {
    /// Starts a subscription; without an answer the log must be asked first.
    pub(crate) fn start(since: Option<&Position>, log: &LogState) -> (Self, Option<Subscribed>) {
        let live = Self { offset: log.head, state: State::Live };
        let Some(since) = since else {
            return (live, Some(afresh(log, None)));
        };
        if since.epoch != log.epoch || since.offset < log.floor {
            return (live, Some(afresh(log, Some(false))));
        }
        let offset = since.offset;
        let state = match offset {
            _ if offset > log.head => return (Self { offset, state: State::Asking }, None),
            _ if offset == log.head => State::Live,
            _ => State::CatchingUp,
        };
        let subscribed = Subscribed { epoch: log.epoch.clone(), offset, recovered: Some(true), floor: None };
        (Self { offset, state }, Some(subscribed))
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
    pub(crate) fn on_page(&mut self, after: u64, view: &View, page: &LogPage, head: u64) -> PageVerdict {
        if self.wants_page() != Some(after) {
            return PageVerdict::Stale;
        }
        let mut known = page.state.clone();
        known.head = head.max(known.head);
        let exists = (known.floor..=known.head).contains(&after);
        let answer = match self.state {
            _ if !exists => {
                // Live from what the shard delivers next; what a page knows beyond it will be announced.
                known.head = head;
                *self = Self { offset: head, state: State::Live };
                return PageVerdict::Restarted(afresh(&known, Some(false)));
            }
            State::Asking => Some(Subscribed { epoch: known.epoch, offset: after, recovered: Some(true), floor: None }),
            _ => None,
        };
        if !is_consecutive(after, view, page) || (page.read_to <= after && head > after) {
            return PageVerdict::Bad;
        }
        self.offset = page.read_to.max(after);
        self.state = if self.offset >= head { State::Live } else { State::CatchingUp };
        PageVerdict::Send(answer)
    }

    /// Stops reading; the client has everything up to `reached`.
    pub(crate) fn park(&mut self, reached: u64) {
        if self.state != State::Asking {
            *self = Self { offset: reached, state: State::Parked };
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
fn is_consecutive(after: u64, view: &View, page: &LogPage) -> bool {
    let mut last = after;
    for event in &page.events {
        let is_next = match view {
            View::All => event.offset == last + 1,
            View::Order(_) | View::Customer(_) => event.offset > last,
        };
        if !is_next {
            return false;
        }
        last = event.offset;
    }
    match view {
        View::All => page.read_to <= after || page.read_to == last,
        View::Order(_) | View::Customer(_) => page.events.is_empty() || page.read_to >= last,
    }
}

/// A channel of a connection.
#[derive(Debug)]
pub(crate) struct Subscription {
    /// Tells it from an earlier one of the same channel.
    pub(crate) id: u32,
    pub(crate) channel: Channel,
    /// Its place in the log; never used for an ephemeral channel.
    pub(crate) cursor: Cursor,
}

impl Subscription {
    /// An ephemeral channel has no place and is always live.
    pub(crate) fn ephemeral(id: u32, channel: Channel) -> Self {
        Self { id, channel, cursor: Cursor { offset: 0, state: State::Live } }
    }

    pub(crate) fn is_ephemeral(&self) -> bool {
        matches!(self.channel.source, Source::Stats)
    }
}

#[cfg(test)]
#[path = "subscription_tests.rs"]
mod tests;
