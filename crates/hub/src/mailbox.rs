//! How other threads reach a shard.

use std::sync::{Mutex, MutexGuard, PoisonError};

use mio::Waker;
use ordercast_broker::Announcement;
use ordercast_protocol::channel::Log;
use ordercast_protocol::position::Position;

/// Most bytes of commits and publications that wait for a shard; beyond it the shard reads them where they are
/// kept, and loses what is kept nowhere.
const MAX_COMMIT_BYTES: usize = 8 * 1024 * 1024;
/// What an event in memory takes beside its body.
const EVENT_BYTES: usize = 64;

/// The end of what was not queued, for each log in the order of [`Log::ALL`].
pub(crate) type Heads = [Option<Position>; Log::ALL.len()];

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queueing {
    Queued,
    /// Nobody follows the log: its head was noted and the shard sleeps on.
    Noted,
    /// Too much waits already: its head was noted, and the shard gets it with the letters that wait.
    Skipped,
    /// The shard has ended.
    Refused,
}

struct Letters<M> {
    letters: Vec<M>,
    commit_bytes: usize,
    is_followed: [bool; Log::ALL.len()],
    heads: Heads,
    closed: bool,
}

/// Messages for a shard. The poll is woken by the first that finds the box empty, not by the others.
///
/// Commits and publications are bounded here, by [`MAX_COMMIT_BYTES`]; the others by themselves: replies by the commands in
/// flight, pages by one for each connection.
pub(crate) struct Mailbox<M> {
    inner: Mutex<Letters<M>>,
    waker: Waker,
}

impl<M> Mailbox<M> {
    pub(crate) fn new(waker: Waker) -> Self {
        let inner = Letters {
            letters: Vec::new(),
            commit_bytes: 0,
            is_followed: Default::default(),
            heads: Default::default(),
            closed: false,
        };
        Self { inner: Mutex::new(inner), waker }
    }

