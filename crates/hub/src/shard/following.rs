//! Subscriptions of a connection, from the asking to the last page before they are live.

use std::sync::Arc;

use bytes::Bytes;
use ordercast_protocol::channel::{Channel, Log, Source, View};
use ordercast_protocol::close;
use ordercast_protocol::frame::write_subscribed;
use ordercast_protocol::position::{Position, encode_positions};
use ordercast_store::StoreError;
use ordercast_store::log::{LogPage, LogState};

use super::subscriber::{Action, Sink, Subscriber};
use super::{Letter, PageLetter, Shard};
use crate::counters::Counter;
use crate::index::Member;
use crate::outbox::Entry;
use crate::pages::PageRequest;
use crate::session::Subscribed;
use crate::slab::Key;
use crate::subscription::{Cursor, PageVerdict, Subscription};

/// First wait before a page is read again, in milliseconds; doubled after each failure in a row.
const FIRST_RETRY_MS: u64 = 50;
/// Longest wait before a page is read again, in milliseconds.
const MAX_RETRY_MS: u64 = 5_000;

impl Shard {
    /// Does what the session asked for, until it asks for nothing more.
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
                    Action::Subscribe(channel, since) => self.subscribe(key, subscriber, channel, since),
                    Action::Unsubscribe(name) => self.unsubscribe(key, subscriber, &name),
                }
            }
        }
    }

    pub(super) fn subscribe(
        &mut self,
        key: Key,
        subscriber: &mut Subscriber,
        channel: Channel,
        since: Option<Position>,
    ) {
        if let Some(answer) = self.start(key, subscriber, &channel, since.as_ref()) {
            self.answer(key, subscriber, &channel, &answer, "");
        }
        self.mark_dirty(key, subscriber);
    }

    /// Starts a subscription; gives where, unless the log must be asked first.
    fn start(
        &mut self,
        key: Key,
        subscriber: &mut Subscriber,
        channel: &Channel,
        since: Option<&Position>,
    ) -> Option<Subscribed> {
        self.unsubscribe(key, subscriber, &channel.name);
        let id = subscriber.next_subscription;
        subscriber.next_subscription += 1;
        let (subscription, answer) = match channel.log() {
            Some(log) => {
                self.follow(log);
                let (cursor, answer) = Cursor::start(since, self.feeds[log.index()].known());
                (Subscription { id, channel: channel.clone(), cursor }, answer)
            }
            None => {
                let (epoch, offset) = (self.boot_epoch.clone(), self.ephemeral_offset);
                let recovered = since.map(|since| since.epoch == epoch && since.offset == offset);
                let answer = Subscribed { epoch, offset, recovered, floor: None };
                (Subscription::ephemeral(id, channel.clone()), Some(answer))
            }
        };
        subscriber.subscriptions.push(subscription);
        self.index.add(channel, subscriber.wire, Member { subscriber: key, subscription: id });
        answer
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
            let answer = self.start(key, subscriber, &channel, since.as_ref());
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
    /// everything up to the note is in the past of whoever comes now, and what follows is queued. Both are
    /// decided under one lock, so that no commit falls between.
    fn follow(&mut self, log: Log) {
        if std::mem::replace(&mut self.is_following[log.index()], true) {
            return;
        }
        if let Some(head) = self.port.mailbox.follow(log) {
            self.feeds[log.index()].skip_to(&head);
        }
    }

    /// Commits of logs without subscribers need not wake this shard. Once a turn, so that one subscriber who
    /// replaces another costs nothing.
    pub(super) fn unfollow_idle(&mut self) {
        for log in Log::ALL {
            if self.is_following[log.index()] && self.index.is_idle(log) {
                self.is_following[log.index()] = false;
                self.port.mailbox.unfollow(log);
            }
        }
    }

    pub(super) fn unsubscribe(&mut self, key: Key, subscriber: &mut Subscriber, name: &str) {
        let place = subscriber.subscriptions.iter().position(|subscription| &*subscription.channel.name == name);
        let Some(place) = place else {
            return;
        };
        let subscription = subscriber.subscriptions.remove(place);
        let member = Member { subscriber: key, subscription: subscription.id };
        self.index.remove(&subscription.channel, subscriber.wire, member);
        if let Sink::Socket(socket) = &mut subscriber.sink {
            let dropped = socket.outbox.drop_subscription(subscription.id);
            self.tally.add(Counter::Dropped, dropped.ephemeral);
        }
    }

    /// Tells where a subscription begins, before any event of it. The answer overtakes events: a stream's `id`
    /// line must not be ahead of those that wait, and is empty when some may.
    fn answer(&mut self, key: Key, subscriber: &mut Subscriber, channel: &Channel, answer: &Subscribed, id: &str) {
        match &subscriber.sink {
            Sink::Socket(_) => {
                self.call_session(key, subscriber, |session, connection| {
                    session.on_subscribed(channel, answer, connection);
                });
            }
            Sink::Stream(pipe) => {
                let mut event = b"event: subscribed\n".to_vec();
                event.extend_from_slice(id.as_bytes());
                event.extend_from_slice(b"data: ");
                let Subscribed { epoch, offset, recovered, floor } = answer;
                write_subscribed(&channel.name, epoch, *offset, *recovered, *floor, &mut event);
                event.extend_from_slice(b"\n\n");
                pipe.push_control(event.into());
            }
        }
    }

    /// Has the next page read, when one is wanted and nearly nothing waits for the client.
    pub(super) fn pump(&mut self, key: Key, subscriber: &mut Subscriber) {
        let is_held = subscriber.is_parked || subscriber.page_in_flight.is_some() || subscriber.closing.is_some();
        if is_held || subscriber.is_dead || subscriber.retry_at_ms > self.now_ms {
            return;
        }
        let wanting = subscriber.subscriptions.iter().find_map(|subscription| {
            let Source::Log(log, view) = &subscription.channel.source else {
                return None;
            };
            Some((subscription.id, *log, view.clone(), subscription.cursor.wants_page()?))
        });
        let Some((id, log, view, after)) = wanting else {
            return;
        };
        let has_room = match &subscriber.sink {
            Sink::Socket(socket) => socket.outbox.data_bytes() <= self.config.low_water_bytes(),
            Sink::Stream(pipe) => pipe.want_drained(),
        };
        if has_room {
            subscriber.page_in_flight = Some(id);
            let port = Arc::clone(&self.port);
            let on_page = move |page| {
                let letter = PageLetter { key, subscription: id, after, page };
                // A shard that has ended has no use for pages.
                let _ = port.mailbox.push(Letter::Page(Box::new(letter)));
            };
            self.request_page(log, view, after, Box::new(on_page));
        }
    }

    pub(super) fn request_page(&self, log: Log, view: View, after: u64, on_page: crate::pages::OnPage) {
        if self.pages.send(PageRequest { log, view, after, on_page }).is_err() {
            tracing::error!("the reader of log pages has ended before the shards");
        }
    }

    pub(super) fn on_page(&mut self, letter: PageLetter) {
        let PageLetter { key, subscription, after, page } = letter;
        self.with(key, |shard, subscriber| {
            subscriber.page_in_flight = None;
            shard.mark_dirty(key, subscriber);
            match page {
                Ok(page) => shard.take_page(key, subscriber, subscription, after, &page),
                Err(error) => shard.on_page_failure(subscriber, after, &error),
            }
        });
    }

    fn take_page(&mut self, key: Key, subscriber: &mut Subscriber, id: u32, after: u64, page: &LogPage) {
        self.tally.add(Counter::PagesRead, 1);
        let known = self.feeds[page.state.log.index()].known();
        if page.state.epoch != known.epoch {
            // The next look at the log closes whoever read the old one.
            return self.on_page_failure(subscriber, after, &StoreError::Failed("the log was replaced".to_owned()));
        }
        let head = known.head;
        let Some(subscription) = subscriber.subscription_mut(id) else {
            return;
        };
        let Source::Log(_, view) = &subscription.channel.source else {
            return;
        };
        let view = view.clone();
        let channel = subscription.channel.clone();
        match subscription.cursor.on_page(after, &view, page, head) {
            PageVerdict::Stale => {}
            PageVerdict::Bad => {
                let error = StoreError::Damaged(format!("a page of {} after {after} has a hole", channel.name));
                self.on_page_failure(subscriber, after, &error);
            }
            PageVerdict::Restarted(answer) => {
                if let Sink::Socket(socket) = &mut subscriber.sink {
                    // The answer overtakes events; those from before it must not follow it. A stream has none
                    // of this channel: its pages are read when nothing waits.
                    socket.outbox.drop_subscription(id);
                }
                self.answer(key, subscriber, &channel, &answer, "");
            }
            PageVerdict::Send(answer) => {
                (subscriber.page_failures, subscriber.retry_at_ms) = (0, 0);
                if let Some(answer) = answer {
                    self.answer(key, subscriber, &channel, &answer, "");
                }
                self.send_page(subscriber, id, &channel, after, page);
            }
        }
    }

    fn send_page(&mut self, subscriber: &mut Subscriber, id: u32, channel: &Channel, after: u64, page: &LogPage) {
        // The answer may have made the session unsubscribe or close.
        if page.events.is_empty() || subscriber.closing.is_some() || subscriber.subscription_mut(id).is_none() {
            return;
        }
        let events = page.events.iter().map(|event| (event.offset, &event.body));
        let frames = Arc::new(self.wrapper.wrap(subscriber.wire, &channel.name, events));
        let positions = subscriber.positions(&self.feeds, id);
        let end = frames.len();
        let entry =
            Entry { subscription: id, frames, start: 0, at: 0, end, before: after, is_ephemeral: false, positions };
        // Bounded by the low water mark and one page, so that even one huge event gets through.
        subscriber.push_data(entry, &mut self.tally);
    }

    fn on_page_failure(&mut self, subscriber: &mut Subscriber, after: u64, error: &StoreError) {
        let wait_ms = (FIRST_RETRY_MS << subscriber.page_failures.min(16)).min(MAX_RETRY_MS);
        subscriber.page_failures += 1;
        subscriber.retry_at_ms = self.now_ms + wait_ms;
        self.tally.add(Counter::Errors, 1);
        let connection = subscriber.entry.record().id();
        tracing::warn!(%error, connection, after, wait_ms, "cannot read a page of a log; trying again");
    }

    /// Has what the broker lost read from the logs.
    pub(super) fn request_repairs(&mut self) {
        for log in Log::ALL {
            if let Some(after) = self.feeds[log.index()].repair() {
                self.tally.add(Counter::Repairs, 1);
                let port = Arc::clone(&self.port);
                let on_page = move |page| {
                    // A shard that has ended has no use for pages.
                    let _ = port.mailbox.push(Letter::Repair(log, Box::new(page)));
                };
                self.request_page(log, View::All, after, Box::new(on_page));
            }
        }
    }

    pub(super) fn on_repair(&mut self, log: Log, page: Result<LogPage, StoreError>) {
        let state = page.as_ref().map(|page| page.state.clone()).ok();
        let page = page.inspect_err(|error| {
            self.tally.add(Counter::Errors, 1);
            tracing::warn!(%error, log = log.name(), "cannot read what was not announced; trying again");
        });
        let result = self.feeds[log.index()].on_page(page.ok());
        if let (Err(crate::feed::Broken), Some(state)) = (result, state) {
            self.on_broken_log(&state);
        }
    }

    pub(super) fn on_look(&mut self, states: &[LogState]) {
        for state in states {
            if self.index.is_idle(state.log) {
                // Nobody is owed what is missing.
                let head = Position { epoch: state.epoch.clone(), offset: state.head };
                self.feeds[state.log.index()].skip_to(&head);
            }
            if self.feeds[state.log.index()].on_look(state).is_err() {
                self.on_broken_log(state);
            }
        }
    }

    /// Nobody can go on with this log: each client reconnects, asks for its position and is told the truth.
    fn on_broken_log(&mut self, state: &LogState) {
        tracing::warn!(log = state.log.name(), epoch = %state.epoch, floor = state.floor, "a log was replaced");
        self.feeds[state.log.index()].restart(state.clone());
        for key in self.subscribers.keys().collect::<Vec<_>>() {
            self.with(key, |shard, subscriber| {
                let logs = subscriber.subscriptions.iter().filter_map(|subscription| subscription.channel.log());
                if logs.into_iter().any(|log| log == state.log) {
                    shard.begin_close(key, subscriber, close::GOING_AWAY, "the log was replaced", false);
                }
            });
        }
    }

    /// A text message of a session that answers later.
    pub(super) fn on_reply(&mut self, key: Key, frame: Bytes) {
        self.with(key, |shard, subscriber| {
            subscriber.push_replies([frame], shard.config.control_bytes, &mut shard.tally);
            shard.mark_dirty(key, subscriber);
        });
    }
}
