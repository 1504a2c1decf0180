//! A hub over logs in memory, and a client that speaks WebSocket by hand.

#![allow(dead_code, reason = "every test file uses its own part of the rig")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ordercast_access::{Origin, Principal};
use ordercast_broker::{AnnouncedEvent, Announcement, Broker, InProcessBroker, Message};
use ordercast_hub::handler::{
    Connection, ConnectionHandler, Farewell, Message as Received, Pace, Presence, Replies, Subscribe, Subscribed,
};
use ordercast_hub::signal::{Signal, Target};
use ordercast_hub::{Hub, HubConfig, LimitReached, Seams, Upgraded};
use ordercast_protocol::channel::{Channel, Log, Retention, Source, View};
use ordercast_protocol::envelope::{Carrier, Wire};
use ordercast_protocol::frame::write_subscribed;
use ordercast_protocol::position::{Epoch, Position};
use ordercast_protocol::redaction::tombstone;
use ordercast_protocol::topic::{Topic, TopicKind, Topics};
use ordercast_store::StoreError;
use ordercast_store::log::{LogPage, LogState, PageQuery, ReadFuture, ReadLogs, Start, StoredEvent};

/// How long anything may take before a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Where the connections of the tests come from.
pub(crate) fn local() -> Origin {
    Origin::new(Principal::local(), Ipv4Addr::LOCALHOST.into())
}

struct Logs {
    epoch: Epoch,
    floors: [u64; Log::ALL.len()],
    events: [Vec<StoredEvent>; Log::ALL.len()],
    failures: usize,
    pages_read: usize,
}

/// Logs in memory. Pages are read while nobody holds the first gate, and come while nobody holds the second.
pub(crate) struct MemoryLogs(Mutex<Logs>, tokio::sync::RwLock<()>, tokio::sync::RwLock<()>);

impl MemoryLogs {
    fn state(logs: &Logs, log: Log) -> LogState {
        let (head, floor) = (logs.events[log.index()].len() as u64, logs.floors[log.index()]);
        LogState { log, epoch: logs.epoch.clone(), head, floor }
    }

    pub(crate) fn set_floor(&self, log: Log, floor: u64) {
        self.0.lock().unwrap().floors[log.index()] = floor;
    }

    /// Another life of every log, with these heads kept.
    pub(crate) fn restore(&self, epoch: &str) {
        self.0.lock().unwrap().epoch = Epoch(epoch.into());
    }

    /// The next reads of pages fail.
    pub(crate) fn fail(&self, reads: usize) {
        self.0.lock().unwrap().failures = reads;
    }

