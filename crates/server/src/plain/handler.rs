//! The plain JSON protocol of `/ws`.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ordercast_domain::draft::Draft;
use ordercast_domain::ids::{OrderId, Sku};
use ordercast_engine::{Changed, Placed};
use ordercast_engine::{CommandError, encode};
use ordercast_hub::handler::{
    Answers, Connection, ConnectionHandler, Farewell, Message, Pace, Replies, Subscribe, Subscribed,
};
use ordercast_protocol::channel::Channel;
use ordercast_protocol::close::{GOING_AWAY, POLICY};
use ordercast_protocol::envelope::Wire;
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::frame::{
    Policy, Request, parse_frame, write_connect, write_order_ack, write_pong, write_reconnect, write_subscribed,
    write_unsubscribed,
};
use ordercast_protocol::intake::Form;
use std::collections::BTreeMap;

use ordercast_protocol::position::Position;

use super::history::{channel_of, tell_history, tell_presence};
use super::permission::{Asked, Judged, Wish, judge};
use super::snapshot::{self, Snapshot};
use crate::app::App;
use crate::operations::actions::request_of;
use crate::operations::drafts::{Entrance, check_placing, draft_of, explain, needs_search};
use crate::operations::orders::find;
use crate::problem::Problem;

/// Errors within [`ERROR_WINDOW`] after which a connection is closed: a client that errs so often does not
/// listen to what it is told.
const MAX_ERRORS: u32 = 200;
/// The latest that clients of a server that goes away are asked to come back, in milliseconds: so they do not come
/// all at once.
const MAX_RECONNECT_MS: u64 = 5_000;
const ERROR_WINDOW: Duration = Duration::from_secs(10);

/// One client's conversation in plain JSON.
pub struct PlainHandler {
    app: Arc<App>,
    channels: Vec<Channel>,
    errors: u32,
    errors_since: Option<Instant>,
    answers: Answers<Answered>,
}

impl PlainHandler {
    /// A handler that begins with subscriptions to `channels`, from now on.
    pub fn new(app: Arc<App>, channels: Vec<Channel>) -> Self {
        Self { app, channels, errors: 0, errors_since: None, answers: Answers::default() }
    }

    fn fail(&mut self, connection: &mut dyn Connection, reference: Option<&str>, problem: &Problem) {
        self.app.report("websocket", connection.id(), problem);
        connection.send(&problem.frame(reference));
        let now = Instant::now();
        if self.errors_since.is_none_or(|since| now - since > ERROR_WINDOW) {
            (self.errors, self.errors_since) = (0, Some(now));
        }
        self.errors += 1;
        if self.errors > MAX_ERRORS {
            connection.close(POLICY, "too many errors");
        }
    }

    fn order(&self, connection: &dyn Connection, reference: Option<&str>, draft: Draft) {
        let answer = self.answer(connection, reference);
        let origin = connection.origin().clone();
        self.app.engine.submit_order(origin, draft, Box::new(move |outcome| answer.send(outcome)));
    }

    fn act(&mut self, connection: &mut dyn Connection, reference: Option<&str>, message: &[u8]) {
        let request = match request_of(message, None, &connection.origin().principal) {
            Ok(request) => request,
            Err(problem) => return self.fail(connection, reference, &problem),
        };
        let answer = self.answer(connection, reference);
        let origin = connection.origin().clone();
        self.app.engine.submit_action(origin, request, Box::new(move |outcome| answer.changed(outcome)));
    }

    /// Sends a frame of the product list, and has the next one follow when the client has taken it.
    fn send_products(&mut self, after: Option<Sku>, connection: &mut dyn Connection) {
        let page = self.app.product_list(after);
        connection.send_shared(page.frame);
        if let Some(next) = page.next {
            let post = self.answers.post(Answered::MoreProducts);
            connection.ask(Box::new(move |replies| post.send(next, &replies)));
        }
    }

    fn answer(&self, connection: &dyn Connection, reference: Option<&str>) -> Answer {
        Answer {
            app: Arc::clone(&self.app),
            replies: connection.replies(),
            connection: connection.id().to_owned(),
            reference: reference.map(str::to_owned),
        }
    }

