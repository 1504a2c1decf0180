//! A connection as its handler sees it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ordercast_access::{Origin, Principal};
use ordercast_protocol::channel::Channel;
use ordercast_protocol::close;
use ordercast_protocol::envelope::Carrier;

use super::subscriber::{Action, Sink, Subscriber};
use crate::config::HubConfig;
use crate::counters::Tally;
use crate::frames::message_frame;
use crate::handler::{Connection, Message, Question, Replies, ReplyPath, Subscribe, SubscribeError};
use crate::slab::Key;
use crate::ws;

/// Subscriptions that one message may ask for, as a multiple of the channels that a connection may have.
/// Ends of subscriptions need no bound of their own: each has a beginning.
const ACTIONS_PER_CHANNEL: usize = 2;

/// Lent to a handler while it is called.
pub(super) struct Handle<'a> {
    pub(super) key: Key,
    pub(super) subscriber: &'a mut Subscriber,
    pub(super) config: &'a HubConfig,
    pub(super) tally: &'a mut Tally,
    pub(super) path: Arc<dyn ReplyPath>,
    /// In milliseconds of the shard's clock.
    pub(super) now_ms: u64,
}

impl Subscriber {
    /// Queues replies. Beyond `max_bytes` they are sent at once, so that one turn cannot pile them up, and a
    /// client that does not take them is closed; only what the kernel refuses counts against it.
    pub(super) fn push_replies(
        &mut self,
        frames: impl IntoIterator<Item = Bytes>,
        max_bytes: usize,
        tally: &mut Tally,
    ) {
        if self.closing.is_some() || self.wanted_close.is_some() {
            return;
        }
        for frame in frames {
            self.push_control(frame);
        }
        if self.control_bytes() <= max_bytes {
            return;
        }
        self.flush(tally);
        if self.reply_backlog() <= max_bytes {
            return;
        }
        if let Sink::Socket(socket) = &mut self.sink {
            // It may have room again, and the poll has not been asked since.
            socket.is_blocked = false;
        }
        self.flush(tally);
        if self.reply_backlog() > max_bytes && !self.is_dead {
            self.wanted_close = Some((close::POLICY, "replies are not read".into()));
        }
    }

    fn has_channel(&self, name: &str) -> bool {
        let action = self.actions.iter().rev().find_map(|action| match action {
            Action::Subscribe(asked) if &*asked.0.name == name => Some(true),
            Action::Unsubscribe(channel) if &**channel == name => Some(false),
            Action::Subscribe(_) | Action::Unsubscribe(_) => None,
        });
        action.unwrap_or_else(|| self.subscriptions.iter().any(|subscription| &*subscription.channel.name == name))
    }
}

impl Connection for Handle<'_> {
    fn id(&self) -> &str {
        self.subscriber.entry.record().id()
    }

    fn origin(&self) -> &Origin {
        &self.subscriber.origin
    }

    fn set_principal(&mut self, principal: Principal) {
        self.subscriber.origin.principal = principal;
    }

    fn is_subscribed(&self, channel: &str) -> bool {
        self.subscriber.has_channel(channel)
    }

    fn send(&mut self, message: &[u8]) {
        let frame = message_frame(self.subscriber.form.wire, message);
        self.subscriber.push_replies([frame], self.config.control_bytes, self.tally);
    }

    fn send_as(&mut self, message: Message<'_>) {
        let frame = match message {
            Message::Text(text) => ws::text_frame(text),
            Message::Binary(bytes) => ws::binary_frame(bytes),
        };
        self.subscriber.push_replies([frame], self.config.control_bytes, self.tally);
    }

    fn send_shared(&mut self, message: Bytes) {
        if self.subscriber.form.wire.carrier() != Carrier::TextFrames {
            return self.send(&message);
        }
        let frames = [ws::text_header(message.len()), message];
        self.subscriber.push_replies(frames, self.config.control_bytes, self.tally);
    }

    fn wake_after(&mut self, delay: Duration) {
        self.subscriber.wake_at_ms = self.now_ms + delay.as_millis().max(1) as u64;
    }

    fn subscribe(&mut self, channel: Channel, options: Subscribe) -> Result<(), SubscribeError> {
        if self.subscriber.closing.is_some() || self.subscriber.wanted_close.is_some() {
            return Err(SubscribeError::Closing);
        }
        // Before the list is searched: the work of one message is bounded, whatever its handler does with it.
        if self.subscriber.actions.len() >= self.config.max_channels.saturating_mul(ACTIONS_PER_CHANNEL) {
            return Err(SubscribeError::TooMany);
        }
        if !self.subscriber.has_channel(&channel.name) {
            if self.subscriber.channel_count >= self.config.max_channels {
                return Err(SubscribeError::TooMany);
            }
            self.subscriber.channel_count += 1;
        }
        self.subscriber.actions.push(Action::Subscribe(Box::new((channel, options))));
        Ok(())
    }

    fn unsubscribe(&mut self, channel: &str) -> bool {
        let is_present = self.subscriber.has_channel(channel);
        if is_present {
            self.subscriber.channel_count -= 1;
            self.subscriber.actions.push(Action::Unsubscribe(channel.into()));
        }
        is_present
    }

    fn close(&mut self, code: u16, reason: &str) {
        self.subscriber.wanted_close.get_or_insert_with(|| (code, reason.into()));
    }

    fn replies(&self) -> Replies {
        Replies::new(Arc::clone(&self.path), self.key.to_u64())
    }

    fn ask(&mut self, question: Question) {
        self.subscriber.ask(question);
    }
}