    /// Adds a message; gives it back when the shard has ended.
    pub(crate) fn push(&self, message: M) -> Result<(), M> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(message);
        }
        inner.letters.push(message);
        self.wake_first(inner);
        Ok(())
    }

    /// Adds a publication of a channel that the shard follows, unless too much waits; true when it was added.
    pub(crate) fn push_publication(&self, body_bytes: usize, message: impl FnOnce() -> M) -> bool {
        let mut inner = self.lock();
        if inner.closed || !inner.admit(body_bytes + EVENT_BYTES) {
            return false;
        }
        inner.letters.push(message());
        self.wake_first(inner);
        true
    }

    /// Adds a commit, or notes how far it reaches.
    pub(crate) fn push_commit(&self, announcement: &Announcement, message: impl FnOnce() -> M) -> Queueing {
        let log = announcement.log.index();
        let mut inner = self.lock();
        if inner.closed {
            return Queueing::Refused;
        }
        if !inner.is_followed[log] {
            inner.note(announcement);
            return Queueing::Noted;
        }
        let events: usize = announcement.events.iter().map(|event| event.body.len() + EVENT_BYTES).sum();
        let bytes = events + size_of_val(&announcement.redacted[..]);
        if !inner.admit(bytes) {
            inner.note(announcement);
            return Queueing::Skipped;
        }
        inner.letters.push(message());
        self.wake_first(inner);
        Queueing::Queued
    }

    /// Queues the commits of the log from now on; gives the end of those that were only noted.
    pub(crate) fn follow(&self, log: Log) -> Option<Position> {
        let mut inner = self.lock();
        inner.is_followed[log.index()] = true;
        inner.heads[log.index()].take()
    }

    /// Only notes the commits of the log from now on.
    pub(crate) fn unfollow(&self, log: Log) {
        self.lock().is_followed[log.index()] = false;
    }

    /// Takes all messages, and the ends of the commits that should have been among them; `empty` is left in
    /// their place so that its memory is used again.
    pub(crate) fn take(&self, empty: Vec<M>) -> (Vec<M>, Heads) {
        debug_assert!(empty.is_empty());
        let mut guard = self.lock();
        let inner = &mut *guard;
        inner.commit_bytes = 0;
        let mut skipped = Heads::default();
        for ((skipped, head), is_followed) in skipped.iter_mut().zip(&mut inner.heads).zip(inner.is_followed) {
            if is_followed {
                *skipped = head.take();
            }
        }
        (std::mem::replace(&mut inner.letters, empty), skipped)
    }

    /// Whether the shard has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Refuses messages from now on and drops those that were not taken.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        let letters = std::mem::take(&mut inner.letters);
        drop(inner);
        drop(letters);
    }

    fn wake_first(&self, inner: MutexGuard<'_, Letters<M>>) {
        let is_first = inner.letters.len() == 1;
        drop(inner);
        if is_first && let Err(error) = self.waker.wake() {
            tracing::error!(%error, "cannot wake a shard of the hub");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Letters<M>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M> Letters<M> {
    /// Counts the bytes of a commit or publication, unless they are too many beside those that wait. A single larger one
    /// passes: some limit of the write side made it, and the shard is not behind.
    fn admit(&mut self, bytes: usize) -> bool {
        let is_full = self.commit_bytes > 0 && self.commit_bytes + bytes > MAX_COMMIT_BYTES;
        if !is_full {
            self.commit_bytes += bytes;
        }
        !is_full
    }

    /// The highest offset of a log's life; the broker may reorder.
    fn note(&mut self, announcement: &Announcement) {
        let last = announcement.last();
        match &mut self.heads[announcement.log.index()] {
            Some(head) if head.epoch == announcement.epoch => head.offset = head.offset.max(last),
            head => *head = Some(Position { epoch: announcement.epoch.clone(), offset: last }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use mio::{Events, Poll, Token};
    use ordercast_broker::AnnouncedEvent;
    use ordercast_protocol::position::Epoch;
    use ordercast_protocol::topic::Topics;

    use super::*;

    fn commit(epoch: &str, first: u64, bytes: usize) -> Announcement {
        let body = Bytes::from(vec![b'x'; bytes]);
        let event = AnnouncedEvent { body, topics: Topics::default() };
        Announcement {
            log: Log::Orders,
            epoch: Epoch(epoch.into()),
            first,
            events: vec![event; 2],
            redacted: Vec::new(),
        }
    }

    fn head(epoch: &str, offset: u64) -> Option<Position> {
        Some(Position { epoch: Epoch(epoch.into()), offset })
    }

    fn mailbox() -> (Poll, Mailbox<u64>) {
        let poll = Poll::new().unwrap();
        let waker = Waker::new(poll.registry(), Token(0)).unwrap();
        (poll, Mailbox::new(waker))
    }

    fn is_woken(poll: &mut Poll) -> bool {
        let mut events = Events::with_capacity(4);
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        !events.is_empty()
    }

    #[test]
    fn commits_that_nobody_follows_wake_nobody() {
        let (mut poll, mailbox) = mailbox();
        for first in [1, 5, 3] {
            assert_eq!(mailbox.push_commit(&commit("e", first, 10), || first), Queueing::Noted);
        }
        assert!(!is_woken(&mut poll));
        assert_eq!(mailbox.take(Vec::new()), (vec![], Heads::default()), "kept for whoever follows");
        assert_eq!(mailbox.follow(Log::Products), None);
        assert_eq!(mailbox.follow(Log::Orders), head("e", 6));
        assert_eq!(mailbox.push_commit(&commit("e", 7, 10), || 7), Queueing::Queued);
        assert!(is_woken(&mut poll));
        mailbox.unfollow(Log::Orders);
        assert_eq!(mailbox.push_commit(&commit("f", 1, 10), || 1), Queueing::Noted);
        assert!(!is_woken(&mut poll));
        assert_eq!(mailbox.take(Vec::new()), (vec![7], Heads::default()));
        assert_eq!(mailbox.follow(Log::Orders), head("f", 2), "another life, with lower offsets");
        mailbox.close();
        assert_eq!(mailbox.push_commit(&commit("f", 3, 10), || 3), Queueing::Refused);
    }

    #[test]
    fn commits_that_wait_are_bounded() {
        let (_poll, mailbox) = mailbox();
        mailbox.follow(Log::Orders);
        let half = MAX_COMMIT_BYTES / 4 - EVENT_BYTES;
        assert_eq!(mailbox.push_commit(&commit("e", 1, 2 * MAX_COMMIT_BYTES), || 1), Queueing::Queued, "alone");
        assert_eq!(mailbox.push_commit(&commit("e", 3, 10), || 3), Queueing::Skipped);
        assert_eq!(mailbox.take(Vec::new()), (vec![1], [head("e", 4), None, None, None]));
        let queued = [5, 7, 9, 11].map(|first| mailbox.push_commit(&commit("e", first, half), || first));
        assert_eq!(queued, [Queueing::Queued, Queueing::Queued, Queueing::Skipped, Queueing::Skipped]);
        mailbox.push(100).unwrap();
        assert_eq!(mailbox.take(Vec::new()), (vec![5, 7, 100], [head("e", 12), None, None, None]));
        assert_eq!(mailbox.take(Vec::new()), (vec![], Heads::default()));
    }
}
