//! A thread that owns connections: it polls their sockets, delivers runs of events to them and calls their
//! handlers.
//!
//! One turn: what the poll reports, what other threads sent, some reading of each ready socket, deadlines,
//! and last one write for everybody to whom something was said. Whatever one connection does, a turn spends
//! a bounded time on it.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mio::{Events, Poll, Token};
use ordercast_access::Origin;
use ordercast_broker::history::Page;
use ordercast_broker::{Announcement, SentSignal};
use ordercast_protocol::channel::{Channel, Log};
use ordercast_protocol::close;
use ordercast_protocol::position::{Epoch, Position};
use ordercast_store::StoreError;
use ordercast_store::log::{LogPage, LogState};

use crate::config::HubConfig;
use crate::counters::{Counter, Counters, Tally};
use crate::feed::Feed;
use crate::frames::Wrapper;
use crate::handler::{Connection, ConnectionHandler, Question, ReplyPath};
use crate::index::Index;
use crate::mailbox::{Heads as Skipped, Mailbox, Queueing};
use crate::memory::{MemoryChannel, MemoryChannels};
use crate::pages::PageSender;
use crate::presence::{Changes, PresenceTable};
use crate::recent::Recent;
use crate::redacted::{Heard, Redacted};
use crate::registry;
use crate::slab::{Key, Slab};
use crate::stream::{Inlet, Upstream};
use crate::wheel::Wheel;
use crate::ws::Inflater;

mod asking;
mod closing;
mod fanout;
mod following;
mod handle;
mod leaving;
mod opening;
mod paging;
mod questions;
mod reading;
mod redacting;
mod subscriber;
mod ticket;
mod timing;

use closing::Draining;
use handle::Handle;
use paging::PageWaiters;
use subscriber::{Heads, Sink, Subscriber};

/// The poll token of a shard's mailbox; no key has it.
pub(crate) const MAILBOX_TOKEN: Token = Token(usize::MAX);
/// Most readiness events taken from the kernel at once.
const POLL_EVENTS: usize = 1024;
/// Bytes read from one socket in one turn.
const SCRATCH_BYTES: usize = 16 * 1024;
/// How often timers are looked at, in milliseconds.
const TICK_MS: u64 = 100;
/// How often a shard that is being drained looks at its clock.
const DRAIN_TICK: Duration = Duration::from_millis(5);

/// A socket that is handed over after its upgrade.
pub(crate) struct Adoption {
    pub(crate) entry: registry::Entry,
    pub(crate) stream: std::net::TcpStream,
    pub(crate) answer: Bytes,
    pub(crate) already_read: Vec<u8>,
    pub(crate) max_message_bytes: usize,
    pub(crate) is_compressed: bool,
    pub(crate) origin: Origin,
    pub(crate) handler: Box<dyn ConnectionHandler>,
}

/// A stream that has a reader.
pub(crate) struct Opening {
    pub(crate) entry: registry::Entry,
    pub(crate) pipe: Inlet,
    pub(crate) origin: Origin,
    pub(crate) content: Content,
}

/// What a stream is made of.
pub(crate) enum Content {
    /// Events of these channels.
    Channels(Vec<(Channel, Option<Position>)>),
    /// What a handler says, which begins with a message.
    ConnectionHandler(Box<dyn ConnectionHandler>, Bytes),
}

/// A page for a subscription.
pub(crate) struct PageLetter {
    key: Key,
    subscription: u32,
    log: Log,
    after: u64,
    /// The redactions that were known when it was asked for.
    heard: Heard,
    /// None when it was not read, because nobody wanted it any more.
    page: Option<Result<Page, StoreError>>,
}