    fn subscribe(
        &mut self,
        connection: &mut dyn Connection,
        reference: Option<&str>,
        (channels, since): (&[String], &BTreeMap<String, Position>),
        pace: Beside,
    ) {
        for name in channels {
            let options = Subscribe { pace: pace.pace, ..Subscribe::since(since.get(name).cloned()) };
            let asked = if pace.snapshot { Asked::Snapshot(options) } else { Asked::Subscribe(options) };
            self.ask(connection, reference, name, asked);
            if self.errors > MAX_ERRORS {
                return;
            }
        }
    }

    /// Does what a client asks for in a channel, if it may.
    fn ask(&mut self, connection: &mut dyn Connection, reference: Option<&str>, channel: &str, asked: Asked) {
        let done = channel_of(&self.app, channel).and_then(|channel| {
            let wish = Wish { channel, asked, reference: reference.map(str::to_owned) };
            match judge(&self.app, wish, connection, || self.answers.post(Answered::Judged))? {
                Some(wish) => self.carry_out(wish, connection),
                None => Ok(()),
            }
        });
        if let Err(problem) = done {
            self.fail(connection, reference, &problem);
        }
    }

    /// Does what has been judged.
    fn carry_out(&mut self, wish: Wish, connection: &mut dyn Connection) -> Result<(), Problem> {
        let Wish { channel, asked, reference } = wish;
        let reference = reference.as_deref();
        match asked {
            Asked::Subscribe(options) => connection.subscribe(channel, options)?,
            Asked::Snapshot(options) => {
                let post = || self.answers.post(Answered::Snapshot);
                snapshot::begin(&self.app, connection, (channel, options), post)?;
            }
            Asked::History(before, limit) => tell_history(&self.app, connection, reference, channel, (before, limit)),
            Asked::Presence(after, limit) => {
                tell_presence(&self.app, connection, reference, &channel, (after.as_deref(), limit));
            }
        }
        Ok(())
    }
}

/// What took time, and comes back to the handler.
enum Answered {
    /// The client has taken the products up to this SKU.
    MoreProducts(Sku),
    /// Whether a request may be carried out.
    Judged(Judged),
    /// A page of a snapshot.
    Snapshot(Snapshot),
}

/// What a client wants of its subscriptions beside the events.
#[derive(Clone, Copy)]
struct Beside {
    pace: Pace,
    snapshot: bool,
}

fn pace_of(policy: Policy) -> Pace {
    match policy {
        Policy::All => Pace::All,
        Policy::Latest => Pace::Latest,
        Policy::Sampled(interval_ms) => Pace::Sampled(Duration::from_millis(interval_ms.into())),
    }
}

impl ConnectionHandler for PlainHandler {
    fn on_open(&mut self, connection: &mut dyn Connection) {
        let mut frame = Vec::with_capacity(64);
        write_connect(connection.id(), &mut frame);
        connection.send(&frame);
        self.send_products(None, connection);
        for channel in std::mem::take(&mut self.channels) {
            let wish = Wish { channel, asked: Asked::Subscribe(Subscribe::default()), reference: None };
            let done = match judge(&self.app, wish, connection, || self.answers.post(Answered::Judged)) {
                Ok(Some(wish)) => self.carry_out(wish, connection),
                Ok(None) => Ok(()),
                Err(problem) => Err(problem),
            };
            if let Err(problem) = done {
                self.fail(connection, None, &problem);
            }
        }
    }

    fn on_message(&mut self, message: Message<'_>, connection: &mut dyn Connection) {
        let message = message.bytes();
        let frame = match parse_frame(message) {
            Ok(frame) => frame,
            Err(wrong) => return self.fail(connection, wrong.reference, &wrong.error.into()),
        };
        let draft = match frame.request {
            Request::Order => {
                let entrance = Entrance { form: Form::Frame, key: None, guest: connection.id() };
                draft_of(&self.app.engine, message, &entrance)
            }
            Request::OrderAction => return self.act(connection, frame.reference, message),
            Request::Subscribe { channels, since, policy, snapshot } => {
                let beside = Beside { pace: pace_of(policy), snapshot };
                return self.subscribe(connection, frame.reference, (&channels, &since), beside);
            }
            Request::History { channel, before, limit } => {
                return self.ask(connection, frame.reference, &channel, Asked::History(before, limit));
            }
            Request::Presence { channel, limit, after } => {
                return self.ask(connection, frame.reference, &channel, Asked::Presence(after, limit));
            }
            Request::Unsubscribe { channels } => {
                for name in &channels {
                    connection.unsubscribe(name);
                    let mut frame = Vec::with_capacity(64);
                    write_unsubscribed(name, &mut frame);
                    connection.send(&frame);
                }
                return;
            }
            Request::Ping => {
                let mut pong = Vec::with_capacity(32);
                write_pong(frame.reference, &mut pong);
                return connection.send(&pong);
            }
        };
        let is_allowed = |draft: &Draft| check_placing(&connection.origin().principal, draft);
        match draft.and_then(|draft| is_allowed(&draft).map(|()| draft)) {
            Ok(draft) => self.order(connection, frame.reference, draft),
            Err(problem) => self.fail(connection, frame.reference, &problem),
        }
    }

