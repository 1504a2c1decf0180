//! How connections end, one by one or all in a drain.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::net::Shutdown;
use std::time::Duration;

use bytes::Bytes;
use ordercast_protocol::close;

use super::Shard;
use super::subscriber::{Closing, Sink, Subscriber};
use crate::counters::Counter;
use crate::frames::message_frame;
use crate::handler::Farewell;
use crate::slab::Key;
use crate::ws;

/// The code that stands for "without a closing handshake" (RFC 6455 §7.4.1); counted, never sent.
const ABNORMAL: u16 = 1006;

/// The latest that clients are asked to come back, in milliseconds.
const MAX_RECONNECT_MS: u64 = 5_000;
/// Time between two closes of a drain where the grace allows it, in milliseconds: clients that come back at
/// once do not come all at once.
const DRAIN_STEP_MS: u64 = 1;

/// When a stream's client is asked to come back to a server that goes away, in milliseconds: spread, so that clients
/// do not come all at once.
fn reconnect_after_ms(key: Key) -> u64 {
    RandomState::new().hash_one(key) % MAX_RECONNECT_MS
}

/// A shard that closes its connections one after the other.
pub(super) struct Draining {
    waiting: VecDeque<Key>,
    total: u64,
    started_ms: u64,
    /// The last connection gets its close frame after this time; the rest of the grace is for handshakes.
    spread_ms: u64,
    deadline_ms: u64,
}

impl Shard {
    /// Begins a closing handshake; only the first counts.
    pub(super) fn begin_close(&mut self, key: Key, subscriber: &mut Subscriber, code: u16, reason: &str, flush: bool) {
        if subscriber.closing.is_some() {
            return;
        }
        let goodbye = subscriber.handler.as_mut().map(|handler| handler.farewell(code, reason));
        let Farewell { code, reason, message } =
            goodbye.unwrap_or_else(|| Farewell { code, reason: reason.into(), message: None });
        if let Some(message) = message {
            subscriber.push_control(message_frame(subscriber.form.wire, &message));
        } else if code == close::GOING_AWAY && !subscriber.form.wire.has_handler() {
            subscriber.push_control(format!("retry: {}\n\n", reconnect_after_ms(key)).into());
        }
        self.begin_close_with(key, subscriber, code, ws::close_frame(Some(code), &reason), flush);
    }

    /// As [`Shard::begin_close`], with the close frame. Events that wait are sent before it if `flush` is true.
    pub(super) fn begin_close_with(
        &mut self,
        key: Key,
        subscriber: &mut Subscriber,
        code: u16,
        frame: Bytes,
        flush: bool,
    ) {
        if subscriber.closing.is_some() {
            return;
        }
        self.end_subscriptions(subscriber);
        subscriber.drop_questions();
        match &mut subscriber.sink {
            Sink::Socket(socket) => {
                if !flush {
                    let dropped = socket.outbox.drop_data();
                    self.tally.add(Counter::Dropped, dropped.ephemeral);
                }
                socket.outbox.push_last(frame);
                self.port.counters.closed(code);
            }
            Sink::Stream(pipe) => {
                if !flush {
                    pipe.drop_data();
                }
                pipe.end();
            }
        }
        subscriber.closing = Some(Closing {
            deadline_ms: self.now_ms + self.config.write_timeout.as_millis() as u64,
            is_decoding: true,
            is_peer_closed: false,
            is_shut: false,
        });
        self.mark_dirty(key, subscriber);
    }

    fn end_subscriptions(&mut self, subscriber: &mut Subscriber) {
        for subscription in std::mem::take(&mut subscriber.subscriptions) {
            self.leave(&subscription);
        }
        if std::mem::take(&mut subscriber.is_parked) {
            self.tally.add(Counter::ParkEnded, 1);
        }
    }

    /// Whether the connection can be forgotten; sends the end of the stream when everything else is sent.
    pub(super) fn is_over(&mut self, subscriber: &mut Subscriber) -> bool {
        let (Some(closing), false) = (&mut subscriber.closing, subscriber.is_dead) else {
            return subscriber.is_dead;
        };
        let Sink::Socket(socket) = &subscriber.sink else {
            return true;
        };
        if !socket.outbox.is_empty() {
            return false;
        }
        if !closing.is_decoding && !std::mem::replace(&mut closing.is_shut, true) {
            // The client may have gone first.
            let _ = socket.stream.shutdown(Shutdown::Write);
        }
        closing.is_peer_closed
    }

    pub(super) fn dispose(&mut self, key: Key, mut subscriber: Box<Subscriber>) {
        self.end_subscriptions(&mut subscriber);
        self.port.counters.backlog.add_replies(std::mem::take(&mut subscriber.counted_bytes), 0);
        if let Sink::Socket(socket) = &mut subscriber.sink {
            if subscriber.closing.is_none() {
                self.port.counters.closed(ABNORMAL);
            }
            // Closing the socket, next, takes it out of the poll as well.
            let _ = self.poll.registry().deregister(&mut socket.stream);
        }
        if let Some(mut handler) = subscriber.handler.take() {
            let closed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| handler.on_closed()));
            if closed.is_err() {
                self.tally.add(Counter::Errors, 1);
            }
        }
        self.subscribers.remove(key);
    }

    /// Closes every connection one after the other, within half of `grace`; the first call counts.
    pub(super) fn begin_drain(&mut self, grace: Duration) {
        let waiting: VecDeque<_> = self.subscribers.keys().collect();
        let (started_ms, grace_ms) = (self.now_ms, grace.as_millis() as u64);
        self.draining.get_or_insert(Draining {
            total: waiting.len() as u64,
            spread_ms: match self.config.drain_spread {
                Some(spread) => spread.as_millis() as u64,
                None => waiting.len() as u64 * DRAIN_STEP_MS,
            }
            .min(grace_ms / 2),
            waiting,
            started_ms,
            deadline_ms: started_ms + grace_ms,
        });
    }

    pub(super) fn drain_some(&mut self) {
        let Some(draining) = &mut self.draining else {
            return;
        };
        let elapsed_ms = self.now_ms - draining.started_ms;
        let due = match elapsed_ms * draining.total / draining.spread_ms.max(1) {
            _ if elapsed_ms >= draining.spread_ms => draining.total,
            due => due + 1,
        };
        let closed = draining.total - draining.waiting.len() as u64;
        let count = due.saturating_sub(closed).min(draining.waiting.len() as u64) as usize;
        for key in draining.waiting.drain(..count).collect::<Vec<_>>() {
            self.with(key, |shard, subscriber| {
                shard.begin_close(key, subscriber, close::GOING_AWAY, "the server restarts", true);
            });
        }
    }

    pub(super) fn is_drained(&self) -> bool {
        self.draining.as_ref().is_some_and(|draining| {
            self.subscribers.len() == 0 || (draining.waiting.is_empty() && self.now_ms >= draining.deadline_ms)
        })
    }

    /// The end of the thread: what has not said goodbye by now is cut.
    pub(super) fn finish(&mut self) {
        self.port.mailbox.close();
        for key in self.subscribers.keys().collect::<Vec<_>>() {
            if let Some(subscriber) = self.subscribers.lift(key) {
                self.dispose(key, subscriber);
            }
        }
        self.port.counters.join(&mut self.tally);
    }
}