/// What other threads tell a shard.
pub(crate) enum Letter {
    Adopt(Box<Adoption>),
    Open(Box<Opening>),
    Commit(Arc<Announcement>),
    Publication(Arc<MemoryChannel>, u64, Bytes),
    /// Publications of the channel did not wait, because too much waited.
    Behind(Arc<MemoryChannel>),
    Changes(Arc<Changes>),
    Signal(Arc<SentSignal>),
    /// An answer waits for the handler in [`crate::handler::Answers`].
    Answer(Key),
    /// A message of a client that reads a stream.
    Message(Key, Bytes),
    Reply(Key, Vec<u8>),
    Ask(Key, Question),
    Answered(Key),
    Close(Key, u16, &'static str),
    Page(Box<PageLetter>),
    /// A page after an offset that several may wait for, asked for when these redactions were known.
    SharedPage((Log, u64), Heard, Box<Option<Result<Page, StoreError>>>),
    Repair(Log, Box<Result<LogPage, StoreError>>),
    Look(Arc<Vec<LogState>>),
    /// As a look, after the broker has lost messages.
    Lost(Arc<Vec<LogState>>),
    Drained(Key),
    Gone(Key),
    Drain(Duration),
}

/// A shard as other threads see it.
pub(crate) struct Port {
    pub(crate) mailbox: Mailbox<Letter>,
    pub(crate) counters: Arc<Counters>,
    /// Which of the shards it is.
    pub(crate) number: usize,
}

impl Port {
    /// Delivers a commit to the shards that follow its log.
    pub(crate) fn hear(&self, announcement: &Arc<Announcement>) {
        let queueing = self.mailbox.push_commit(announcement, || Letter::Commit(Arc::clone(announcement)));
        if queueing == Queueing::Skipped {
            self.counters.add(Counter::CommitsSkipped, 1);
        }
    }
}

impl Port {
    /// Passes a publication on; called with the channel locked.
    pub(crate) fn hear_publication(&self, channel: &Arc<MemoryChannel>, offset: u64, body: &Bytes, is_kept: bool) {
        let letter = || Letter::Publication(Arc::clone(channel), offset, body.clone());
        if self.mailbox.push_publication(body.len(), letter) {
            return;
        }
        let counter = if is_kept { Counter::CommitsSkipped } else { Counter::Dropped };
        self.counters.add(counter, 1);
        if is_kept && channel.fall_behind(self.number) {
            // A shard that has ended has no subscribers.
            let _ = self.mailbox.push(Letter::Behind(Arc::clone(channel)));
        }
    }
}

/// Letters to a shard that has ended are dropped: its connections are gone.
impl ReplyPath for Port {
    fn reply(&self, connection: u64, message: Vec<u8>) {
        let _ = self.mailbox.push(Letter::Reply(Key::from_u64(connection), message));
    }

    fn close(&self, connection: u64, code: u16, reason: &'static str) {
        let _ = self.mailbox.push(Letter::Close(Key::from_u64(connection), code, reason));
    }

    fn answer(&self, connection: u64) {
        let _ = self.mailbox.push(Letter::Answer(Key::from_u64(connection)));
    }

    fn ask(&self, connection: u64, question: Question) {
        let _ = self.mailbox.push(Letter::Ask(Key::from_u64(connection), question));
    }

    fn answered(&self, connection: u64) {
        let _ = self.mailbox.push(Letter::Answered(Key::from_u64(connection)));
    }
}

impl Upstream for Port {
    fn on_drained(&self, key: u64) {
        let _ = self.mailbox.push(Letter::Drained(Key::from_u64(key)));
    }

    fn on_gone(&self, key: u64) {
        let _ = self.mailbox.push(Letter::Gone(Key::from_u64(key)));
    }