    /// Holds every read of a page back for as long as the guard lives.
    pub(crate) fn hold_pages(&self) -> tokio::sync::RwLockWriteGuard<'_, ()> {
        self.1.blocking_write()
    }

    /// Holds every page back that was read, for as long as the guard lives.
    pub(crate) fn hold_answers(&self) -> tokio::sync::RwLockWriteGuard<'_, ()> {
        self.2.blocking_write()
    }

    /// How many pages were read so far.
    pub(crate) fn pages_read(&self) -> usize {
        self.0.lock().unwrap().pages_read
    }

    /// Appends without telling anybody.
    pub(crate) fn append(&self, log: Log, events: &[(String, Option<&str>, Option<&str>)]) -> Arc<Announcement> {
        let topics = |order_id: &Option<&str>, customer_id: &Option<&str>| {
            let order = order_id.map(|id| Topic::new(TopicKind::Order, id));
            let customer = customer_id.map(|id| Topic::new(TopicKind::Customer, id));
            order.into_iter().chain(customer).collect()
        };
        let events = events.iter().map(|(body, order, customer)| (body.clone(), topics(order, customer)));
        Arc::new(self.append_about(log, events.collect(), &[]))
    }

    /// As [`MemoryLogs::append`], with any topics; the bodies of earlier events are removed.
    pub(crate) fn append_about(&self, log: Log, events: Vec<(String, Topics)>, redacted: &[u64]) -> Announcement {
        let mut logs = self.0.lock().unwrap();
        let epoch = logs.epoch.clone();
        let stored = &mut logs.events[log.index()];
        let first = stored.len() as u64 + 1;
        let mut announced = Vec::new();
        for offset in redacted {
            stored[*offset as usize - 1].body = tombstone();
        }
        for ((body, topics), offset) in events.into_iter().zip(first..) {
            let body = Bytes::from(body);
            announced.push(AnnouncedEvent { body: body.clone(), topics: topics.clone() });
            stored.push(StoredEvent { offset, at_ms: 0, body, topics });
        }
        Announcement { log, epoch, first, events: announced, redacted: redacted.to_vec() }
    }

    fn read(&self, query: PageQuery) -> Result<LogPage, StoreError> {
        let PageQuery { log, view, start, limit, .. } = query;
        let Start::After(after) = start else { panic!("the hub reads forwards") };
        let mut logs = self.0.lock().unwrap();
        logs.pages_read += 1;
        if logs.failures > 0 {
            logs.failures -= 1;
            return Err(StoreError::Failed("as the test wants".to_owned()));
        }
        let state = Self::state(&logs, log);
        let mut events = Vec::new();
        let mut bytes = 0;
        let mut read_to = state.head;
        let start = (after.max(state.floor) as usize).min(logs.events[log.index()].len());
        for event in &logs.events[log.index()][start..] {
            let is_wanted = event.offset > after.max(state.floor) && view.holds(&event.topics);
            if !is_wanted {
                continue;
            }
            bytes += event.body.len();
            events.push(event.clone());
            if events.len() >= limit.events || bytes >= limit.bytes {
                read_to = event.offset;
                break;
            }
        }
        Ok(LogPage { events, read_to, state })
    }
}

impl ReadLogs for MemoryLogs {
    fn log_states(&self) -> ReadFuture<'_, Vec<LogState>> {
        Box::pin(async {
            let logs = self.0.lock().unwrap();
            Ok(Log::ALL.map(|log| Self::state(&logs, log)).to_vec())
        })
    }

    fn log_page(&self, query: PageQuery) -> ReadFuture<'_, LogPage> {
        Box::pin(async move {
            let _gate = self.1.read().await;
            let page = self.read(query);
            let _gate = self.2.read().await;
            page
        })
    }
}

/// What the handlers of a rig share.
#[derive(Default)]
pub(crate) struct Stage {
    /// Sent after `hello` when it is not empty.
    greeting: Mutex<Bytes>,
    /// Questions whose turn has come.
    pub(crate) asked: Mutex<Vec<(String, Replies)>>,
    /// Whether a handler holds its shard, and whether it is to let go.
    hold: Mutex<(bool, bool)>,
    moved: Condvar,
}

impl Stage {
    pub(crate) fn set_greeting(&self, greeting: Bytes) {
        *self.greeting.lock().unwrap() = greeting;
    }

    fn hold(&self) {
        let mut hold = self.hold.lock().unwrap();
        *hold = (true, false);
        self.moved.notify_all();
        let (mut hold, timeout) = self.moved.wait_timeout_while(hold, DEADLINE, |hold| !hold.1).unwrap();
        assert!(!timeout.timed_out(), "nobody lets go");
        hold.0 = false;
    }

    /// Waits until a handler that was told to `hold` has stopped its shard.
    pub(crate) fn wait_held(&self) {
        let hold = self.hold.lock().unwrap();
        let (_hold, timeout) = self.moved.wait_timeout_while(hold, DEADLINE, |hold| !hold.0).unwrap();
        assert!(!timeout.timed_out(), "nobody holds");
    }

    /// Lets the shard go on.
    pub(crate) fn let_go(&self) {
        self.hold.lock().unwrap().1 = true;
        self.moved.notify_all();
    }
}

/// A channel by name; those that begin with `room:` keep their last ten publications in memory, those that begin with
/// `kept:` keep them in the log of publications, which is a channel here too.
pub(crate) fn channel(name: &str) -> Channel {
    let source = match name {
        "publications" => Source::Log(Log::Publications, View::All),
        _ if name.starts_with("room:") => Source::Memory(Retention { events: 10, age_s: 0 }),
        _ if name.starts_with("kept:") => return Channel::durable(name).unwrap(),
        _ => return Channel::parse(name).unwrap(),
    };
    Channel { name: name.into(), source }
}