    fn on_subscribed(&mut self, channel: &Channel, subscribed: &Subscribed, connection: &mut dyn Connection) {
        let mut frame = Vec::with_capacity(128);
        let Subscribed { epoch, offset, recovered, floor, events: _ } = subscribed;
        write_subscribed(&channel.name, epoch, *offset, *recovered, *floor, &mut frame);
        connection.send(&frame);
    }

    fn on_answer(&mut self, connection: &mut dyn Connection) {
        for answered in self.answers.take() {
            let (reference, done) = match answered {
                Answered::MoreProducts(after) => {
                    self.send_products(Some(after), connection);
                    continue;
                }
                Answered::Judged(Judged { wish, outcome }) => {
                    let reference = wish.reference.clone();
                    (reference, outcome.and_then(|()| self.carry_out(wish, connection)))
                }
                Answered::Snapshot(snapshot) => {
                    (None, snapshot.go_on(&self.app, connection, || self.answers.post(Answered::Snapshot)))
                }
            };
            if let Err(problem) = done {
                self.fail(connection, reference.as_deref(), &problem);
            }
        }
    }

    fn farewell(&mut self, code: u16, reason: &str) -> Farewell {
        let mut message = Vec::new();
        if code == GOING_AWAY {
            let after_ms = RandomState::new().hash_one(()) % MAX_RECONNECT_MS;
            write_reconnect(after_ms, &mut message);
        }
        Farewell { code, reason: reason.into(), message: Some(message).filter(|message| !message.is_empty()) }
    }

    fn wire(&self) -> Wire {
        Wire::PlainJson
    }
}

/// What tells a client what became of its order, whenever that is known.
struct Answer {
    app: Arc<App>,
    replies: Replies,
    connection: String,
    reference: Option<String>,
}

impl Answer {
    /// Called on the writer's thread: encodes and posts, and reads only elsewhere.
    fn send(self, outcome: Result<Placed, CommandError>) {
        match outcome {
            Ok(Placed::Accepted { order, details }) => {
                let mut json = Vec::with_capacity(512);
                encode::order_json(&order, &details, &mut json);
                self.acknowledge(&json, false);
            }
            Ok(Placed::Replayed { order_id }) => self.read(order_id, true),
            Err(error) if needs_search(&error) => {
                let runtime = self.app.runtime.clone();
                runtime.spawn(async move {
                    let problem = explain(&self.app, error).await;
                    self.refuse(&problem);
                });
            }
            Err(error) => self.refuse(&Problem::of_order(error)),
        }
    }

    /// Answers an action on an order.
    fn changed(self, outcome: Result<Changed, CommandError>) {
        match outcome {
            Ok(Changed { order, replayed }) => self.read(order.id, replayed),
            Err(error) => self.refuse(&Problem::of_command(ErrorCode::InvalidAction, error)),
        }
    }

    fn read(mut self, order_id: OrderId, replayed: bool) {
        let replies = self.replies.clone();
        replies.ask(Box::new(move |replies| {
            self.replies = replies;
            let runtime = self.app.runtime.clone();
            runtime.spawn(async move {
                match find(&self.app, order_id).await {
                    Ok((order, details)) => {
                        let mut json = Vec::with_capacity(512);
                        encode::order_json(&order, &details, &mut json);
                        self.acknowledge(&json, replayed);
                    }
                    Err(problem) => self.refuse(&problem),
                }
            });
        }));
    }

    fn acknowledge(&self, order: &[u8], replayed: bool) {
        let mut frame = Vec::with_capacity(order.len() + 64);
        write_order_ack(self.reference.as_deref(), &String::from_utf8_lossy(order), replayed, &mut frame);
        self.replies.send(frame);
    }

    fn refuse(&self, problem: &Problem) {
        self.replies.send(problem.frame(self.reference.as_deref()));
        self.app.report("websocket", &self.connection, problem);
    }
}