    fn on_read(&self, events: usize, bytes: usize) {
        let mut tally = Tally::default();
        tally.add(Counter::Writes, 1);
        tally.add(Counter::EventsDelivered, events);
        tally.add(Counter::FramesOut, events);
        tally.add(Counter::BytesOut, bytes);
        self.counters.join(&mut tally);
    }
}

/// What a shard is made of.
pub(crate) struct Parts {
    pub(crate) config: Arc<HubConfig>,
    pub(crate) poll: Poll,
    pub(crate) port: Arc<Port>,
    pub(crate) pages: PageSender,
    /// In the order of [`Log::ALL`].
    pub(crate) logs: Vec<LogState>,
    pub(crate) boot_epoch: Epoch,
    pub(crate) memory: Arc<MemoryChannels>,
    pub(crate) presence: Arc<PresenceTable>,
}

/// The shard itself; it lives on its thread.
pub(crate) struct Shard {
    config: Arc<HubConfig>,
    poll: Poll,
    port: Arc<Port>,
    pages: PageSender,
    feeds: Vec<Feed>,
    /// In the order of [`Log::ALL`], as the feeds.
    recent: Vec<Recent>,
    /// The same.
    redacted: Vec<Redacted>,
    page_waiters: HashMap<(Log, u64), PageWaiters>,
    boot_epoch: Epoch,
    memory: Arc<MemoryChannels>,
    presence: Arc<PresenceTable>,
    number: usize,
    subscribers: Slab<Subscriber>,
    index: Index,
    /// The logs whose commits the mailbox takes, in the order of [`Log::ALL`]: at least those with subscribers.
    is_following: [bool; Log::ALL.len()],
    /// Since when nobody has had a subscription of a followed log, in milliseconds of the shard's clock.
    idle_since_ms: [Option<u64>; Log::ALL.len()],
    wrapper: Wrapper,
    scratch: Vec<u8>,
    inflater: Inflater,
    wheel: Wheel,
    /// Memory channels with publications to deliver.
    pending: Vec<Arc<str>>,
    /// Sockets with something to read.
    ready: Vec<Key>,
    /// Those to be written to, or to be looked at, before the turn ends.
    dirty: Vec<Key>,
    /// Those that have more to do than one turn gives them.
    again: Vec<Key>,
    tally: Tally,
    started: Instant,
    started_unix_ms: u64,
    /// Since `started`, as of this turn.
    now_ms: u64,
    draining: Option<Draining>,
}

impl Shard {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { config, poll, port, pages, logs, boot_epoch, memory, presence } = parts;
        let backlog = Arc::clone(&port.counters.backlog);
        Self {
            wheel: Wheel::new(TICK_MS.min(config.tick().as_millis() as u64)),
            recent: Log::ALL.map(|_| Recent::new(config.recent_bytes)).into(),
            redacted: Log::ALL.map(|_| Redacted::default()).into(),
            page_waiters: HashMap::new(),
            idle_since_ms: Default::default(),
            config,
            poll,
            number: port.number,
            port,
            pages,
            feeds: logs.into_iter().map(Feed::new).collect(),
            boot_epoch,
            memory,
            presence,
            subscribers: Slab::new(),
            index: Index::default(),
            is_following: Default::default(),
            wrapper: Wrapper::new(backlog),
            scratch: vec![0; SCRATCH_BYTES],
            inflater: Inflater::default(),
            pending: Vec::new(),
            ready: Vec::new(),
            dirty: Vec::new(),
            again: Vec::new(),
            tally: Tally::default(),
            started: Instant::now(),
            started_unix_ms: registry::unix_ms(),
            now_ms: 0,
            draining: None,
        }
    }

