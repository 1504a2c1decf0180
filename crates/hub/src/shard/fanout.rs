//! From a run of events to everybody who gets them.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use ordercast_protocol::channel::Log;

use super::Shard;
use super::subscriber::{Heads, Subscriber, Telling};
use crate::counters::{Counter, Tally};
use crate::feed::Run;
use crate::frames::{Form, Frames, Wrapper};
use crate::index::{Group, Index, LocalChannel, Member};
use crate::presence::Changes;
use crate::slab::{Key, Slab};

/// Bodies delivered in one write: several commits that wait together are one run, up to about this many bytes.
const MAX_RUN_BYTES: usize = 256 * 1024;

/// A view, and the events of a run that belong to it.
type ViewEvents<'a> = (&'a Group, Vec<(u64, &'a Bytes)>);

/// Consecutive events on their way: `head` was delivered before, `last` is the last of them.
#[derive(Clone, Copy)]
struct Span {
    head: u64,
    last: u64,
    /// Whether subscribers who miss them can read them.
    is_kept: bool,
}

/// What delivering needs of a shard.
struct Delivery<'a> {
    subscribers: &'a mut Slab<Subscriber>,
    heads: Heads<'a>,
    /// Bytes of events that may wait for one subscriber before it is parked.
    most_bytes: usize,
    tally: &'a mut Tally,
    dirty: &'a mut Vec<Key>,
}

impl Shard {
    /// Delivers every event that the feeds and the memory channels have ready.
    pub(super) fn deliver_runs(&mut self) {
        for log in Log::ALL {
            while let Some(run) = self.feeds[log.index()].take_run(MAX_RUN_BYTES) {
                self.deliver_run(log, &run);
                self.feeds[log.index()].delivered(&run);
                self.recent[log.index()].push(run);
            }
        }
        for name in std::mem::take(&mut self.pending) {
            self.deliver_publications(&name);
        }
    }

    fn deliver_run(&mut self, log: Log, run: &Run) {
        let span = Span { head: self.feeds[log.index()].known().head, last: run.last, is_kept: true };
        let (wrapper, mut delivery) = self.delivery();
        let index = delivery.heads.index;
        for group in index.all(log) {
            delivery.tell_group(span, group, None, |form, _| wrapper.wrap(form, &group.name, run.bodies()));
        }
        if !index.has_views(log) {
            return;
        }
        for (group, events) in view_events(index, log, run) {
            let events = || events.iter().copied();
            delivery.tell_group(span, group, None, |form, _| wrapper.wrap(form, &group.name, events()));
        }
    }

    /// Delivers what a memory channel has ready.
    fn deliver_publications(&mut self, name: &str) {
        let run = self.index.memory.get_mut(name).and_then(|local| local.feed.take_run());
        let Some((run, last)) = run.and_then(|run| run.last().map(|(last, _)| *last).map(|last| (run, last))) else {
            return;
        };
        let (wrapper, mut delivery) = self.delivery();
        if let Some(LocalChannel { feed, group }) = delivery.heads.index.memory.get(name) {
            let span = Span { head: feed.head(), last, is_kept: feed.is_kept() };
            let bodies = || run.iter().map(|(offset, body)| (*offset, body));
            let wrap = |form, base: Option<&Bytes>| wrapper.wrap_publications(form, &group.name, bodies(), base);
            delivery.tell_group(span, group, feed.previous(), wrap);
        }
        if let Some(local) = self.index.memory.get_mut(name) {
            local.feed.delivered(run);
        }
    }

    /// Tells who came to a channel and who left it.
    pub(super) fn deliver_changes(&mut self, changes: &Changes) {
        let (wrapper, mut delivery) = self.delivery();
        let Some(group) = delivery.heads.index.group(&changes.channel) else {
            return;
        };
        for (form, members) in group.by_form() {
            let mut frames = None;
            for member in members {
                let subscription = delivery
                    .subscribers
                    .get_mut(member.subscriber)
                    .and_then(|s| s.subscription_mut(member.subscription));
                if subscription.is_some_and(|subscription| subscription.options.join_leave) {
                    let frames = frames.get_or_insert_with(|| Arc::new(wrapper.wrap_changes(form, changes)));
                    delivery.tell_ephemeral(*member, frames);
                }
            }
        }
    }

