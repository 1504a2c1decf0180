//! One client's conversation.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ordercast_hub::handler::{Answers, Connection, ConnectionHandler, Farewell, Message, Subscribed};
use ordercast_hub::signal::{Signal, Target};
use ordercast_protocol::centrifuge::code::{Disconnect, Error};
use ordercast_protocol::centrifuge::codec::{Encoding, append_encoded, append_reply, decode_commands};
use ordercast_protocol::centrifuge::message::{Command, ErrorReply, Reply};
use ordercast_protocol::centrifuge::push::push_disconnect;
use ordercast_protocol::channel::Channel;
use ordercast_protocol::close;
use ordercast_protocol::envelope::Wire;
use ordercast_protocol::error::ErrorCode;

use super::heartbeat::{Due, Heartbeat};
use super::refusal::problem_of;
use super::signal::options_of;
use super::stage::{Profile, ReturnPath, Stage};
use super::subscription::{Subscription, Subscriptions};
use crate::app::App;
use crate::problem::Problem;

/// Most commands that wait for one before them (3013 beyond).
const MAX_QUEUED: usize = 2_048;
/// Maximum of calls and reads of one client that are under way; more get a temporary error.
const MAX_UNDER_WAY: usize = 64;
/// Replies are sent when so many bytes of them have gathered, or nothing more is to be done.
const REPLY_BYTES: usize = 32 * 1024;
/// Errors within [`ERROR_WINDOW`] after which a connection is closed.
const MAX_ERRORS: u32 = 200;
const ERROR_WINDOW: Duration = Duration::from_secs(10);
/// A later end is none: the clock cannot count to every time that a token can name.
const LONGEST_LIFE: Duration = Duration::from_secs(10 * 366 * 86_400);
/// How long a client whose connect was refused has to leave by itself.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The side of the server in the conversation with one client on any transport.
pub(super) struct CentrifugeHandler {
    pub(super) app: Arc<App>,
    pub(super) encoding: Encoding,
    /// For streams.
    pub(super) return_path: Option<Box<ReturnPath>>,
    pub(super) stage: Stage,
    pub(super) profile: Profile,
    pub(super) subscriptions: Subscriptions,
    pub(super) heartbeat: Heartbeat,
    pub(super) answers: Answers<OrderSeen>,
    /// When the connection ends unless its token is replaced.
    pub(super) expires: Option<Instant>,
    /// Whether the transport's own pings are used.
    pub(super) has_own_pings: bool,
    wire: Wire,
    /// None while nothing waits, as nearly always.
    waiting: Option<Box<Waiting>>,
    /// Held once by each answer that is under way; there is none before the first.
    under_way: OnceCell<Arc<()>>,
    /// The end of the first stage, or of a refused connection.
    deadline: Option<Instant>,
    errors: Option<Box<Errors>>,
}

/// Whether an order that the client asked to follow is its own; `Err` when the store could not be read.
#[derive(Debug)]
pub(super) struct OrderSeen {
    pub(super) channel: Arc<str>,
    pub(super) is_own: Result<bool, ()>,
}

/// How often a client has erred lately.
struct Errors {
    count: u32,
    since: Instant,
}

/// What waits within a turn, or for an answer.
#[derive(Default)]
struct Waiting {
    /// Commands that have not been carried out.
    queue: VecDeque<Command>,
    /// Replies that have not been sent.
    replies: Vec<u8>,
}

impl CentrifugeHandler {
    pub(super) fn new(app: Arc<App>, wire: Wire) -> Self {
        Self {
            app,
            encoding: wire.centrifuge().unwrap_or(Encoding::Json),
            return_path: None,
            stage: Stage::New,
            profile: Profile::unknown(),
            subscriptions: Subscriptions::default(),
            heartbeat: Heartbeat::default(),
            answers: Answers::default(),
            expires: None,
            has_own_pings: false,
            wire,
            waiting: None,
            under_way: OnceCell::new(),
            deadline: None,
            errors: None,
        }
    }

