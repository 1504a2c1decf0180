//! What is known of one client, and what every command does with it: answer, refuse, disconnect.
//!
//! The modules of the commands import this one, never the other way round.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ordercast_hub::handler::{Answers, Connection};
use ordercast_protocol::centrifuge::code::{Disconnect, Error, Unsubscribe};
use ordercast_protocol::centrifuge::codec::{Encoding, append_encoded, append_reply};
use ordercast_protocol::centrifuge::message::{Command, ErrorReply, Reply};
use ordercast_protocol::centrifuge::push::push_unsubscribe;
use ordercast_protocol::envelope::Wire;
use ordercast_protocol::error::ErrorCode;

use super::heartbeat::Heartbeat;
use super::refusal::problem_of;
use super::stage::{Profile, ReturnPath, Stage};
use super::subscription::Subscriptions;
use super::times::unix_s;
use crate::app::App;
use crate::problem::Problem;

/// Maximum of calls and reads of one client that are under way; more get a temporary error.
const MAX_UNDER_WAY: usize = 64;
/// Replies are sent when this many bytes of them have gathered, or no command is left.
const REPLY_BYTES: usize = 32 * 1024;
/// Errors within [`ERROR_WINDOW`] after which a connection is closed.
const MAX_ERRORS: u32 = 200;
const ERROR_WINDOW: Duration = Duration::from_secs(10);
/// A later end is none: the clock cannot count to every time that a token can name.
const LONGEST_LIFE: Duration = Duration::from_secs(10 * 366 * 86_400);
/// How long a client whose connect was refused has to leave by itself.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// A client, and how it stands.
pub(super) struct Client {
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
    pub(super) wire: Wire,
    /// None while nothing waits, as nearly always.
    pub(super) waiting: Option<Box<Waiting>>,
    /// Held once by each answer that is under way; there is none before the first.
    under_way: OnceCell<Arc<()>>,
    /// The end of the first stage, or of a refused connection.
    pub(super) deadline: Option<Instant>,
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
pub(super) struct Waiting {
    /// Commands that have not been carried out.
    pub(super) queue: VecDeque<Command>,
    /// Replies that have not been sent.
    replies: Vec<u8>,
}

impl Client {
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

    /// What waits, or the place for it.
    pub(super) fn waiting(&mut self) -> &mut Waiting {
        self.waiting.get_or_insert_default()
    }

    /// Whether nothing that the client says counts any more.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Closed | Stage::Refused)
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

    pub(super) fn close(&mut self, code: u16, reason: &str, connection: &mut dyn Connection) {
        self.flush(connection);
        self.stage = Stage::Closed;
        connection.close(code, reason);
    }

    /// Leave for one more answer that comes later; held until it has come.
    pub(super) fn leave_to_wait(&self) -> Option<Arc<()>> {
        let under_way = self.under_way.get_or_init(Arc::default);
        (Arc::strong_count(under_way) <= MAX_UNDER_WAY).then(|| Arc::clone(under_way))
    }

    /// Notifies the client that one of its subscriptions has ended.
    pub(super) fn tell_unsubscribed(&mut self, channel: &str, why: Unsubscribe, connection: &mut dyn Connection) {
        let mut push = Vec::new();
        push_unsubscribe(self.encoding, channel, why, &mut push);
        self.reply_encoded(&push, connection);
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
}
