//! One client's conversation.

use std::sync::Arc;
use std::time::Instant;

use ordercast_hub::handler::{Connection, ConnectionHandler, Farewell, Message, Subscribed};
use ordercast_hub::signal::{Signal, Target};
use ordercast_protocol::centrifuge::code::{Disconnect, Error};
use ordercast_protocol::centrifuge::codec::decode_commands;
use ordercast_protocol::centrifuge::message::Command;
use ordercast_protocol::centrifuge::push::push_disconnect;
use ordercast_protocol::channel::Channel;
use ordercast_protocol::close;
use ordercast_protocol::envelope::Wire;

use super::client::{Client, OrderSeen};
use super::heartbeat::Due;
use super::signal::options_of;
use super::stage::Stage;
use super::subscription::Subscription;
use super::{begun, connect, history, presence, publish, rpc, subscribe};
use crate::app::App;

/// Most commands that wait for one before them (3013 beyond).
const MAX_QUEUED: usize = 2_048;

/// The side of the server in the conversation with one client on any transport: it takes commands in their order, and each
/// kind is carried out by a module of its own, on the [`Client`].
pub(super) struct CentrifugeHandler {
    pub(super) client: Client,
}

impl CentrifugeHandler {
    pub(super) fn new(app: Arc<App>, wire: Wire) -> Self {
        Self { client: Client::new(app, wire) }
    }

    /// Carries out what waits, up to a command that must wait longer.
    pub(super) fn run(&mut self, connection: &mut dyn Connection) {
        while let Some(command) = self.next_command() {
            self.carry_out(command, connection);
            if self.client.is_over() {
                self.client.waiting().queue.clear();
            }
        }
        self.client.flush(connection);
        if self.client.waiting.as_ref().is_some_and(|waiting| waiting.queue.is_empty()) {
            self.client.waiting = None;
        }
        self.set_alarm(connection);
    }

    /// Takes the next command, unless it must wait.
    fn next_command(&mut self) -> Option<Command> {
        let next = self.client.waiting.as_ref()?.queue.front()?;
        if self.must_wait(next) {
            return None;
        }
        self.client.waiting.as_mut()?.queue.pop_front()
    }

    /// Commands are carried out in their order: none before the connection stands, none that concerns a channel
    /// whose subscription has not begun.
    fn must_wait(&self, command: &Command) -> bool {
        if matches!(self.client.stage, Stage::Connecting(_)) {
            return true;
        }
        let is_pending = |channel: &str| {
            self.client.subscriptions.get(channel).is_some_and(|subscription| !subscription.has_begun())
        };
        command.channel().is_some_and(is_pending)
    }

    fn carry_out(&mut self, command: Command, connection: &mut dyn Connection) {
        if command == Command::default() {
            if !self.client.heartbeat.pong() {
                self.client.break_off("a pong that was not asked for", connection);
            }
            return;
        }
        let id = command.id;
        let is_new = matches!(self.client.stage, Stage::New);
        match command.connect {
            Some(request) if is_new && id > 0 => return connect::connect(&mut self.client, id, request, connection),
            Some(_) => return self.client.break_off("connect was not the first command", connection),
            None if is_new => return self.client.break_off("the first command was not connect", connection),
            None => {}
        }
        if command.send.is_some() {
            return self.client.disconnect(Disconnect::NotAvailable, connection);
        }
        if id == 0 {
            return self.client.break_off("a command without an id", connection);
        }
        if command.channel().is_some_and(str::is_empty) {
            return self.client.break_off("a command without a channel", connection);
        }
        if let Some(request) = command.subscribe {
            subscribe::subscribe(&mut self.client, id, request, connection);
        } else if let Some(request) = command.unsubscribe {
            subscribe::unsubscribe(&mut self.client, id, &request, connection);
        } else if let Some(request) = command.publish {
            publish::publish(&mut self.client, id, &request, connection);
        } else if let Some(request) = command.presence {
            presence::presence(&mut self.client, id, &request, connection);
        } else if let Some(request) = command.presence_stats {
            presence::presence_stats(&mut self.client, id, &request, connection);
        } else if let Some(request) = command.history {
            history::history(&mut self.client, id, request, connection);
        } else if let Some(request) = command.rpc {
            rpc::call(&mut self.client, id, &request, connection);
        } else if let Some(request) = command.refresh {
            connect::refresh(&mut self.client, id, &request, connection);
        } else if let Some(request) = command.sub_refresh {
            subscribe::refresh_subscription(&mut self.client, id, &request, connection);
        } else if command.ping.is_some() {
            self.client.refuse(id, Error::NotAvailable, connection);
        } else {
            self.client.refuse(id, Error::MethodNotFound, connection);
        }
    }

