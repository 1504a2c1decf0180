//! What one connection has asked: one question is under way, a few wait, and beyond that its socket is left unread, so
//! that a client cannot ask faster than it takes the answers.

use std::collections::VecDeque;

use crate::handler::{MAX_WAITING_QUESTIONS, Question};

/// What one connection has asked.
#[derive(Default)]
pub(super) struct Questions {
    waiting: VecDeque<Question>,
    is_under_way: bool,
    /// Not before, in milliseconds of the shard's clock; 0 when nothing held the next one back.
    pub(super) retry_at_ms: u64,
    /// What was read from the socket and not looked at.
    unread: Vec<u8>,
    /// Whether the socket had more to read when it was left unread.
    has_more: bool,
}

impl Questions {
    pub(super) fn ask(&mut self, question: Question) {
        self.waiting.push_back(question);
    }

    pub(super) fn on_answered(&mut self) {
        self.is_under_way = false;
    }

    /// Whether the maximum is waiting, so that the socket must be left unread.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_WAITING_QUESTIONS
    }

    /// Whether one waits and none is under way.
    pub(super) fn has_next(&self) -> bool {
        !self.is_under_way && !self.waiting.is_empty()
    }

    /// Takes the next one, which is under way from now on.
    pub(super) fn take_next(&mut self) -> Option<Question> {
        let next = self.waiting.pop_front()?;
        (self.is_under_way, self.retry_at_ms) = (true, 0);
        Some(next)
    }

    /// Drops those that wait.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Notes that the socket was left unread, with more to read.
    pub(super) fn leave_unread(&mut self) {
        self.has_more = true;
    }

    /// Keeps bytes that were read, until fewer questions wait.
    pub(super) fn keep_unread(&mut self, bytes: &[u8]) {
        self.unread = bytes.to_vec();
    }

    /// The bytes that were kept.
    pub(super) fn take_unread(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.unread)
    }

    pub(super) fn unread_bytes(&self) -> usize {
        self.unread.len()
    }

    /// Whether there is something to read that was left; says so once of the socket.
    pub(super) fn take_has_more(&mut self) -> bool {
        std::mem::take(&mut self.has_more) || !self.unread.is_empty()
    }

    /// Whether there is nothing left to remember.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && !self.is_under_way && self.unread.is_empty() && !self.has_more
    }
}