/// Understands a few words: `sub CHANNEL [EPOCH OFFSET [first]]`, `join CHANNEL USER`,
/// `delta CHANNEL`, `latest CHANNEL`, `sample CHANNEL MS`, `wake MS`, `subs CHANNEL COUNT`, `unsub CHANNEL`, `say TEXT`,
/// `later TEXT`, `ask TEXT`, `burst COUNT BYTES`, `answers COUNT BYTES`, `hold`, `close CODE`, `panic`.
pub(crate) struct WordHandler(pub(crate) Arc<Stage>, pub(crate) Wire);

impl ConnectionHandler for WordHandler {
    fn user(&self) -> &str {
        "local"
    }

    fn on_open(&mut self, connection: &mut dyn Connection) {
        connection.send(b"hello");
        let greeting = self.0.greeting.lock().unwrap().clone();
        if !greeting.is_empty() {
            connection.send_shared(greeting);
        }
    }

    fn on_message(&mut self, message: Received<'_>, connection: &mut dyn Connection) {
        let text = std::str::from_utf8(message.bytes()).unwrap();
        let words: Vec<_> = text.split(' ').collect();
        match words[..] {
            ["sub", name] => connection.subscribe(channel(name), Subscribe::default()).unwrap(),
            ["sub", name, epoch, offset, ..] => {
                let since = Position { epoch: Epoch(epoch.into()), offset: offset.parse().unwrap() };
                let first_page = words.len() > 4;
                connection.subscribe(channel(name), Subscribe { first_page, ..Subscribe::since(Some(since)) }).unwrap();
            }
            ["join", name, user] => {
                let info = format!("{{\"user\":\"{user}\"}}").into();
                let presence = Some(Presence { user: user.into(), info, is_announced: true });
                let options = Subscribe { presence, join_leave: true, ..Subscribe::default() };
                connection.subscribe(channel(name), options).unwrap();
            }
            ["delta", name] => {
                connection.subscribe(channel(name), Subscribe { delta: true, ..Subscribe::default() }).unwrap();
            }
            ["latest", name] => {
                let options = Subscribe { pace: Pace::Latest, ..Subscribe::default() };
                connection.subscribe(channel(name), options).unwrap();
            }
            ["sample", name, ms] => {
                let pace = Pace::Sampled(Duration::from_millis(ms.parse().unwrap()));
                connection.subscribe(channel(name), Subscribe { pace, ..Subscribe::default() }).unwrap();
            }
            ["wake", ms] => connection.wake_after(Duration::from_millis(ms.parse().unwrap())),
            ["subs", channel, count] => {
                let subscribe = |_: &usize| connection.subscribe(self::channel(channel), Subscribe::default()).is_err();
                let refused = (0..count.parse().unwrap()).filter(subscribe).count();
                connection.send(format!("refused {refused}").as_bytes());
            }
            ["burst", count, bytes] => {
                let text = "x".repeat(bytes.parse().unwrap());
                (0..count.parse().unwrap()).for_each(|_| connection.send(text.as_bytes()));
            }
            // From the shard's own thread: the next turn takes them all at once.
            ["answers", count, bytes] => {
                let text = "x".repeat(bytes.parse().unwrap());
                (0..count.parse().unwrap()).for_each(|_| connection.replies().send(text.clone().into_bytes()));
            }
            ["hold"] => self.0.hold(),
            ["unsub", channel] => {
                let answer = connection.unsubscribe(channel);
                connection.send(format!("unsub {answer}").as_bytes());
            }
            ["say", text] => connection.send_shared(text.to_owned().into()),
            ["later", text] => {
                let (replies, text) = (connection.replies(), text.to_owned());
                std::thread::spawn(move || replies.send(text.into_bytes()));
            }
            // Answered when the test says so.
            ["ask", text] => {
                let (stage, text) = (Arc::clone(&self.0), text.to_owned());
                connection.ask(Box::new(move |replies| stage.asked.lock().unwrap().push((text, replies))));
            }
            ["close", code] => {
                connection.send(b"bye");
                connection.close(code.parse().unwrap(), "as you wish");
            }
            ["panic"] => panic!("as the test wants"),
            _ => connection.send(format!("echo {text}").as_bytes()),
        }
    }