    /// Runs until the shard has been drained.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(POLL_EVENTS);
        let mut letters = Vec::new();
        while !self.is_drained() {
            match self.poll.poll(&mut events, Some(self.until_next_turn())) {
                Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                    tracing::error!(%error, "the poll of a shard failed; its connections are lost");
                    self.port.mailbox.close();
                    self.port.counters.shards_lost.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    break;
                }
                _ => {}
            }
            self.now_ms = self.started.elapsed().as_millis() as u64;
            for event in &events {
                self.on_event(event);
            }
            self.dirty.append(&mut self.again);
            let skipped;
            (letters, skipped) = self.port.mailbox.take(letters);
            self.on_letters(&mut letters, &skipped);
            self.read_ready();
            self.on_time();
            self.flush_dirty();
            self.unfollow_idle();
            self.port.counters.join(&mut self.tally);
        }
        self.finish();
    }

    fn until_next_turn(&self) -> Duration {
        if !self.ready.is_empty() || !self.again.is_empty() {
            return Duration::ZERO;
        }
        if self.draining.is_some() {
            return DRAIN_TICK;
        }
        // At least a millisecond, the clock's step, or the last one would be waited for without sleeping.
        Duration::from_millis(self.wheel.next_ms().saturating_sub(self.now_ms).max(1))
    }

    fn on_event(&mut self, event: &mio::event::Event) {
        if event.token() == MAILBOX_TOKEN {
            return;
        }
        let key = Key::from_u64(event.token().0 as u64);
        let Some(subscriber) = self.subscribers.get_mut(key) else {
            return;
        };
        let Sink::Socket(socket) = &mut subscriber.sink else {
            return;
        };
        if event.is_writable() && std::mem::take(&mut socket.is_blocked) && !subscriber.is_dirty {
            subscriber.is_dirty = true;
            self.dirty.push(key);
        }
        subscriber.is_read_closed |= event.is_read_closed() || event.is_error();
        if (event.is_readable() || subscriber.is_read_closed) && !subscriber.is_ready {
            subscriber.is_ready = true;
            self.ready.push(key);
        }
    }

    /// Commits that wait together are delivered together, but before anything that depends on what has been
    /// delivered. `skipped` are the heads of what was not queued with them.
    fn on_letters(&mut self, letters: &mut Vec<Letter>, skipped: &Skipped) {
        for letter in letters.drain(..) {
            match letter {
                Letter::Commit(announcement) => self.on_commit(&announcement),
                Letter::Publication(channel, offset, body) => self.on_publication(&channel, offset, body),
                letter => {
                    if !matches!(letter, Letter::Reply(..)) {
                        self.deliver_runs();
                    }
                    self.on_letter(letter);
                }
            }
        }
        self.deliver_runs();
        for (feed, head) in self.feeds.iter_mut().zip(skipped) {
            if let Some(head) = head {
                feed.on_skipped(head);
            }
        }
        self.request_repairs();
    }

    fn on_letter(&mut self, letter: Letter) {
        match letter {
            Letter::Commit(announcement) => self.on_commit(&announcement),
            Letter::Adopt(adoption) => self.adopt(*adoption),
            Letter::Open(opening) => self.open(*opening),
            Letter::Publication(channel, offset, body) => self.on_publication(&channel, offset, body),
            Letter::Behind(channel) => self.on_behind(&channel),
            Letter::Changes(changes) => self.deliver_changes(&changes),
            Letter::Signal(sent) => self.on_signal(&sent),
            Letter::Answer(key) => self.on_answer(key),
            Letter::Message(key, message) => self.on_delivered(key, &message),
            Letter::Reply(key, message) => self.on_reply(key, &message),
            Letter::Ask(key, question) => self.with(key, |_, subscriber| subscriber.ask(question)),
            Letter::Answered(key) => self.with(key, |_, subscriber| subscriber.on_answered()),
            Letter::Close(key, code, reason) => {
                self.with(key, |shard, subscriber| shard.begin_close(key, subscriber, code, reason, false));
            }
            Letter::Page(page) => self.on_page(*page),
            Letter::SharedPage(place, heard, page) => self.on_shared_page(place, heard, *page),
            Letter::Repair(log, page) => self.on_repair(log, *page),
            Letter::Look(states) => self.on_look(&states),
            Letter::Lost(states) => self.on_lost(&states),
            Letter::Drained(key) => self.with(key, |shard, subscriber| {
                let heads = Heads { feeds: &shard.feeds, index: &shard.index };
                subscriber.unpark(heads, &mut shard.tally);
            }),
            Letter::Gone(key) => self.with(key, |_, subscriber| subscriber.is_dead = true),
            Letter::Drain(grace) => self.begin_drain(grace),
        }
    }

    /// Works on one subscriber with the shard at hand, and looks after it at the end of the turn.
    fn with(&mut self, key: Key, work: impl FnOnce(&mut Self, &mut Subscriber)) {
        if let Some(mut subscriber) = self.subscribers.lift(key) {
            work(self, &mut subscriber);
            self.apply_actions(key, &mut subscriber);
            self.mark_dirty(key, &mut subscriber);
            self.subscribers.restore(key, subscriber);
        }
    }

    fn mark_dirty(&mut self, key: Key, subscriber: &mut Subscriber) {
        if !std::mem::replace(&mut subscriber.is_dirty, true) {
            self.dirty.push(key);
        }
    }

    /// Calls a handler. One that panics loses its connection and nothing else.
    fn call_handler(
        &mut self,
        key: Key,
        subscriber: &mut Subscriber,
        call: impl FnOnce(&mut dyn ConnectionHandler, &mut dyn Connection),
    ) {
        let Some(mut handler) = subscriber.handler.take() else {
            return;
        };
        let path: Arc<dyn ReplyPath> = self.port.clone();
        let mut handle =
            Handle { key, subscriber, config: &self.config, tally: &mut self.tally, path, now_ms: self.now_ms };
        match catch_unwind(AssertUnwindSafe(|| call(&mut *handler, &mut handle))) {
            Ok(()) => subscriber.handler = Some(handler),
            Err(_) => {
                self.tally.add(Counter::Errors, 1);
                tracing::error!(connection = subscriber.entry.record().id(), "a handler panicked");
                subscriber.wanted_close = Some((close::INTERNAL, "internal error".into()));
            }
        }
    }

    /// Writes to every connection that has something to send after this turn, and goes on from there.
    fn flush_dirty(&mut self) {
        while let Some(key) = self.dirty.pop() {
            let Some(mut subscriber) = self.subscribers.lift(key) else {
                continue;
            };
            subscriber.is_dirty = false;
            subscriber.flush(&mut self.tally);
            if let Sink::Socket(socket) = &subscriber.sink
                && !socket.is_blocked
                && socket.outbox.data_bytes() == 0
            {
                let heads = Heads { feeds: &self.feeds, index: &self.index };
                subscriber.unpark(heads, &mut self.tally);
            }
            self.pump(key, &mut subscriber);
            self.begin_question(key, &mut subscriber);
            self.read_on(key, &mut subscriber);
            subscriber.count_replies(&self.port.counters.backlog);
            if self.is_over(&mut subscriber) {
                self.dispose(key, subscriber);
            } else {
                self.arm(key, &mut subscriber);
                self.subscribers.restore(key, subscriber);
            }
        }
    }

    /// Whether more bytes wait for all connections than may.
    fn is_over_ceiling(&self) -> bool {
        self.port.counters.backlog.bytes() > self.config.waiting_bytes as u64
    }

    /// Passes a signal to the handlers that it may be for; they look closer themselves.
    fn on_signal(&mut self, sent: &SentSignal) {
        let SentSignal { target, signal, from: _ } = sent;
        for key in self.subscribers.keys().collect::<Vec<_>>() {
            let is_meant = self.subscribers.get_mut(key).is_some_and(|subscriber| match &target.client {
                Some(client) => subscriber.entry.record().id() == &**client,
                // A user without an id has many names.
                None if target.user.is_empty() => true,
                None => subscriber.handler.as_ref().is_some_and(|handler| handler.user() == &*target.user),
            });
            if is_meant {
                self.with_open(key, |handler, connection| handler.on_signal(target, signal, connection));
            }
        }
    }

    /// Has a handler look at an answer that has come.
    fn on_answer(&mut self, key: Key) {
        self.with_open(key, |handler, connection| handler.on_answer(connection));
    }

    /// Calls the handler of a connection that is not being closed.
    fn with_open(&mut self, key: Key, call: impl FnOnce(&mut dyn ConnectionHandler, &mut dyn Connection)) {
        self.with(key, |shard, subscriber| {
            if subscriber.closing.is_none() {
                shard.call_handler(key, subscriber, call);
            }
        });
    }
}
