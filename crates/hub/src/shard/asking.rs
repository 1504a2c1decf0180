//! Questions of connections, from the asking to the answer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ordercast_protocol::close;

use super::Shard;
use super::subscriber::{Sink, Subscriber};
use crate::counters::Counter;
use crate::handler::{Question, Replies, ReplyPath};
use crate::slab::Key;

/// How soon a question is tried again that found too many bytes waiting for all connections, in milliseconds.
const CEILING_RETRY_MS: u64 = 100;

impl Subscriber {
    pub(super) fn ask(&mut self, question: Question) {
        if self.closing.is_none() {
            self.questions.get_or_insert_default().ask(question);
        }
    }

    pub(super) fn on_answered(&mut self) {
        if let Some(questions) = &mut self.questions {
            questions.on_answered();
        }
    }

    /// Notes that the socket has more to read, if it is to be left unread.
    pub(super) fn leave_unread(&mut self) -> bool {
        let is_held = self.is_held();
        if let Some(questions) = self.questions.as_mut().filter(|_| is_held) {
            questions.leave_unread();
        }
        is_held
    }

    /// Keeps bytes that were read and are to be looked at later.
    pub(super) fn keep_unread(&mut self, bytes: &[u8]) {
        self.questions.get_or_insert_default().keep_unread(bytes);
    }

    /// What is to be looked at before the socket is read.
    pub(super) fn take_unread(&mut self) -> Option<Vec<u8>> {
        if self.is_held() {
            return None;
        }
        self.questions.as_mut().map(|questions| questions.take_unread()).filter(|bytes| !bytes.is_empty())
    }

    /// A connection that is being closed gets no answers; what it sends is still looked at, for its close frame.
    pub(super) fn drop_questions(&mut self) {
        if let Some(questions) = &mut self.questions {
            questions.clear();
        }
    }
}

impl Shard {
    /// Begins the next question when the one before is answered and the client has taken nearly all replies.
    pub(super) fn begin_question(&mut self, key: Key, subscriber: &mut Subscriber) {
        if !subscriber.questions.as_ref().is_some_and(|questions| questions.has_next()) {
            return;
        }
        if subscriber.closing.is_some() || subscriber.wanted_close.is_some() || subscriber.is_dead {
            return;
        }
        if subscriber.control_bytes() > self.config.question_low_water_bytes() {
            if let Sink::Stream(pipe) = &subscriber.sink {
                pipe.want_reader();
            }
            return;
        }
        let is_over_ceiling = self.is_over_ceiling();
        let Some(questions) = &mut subscriber.questions else {
            return;
        };
        if is_over_ceiling {
            // Those that take nothing are cut before long, which makes room.
            questions.retry_at_ms = self.now_ms + CEILING_RETRY_MS;
            return;
        }
        let Some(question) = questions.take_next() else {
            return;
        };
        let path: Arc<dyn ReplyPath> = self.port.clone();
        let replies = Replies::to_question(path, key.to_u64());
        if catch_unwind(AssertUnwindSafe(|| question(replies))).is_err() {
            self.tally.add(Counter::Errors, 1);
            tracing::error!(connection = subscriber.entry.record().id(), "a question panicked");
            self.begin_close(key, subscriber, close::INTERNAL, "internal error", false);
        }
    }

    /// Reads the socket again once few enough questions wait.
    pub(super) fn read_on(&mut self, key: Key, subscriber: &mut Subscriber) {
        if subscriber.is_held() {
            return;
        }
        let Some(questions) = &mut subscriber.questions else {
            return;
        };
        if questions.take_has_more() && !subscriber.is_ready && !subscriber.is_dead {
            subscriber.is_ready = true;
            subscriber.active_at_ms = self.now_ms;
            self.ready.push(key);
        }
        subscriber.questions.take_if(|questions| questions.is_idle());
    }
}