    fn on_subscribed(&mut self, channel: &Channel, subscribed: &Subscribed, connection: &mut dyn Connection) {
        let mut out = Vec::new();
        let Subscribed { epoch, offset, recovered, floor, events } = subscribed;
        write_subscribed(&channel.name, epoch, *offset, *recovered, *floor, &mut out);
        for (offset, body) in events {
            out.extend_from_slice(format!(" {offset}:").as_bytes());
            out.extend_from_slice(body);
        }
        connection.send(&out);
    }

    fn on_wake(&mut self, connection: &mut dyn Connection) {
        connection.send(b"awake");
    }

    fn on_signal(&mut self, _target: &Target, signal: &Signal, connection: &mut dyn Connection) {
        let Signal::Disconnect { reason, .. } = signal else { panic!("no test sends it: {signal:?}") };
        connection.send(reason.as_bytes());
    }

    fn farewell(&mut self, code: u16, reason: &str) -> Farewell {
        let is_stream = self.1.carrier() == Carrier::Stream;
        let message = is_stream.then(|| format!("farewell {code}").into_bytes());
        Farewell { code, reason: reason.into(), message }
    }

    fn wire(&self) -> Wire {
        self.1
    }
}

/// A hub and what is around it.
pub(crate) struct Rig {
    pub(crate) hub: Hub,
    pub(crate) logs: Arc<MemoryLogs>,
    pub(crate) broker: Arc<dyn Broker>,
    seams: Seams,
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) stage: Arc<Stage>,
    listener: TcpListener,
}

/// Settings for tests: quick looks at the logs, two shards.
pub(crate) fn config() -> HubConfig {
    HubConfig { shards: 2, log_poll_interval: Duration::from_millis(20), ..HubConfig::default() }
}

impl Rig {
    pub(crate) fn start(config: HubConfig) -> Self {
        Self::with_broker(config, Arc::new(InProcessBroker::new()))
    }

    pub(crate) fn with_broker(config: HubConfig, broker: Arc<dyn Broker>) -> Self {
        Self::with_seams(config, |config, logs| Seams::in_process(config, logs, broker))
    }

    /// Another node: the same broker, and its history of memory channels.
    pub(crate) fn beside(&self, config: HubConfig) -> Self {
        let Seams { broker, history, .. } = self.seams.clone();
        Self::with_seams(config, |config, logs| Seams { history, ..Seams::in_process(config, logs, broker) })
    }

    fn with_seams(config: HubConfig, seams: impl FnOnce(&HubConfig, Arc<MemoryLogs>) -> Seams) -> Self {
        let logs = Logs {
            epoch: Epoch("e1".into()),
            floors: Default::default(),
            events: Default::default(),
            failures: 0,
            pages_read: 0,
        };
        let logs = Arc::new(MemoryLogs(Mutex::new(logs), Default::default(), Default::default()));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let seams = seams(&config, Arc::clone(&logs));
        let start = Hub::start(config, seams.clone(), runtime.handle().clone());
        let hub = runtime.block_on(start).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let broker = Arc::clone(&seams.broker);
        Self { hub, logs, broker, seams, runtime, stage: Arc::default(), listener }
    }

    /// Commits `count` orders without owner to the log `orders`, each `bytes` of padding long.
    pub(crate) fn commit(&self, count: usize, bytes: usize) {
        let event = (format!("{{\"pad\":\"{}\"}}", "x".repeat(bytes)), None, None);
        self.announce(&vec![event; count]);
    }

    pub(crate) fn announce(&self, events: &[(String, Option<&str>, Option<&str>)]) {
        self.broker.announce(Message::Commit(self.logs.append(Log::Orders, events)));
    }

    pub(crate) fn connect(&self) -> Client {
        self.try_connect(b"").unwrap()
    }

    pub(crate) fn try_connect(&self, already_read: &[u8]) -> Result<Client, LimitReached> {
        let mut client =
            self.connect_with(already_read, Box::new(WordHandler(Arc::clone(&self.stage), Wire::PlainJson)))?;
        assert_eq!(client.next(), Frame::Text("hello".to_owned()));
        Ok(client)
    }