    fn delivery(&mut self) -> (&mut Wrapper, Delivery<'_>) {
        // When too much waits for all, those that are behind read the log instead.
        let is_over_ceiling = self.is_over_ceiling();
        let delivery = Delivery {
            subscribers: &mut self.subscribers,
            heads: Heads { feeds: &self.feeds, index: &self.index },
            most_bytes: if is_over_ceiling { self.config.low_water_bytes() } else { self.config.outbox_bytes },
            tally: &mut self.tally,
            dirty: &mut self.dirty,
        };
        (&mut self.wrapper, delivery)
    }

    pub(super) fn heads(&self) -> Heads<'_> {
        Heads { feeds: &self.feeds, index: &self.index }
    }
}

/// The events of a run by the view that they belong to.
fn view_events<'a>(index: &'a Index, log: Log, run: &'a Run) -> Vec<ViewEvents<'a>> {
    let mut by_name: HashMap<&str, ViewEvents<'a>> = HashMap::new();
    for (offset, event) in run.events() {
        for group in event.topics.iter().filter_map(|topic| index.by_topic(log, topic)) {
            by_name.entry(&group.name).or_insert_with(|| (group, Vec::new())).1.push((offset, &event.body));
        }
    }
    by_name.into_values().collect()
}

impl Delivery<'_> {
    /// Delivers a run to a group, wrapped once for each form that is spoken in it. Subscribers who take differences get
    /// them when they have `base`, which came before.
    fn tell_group(
        &mut self,
        span: Span,
        group: &Group,
        base: Option<&(u64, Bytes)>,
        mut wrap: impl FnMut(Form, Option<&Bytes>) -> Frames,
    ) {
        for (form, members) in group.by_form() {
            if form.is_paced {
                members.iter().for_each(|member| self.hold_back(span, *member));
                continue;
            }
            let (mut whole, mut different) = (None, None);
            for member in members {
                let Some(subscriber) = self.subscribers.get_mut(member.subscriber) else {
                    continue;
                };
                let Some(subscription) = subscriber.subscription_mut(member.subscription) else {
                    continue;
                };
                let Some(before) = subscription.cursor.take_run(span.head, span.last) else {
                    continue;
                };
                let own_base = std::mem::replace(&mut subscription.delta_base, span.last);
                let base = base.filter(|(offset, _)| form.is_delta && before == span.head && own_base == *offset);
                let frames = match base {
                    Some((_, base)) => different.get_or_insert_with(|| Arc::new(wrap(form, Some(base)))),
                    None => whole.get_or_insert_with(|| Arc::new(wrap(form, None))),
                };
                if !span.is_kept {
                    self.tell_ephemeral(*member, frames);
                    continue;
                }
                let start = if before == span.head { 0 } else { frames.start_after(before) };
                if start < frames.len() {
                    let telling = Telling { frames, start, before, is_ephemeral: false };
                    tell(subscriber, *member, &telling, self.heads, self.most_bytes, self.tally, self.dirty);
                }
            }
        }
    }

    /// Lets a subscriber take the newest when it can.
    fn hold_back(&mut self, span: Span, member: Member) {
        let Some(subscriber) = self.subscribers.get_mut(member.subscriber) else {
            return;
        };
        if let Some(subscription) = subscriber.subscription_mut(member.subscription) {
            subscription.cursor.fall_back(span.head);
        }
        if !std::mem::replace(&mut subscriber.is_dirty, true) {
            self.dirty.push(member.subscriber);
        }
    }

    /// Delivers an ephemeral message to the subscribers that are not behind.
    fn tell_ephemeral(&mut self, member: Member, frames: &Arc<Frames>) {
        let Some(subscriber) = self.subscribers.get_mut(member.subscriber) else {
            return;
        };
        if subscriber.is_parked || subscriber.data_bytes() + frames.len() > self.most_bytes {
            if let Some(subscription) = subscriber.subscription_mut(member.subscription) {
                subscription.delta_base = 0;
            }
            self.tally.add(Counter::Dropped, 1);
            return;
        }
        let telling = Telling { frames, start: 0, before: 0, is_ephemeral: true };
        tell(subscriber, member, &telling, self.heads, self.most_bytes, self.tally, self.dirty);
    }
}

/// Sends, parks a subscriber that is too far behind, and has the rest sent before the turn ends.
fn tell(
    subscriber: &mut Subscriber,
    member: Member,
    telling: &Telling<'_>,
    heads: Heads<'_>,
    most_bytes: usize,
    tally: &mut Tally,
    dirty: &mut Vec<Key>,
) {
    if subscriber.tell(member.subscription, telling, heads, tally) > most_bytes {
        subscriber.park(heads, tally);
    }
    if subscriber.wants_flush() && !subscriber.is_dirty {
        subscriber.is_dirty = true;
        dirty.push(member.subscriber);
    }
}
