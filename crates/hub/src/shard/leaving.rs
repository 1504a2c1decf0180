//! How subscriptions end.

use super::Shard;
use super::subscriber::{Sink, Subscriber};
use crate::counters::Counter;
use crate::subscription::Subscription;

impl Shard {
    /// Ends a subscription, and drops what waits for it.
    pub(super) fn unsubscribe(&mut self, subscriber: &mut Subscriber, name: &str) {
        let place = subscriber.subscriptions.iter().position(|subscription| &*subscription.channel.name == name);
        let Some(place) = place else {
            return;
        };
        let subscription = subscriber.subscriptions.remove(place);
        self.leave(&subscription);
        if let Some(ticket) = &mut subscriber.page_in_flight {
            // It stays the one page in flight until it is back: who subscribes and leaves in a loop has one read.
            ticket.give_up(subscription.id);
        }
        if let Sink::Socket(socket) = &mut subscriber.sink {
            let dropped = socket.outbox.drop_subscription(subscription.id);
            self.tally.add(Counter::Dropped, dropped.ephemeral);
        }
    }

    /// Takes a subscription, which its subscriber no longer has, out of everything else.
    pub(super) fn leave(&mut self, subscription: &Subscription) {
        let (moved, left) = self.index.remove(&subscription.channel, subscription.form, subscription.place);
        if let Some(moved) = moved
            && let Some(other) = self.subscribers.get_mut(moved.subscriber)
            && let Some(other) = other.subscription_mut(moved.subscription)
        {
            other.place = subscription.place;
        }
        if let Some(memory) = left {
            memory.unlisten(self.number);
        }
    }
}
