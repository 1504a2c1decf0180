//! Pages for subscriptions that catch up, from memory where it reaches back far enough, and what the broker lost.
//!
//! Subscribers of a whole log share: blocks of recent events and of pages that were read lately are wrapped
//! once, and a page that several wait for is read once. Pages of views are read for each subscriber.

use std::sync::Arc;

use ordercast_broker::history::{Extent, Page};
use ordercast_protocol::channel::{Channel, Log, Source, View};
use ordercast_protocol::close;
use ordercast_protocol::position::Position;
use ordercast_store::StoreError;
use ordercast_store::log::{LogPage, LogState};
use tokio::sync::mpsc::error::TrySendError;

use super::subscriber::{Heads, Sink, Subscriber, Telling};
use super::ticket::PageTicket;
use super::{Letter, PageLetter, Shard};
use crate::counters::Counter;
use crate::feed::Feed;
use crate::pages::{PageRequest, ReadPage, Wanted};
use crate::redacted::Heard;
use crate::slab::Key;
use crate::subscription::{PageVerdict, conflate, extent_of, page_of};

/// First wait before a page is read again, in milliseconds; doubled after each failure in a row.
const FIRST_RETRY_MS: u64 = 50;
/// Longest wait before a page is read again, in milliseconds.
const MAX_RETRY_MS: u64 = 5_000;
/// First pages begin at multiples of this number, so that subscribers that resume from near offsets read the same page.
const PAGE_STEP: u64 = 128;
/// Most pages that are taken from memory for one subscriber before others have their turn.
const MAX_PAGES_A_TURN: usize = 8;

/// A subscriber that waits for a page that others may wait for as well.
pub(super) struct PageWaiter {
    key: Key,
    subscription: u32,
    after: u64,
}

/// Those who wait for one page.
#[derive(Default)]
pub(super) struct PageWaiters {
    wanted: Wanted,
    waiting: Vec<PageWaiter>,
}

impl Subscriber {
    /// Takes the ticket of a page that is back; false when it was not this one that was waited for.
    fn is_back(&mut self, subscription: u32) -> bool {
        self.page_in_flight.take_if(|ticket| ticket.subscription == subscription).is_some()
    }
}

impl Shard {
    /// Has the next page read, when one is wanted and nearly nothing waits for the client.
    pub(super) fn pump(&mut self, key: Key, subscriber: &mut Subscriber) {
        for _ in 0..MAX_PAGES_A_TURN {
            let is_held = subscriber.is_parked || subscriber.page_in_flight.is_some() || subscriber.closing.is_some();
            if is_held || subscriber.is_dead || subscriber.retry_at_ms > self.now_ms {
                return;
            }
            let is_idle = subscriber.data_bytes() == 0;
            let wanting = subscriber.subscriptions.iter().find_map(|subscription| {
                let is_early = subscription.form.is_paced && (!is_idle || subscription.paced_until_ms > self.now_ms);
                let after = subscription.cursor.wants_page().filter(|_| !is_early)?;
                Some((subscription.id, subscription.channel.clone(), after))
            });
            let Some((id, channel, after)) = wanting else {
                return;
            };
            let has_capacity = match &subscriber.sink {
                Sink::Socket(socket) => socket.outbox.data_bytes() <= self.config.low_water_bytes(),
                Sink::Stream(pipe) => pipe.want_drained(),
            };
            if !has_capacity {
                return;
            }
            if !self.take_from_memory(key, subscriber, id, &channel, after) {
                return self.want_page(key, subscriber, (id, channel, after));
            }
            subscriber.flush(&mut self.tally);
        }
        self.again.push(key);
    }

