//! The hub as the rest of the program sees it.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mio::{Poll, Waker};
use ordercast_access::Origin;
use ordercast_broker::history::{History, HistoryQuery, MemoryHistory};
use ordercast_broker::presence::{PresenceStats, PresenceStore, RENEW_INTERVAL};
use ordercast_broker::signal::{Signal, Target};
use ordercast_broker::{Broker, Ephemeral, Message, Publication, Sender, SentSignal};
use ordercast_protocol::channel::{Channel, Log, Retention, Source};
use ordercast_protocol::position::{Epoch, Position};
use ordercast_store::log::{LogState, ReadLogs};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, mpsc};

use crate::config::HubConfig;
use crate::counters::{Counter, Counters, HubStats};
use crate::handler::ConnectionHandler;
use crate::history::InProcessHistory;
use crate::mailbox::Mailbox;
use crate::memory::{MAX_SHARDS, MemoryChannels};
use crate::pages::read_pages;
use crate::presence::{ANNOUNCE_INTERVAL, Changes, InProcessPresence, PresenceTable};
use crate::registry::{Address, ConnectionInfo, LimitReached, Protocol, Registry, Slot};
use crate::shard::{Adoption, Content, Letter, MAILBOX_TOKEN, Opening, Parts, Port, Shard};
use crate::slab::Key;
use crate::steady;
use crate::stream::{EventStream, Inlet, Pipe};

/// Most connections that [`Hub::connections`] lists.
const MAX_LISTED_CONNECTIONS: usize = 1_000;

/// The read side: it begins at the broker and ends at sockets. A clone is the same hub.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

struct Inner {
    registry: Arc<Registry>,
    config: Arc<HubConfig>,
    memory: Arc<MemoryChannels>,
    presence: Arc<PresenceTable>,
    distributor: Arc<Distributor>,
    broker: Arc<dyn Broker>,
    counters: Arc<Counters>,
    /// Numbers connections, and spreads them over the shards.
    next_connection: AtomicU64,
    running: Mutex<Running>,
    runtime: Handle,
}

/// A socket after its upgrade.
#[derive(Debug)]
pub struct Upgraded<'a> {
    /// The socket, which must neither block nor hold small segments back (`TCP_NODELAY`).
    pub stream: std::net::TcpStream,
    /// The answer to the opening handshake if it has not been sent: it leaves with what the handler says first.
    pub answer: Bytes,
    /// What was read beyond the handshake.
    pub already_read: &'a [u8],
    /// Largest message from this client, in bytes, when it differs from [`HubConfig::max_message_bytes`].
    pub max_message_bytes: Option<usize>,
    /// Whether permessage-deflate was agreed upon (see [`crate::ws::negotiate`]).
    pub compression: bool,
}

/// What a hub reads from, and what carries its messages and the state of memory channels.
#[derive(Clone)]
pub struct Seams {
    /// The logs.
    pub logs: Arc<dyn ReadLogs>,
    /// Carries messages from the engine and between hubs.
    pub broker: Arc<dyn Broker>,
    /// The history of memory channels.
    pub history: Arc<dyn MemoryHistory>,
    /// The presence of all channels.
    pub presence: Arc<dyn PresenceStore>,
}

impl Seams {
    /// History and presence in the memory of this process, with the bounds of `config`.
    pub fn in_process(config: &HubConfig, logs: Arc<dyn ReadLogs>, broker: Arc<dyn Broker>) -> Self {
        let history = Arc::new(InProcessHistory::new(random(), config.memory_channels, config.memory_bytes));
        Self { logs, broker, history, presence: Arc::new(InProcessPresence::default()) }
    }
}