    /// Carries out what waits, up to a command that must wait longer.
    pub(super) fn run(&mut self, connection: &mut dyn Connection) {
        while let Some(command) = self.next_command() {
            self.carry_out(command, connection);
            if self.is_over() {
                self.waiting().queue.clear();
            }
        }
        self.flush(connection);
        if self.waiting.as_ref().is_some_and(|waiting| waiting.queue.is_empty()) {
            self.waiting = None;
        }
        self.set_alarm(connection);
    }

    fn waiting(&mut self) -> &mut Waiting {
        self.waiting.get_or_insert_default()
    }

    /// Takes the next command, unless it must wait.
    fn next_command(&mut self) -> Option<Command> {
        let next = self.waiting.as_ref()?.queue.front()?;
        if self.must_wait(next) {
            return None;
        }
        self.waiting.as_mut()?.queue.pop_front()
    }

    /// Commands are carried out in their order: none before the connection stands, none that concerns a channel
    /// whose subscription has not begun.
    fn must_wait(&self, command: &Command) -> bool {
        if matches!(self.stage, Stage::Connecting(_)) {
            return true;
        }
        let is_pending =
            |channel: &str| self.subscriptions.get(channel).is_some_and(|subscription| !subscription.has_begun());
        command.channel().is_some_and(is_pending)
    }

    fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Closed | Stage::Refused)
    }

    fn carry_out(&mut self, command: Command, connection: &mut dyn Connection) {
        if command == Command::default() {
            if !self.heartbeat.pong() {
                self.break_off("a pong that was not asked for", connection);
            }
            return;
        }
        let id = command.id;
        let is_new = matches!(self.stage, Stage::New);
        match command.connect {
            Some(request) if is_new && id > 0 => return self.connect(id, request, connection),
            Some(_) => return self.break_off("connect was not the first command", connection),
            None if is_new => return self.break_off("the first command was not connect", connection),
            None => {}
        }
        if command.send.is_some() {
            return self.disconnect(Disconnect::NotAvailable, connection);
        }
        if id == 0 {
            return self.break_off("a command without an id", connection);
        }
        if command.channel().is_some_and(str::is_empty) {
            return self.break_off("a command without a channel", connection);
        }
        if let Some(request) = command.subscribe {
            self.subscribe(id, request, connection);
        } else if let Some(request) = command.unsubscribe {
            self.unsubscribe(id, &request, connection);
        } else if let Some(request) = command.publish {
            self.publish(id, &request, connection);
        } else if let Some(request) = command.presence {
            self.presence(id, &request, connection);
        } else if let Some(request) = command.presence_stats {
            self.presence_stats(id, &request, connection);
        } else if let Some(request) = command.history {
            self.history(id, request, connection);
        } else if let Some(request) = command.rpc {
            self.call(id, &request, connection);
        } else if let Some(request) = command.refresh {
            self.refresh(id, &request, connection);
        } else if let Some(request) = command.sub_refresh {
            self.refresh_subscription(id, &request, connection);
        } else if command.ping.is_some() {
            self.refuse(id, Error::NotAvailable, connection);
        } else {
            self.refuse(id, Error::MethodNotFound, connection);
        }
    }

    /// Queues a reply.
    pub(super) fn reply(&mut self, reply: &Reply, connection: &mut dyn Connection) {
        append_reply(self.encoding, reply, &mut self.waiting().replies);
        self.flush_full(connection);
    }

    /// Queues bytes that stand in a frame as they are.
    pub(super) fn reply_encoded(&mut self, encoded: &[u8], connection: &mut dyn Connection) {
        append_encoded(self.encoding, encoded, &mut self.waiting().replies);
        self.flush_full(connection);
    }

    fn flush_full(&mut self, connection: &mut dyn Connection) {
        // Two lines would be no event.
        if self.wire == Wire::CentrifugeEvents || self.waiting().replies.len() >= REPLY_BYTES {
            self.flush(connection);
        }
    }

    pub(super) fn flush(&mut self, connection: &mut dyn Connection) {
        if let Some(waiting) = &mut self.waiting
            && !waiting.replies.is_empty()
        {
            connection.send(&waiting.replies);
            waiting.replies.clear();
        }
    }

    /// Answers a command with an error, and counts it.
    pub(super) fn refuse(&mut self, id: u32, error: impl Into<ErrorReply>, connection: &mut dyn Connection) {
        let error = error.into();
        self.app.report("centrifuge", connection.id(), &problem_of(&error));
        self.reply(&Reply { id, error: Some(error), ..Reply::default() }, connection);
        let now = Instant::now();
        let errors = self.errors.get_or_insert_with(|| Box::new(Errors { count: 0, since: now }));
        if now - errors.since > ERROR_WINDOW {
            **errors = Errors { count: 0, since: now };
        }
        errors.count += 1;
        if errors.count > MAX_ERRORS {
            self.disconnect(Disconnect::TooManyErrors, connection);
        }
    }

    /// Answers the connect command with an error.
    pub(super) fn refuse_connect(&mut self, id: u32, error: Error, connection: &mut dyn Connection) {
        self.stage = Stage::Refused;
        self.deadline = Some(Instant::now() + LEAVE_TIMEOUT);
        self.refuse(id, error, connection);
    }

    /// Ends the connection of a client that broke the protocol.
    pub(super) fn break_off(&mut self, detail: &str, connection: &mut dyn Connection) {
        let problem = Problem::new(ErrorCode::MalformedJson, detail);
        self.app.report("centrifuge", connection.id(), &problem);
        self.disconnect(Disconnect::BadRequest, connection);
    }

    pub(super) fn disconnect(&mut self, why: Disconnect, connection: &mut dyn Connection) {
        self.close(why.code(), why.reason(), connection);
    }

    fn close(&mut self, code: u16, reason: &str, connection: &mut dyn Connection) {
        self.flush(connection);
        self.stage = Stage::Closed;
        connection.close(code, reason);
    }

    /// Leave for one more answer that comes later; held until it has come.
    pub(super) fn leave_to_wait(&self) -> Option<Arc<()>> {
        let under_way = self.under_way.get_or_init(Arc::default);
        (Arc::strong_count(under_way) <= MAX_UNDER_WAY).then(|| Arc::clone(under_way))
    }

    fn set_alarm(&mut self, connection: &mut dyn Connection) {
        let subscriptions = self.subscriptions.iter().filter_map(Subscription::expires);
        let deadlines = self.heartbeat.next().into_iter().chain(self.deadline).chain(self.expires);
        if let Some(next) = deadlines.chain(subscriptions).min() {
            connection.wake_after(next.saturating_duration_since(Instant::now()));
        }
    }

    /// What a time that has passed means, the gravest first.
    fn overdue(&mut self, now: Instant) -> Option<Disconnect> {
        let is_over = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_over(self.deadline) {
            let is_new = matches!(self.stage, Stage::New);
            return Some(if is_new { Disconnect::Stale } else { Disconnect::Closed });
        }
        if is_over(self.expires) {
            return Some(Disconnect::Expired);
        }
        if self.subscriptions.iter().any(|subscription| is_over(subscription.expires())) {
            return Some(Disconnect::SubscriptionExpired);
        }
        None
    }

    /// The connection stands; the first deadline is met.
    pub(super) fn begin(&mut self, chance: u64) {
        self.deadline = None;
        if !self.has_own_pings {
            let config = &self.app.config.centrifuge;
            self.heartbeat = Heartbeat::start(Instant::now(), config.ping_interval, chance);
        }
        self.stage = Stage::Connected;
    }

    /// When something that ends at a time in seconds since 1970 is given up: some time later, so that a client may
    /// replace its token.
    pub(super) fn give_up_at(&self, ends_at: i64) -> Instant {
        let left = Duration::from_secs(ends_at.saturating_sub(unix_s()).max(0).unsigned_abs());
        Instant::now() + left.min(LONGEST_LIFE) + self.app.config.centrifuge.refresh_grace
    }

    fn is_meant(&self, target: &Target, connection: &dyn Connection) -> bool {
        let own_secret = self.return_path.as_ref().map(|path| &path.secret);
        matches!(self.stage, Stage::Connected)
            && *target.user == *self.profile.user
            && target.client.as_ref().is_none_or(|client| **client == *connection.id())
            && target.session.as_ref().is_none_or(|session| Some(session) == own_secret)
    }

    fn heed(&mut self, signal: &Signal, connection: &mut dyn Connection) {
        match signal {
            Signal::Subscribe { channel, terms, since } => {
                self.subscribe_by_server(channel, options_of(terms), since.as_ref(), connection);
            }
            Signal::Unsubscribe { channel, why } => self.unsubscribe_by_server(channel, *why, connection),
            Signal::Disconnect { code, reason, kept } => {
                if !kept.iter().any(|kept| **kept == *connection.id()) {
                    self.close(*code, reason, connection);
                }
            }
            Signal::Refresh { expires_at } => self.expires = expires_at.map(|at| self.give_up_at(at)),
        }
    }
}