    /// Moves a subscription on by what needs no reading; false when there is none of it.
    fn take_from_memory(
        &mut self,
        key: Key,
        subscriber: &mut Subscriber,
        id: u32,
        channel: &Channel,
        after: u64,
    ) -> bool {
        let Some(subscription) = subscriber.subscription_mut(id) else {
            return true;
        };
        let (log, view) = match &channel.source {
            Source::Log(log, view) => (*log, view),
            Source::Memory(_) => {
                let Some(local) = self.index.memory.get(&channel.name) else {
                    return true;
                };
                let page = local.feed.channel().page(after, self.config.page);
                self.take_page(key, subscriber, id, after, page);
                return true;
            }
        };
        let known = self.feeds[log.index()].known();
        let (head, extent) = (known.head, extent_of(known));
        if !(known.floor..head).contains(&after) {
            return false;
        }
        let recent = &mut self.recent[log.index()];
        if subscription.form.is_paced {
            // As much as there is, of which only the newest is sent.
            let (events, read_to) = recent.events(after, view);
            if read_to > after {
                self.take_page(key, subscriber, id, after, Page { events, read_to, extent });
            }
            return read_to > after;
        }
        let Some(block) = recent.find(after, view) else {
            return false;
        };
        let last = block.last();
        if *view != View::All || subscription.cursor.is_asking() {
            let page = Page { events: block.events(after, view), read_to: last, extent };
            self.take_page(key, subscriber, id, after, page);
            return true;
        }
        let frames = block.frames(&channel.name, subscription.form, &mut self.wrapper);
        subscription.cursor.advance(last, head);
        (subscriber.page_failures, subscriber.retry_at_ms, subscriber.wants_exact_page) = (0, 0, false);
        let telling = Telling { frames: &frames, start: frames.start_after(after), before: after, is_ephemeral: false };
        let heads = Heads { feeds: &self.feeds, index: &self.index };
        subscriber.tell(id, &telling, heads, &mut self.tally);
        true
    }

    /// Has a page read: one for all who want it where that is possible.
    fn want_page(&mut self, key: Key, subscriber: &mut Subscriber, wanted: (u32, Channel, u64)) {
        let (subscription, channel, after) = wanted;
        let Source::Log(log, view) = channel.source else {
            return;
        };
        let known = self.feeds[log.index()].known();
        let (port, heard) = (Arc::clone(&self.port), self.redacted[log.index()].heard());
        if view != View::All || !(known.floor..known.head).contains(&after) {
            let on_page = move |page: ReadPage| {
                let letter =
                    PageLetter { key, subscription, log, after, heard, page: page.map(|page| page.map(page_of)) };
                // A shard that has ended has no use for pages.
                let _ = port.mailbox.push(Letter::Page(Box::new(letter)));
            };
            let wanted = Wanted::default();
            subscriber.page_in_flight = Some(PageTicket::new(subscription, &wanted));
            let (wanted, on_page) = (Some(wanted), Box::new(on_page));
            return self.request_page(PageRequest { log, view, after, with_topics: false, wanted, on_page });
        }
        // Subscribers that have read a page to its end all want the same next one.
        let from = match subscriber.wants_exact_page || self.recent[log.index()].is_read_to(after) {
            true => after,
            false => (after - after % PAGE_STEP).max(known.floor),
        };
        let PageWaiters { wanted, waiting } = self.page_waiters.entry((log, from)).or_default();
        waiting.push(PageWaiter { key, subscription, after });
        subscriber.page_in_flight = Some(PageTicket::new(subscription, wanted));
        if waiting.len() == 1 {
            let wanted = Some(Arc::clone(wanted));
            let on_page = move |page: ReadPage| {
                let page = page.map(|page| page.map(page_of));
                // A shard that has ended has no use for pages.
                let _ = port.mailbox.push(Letter::SharedPage((log, from), heard, Box::new(page)));
            };
            let on_page = Box::new(on_page);
            self.request_page(PageRequest { log, view, after: from, with_topics: false, wanted, on_page });
        }
    }

    /// A page that several may wait for.
    pub(super) fn on_shared_page(
        &mut self,
        (log, from): (Log, u64),
        heard: Heard,
        page: Option<Result<Page, StoreError>>,
    ) {
        let waiters = self.page_waiters.remove(&(log, from)).unwrap_or_default().waiting;
        let Some(page) = page.and_then(|page| self.without_redacted(log, heard, page)) else {
            // Nobody wanted it when its turn came, or it is outdated. Subscribers that wait for it ask again.
            for PageWaiter { key, subscription, .. } in waiters {
                self.with(key, |_, subscriber| {
                    subscriber.is_back(subscription);
                });
            }
            return;
        };
        if let Ok(Page { extent, .. }) = &page
            && extent.floor > from
        {
            return self.on_retention(&waiters, extent);
        }
        let result = page.and_then(|page| {
            if page.extent.epoch != self.feeds[log.index()].known().epoch {
                // The next look at the log closes the connections that read the old one.
                return Err(StoreError::Failed("the log was replaced".to_owned()));
            }
            if !page.events.iter().zip(from + 1..).all(|((offset, _), expected)| *offset == expected) {
                return Err(StoreError::Damaged(format!("a page of {} after {from} has a hole", log.name())));
            }
            self.tally.add(Counter::PagesRead, 1);
            let last = page.events.last().map(|(offset, _)| *offset);
            let readers = waiters.iter().map(|waiter| waiter.key);
            self.recent[log.index()].push_read(page.events, readers, self.now_ms);
            last.ok_or_else(|| StoreError::Failed(format!("a page of {} after {from} is empty", log.name())))
        });
        for PageWaiter { key, subscription, after } in waiters {
            self.with(key, |shard, subscriber| {
                if !subscriber.is_back(subscription) {
                    return;
                }
                match &result {
                    // Large events: it did not reach as far as this subscriber is.
                    Ok(last) => subscriber.wants_exact_page = *last <= after,
                    Err(StoreError::DamagedEvent { .. }) if after > from => subscriber.wants_exact_page = true,
                    Err(error @ StoreError::DamagedEvent { .. }) => {
                        shard.on_damage(key, subscriber, (subscription, after), (log, error));
                    }
                    Err(error) => shard.on_page_failure(subscriber, after, error),
                }
            });
        }
    }

