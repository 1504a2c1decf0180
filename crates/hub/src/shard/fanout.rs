//! From a run of events to everybody who gets them.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use ordercast_protocol::channel::Log;
use ordercast_protocol::envelope::Wire;

use super::Shard;
use super::subscriber::Subscriber;
use crate::config::HubConfig;
use crate::counters::{Counter, Tally};
use crate::feed::{Feed, Run};
use crate::frames::{Frames, Wrapper};
use crate::index::{Group, Index, Member};
use crate::outbox::Entry;
use crate::slab::{Key, Slab};

/// Bodies delivered in one write: several commits that wait together are one run, up to about so many bytes.
const MAX_RUN_BYTES: usize = 256 * 1024;

/// A view, and what of a run belongs to it.
type ViewEvents<'a> = (&'a Group, Vec<(u64, &'a Bytes)>);

/// What delivering needs of a shard, beside the index that it walks.
struct Delivery<'a> {
    subscribers: &'a mut Slab<Subscriber>,
    feeds: &'a [Feed],
    config: &'a HubConfig,
    tally: &'a mut Tally,
    dirty: &'a mut Vec<Key>,
}

impl Shard {
    /// Delivers every event that the feeds have ready.
    pub(super) fn deliver_runs(&mut self) {
        for log in Log::ALL {
            while let Some(run) = self.feeds[log.index()].take_run(MAX_RUN_BYTES) {
                self.deliver_run(log, &run);
                self.feeds[log.index()].delivered(&run);
            }
        }
    }

    fn deliver_run(&mut self, log: Log, run: &Run) {
        let (index, wrapper, mut delivery) = self.delivery();
        for group in index.all(log) {
            delivery.tell_group(log, run, group, |wire| wrapper.wrap(wire, &group.name, run.bodies()));
        }
        if !index.has_views(log) {
            return;
        }
        for (group, events) in view_events(index, log, run) {
            let events = || events.iter().copied();
            delivery.tell_group(log, run, group, |wire| wrapper.wrap(wire, &group.name, events()));
        }
    }

    /// Tells something that is never stored to whoever listens and is not behind.
    pub(super) fn deliver_ephemeral(&mut self, channel: &str, offset: u64, body: &Bytes) {
        self.ephemeral_offset = offset;
        let (index, wrapper, mut delivery) = self.delivery();
        let Some(group) = index.ephemeral(channel) else {
            return;
        };
        for wire in Wire::ALL {
            let members = group.members(wire);
            if !members.is_empty() {
                let frames = Arc::new(wrapper.wrap(wire, &group.name, [(offset, body)].into_iter()));
                for member in members {
                    delivery.tell_ephemeral(*member, &frames);
                }
            }
        }
    }

    fn delivery(&mut self) -> (&Index, &mut Wrapper, Delivery<'_>) {
        let delivery = Delivery {
            subscribers: &mut self.subscribers,
            feeds: &self.feeds,
            config: &self.config,
            tally: &mut self.tally,
            dirty: &mut self.dirty,
        };
        (&self.index, &mut self.wrapper, delivery)
    }
}

/// The events of a run by the view that they belong to.
fn view_events<'a>(index: &'a Index, log: Log, run: &'a Run) -> Vec<ViewEvents<'a>> {
    let mut by_name: HashMap<&str, ViewEvents<'a>> = HashMap::new();
    for (offset, event) in run.events() {
        let order = event.order_id.as_deref().and_then(|id| index.by_order(log, id));
        let customer = event.customer_id.as_deref().and_then(|id| index.by_customer(log, id));
        for group in order.into_iter().chain(customer) {
            by_name.entry(&group.name).or_insert_with(|| (group, Vec::new())).1.push((offset, &event.body));
        }
    }
    by_name.into_values().collect()
}

impl Delivery<'_> {
    /// Wraps once for each protocol that is spoken in the group.
    fn tell_group(&mut self, log: Log, run: &Run, group: &Group, mut wrap: impl FnMut(Wire) -> Frames) {
        for wire in Wire::ALL {
            let members = group.members(wire);
            if !members.is_empty() {
                let frames = Arc::new(wrap(wire));
                for member in members {
                    self.tell_member(log, run, *member, &frames);
                }
            }
        }
    }

    fn tell_member(&mut self, log: Log, run: &Run, member: Member, frames: &Arc<Frames>) {
        let head = self.feeds[log.index()].known().head;
        let Some(subscriber) = self.subscribers.get_mut(member.subscriber) else {
            return;
        };
        let cursor = subscriber.subscription_mut(member.subscription).map(|subscription| &mut subscription.cursor);
        let Some(before) = cursor.and_then(|cursor| cursor.take_run(head, run.last)) else {
            return;
        };
        let start = frames.start_after(before);
        if start == frames.len() {
            return;
        }
        let entry = Entry {
            subscription: member.subscription,
            frames: Arc::clone(frames),
            start,
            at: start,
            end: frames.len(),
            before,
            is_ephemeral: false,
            positions: subscriber.positions(self.feeds, member.subscription),
        };
        self.push(member.subscriber, entry);
    }

    fn tell_ephemeral(&mut self, member: Member, frames: &Arc<Frames>) {
        let Some(subscriber) = self.subscribers.get_mut(member.subscriber) else {
            return;
        };
        if subscriber.is_parked || subscriber.data_bytes() + frames.len() > self.config.outbox_bytes {
            self.tally.add(Counter::Dropped, 1);
            return;
        }
        let entry = Entry {
            subscription: member.subscription,
            frames: Arc::clone(frames),
            start: 0,
            at: 0,
            end: frames.len(),
            before: 0,
            is_ephemeral: true,
            positions: None,
        };
        self.push(member.subscriber, entry);
    }

    fn push(&mut self, key: Key, entry: Entry) {
        let Some(subscriber) = self.subscribers.get_mut(key) else {
            return;
        };
        if subscriber.push_data(entry, self.tally) > self.config.outbox_bytes {
            subscriber.park(self.feeds, self.tally);
        }
        if subscriber.wants_flush() && !subscriber.is_dirty {
            subscriber.is_dirty = true;
            self.dirty.push(key);
        }
    }
}
