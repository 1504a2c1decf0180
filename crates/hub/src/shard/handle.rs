//! A connection as its session sees it.

use std::sync::Arc;

use bytes::Bytes;
use ordercast_protocol::channel::Channel;
use ordercast_protocol::close;
use ordercast_protocol::position::Position;
use ordercast_protocol::principal::Principal;

use super::subscriber::{Action, Subscriber};
use crate::config::HubConfig;
use crate::session::{Connection, Replies, ReplyPath, SubscribeError};
use crate::slab::Key;
use crate::ws;

/// Lent to a session while it is called.
pub(super) struct Handle<'a> {
    pub(super) key: Key,
    pub(super) subscriber: &'a mut Subscriber,
    pub(super) config: &'a HubConfig,
    pub(super) path: Arc<dyn ReplyPath>,
}

impl Subscriber {
    /// Queues replies; a client that does not take them is closed.
    pub(super) fn push_replies(&mut self, frames: impl IntoIterator<Item = Bytes>, control_bytes: usize) {
        if self.closing.is_some() || self.wanted_close.is_some() {
            return;
        }
        let before = self.control_bytes();
        for frame in frames {
            self.push_control(frame);
        }
        if before > 0 && self.control_bytes() > control_bytes {
            self.wanted_close = Some((close::POLICY, "replies are not read".into()));
        }
    }

    fn has_channel(&self, name: &str) -> bool {
        let action = self.actions.iter().rev().find_map(|action| match action {
            Action::Subscribe(channel, _) if &*channel.name == name => Some(true),
            Action::Unsubscribe(channel) if &**channel == name => Some(false),
            Action::Subscribe(..) | Action::Unsubscribe(_) => None,
        });
        action.unwrap_or_else(|| self.subscriptions.iter().any(|subscription| &*subscription.channel.name == name))
    }
}

impl Connection for Handle<'_> {
    fn id(&self) -> &str {
        self.subscriber.entry.record().id()
    }

    fn principal(&self) -> &Principal {
        &self.subscriber.principal
    }

    fn send(&mut self, message: &[u8]) {
        self.subscriber.push_replies([ws::text_frame(message)], self.config.control_bytes);
    }

    fn send_shared(&mut self, message: Bytes) {
        self.subscriber.push_replies([ws::text_header(message.len()), message], self.config.control_bytes);
    }

    fn subscribe(&mut self, channel: Channel, since: Option<Position>) -> Result<(), SubscribeError> {
        if self.subscriber.closing.is_some() || self.subscriber.wanted_close.is_some() {
            return Err(SubscribeError::Closing);
        }
        if !self.subscriber.has_channel(&channel.name) {
            if self.subscriber.channel_count >= self.config.max_channels {
                return Err(SubscribeError::TooMany);
            }
            self.subscriber.channel_count += 1;
        }
        self.subscriber.actions.push(Action::Subscribe(channel, since));
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
}