    /// The log no longer reaches back as far as was asked: subscribers that wanted more get a gap, the others ask again.
    fn on_retention(&mut self, waiters: &[PageWaiter], extent: &Extent) {
        for PageWaiter { key, subscription, after } in waiters {
            self.with(*key, |shard, subscriber| {
                if !subscriber.is_back(*subscription) {
                    return;
                }
                subscriber.wants_exact_page = true;
                if *after < extent.floor {
                    let page = Page { events: Vec::new(), read_to: *after, extent: extent.clone() };
                    shard.take_page(*key, subscriber, *subscription, *after, page);
                }
            });
        }
    }

    fn request_page(&self, request: PageRequest) {
        // There is room for one of each connection and log; those who are gone may leave some behind for a moment.
        if let Err(TrySendError::Full(request)) = self.pages.try_send(request) {
            (request.on_page)(Some(Err(StoreError::Failed("too many pages wait to be read".to_owned()))));
        }
    }

    pub(super) fn on_page(&mut self, letter: PageLetter) {
        let PageLetter { key, subscription, log, after, heard, page } = letter;
        self.with(key, |shard, subscriber| {
            if !subscriber.is_back(subscription) {
                return;
            }
            let Some(page) = page.and_then(|page| shard.without_redacted(log, heard, page)) else {
                return;
            };
            shard.tally.add(Counter::PagesRead, 1);
            match page {
                // The next look at the log closes the connections that read the old one.
                Ok(page) if page.extent.epoch != shard.feeds[log.index()].known().epoch => {
                    let error = StoreError::Failed("the log was replaced".to_owned());
                    shard.on_page_failure(subscriber, after, &error);
                }
                Ok(page) => shard.take_page(key, subscriber, subscription, after, page),
                Err(error @ StoreError::DamagedEvent { .. }) => {
                    shard.on_damage(key, subscriber, (subscription, after), (log, &error));
                }
                Err(error) => shard.on_page_failure(subscriber, after, &error),
            }
        });
    }

    fn take_page(&mut self, key: Key, subscriber: &mut Subscriber, id: u32, after: u64, mut page: Page) {
        let Some(subscription) = subscriber.subscription_mut(id) else {
            return;
        };
        let channel = subscription.channel.clone();
        let head = self.heads().of(&channel);
        let view = match &channel.source {
            Source::Log(_, view) => view,
            Source::Memory(_) => &View::All,
        };
        let last = page.events.last().map(|(offset, _)| *offset);
        match subscription.cursor.on_page(after, view, &page, head) {
            PageVerdict::Stale => {}
            PageVerdict::Bad => {
                let error = StoreError::Damaged(format!("a page of {} after {after} has a hole", channel.name));
                self.on_page_failure(subscriber, after, &error);
            }
            PageVerdict::Restarted(answer) => {
                subscription.delta_base = 0;
                if let Sink::Socket(socket) = &mut subscriber.sink {
                    // The answer overtakes events; those from before it must not follow it. A stream has none
                    // of this channel: its pages are read when nothing waits.
                    socket.outbox.drop_subscription(id);
                }
                self.answer(key, subscriber, &channel, &answer, "");
            }
            PageVerdict::Send(answer) => {
                subscription.delta_base = last.unwrap_or(subscription.delta_base);
                let in_answer = subscription.options.first_page;
                if subscription.form.is_paced {
                    conflate(&mut page.events);
                    subscription.paced_until_ms = self.now_ms + u64::from(subscription.options.interval_ms);
                }
                (subscriber.page_failures, subscriber.retry_at_ms) = (0, 0);
                if let Some(mut answer) = answer {
                    if in_answer {
                        answer.events = std::mem::take(&mut page.events);
                    }
                    self.answer(key, subscriber, &channel, &answer, "");
                }
                self.send_page(subscriber, id, &channel, after, &page);
            }
        }
    }