    pub(crate) fn connect_with(
        &self,
        already_read: &[u8],
        handler: Box<dyn ConnectionHandler>,
    ) -> Result<Client, LimitReached> {
        let slot = self.hub.reserve()?;
        let stream = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let (accepted, _) = self.listener.accept().unwrap();
        accepted.set_nonblocking(true).unwrap();
        let answer = Bytes::new();
        let upgraded = Upgraded { stream: accepted, answer, already_read, max_message_bytes: None, compression: false };
        self.hub.adopt(slot, upgraded, local(), handler).unwrap();
        Ok(Client { stream, buffer: Vec::new() })
    }

    /// Waits until the hub says what is wanted.
    pub(crate) fn wait(&self, what: &str, mut is_so: impl FnMut(&Hub) -> bool) {
        let end = Instant::now() + DEADLINE;
        while !is_so(&self.hub) {
            assert!(Instant::now() < end, "never: {what}; {:?}", self.hub.stats());
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// What a client may receive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Text(String),
    Ping,
    Pong(Vec<u8>),
    Close(Option<u16>),
    End,
}

/// The other end of a socket.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

/// A masked frame.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    if payload.len() < 126 {
        out.push(0x80 | payload.len() as u8);
    } else {
        out.push(0x80 | 126);
        out.extend_from_slice(&(payload.len() as u16).to_be_bytes());
    }
    let mask = [1, 2, 3, 4];
    out.extend_from_slice(&mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

impl Client {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// Gives the memory of the client's side back, for figures.
    pub(crate) fn shrink(&mut self) {
        self.buffer.shrink_to_fit();
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.stream.write_all(&masked(0x81, text.as_bytes())).unwrap();
    }

    pub(crate) fn next(&mut self) -> Frame {
        loop {
            if let Some(frame) = self.take_frame() {
                return frame;
            }
            let mut chunk = vec![0; 65_536];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Frame::End,
                Ok(count) => self.buffer.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return Frame::End,
                Err(error) => panic!("nothing came: {error}"),
            }
        }
    }

    fn take_frame(&mut self) -> Option<Frame> {
        let (len, start) = match *self.buffer.get(1)? {
            126 => (usize::from(u16::from_be_bytes(self.buffer.get(2..4)?.try_into().unwrap())), 4),
            127 => (u64::from_be_bytes(self.buffer.get(2..10)?.try_into().unwrap()) as usize, 10),
            len => (usize::from(len), 2),
        };
        let payload = self.buffer.get(start..start + len)?.to_vec();
        let first = self.buffer[0];
        self.buffer.drain(..start + len);
        Some(match first {
            0x81 => Frame::Text(String::from_utf8(payload).unwrap()),
            0x88 => Frame::Close(payload.first_chunk().map(|code| u16::from_be_bytes(*code))),
            0x89 => Frame::Ping,
            0x8A => Frame::Pong(payload),
            _ => panic!("a frame that no server sends: {first:x}"),
        })
    }

    pub(crate) fn text(&mut self) -> String {
        match self.next() {
            Frame::Text(text) => text,
            frame => panic!("expected a text, got {frame:?}"),
        }
    }

    /// Subscribes and gives the answer.
    pub(crate) fn subscribe(&mut self, words: &str) -> String {
        self.say(&format!("sub {words}"));
        self.text()
    }

    /// Reads events of `channel` with exactly these offsets.
    pub(crate) fn expect(&mut self, channel: &str, offsets: impl IntoIterator<Item = u64>) {
        for expected in offsets {
            let text = self.text();
            let ending = format!(",\"channel\":\"{channel}\",\"offset\":{expected}}}");
            assert!(text.ends_with(&ending), "expected {ending}, got …{}", &text[text.len().saturating_sub(80)..]);
        }
    }

    /// Nothing but the echo of this is on the way.
    pub(crate) fn expect_nothing(&mut self) {
        self.say("anything");
        assert_eq!(self.text(), "echo anything");
    }
}

/// Numbers without a clock.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}
