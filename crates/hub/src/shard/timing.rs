//! What happens by the clock: pings, deadlines, heartbeats, wake-ups of handlers, reads tried again.
//!
//! A connection is in the wheel once, at the earliest time at which anything may be due. Activity only moves times
//! away, so it touches no timer: a connection that is looked at too early is set again.

use super::Shard;
use super::subscriber::{Sink, Subscriber};
use crate::config::HubConfig;
use crate::slab::Key;
use crate::ws;

impl Shard {
    /// The next closes of a drain, and the connections that are due.
    pub(super) fn on_time(&mut self) {
        self.drain_some();
        let mut due = Vec::new();
        self.wheel.advance(self.now_ms, &mut due);
        for key in due {
            let now_ms = self.now_ms;
            if self.subscribers.get_mut(key).is_some_and(|subscriber| subscriber.armed_ms <= now_ms) {
                self.with(key, |shard, subscriber| {
                    subscriber.armed_ms = 0;
                    shard.on_due(key, subscriber);
                });
            }
        }
    }

    fn on_due(&mut self, key: Key, subscriber: &mut Subscriber) {
        match &subscriber.sink {
            Sink::Socket(_) => subscriber.check_deadlines(&self.config, self.now_ms),
            Sink::Stream(_) => self.beat(subscriber),
        }
        if subscriber.wake_at_ms != 0 && subscriber.wake_at_ms <= self.now_ms && subscriber.closing.is_none() {
            subscriber.wake_at_ms = 0;
            self.call_handler(key, subscriber, |handler, connection| handler.on_wake(connection));
        }
    }

    /// A comment for a silent stream; its id spares the client to look again at what did not concern it.
    fn beat(&mut self, subscriber: &mut Subscriber) {
        let Some(due_ms) = subscriber.heartbeat_at_ms(&self.config).filter(|due_ms| *due_ms <= self.now_ms) else {
            return;
        };
        debug_assert!(due_ms > 0, "a heartbeat has an interval");
        subscriber.active_at_ms = self.now_ms;
        let id = subscriber.id_line(self.heads());
        if let Sink::Stream(pipe) = &subscriber.sink
            && pipe.is_empty()
        {
            pipe.push_control(format!(": ping\n{id}\n").into());
        }
    }

    /// Has the subscriber looked at when something is due next.
    pub(super) fn arm(&mut self, key: Key, subscriber: &mut Subscriber) {
        let Some(due_ms) = subscriber.next_due_ms(&self.config, self.now_ms) else {
            return;
        };
        if subscriber.armed_ms == 0 || due_ms < subscriber.armed_ms {
            subscriber.armed_ms = self.wheel.set(key, due_ms);
        }
    }
}

impl Subscriber {
    /// Gives a socket up whose client has been silent, or has not taken what it must, for too long; asks a silent
    /// one whether it is there.
    fn check_deadlines(&mut self, config: &HubConfig, now_ms: u64) {
        let silent_ms = now_ms - self.active_at_ms;
        let is_urgent_for = self.urgent_since_ms.map(|since_ms| now_ms - since_ms);
        self.is_dead |= is_urgent_for.is_some_and(|waited_ms| waited_ms >= config.write_timeout.as_millis() as u64);
        // One whose messages are not read cannot show that it lives; what it does not take ends it.
        self.is_dead |= !self.is_held() && silent_ms >= config.read_timeout.as_millis() as u64;
        self.is_dead |= self.closing.as_ref().is_some_and(|closing| now_ms >= closing.deadline_ms);
        let is_quiet = silent_ms >= config.ping_interval.as_millis() as u64;
        if is_quiet && !self.is_pinged && self.closing.is_none() && !self.is_dead {
            self.is_pinged = true;
            self.push_control(ws::ping_frame());
        }
    }

    fn heartbeat_at_ms(&self, config: &HubConfig) -> Option<u64> {
        let is_plain = !self.form.wire.has_handler();
        is_plain.then(|| self.active_at_ms + config.stream_heartbeat.as_millis() as u64)
    }

    /// When anything is due, in milliseconds of the shard's clock.
    fn next_due_ms(&mut self, config: &HubConfig, now_ms: u64) -> Option<u64> {
        let deadline = match &self.sink {
            Sink::Stream(_) => self.heartbeat_at_ms(config),
            Sink::Socket(socket) => {
                if socket.outbox.is_urgent() {
                    self.urgent_since_ms.get_or_insert(now_ms);
                }
                let patience = if self.is_pinged { config.read_timeout } else { config.ping_interval };
                let silence = Some(self.active_at_ms + patience.min(config.read_timeout).as_millis() as u64);
                let urgent = self.urgent_since_ms.map(|since_ms| since_ms + config.write_timeout.as_millis() as u64);
                let closing = self.closing.as_ref().map(|closing| closing.deadline_ms);
                [silence, urgent, closing].into_iter().flatten().min()
            }
        };
        let question_ms = self.questions.as_ref().map_or(0, |questions| questions.retry_at_ms);
        let asked = [self.retry_at_ms, self.wake_at_ms, question_ms].into_iter().filter(|at_ms| *at_ms != 0);
        let paced = self.subscriptions.iter().filter(|subscription| subscription.cursor.wants_page().is_some());
        let paced = paced.map(|subscription| subscription.paced_until_ms).filter(|until_ms| *until_ms > now_ms);
        deadline.into_iter().chain(asked).chain(paced).min()
    }
}