    fn send_page(&mut self, subscriber: &mut Subscriber, id: u32, channel: &Channel, after: u64, page: &Page) {
        // The answer may have made the handler unsubscribe or close.
        if page.events.is_empty() || subscriber.closing.is_some() {
            return;
        }
        let Some(form) = subscriber.subscription_mut(id).map(|subscription| subscription.form) else {
            return;
        };
        let events = page.events.iter().map(|(offset, body)| (*offset, body));
        let frames = self.wrapper.wrap_publications(form, &channel.name, events, None);
        let telling = Telling { frames: &Arc::new(frames), start: 0, before: after, is_ephemeral: false };
        let heads = Heads { feeds: &self.feeds, index: &self.index };
        // Bounded by the low water mark and one page, so that even one huge event gets through.
        subscriber.tell(id, &telling, heads, &mut self.tally);
    }

    /// An event can never be delivered: the subscriber gets a gap, as when retention has passed it, and goes on at
    /// the head of the log.
    fn on_damage(
        &mut self,
        key: Key,
        subscriber: &mut Subscriber,
        (subscription, after): (u32, u64),
        (log, error): (Log, &StoreError),
    ) {
        self.tally.add(Counter::Errors, 1);
        self.tally.add(Counter::DamagedReads, 1);
        let connection = subscriber.entry.record().id();
        tracing::error!(%error, connection, after, "an event cannot be delivered; its reader is told of a gap");
        let known = self.feeds[log.index()].known();
        let extent = Extent { floor: known.head, ..extent_of(known) };
        let page = Page { events: Vec::new(), read_to: after, extent };
        self.take_page(key, subscriber, subscription, after, page);
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
                self.on_unheard(log);
                let port = Arc::clone(&self.port);
                let on_page = move |page: ReadPage| {
                    // A page that everybody needs is always read. A shard that has ended has no use for pages.
                    let page = page.unwrap_or(Err(StoreError::Closed));
                    let _ = port.mailbox.push(Letter::Repair(log, Box::new(page)));
                };
                // The views that an event belongs to are found by its topics.
                let (view, on_page) = (View::All, Box::new(on_page));
                self.request_page(PageRequest { log, view, after, with_topics: true, wanted: None, on_page });
            }
        }
    }

    pub(super) fn on_repair(&mut self, log: Log, page: Result<LogPage, StoreError>) {
        let state = page.as_ref().map(|page| page.state.clone()).ok();
        let page = page.inspect_err(|error| {
            self.tally.add(Counter::Errors, 1);
            tracing::warn!(%error, log = log.name(), "cannot read what was not announced; trying again");
        });
        // Between the question and the answer more may have been missed.
        self.on_unheard(log);
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
                if self.feeds[state.log.index()].skip_to(&head) {
                    self.on_unheard(state.log);
                }
            }
            if self.feeds[state.log.index()].on_look(state).is_err() {
                self.on_broken_log(state);
            }
        }
    }

    /// The broker has lost messages: whatever the logs and the histories have beyond what was delivered here is read now.
    pub(super) fn on_lost(&mut self, states: &[LogState]) {
        self.on_look(states);
        self.feeds.iter_mut().for_each(Feed::on_lost);
        // A redaction may be among what was lost.
        Log::ALL.into_iter().for_each(|log| self.on_unheard(log));
        let kept = self.index.memory.values().filter(|local| local.feed.is_kept());
        for channel in kept.map(|local| Arc::clone(local.feed.channel())).collect::<Vec<_>>() {
            self.on_behind(&channel);
        }
    }

    /// Nobody can go on with this log: each client reconnects, resumes, and learns that its position is gone.
    fn on_broken_log(&mut self, state: &LogState) {
        tracing::warn!(log = state.log.name(), epoch = %state.epoch, floor = state.floor, "a log was replaced");
        self.feeds[state.log.index()].restart(state.clone());
        self.recent[state.log.index()].clear();
        for key in self.subscribers.keys().collect::<Vec<_>>() {
            self.with(key, |shard, subscriber| {
                let logs = subscriber.subscriptions.iter().filter_map(|subscription| subscription.channel.log());
                if logs.into_iter().any(|log| log == state.log) {
                    shard.begin_close(key, subscriber, close::GOING_AWAY, "the log was replaced", false);
                }
            });
        }
    }
}