    fn set_alarm(&mut self, connection: &mut dyn Connection) {
        let subscriptions = self.client.subscriptions.iter().filter_map(Subscription::expires);
        let deadlines = self.client.heartbeat.next().into_iter().chain(self.client.deadline).chain(self.client.expires);
        if let Some(next) = deadlines.chain(subscriptions).min() {
            connection.wake_after(next.saturating_duration_since(Instant::now()));
        }
    }

    /// What a time that has passed means, the gravest first.
    fn overdue(&mut self, now: Instant) -> Option<Disconnect> {
        let is_over = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_over(self.client.deadline) {
            let is_new = matches!(self.client.stage, Stage::New);
            return Some(if is_new { Disconnect::Stale } else { Disconnect::Closed });
        }
        if is_over(self.client.expires) {
            return Some(Disconnect::Expired);
        }
        if self.client.subscriptions.iter().any(|subscription| is_over(subscription.expires())) {
            return Some(Disconnect::SubscriptionExpired);
        }
        None
    }

    fn is_meant(&self, target: &Target, connection: &dyn Connection) -> bool {
        let own_secret = self.client.return_path.as_ref().map(|path| &path.secret);
        matches!(self.client.stage, Stage::Connected)
            && *target.user == *self.client.profile.user
            && target.client.as_ref().is_none_or(|client| **client == *connection.id())
            && target.session.as_ref().is_none_or(|session| Some(session) == own_secret)
    }

    fn heed(&mut self, signal: &Signal, connection: &mut dyn Connection) {
        match signal {
            Signal::Subscribe { channel, terms, since } => {
                subscribe::subscribe_by_server(
                    &mut self.client,
                    channel,
                    options_of(terms),
                    since.as_ref(),
                    connection,
                );
            }
            Signal::Unsubscribe { channel, why } => {
                subscribe::unsubscribe_by_server(&mut self.client, channel, *why, connection)
            }
            Signal::Disconnect { code, reason, kept } => {
                if !kept.iter().any(|kept| **kept == *connection.id()) {
                    self.client.close(*code, reason, connection);
                }
            }
            Signal::Refresh { expires_at } => self.client.expires = expires_at.map(|at| self.client.give_up_at(at)),
        }
    }
}

impl ConnectionHandler for CentrifugeHandler {
    fn on_open(&mut self, connection: &mut dyn Connection) {
        self.client.deadline = Some(Instant::now() + self.client.app.config.centrifuge.stale_timeout);
        self.set_alarm(connection);
    }

    fn on_message(&mut self, message: Message<'_>, connection: &mut dyn Connection) {
        if self.client.is_over() {
            return;
        }
        match decode_commands(self.client.encoding, message.bytes()) {
            Ok(commands) if self.client.waiting().queue.len() + commands.len() > MAX_QUEUED => {
                self.client.disconnect(Disconnect::TooManyRequests, connection);
            }
            Ok(commands) => {
                self.client.waiting().queue.extend(commands);
                self.run(connection);
            }
            Err(malformed) => self.client.break_off(&malformed.to_string(), connection),
        }
    }

    fn on_subscribed(&mut self, channel: &Channel, subscribed: &Subscribed, connection: &mut dyn Connection) {
        begun::on_begun(&mut self.client, channel, subscribed, connection);
        self.run(connection);
    }

    fn on_wake(&mut self, connection: &mut dyn Connection) {
        if matches!(self.client.stage, Stage::Closed) {
            return;
        }
        let now = Instant::now();
        if let Some(why) = self.overdue(now) {
            return self.client.disconnect(why, connection);
        }
        let (interval, patience) =
            (self.client.app.config.centrifuge.ping_interval, self.client.app.config.centrifuge.pong_timeout);
        match self.client.heartbeat.due(now, interval, patience) {
            Due::Nothing => {}
            Due::Ping => self.client.reply_encoded(self.client.encoding.ping(), connection),
            Due::Late => return self.client.disconnect(Disconnect::NoPong, connection),
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
        for OrderSeen { channel, is_own } in self.client.answers.take() {
            subscribe::on_order_seen(&mut self.client, &channel, is_own, connection);
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
        self.client.stage = Stage::Closed;
        // A WebSocket has its close frame, which says it all; after a push as well some SDKs go on connecting.
        let has_close_frame = self.client.return_path.is_none();
        let message = (!has_close_frame).then(|| {
            let mut message = Vec::new();
            push_disconnect(self.client.encoding, u32::from(code), reason, &mut message);
            message
        });
        Farewell { code, reason: reason.into(), message }
    }

    fn user(&self) -> &str {
        &self.client.profile.user
    }

    fn wire(&self) -> Wire {
        self.client.wire
    }
}

fn of(why: Disconnect) -> (u16, &'static str) {
    (why.code(), why.reason())
}
