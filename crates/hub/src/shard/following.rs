//! Subscriptions of a connection, from the asking to the last page before they are live.

use std::sync::Arc;

use bytes::Bytes;
use ordercast_broker::history::Extent;
use ordercast_protocol::channel::{Channel, Log, Retention, Source};
use ordercast_protocol::frame::write_subscribed;
use ordercast_protocol::position::{Position, encode_positions};

use super::Shard;
use super::subscriber::{Action, Sink, Subscriber};
use crate::frames::{Form, message_frame};
use crate::handler::{Pace, Subscribe, Subscribed};
use crate::index::Member;
use crate::memory::MemoryChannel;
use crate::memory_feed::{Gap, Heard};
use crate::slab::Key;
use crate::subscription::{Cursor, Options, Subscription, extent_of};

impl Shard {
    /// Does what the handler asked for, until it asks for nothing more.
    pub(super) fn apply_actions(&mut self, key: Key, subscriber: &mut Subscriber) {
        loop {
            if let Some((code, reason)) = subscriber.wanted_close.take() {
                subscriber.actions = Vec::new();
                self.begin_close(key, subscriber, code, &reason, false);
            }
            if subscriber.actions.is_empty() {
                return;
            }
            for action in std::mem::take(&mut subscriber.actions) {
                match action {
                    Action::Subscribe(asked) => self.subscribe(key, subscriber, &asked.0, asked.1),
                    Action::Unsubscribe(name) => self.unsubscribe(subscriber, &name),
                }
            }
        }
    }

    fn subscribe(&mut self, key: Key, subscriber: &mut Subscriber, channel: &Channel, options: Subscribe) {
        if let Some(answer) = self.start(key, subscriber, channel, options) {
            self.answer(key, subscriber, channel, &answer, "");
        }
        self.mark_dirty(key, subscriber);
    }

    /// Starts a subscription; gives where, unless a page must be read first.
    fn start(
        &mut self,
        key: Key,
        subscriber: &mut Subscriber,
        channel: &Channel,
        options: Subscribe,
    ) -> Option<Subscribed> {
        self.unsubscribe(subscriber, &channel.name);
        let id = subscriber.next_subscription;
        subscriber.next_subscription += 1;
        let member = Member { subscriber: key, subscription: id };
        let is_memory = matches!(channel.source, Source::Memory(_));
        let is_paced = options.pace != Pace::All && channel.source != Source::Memory(Retention::NONE);
        let is_delta = options.delta && is_memory && !is_paced && subscriber.form.wire.has_delta();
        let form = Form { is_delta, is_paced, ..subscriber.form };
        let (place, extent) = match &channel.source {
            Source::Log(log, view) => {
                self.follow(*log);
                let place = self.index.add(*log, view, channel, form, member);
                (place, extent_of(self.feeds[log.index()].known()))
            }
            Source::Memory(retention) => self.join_memory(channel, *retention, form, member),
        };
        let (cursor, answer) = Cursor::start(options.since.as_ref(), &extent, options.first_page);
        let own = Options {
            first_page: options.first_page,
            join_leave: options.join_leave,
            interval_ms: match options.pace {
                Pace::All | Pace::Latest => 0,
                Pace::Sampled(interval) => u32::try_from(interval.as_millis()).unwrap_or(u32::MAX),
            },
        };
        let channel = channel.clone();
        let client = subscriber.entry.record().shared_id();
        let member = options.presence.map(|presence| Box::new(self.presence.join(&channel, client, presence)));
        let subscription = Subscription {
            id,
            form,
            channel,
            cursor,
            place,
            delta_base: 0,
            _member: member,
            options: own,
            paced_until_ms: 0,
        };
        // Most connections have one for long, and a list grows to four at once.
        subscriber.subscriptions.reserve_exact(1);
        subscriber.subscriptions.push(subscription);
        answer
    }

    /// Adds a subscription of a memory channel; gives where the channel stands. That may be ahead of what has been
    /// delivered here: what was published meanwhile waits in the mailbox, and is cut off by the cursor.
    fn join_memory(&mut self, channel: &Channel, retention: Retention, form: Form, member: Member) -> (u32, Extent) {
        let (memory, number) = (&self.memory, self.number);
        let mut opened = None;
        let place = self.index.add_memory(channel, form, member, || {
            let memory = memory.open(&channel.name);
            let extent = memory.listen(number, retention);
            let head = extent.head;
            opened = Some(extent);
            (memory, head)
        });
        let present = || self.index.memory.get(&channel.name).map(|local| local.feed.channel().extent());
        let extent = opened.or_else(present);
        (place, extent.unwrap_or(Extent { epoch: self.boot_epoch.clone(), head: 0, floor: 0 }))
    }