/// A number that no other start of a hub draws.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// What is joined when the hub is drained.
#[derive(Default)]
struct Running {
    shards: Vec<JoinHandle<()>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

/// Passes what the broker says to every shard. Called on announcing threads: it only fills mailboxes.
struct Distributor {
    ports: Vec<Arc<Port>>,
    known: Mutex<Vec<LogState>>,
    memory: Arc<MemoryChannels>,
    presence: Arc<PresenceTable>,
    sender: Sender,
    /// The broker has said that it lost messages.
    loss: Arc<Notify>,
}

impl Hub {
    /// Starts to listen to the broker, reads where the logs end, and starts the shards.
    ///
    /// # Errors
    /// When the broker does not start, when the logs cannot be read or do not exist, or when the system gives no poll or
    /// thread.
    pub async fn start(config: HubConfig, seams: Seams, runtime: Handle) -> io::Result<Self> {
        let Seams { logs, broker, history, presence } = seams;
        let config = Arc::new(config);
        let counters = Arc::new(Counters::default());
        let (polls, ports) = open_ports(config.shards.clamp(1, MAX_SHARDS), &counters)?;
        let boot = random();
        let sender = Sender(format!("{boot:016x}").into());
        let memory = Arc::new(MemoryChannels::new(history));
        let presence = Arc::new(PresenceTable::new(presence, &broker, sender.clone()));
        let distributor = Arc::new(Distributor {
            ports,
            known: Mutex::default(),
            memory: Arc::clone(&memory),
            presence: Arc::clone(&presence),
            sender,
            loss: Arc::default(),
        });
        // Before the logs are read, so that no commit falls between.
        let listener = Arc::clone(&distributor);
        broker.start(Box::new(move |message| listener.hear(message))).map_err(io::Error::other)?;
        let states = read_states(&*logs).await.inspect_err(|_| distributor.close())?;
        *distributor.known.lock().unwrap_or_else(PoisonError::into_inner) = states.clone();

        let registry = Registry::new(format!("{:08x}", boot as u32), &config, Arc::clone(&counters.backlog));
        // Each connection waits for one page at most, and each shard for one of each log.
        let most_pages = config.max_connections + distributor.ports.len() * Log::ALL.len();
        let (pages, requests) = mpsc::channel(most_pages.clamp(1, Semaphore::MAX_PERMITS));
        let mut running = Running::default();
        running.tasks.push(runtime.spawn(read_pages(Arc::clone(&logs), config.page, config.page_reads, requests)));
        for (poll, port) in polls.into_iter().zip(&distributor.ports) {
            let parts = Parts {
                config: Arc::clone(&config),
                poll,
                port: Arc::clone(port),
                pages: pages.clone(),
                logs: states.clone(),
                boot_epoch: Epoch(format!("{boot:016x}").into()),
                memory: Arc::clone(&memory),
                presence: Arc::clone(&presence),
            };
            let name = format!("hub-{}", running.shards.len());
            running.shards.push(std::thread::Builder::new().name(name).spawn(move || run_shard(parts))?);
        }
        let look =
            look_at_logs(logs, Arc::downgrade(&distributor), Arc::clone(&distributor.loss), config.log_poll_interval);
        running.tasks.push(runtime.spawn(look));
        running.tasks.push(runtime.spawn(tell_changes(Arc::clone(&presence), Arc::downgrade(&distributor))));
        let inner = Inner {
            registry,
            config,
            memory,
            presence,
            distributor,
            broker,
            counters,
            next_connection: AtomicU64::new(0),
            running: Mutex::new(running),
            runtime,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Whether a reservation would be refused now; counts nobody as refused.
    pub fn is_full(&self) -> bool {
        self.inner.registry.is_full()
    }

    /// Makes room for one connection, before its upgrade is answered.
    ///
    /// # Errors
    /// [`LimitReached`] when there is no room, or when the hub is being drained.
    pub fn reserve(&self) -> Result<Slot, LimitReached> {
        self.inner.registry.reserve()
    }

    /// Takes over a WebSocket after its upgrade.
    ///
    /// # Errors
    /// When the socket cannot be set non-blocking and without delay.
    pub fn adopt(
        &self,
        slot: Slot,
        upgraded: Upgraded<'_>,
        origin: Origin,
        handler: Box<dyn ConnectionHandler>,
    ) -> io::Result<()> {
        let Upgraded { stream, answer, already_read, max_message_bytes, compression } = upgraded;
        let (number, port) = self.next_connection();
        let entry = slot.open(number, Protocol::WebSocket, None);
        let adoption = Adoption {
            entry,
            stream,
            answer,
            already_read: already_read.to_vec(),
            max_message_bytes: max_message_bytes.unwrap_or(self.inner.config.max_message_bytes),
            is_compressed: compression,
            origin,
            handler,
        };
        // After a drain the socket is closed by dropping it.
        let _ = port.mailbox.push(Letter::Adopt(Box::new(adoption)));
        Ok(())
    }

    /// Opens a stream of Server-Sent Events over `channels`, each from its position or from now on.
    pub fn open_stream(&self, slot: Slot, origin: Origin, channels: Vec<(Channel, Option<Position>)>) -> EventStream {
        self.open_content(slot, origin, Content::Channels(channels), None)
    }

    /// Opens a stream that a handler speaks on, which is sent `first` as its first message. Others reach it through
    /// [`Hub::deliver`] by `secret`, which nobody must be able to guess.
    pub fn open_handler(
        &self,
        slot: Slot,
        origin: Origin,
        handler: Box<dyn ConnectionHandler>,
        secret: Arc<str>,
        first: Bytes,
    ) -> EventStream {
        self.open_content(slot, origin, Content::ConnectionHandler(handler, first), Some(secret))
    }

    fn open_content(&self, slot: Slot, origin: Origin, content: Content, secret: Option<Arc<str>>) -> EventStream {
        let (number, port) = self.next_connection();
        let pipe = Pipe::new(Arc::<Port>::clone(port));
        let entry = slot.open(number, Protocol::EventStream, secret);
        let opening = Opening { entry, pipe: Inlet::new(Arc::clone(&pipe)), origin, content };
        // A shard that has ended gives it back, and the stream ends by dropping it.
        let _ = port.mailbox.push(Letter::Open(Box::new(opening)));
        EventStream::new(pipe)
    }

    /// Passes a message to the handler that was opened with this secret; false when there is none.
    pub fn deliver(&self, secret: &str, message: Bytes) -> bool {
        let Some(Address { shard, key }) = self.inner.registry.handler(secret) else {
            return false;
        };
        self.inner.distributor.ports[shard].mailbox.push(Letter::Message(Key::from_u64(key), message)).is_ok()
    }

    /// Passes a signal to the connections that it is for, on every node.
    pub fn signal(&self, target: Target, signal: Signal) {
        let Inner { distributor, broker, .. } = &*self.inner;
        let sent = Arc::new(SentSignal { from: distributor.sender.clone(), target, signal });
        if broker.reaches_others() {
            broker.announce(Message::Signal(Arc::clone(&sent)));
        }
        distributor.signal(&sent);
    }

    /// This boot's name; part of every connection's.
    pub fn node(&self) -> &str {
        self.inner.registry.boot()
    }

    /// Tells something to the subscribers of a memory channel and keeps it as long as the channel keeps anything;
    /// gives its position. Calls for one channel get their offsets in the order in which they come. For a channel
    /// of a log nothing happens: what it tells comes from the store.
    pub fn publish(&self, channel: &Channel, body: Bytes) -> Option<Position> {
        let Source::Memory(retention) = channel.source else {
            return None;
        };
        let Inner { distributor, broker, .. } = &*self.inner;
        let position = distributor.publish(&channel.name, retention, &body);
        if broker.reaches_others() {
            // Not under the channel's lock: brokers may call the listeners of other hubs at once. Those put publications
            // that overtake each other back in order.
            let (from, channel) = (distributor.sender.clone(), Arc::clone(&channel.name));
            broker.announce(match retention {
                Retention::NONE => Message::Ephemeral(Ephemeral { from, channel, body }),
                _ => Message::Publication(Publication { from, channel, position: position.clone(), body }),
            });
        }
        Some(position)
    }

    /// Whether the channel may be used: not when it would be one more in memory than the maximum. Code that uses channels
    /// by names that clients choose asks first.
    pub fn has_capacity_for(&self, channel: &Channel) -> bool {
        matches!(channel.source, Source::Log(..)) || self.inner.memory.has_capacity_for(&channel.name)
    }

    /// The past of a memory channel.
    pub fn history(&self, channel: &Channel, query: HistoryQuery) -> History {
        self.inner.memory.history(&channel.name, query)
    }

    /// Forgets what a memory channel keeps; its offsets go on.
    pub fn remove_history(&self, channel: &str) {
        self.inner.memory.remove_history(channel);
    }

    /// How many are present in a channel.
    pub fn presence_stats(&self, channel: &str) -> PresenceStats {
        self.inner.presence.stats(channel)
    }

    /// Who is present in a channel: connections in order, at most `limit` of those after `after`, with the JSON
    /// object that is delivered for each.
    pub fn presence(&self, channel: &str, limit: usize, after: Option<&str>) -> Vec<(Arc<str>, Bytes)> {
        self.inner.presence.list(channel, limit, after)
    }

    /// The memory channels that have subscribers, with their number, in no order.
    pub fn channels(&self) -> Vec<(Arc<str>, usize)> {
        self.inner.memory.subscribed()
    }

    /// Delivers something to the live subscribers that this node has of a memory channel that keeps nothing. Slow
    /// subscribers do not get it.
    pub fn publish_ephemeral(&self, channel: &str, body: &Bytes) {
        self.inner.distributor.publish(&channel.into(), Retention::NONE, body);
    }

    /// A log as far as this hub knows it.
    pub fn log_state(&self, log: Log) -> LogState {
        self.inner.distributor.known.lock().unwrap_or_else(PoisonError::into_inner)[log.index()].clone()
    }

    /// What the hub has done since its start.
    pub fn stats(&self) -> HubStats {
        let ([active, peak, limit], [accepted, refused], [websockets, streams]) = self.inner.registry.figures();
        let counters = &self.inner.counters;
        let parked_total = counters.get(Counter::Parked);
        let (memory_channels, memory_bytes) = self.inner.memory.figures();
        HubStats {
            active,
            peak,
            accepted,
            refused,
            limit,
            websockets,
            streams,
            frames_in: counters.get(Counter::FramesIn),
            frames_out: counters.get(Counter::FramesOut),
            bytes_in: counters.get(Counter::BytesIn),
            bytes_out: counters.get(Counter::BytesOut),
            writes: counters.get(Counter::Writes),
            events_delivered: counters.get(Counter::EventsDelivered),
            parked_now: parked_total.saturating_sub(counters.get(Counter::ParkEnded)),
            parked_total,
            resumed: counters.get(Counter::Resumed),
            dropped: counters.get(Counter::Dropped),
            errors: counters.get(Counter::Errors),
            pages_read: counters.get(Counter::PagesRead),
            repairs: counters.get(Counter::Repairs),
            damaged_reads: counters.get(Counter::DamagedReads),
            commits_skipped: counters.get(Counter::CommitsSkipped),
            waiting_event_bytes: counters.backlog.events(),
            waiting_reply_bytes: counters.backlog.replies(),
            max_waiting_bytes: self.inner.config.waiting_bytes as u64,
            memory_channels,
            memory_bytes,
            shards_lost: counters.shards_lost.load(Ordering::Relaxed),
            closes: counters.closes(),
        }
    }

    /// Some of the open connections, at most 1,000, in no order.
    pub fn connections(&self) -> Vec<ConnectionInfo> {
        self.inner.registry.connections(MAX_LISTED_CONNECTIONS)
    }

    /// Closes every connection with 1001, one a millisecond and shard but all within half of `grace`, sends
    /// what waits as far as clients take it within `grace`, ends the streams and joins the threads. Nothing is lost: clients resume. A later
    /// call returns at once.
    pub async fn drain(&self, grace: Duration) {
        self.inner.registry.close();
        for port in &self.inner.distributor.ports {
            // One that has ended needs no telling.
            let _ = port.mailbox.push(Letter::Drain(grace));
        }
        let running = std::mem::take(&mut *self.inner.running.lock().unwrap_or_else(PoisonError::into_inner));
        let shards = running.shards;
        let join = move || shards.into_iter().map(JoinHandle::join).filter(Result::is_err).count();
        if self.inner.runtime.spawn_blocking(join).await.unwrap_or(1) > 0 {
            tracing::error!("a thread of the hub could not be joined");
        }
        for task in running.tasks {
            task.abort();
            // Cancelled, as it should be.
            let _ = task.await;
        }
    }

    fn next_connection(&self) -> (u64, &Arc<Port>) {
        let number = self.inner.next_connection.fetch_add(1, Ordering::Relaxed) + 1;
        let ports = &self.inner.distributor.ports;
        let first = (number % ports.len() as u64) as usize;
        let (after, before) = (ports[first..].iter(), ports[..first].iter());
        let open = after.chain(before).find(|port| !port.mailbox.is_closed());
        (number, open.unwrap_or(&ports[first]))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for port in &self.distributor.ports {
            // One that has ended needs no telling.
            let _ = port.mailbox.push(Letter::Drain(Duration::ZERO));
        }
        for task in &self.running.get_mut().unwrap_or_else(PoisonError::into_inner).tasks {
            task.abort();
        }
    }
}

impl Distributor {
    fn hear(&self, message: &Message) {
        match message {
            Message::Commit(announcement) => {
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(state) = known.iter_mut().find(|state| state.log == announcement.log)
                    && state.epoch == announcement.epoch
                {
                    state.head = state.head.max(announcement.last());
                }
                drop(known);
                for port in &self.ports {
                    port.hear(announcement);
                }
            }
            Message::Publication(publication) if publication.from != self.sender => self.relay(publication),
            Message::Ephemeral(ephemeral) if ephemeral.from != self.sender => {
                self.publish(&ephemeral.channel, Retention::NONE, &ephemeral.body);
            }
            Message::Signal(sent) if sent.from != self.sender => self.signal(sent),
            Message::Publication(_) | Message::Ephemeral(_) | Message::Signal(_) => {}
            Message::Presence(change) => self.presence.on_change(change),
            Message::Lost => self.loss.notify_one(),
        }
    }

    fn signal(&self, sent: &Arc<SentSignal>) {
        for port in &self.ports {
            // One that has ended has no handlers.
            let _ = port.mailbox.push(Letter::Signal(Arc::clone(sent)));
        }
    }

    /// Delivers what another hub has published to the subscribers here.
    fn relay(&self, publication: &Publication) {
        if let Some(channel) = self.memory.find(&publication.channel) {
            channel.relay(&publication.position, |shard, offset| {
                self.ports[shard].hear_publication(&channel, offset, &publication.body, true);
            });
        }
    }

    fn publish(&self, name: &Arc<str>, retention: Retention, body: &Bytes) -> Position {
        let channel = self.memory.open(name);
        let is_kept = retention != Retention::NONE;
        channel.publish(retention, body, |shard, offset| {
            self.ports[shard].hear_publication(&channel, offset, body, is_kept);
        })
    }

    /// Passes on where the logs really are; after a loss shards read at once what they miss.
    fn look(&self, states: Vec<LogState>, is_after_loss: bool) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (known, state) in known.iter_mut().zip(&states) {
            let head = if known.epoch == state.epoch { known.head.max(state.head) } else { state.head };
            *known = LogState { head, ..state.clone() };
        }
        drop(known);
        let states = Arc::new(states);
        for port in &self.ports {
            let states = Arc::clone(&states);
            let _ = port.mailbox.push(if is_after_loss { Letter::Lost(states) } else { Letter::Look(states) });
        }
    }

    fn tell(&self, changes: Changes) {
        let changes = Arc::new(changes);
        for port in &self.ports {
            // One that has ended has nobody to tell.
            let _ = port.mailbox.push(Letter::Changes(Arc::clone(&changes)));
        }
    }

    fn close(&self) {
        for port in &self.ports {
            port.mailbox.close();
        }
    }
}

/// A shard that panics has lost its connections; they come back, and others take them.
fn run_shard(parts: Parts) {
    let port = Arc::clone(&parts.port);
    if std::panic::catch_unwind(AssertUnwindSafe(|| Shard::new(parts).run())).is_err() {
        port.mailbox.close();
        port.counters.shards_lost.fetch_add(1, Ordering::Relaxed);
        tracing::error!("a shard of the hub panicked; its connections are lost");
    }
}

fn open_ports(count: usize, counters: &Arc<Counters>) -> io::Result<(Vec<Poll>, Vec<Arc<Port>>)> {
    let mut opened = (Vec::new(), Vec::new());
    for number in 0..count {
        let poll = Poll::new()?;
        let mailbox = Mailbox::new(Waker::new(poll.registry(), MAILBOX_TOKEN)?);
        opened.0.push(poll);
        opened.1.push(Arc::new(Port { mailbox, counters: Arc::clone(counters), number }));
    }
    Ok(opened)
}

/// The states of all logs, in the order of [`Log::ALL`].
async fn read_states(logs: &dyn ReadLogs) -> io::Result<Vec<LogState>> {
    let states = logs.log_states().await.map_err(io::Error::other)?;
    let state = |log: Log| {
        let state = states.iter().find(|state| state.log == log).cloned();
        state.ok_or_else(|| io::Error::other(format!("the store has no log named {}", log.name())))
    };
    Log::ALL.into_iter().map(state).collect()
}

/// Looks at the logs every `interval`, which finds what the broker lost even when nothing follows it, and at once when the
/// broker says that it lost messages.
async fn look_at_logs(logs: Arc<dyn ReadLogs>, distributor: Weak<Distributor>, loss: Arc<Notify>, interval: Duration) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut is_after_loss = false;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = loss.notified() => is_after_loss = true,
        }
        let states = read_states(&*logs).await;
        let Some(distributor) = distributor.upgrade() else {
            return;
        };
        distributor.memory.sweep(steady::now_ms());
        match states {
            Ok(states) => distributor.look(states, std::mem::take(&mut is_after_loss)),
            Err(error) => tracing::warn!(%error, "cannot look at the logs; trying again"),
        }
    }
}

/// Tells who came and went, a few times a second; renews the members of this node, and lets those of others expire.
async fn tell_changes(presence: Arc<PresenceTable>, distributor: Weak<Distributor>) {
    let mut ticks = tokio::time::interval(ANNOUNCE_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut renewed = Instant::now();
    loop {
        ticks.tick().await;
        steady::look();
        if renewed.elapsed() >= RENEW_INTERVAL {
            renewed = Instant::now();
            presence.renew();
            presence.expire(steady::now_ms());
        }
        let Some(distributor) = distributor.upgrade() else {
            return;
        };
        for changes in presence.take_changes() {
            distributor.tell(changes);
        }
    }
}