impl ConnectionHandler for CentrifugeHandler {
    fn on_open(&mut self, connection: &mut dyn Connection) {
        self.deadline = Some(Instant::now() + self.app.config.centrifuge.stale_timeout);
        self.set_alarm(connection);
    }

    fn on_message(&mut self, message: Message<'_>, connection: &mut dyn Connection) {
        if self.is_over() {
            return;
        }
        match decode_commands(self.encoding, message.bytes()) {
            Ok(commands) if self.waiting().queue.len() + commands.len() > MAX_QUEUED => {
                self.disconnect(Disconnect::TooManyRequests, connection);
            }
            Ok(commands) => {
                self.waiting().queue.extend(commands);
                self.run(connection);
            }
            Err(malformed) => self.break_off(&malformed.to_string(), connection),
        }
    }

    fn on_subscribed(&mut self, channel: &Channel, subscribed: &Subscribed, connection: &mut dyn Connection) {
        self.on_begun(channel, subscribed, connection);
        self.run(connection);
    }

    fn on_wake(&mut self, connection: &mut dyn Connection) {
        if matches!(self.stage, Stage::Closed) {
            return;
        }
        let now = Instant::now();
        if let Some(why) = self.overdue(now) {
            return self.disconnect(why, connection);
        }
        let (interval, patience) = (self.app.config.centrifuge.ping_interval, self.app.config.centrifuge.pong_timeout);
        match self.heartbeat.due(now, interval, patience) {
            Due::Nothing => {}
            Due::Ping => self.reply_encoded(self.encoding.ping(), connection),
            Due::Late => return self.disconnect(Disconnect::NoPong, connection),
        }
        self.run(connection);
    }

    fn on_signal(&mut self, target: &Target, signal: &Signal, connection: &mut dyn Connection) {
        if self.is_meant(target, connection) {
            self.heed(signal, connection);
            self.run(connection);
        }
    }

    fn on_answer(&mut self, connection: &mut dyn Connection) {
        for OrderSeen { channel, is_own } in self.answers.take() {
            self.on_order_seen(&channel, is_own, connection);
        }
        self.run(connection);
    }

    fn farewell(&mut self, code: u16, reason: &str) -> Farewell {
        let (code, reason) = match code {
            close::GOING_AWAY => of(Disconnect::Shutdown),
            close::POLICY => of(Disconnect::Slow),
            close::INTERNAL => of(Disconnect::ServerError),
            own_or_transport => (own_or_transport, reason),
        };
        self.stage = Stage::Closed;
        // A WebSocket has its close frame, which says it all; after a push as well some SDKs go on connecting.
        let has_close_frame = self.return_path.is_none();
        let message = (!has_close_frame).then(|| {
            let mut message = Vec::new();
            push_disconnect(self.encoding, u32::from(code), reason, &mut message);
            message
        });
        Farewell { code, reason: reason.into(), message }
    }

    fn user(&self) -> &str {
        &self.profile.user
    }

    fn wire(&self) -> Wire {
        self.wire
    }
}

fn of(why: Disconnect) -> (u16, &'static str) {
    (why.code(), why.reason())
}

/// Seconds since 1970.
pub(super) fn unix_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