    /// Starts the subscriptions of a stream, and answers when all have begun: every answer names the position
    /// of every channel, so that a stream cut between two of them misses nothing when it comes back.
    pub(super) fn subscribe_stream(
        &mut self,
        key: Key,
        subscriber: &mut Subscriber,
        channels: Vec<(Channel, Option<Position>)>,
    ) {
        let mut answers = Vec::with_capacity(channels.len());
        for (channel, since) in channels {
            let answer = self.start(key, subscriber, &channel, Subscribe::since(since.clone()));
            answers.push((channel, since, answer));
        }
        // A channel named twice has one subscription: the later.
        let mut places: Vec<(Arc<str>, Position)> = Vec::new();
        for (channel, since, answer) in answers.iter().filter(|(channel, ..)| channel.log().is_some()) {
            let began = answer.as_ref().map(|began| Position { epoch: began.epoch.clone(), offset: began.offset });
            // Until it has been answered it stands where it asked to: whether that exists must not be missed.
            let Some(place) = since.clone().or(began) else {
                continue;
            };
            match places.iter_mut().find(|(name, _)| *name == channel.name) {
                Some((_, earlier)) => *earlier = place,
                None => places.push((Arc::clone(&channel.name), place)),
            }
        }
        for (channel, _, answer) in &answers {
            let Some(answer) = answer else {
                continue;
            };
            if let Some((_, place)) = places.iter_mut().find(|(name, _)| *name == channel.name) {
                *place = Position { epoch: answer.epoch.clone(), offset: answer.offset };
            }
            let id = encode_positions(places.iter().map(|(name, place)| (&**name, &place.epoch, place.offset)));
            let id = if places.is_empty() { id } else { format!("id: {id}\n") };
            self.answer(key, subscriber, channel, answer, &id);
        }
        self.mark_dirty(key, subscriber);
    }

    /// Has the commits of the log queued. They were only noted while nobody here had a subscription of it: then
    /// everything up to the note is older than a subscription that begins now, and what follows is queued. Both are
    /// decided under one lock, so that no commit falls between.
    fn follow(&mut self, log: Log) {
        if std::mem::replace(&mut self.is_following[log.index()], true) {
            return;
        }
        if let Some(head) = self.port.mailbox.follow(log) {
            self.feeds[log.index()].skip_to(&head);
            self.on_unheard(log);
        }
    }

    /// Commits of logs that have long had no subscribers need not wake this shard. Not at once: those who were cut
    /// off together come back together, and what they missed had better be here.
    pub(super) fn unfollow_idle(&mut self) {
        let linger_ms = self.config.follow_linger.as_millis() as u64;
        for log in Log::ALL {
            self.recent[log.index()].forget_read(self.now_ms);
            if !self.is_following[log.index()] || !self.index.is_idle(log) {
                self.idle_since_ms[log.index()] = None;
                continue;
            }
            let since_ms = *self.idle_since_ms[log.index()].get_or_insert(self.now_ms);
            if self.now_ms - since_ms >= linger_ms {
                self.is_following[log.index()] = false;
                self.recent[log.index()].clear();
                self.port.mailbox.unfollow(log);
            }
        }
    }

    /// Tells where a subscription begins, before any event of it. The answer overtakes events: a stream's `id`
    /// line must not be ahead of those that wait, and is empty when some may.
    pub(super) fn answer(
        &mut self,
        key: Key,
        subscriber: &mut Subscriber,
        channel: &Channel,
        answer: &Subscribed,
        id: &str,
    ) {
        match &subscriber.sink {
            _ if subscriber.form.wire.has_handler() => {
                self.call_handler(key, subscriber, |handler, connection| {
                    handler.on_subscribed(channel, answer, connection);
                });
            }
            Sink::Socket(_) => {}
            Sink::Stream(pipe) => {
                let mut event = b"event: subscribed\n".to_vec();
                event.extend_from_slice(id.as_bytes());
                event.extend_from_slice(b"data: ");
                let Subscribed { epoch, offset, recovered, floor, events: _ } = answer;
                write_subscribed(&channel.name, epoch, *offset, *recovered, *floor, &mut event);
                event.extend_from_slice(b"\n\n");
                pipe.push_control(event.into());
            }
        }
    }

    /// A message of a handler that answers later.
    pub(super) fn on_reply(&mut self, key: Key, message: &[u8]) {
        self.with(key, |shard, subscriber| {
            let frame = message_frame(subscriber.form.wire, message);
            subscriber.push_replies([frame], shard.config.control_bytes, &mut shard.tally);
            shard.mark_dirty(key, subscriber);
        });
    }

    /// A publication that was queued for this shard.
    pub(super) fn on_publication(&mut self, channel: &Arc<MemoryChannel>, offset: u64, body: Bytes) {
        let Some(local) = self.index.memory.get_mut(channel.name()) else {
            return;
        };
        let was_ready = local.feed.is_ready();
        match local.feed.announce(channel, offset, body) {
            Heard::Nothing => return,
            Heard::Ready => {}
            Heard::Hole => self.repair(channel.name()),
        }
        if !was_ready {
            self.pending.push(Arc::clone(channel.name()));
        }
    }

    /// Publications did not come, because too much waited here or because the broker lost them.
    pub(super) fn on_behind(&mut self, channel: &Arc<MemoryChannel>) {
        channel.catch_up(self.number);
        let local = self.index.memory.get(channel.name());
        let Some(local) = local.filter(|local| Arc::ptr_eq(local.feed.channel(), channel)) else {
            return;
        };
        if !local.feed.is_ready() {
            self.pending.push(Arc::clone(channel.name()));
        }
        self.repair(channel.name());
    }

    /// Takes over the publications that this shard missed, as far as the memory channel has them. A subscriber that needs
    /// older ones reads a page, and gets a gap.
    fn repair(&mut self, name: &str) {
        let Some(local) = self.index.memory.get_mut(name) else {
            return;
        };
        let Err(Gap { head }) = local.feed.repair() else {
            return;
        };
        let members: Vec<_> = local.group.by_form().flat_map(|(_, members)| members.to_vec()).collect();
        for member in members {
            self.with(member.subscriber, |shard, subscriber| {
                if let Some(subscription) = subscriber.subscription_mut(member.subscription) {
                    subscription.cursor.fall_back(head);
                }
                shard.mark_dirty(member.subscriber, subscriber);
            });
        }
    }
}
