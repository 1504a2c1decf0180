//! Connecting, and staying connected.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use ordercast_access::Principal;
use ordercast_hub::handler::Connection;
use ordercast_protocol::centrifuge::code::{Disconnect, Error};
use ordercast_protocol::centrifuge::message::{
    ConnectRequest, ConnectResult, RefreshRequest, RefreshResult, Reply, SubscribeResult, SubscribedChannel,
};
use ordercast_protocol::limits::MAX_CHANNELS;
use ordercast_store::clock::wall_now_ms;

use super::handler::{CentrifugeHandler, unix_s};
use super::stage::{Connecting, Profile, Stage, no_user};
use super::subscription::{Awaited, Wish};
use crate::access::authenticate::{by_token, principal_of};
use crate::access::tokens::{ChannelOptions, ConnectionClaims, TokenError};

/// What the server calls itself.
const VERSION: &str = concat!("ordercast ", env!("CARGO_PKG_VERSION"));

impl CentrifugeHandler {
    pub(super) fn connect(&mut self, id: u32, request: ConnectRequest, connection: &mut dyn Connection) {
        let (access, users) = (&self.app.config.access, self.app.engine.customers());
        let (principal, claims) = match by_token(access, users, &request.token, unix_s()) {
            Ok(known) => known,
            Err(TokenError::Expired) => return self.refuse_connect(id, Error::TokenExpired, connection),
            Err(TokenError::Invalid(detail)) => {
                tracing::info!(connection = connection.id(), detail, "a token was not accepted");
                return self.disconnect(Disconnect::InvalidToken, connection);
            }
        };
        let now_s = unix_s();
        let expires_at = claims.as_ref().and_then(ConnectionClaims::expires_at);
        if expires_at.is_some_and(|at| at <= now_s) {
            return self.refuse_connect(id, Error::TokenExpired, connection);
        }
        self.take_identity(principal, claims.as_ref(), connection);
        self.expires = expires_at.map(|at| self.give_up_at(at));
        let config = &self.app.config.centrifuge;
        let result = ConnectResult {
            client: connection.id().to_owned(),
            version: VERSION.to_owned(),
            expires: expires_at.is_some(),
            ttl: expires_at.map(|at| seconds(at.saturating_sub(now_s))).unwrap_or_default(),
            ping: if self.has_own_pings { 0 } else { seconds(config.ping_interval.as_secs() as i64) },
            pong: !self.has_own_pings,
            session: self.return_path.as_ref().map(|path| path.secret.to_string()).unwrap_or_default(),
            node: self.return_path.as_ref().map(|path| path.node.clone()).unwrap_or_default(),
            time: wall_now_ms(),
            ..ConnectResult::default()
        };
        self.stage = Stage::Connecting(Box::new(Connecting { id, result, waiting: 0 }));
        self.subscribe_at_connect(&request, claims.unwrap_or_default(), connection);
        self.finish_connecting(connection);
    }

    /// The connection is a principal's from now on, who is called what the token says; without a token, nothing.
    fn take_identity(
        &mut self,
        principal: Principal,
        claims: Option<&ConnectionClaims>,
        connection: &mut dyn Connection,
    ) {
        connection.set_principal(principal);
        self.profile = match claims {
            Some(claims) if !claims.sub.is_empty() => {
                Profile::new(claims.sub.as_str().into(), claims.public_info().clone())
            }
            Some(claims) => Profile::new(no_user(), claims.public_info().clone()),
            None => Profile::unknown(),
        };
    }

    /// Makes the subscriptions that the token names.
    fn subscribe_at_connect(
        &mut self,
        request: &ConnectRequest,
        claims: ConnectionClaims,
        connection: &mut dyn Connection,
    ) {
        let mut wanted: BTreeMap<String, ChannelOptions> = claims.subs;
        for name in claims.channels {
            wanted.entry(name).or_default();
        }
        if wanted.len() > MAX_CHANNELS {
            return self.disconnect(Disconnect::ChannelLimit, connection);
        }
        // All names first: a client that is refused must not have been subscribed to some of them.
        let find = |(name, options): (String, ChannelOptions)| {
            let (channel, namespace) = self.app.config.channels.find(&name).ok()?;
            let asked = request.subs.get(&name).filter(|asked| asked.recover);
            Some(Wish {
                channel,
                namespace,
                options,
                awaited: Awaited::Connect,
                since: asked.map(|asked| (asked.epoch.clone(), asked.offset)),
                recoverable: true,
                positioned: true,
                join_leave: false,
                delta: false,
                ends_at: None,
            })
        };
        let Some(wishes) = wanted.into_iter().map(find).collect::<Option<Vec<_>>>() else {
            let Stage::Connecting(connecting) = &self.stage else { return };
            return self.refuse_connect(connecting.id, Error::UnknownChannel, connection);
        };
        for wish in wishes {
            if self.begin_subscription(wish, connection).is_err() {
                return self.disconnect(Disconnect::ChannelLimit, connection);
            }
            if let Stage::Connecting(connecting) = &mut self.stage {
                connecting.waiting += 1;
            }
        }
    }

    /// A subscription that the connect command waits for has begun.
    pub(super) fn add_to_connect(&mut self, channel: &str, result: SubscribeResult, connection: &mut dyn Connection) {
        if let Stage::Connecting(connecting) = &mut self.stage {
            connecting.waiting = connecting.waiting.saturating_sub(1);
            let result = Some(result);
            connecting.result.subs.push(SubscribedChannel { channel: channel.to_owned(), result });
        }
        self.finish_connecting(connection);
    }

    /// Answers the connect command when nothing is missing.
    fn finish_connecting(&mut self, connection: &mut dyn Connection) {
        let Stage::Connecting(connecting) = &mut self.stage else { return };
        if connecting.waiting > 0 {
            return;
        }
        let (id, connect) = (connecting.id, std::mem::take(&mut connecting.result));
        self.reply(&Reply { id, connect: Some(connect), ..Reply::default() }, connection);
        let mut hasher = DefaultHasher::new();
        connection.id().hash(&mut hasher);
        self.begin(hasher.finish());
    }

    /// Replaces the connection's token. A client whose new token is no good comes back with another: an error
    /// would leave it without one, and connected.
    pub(super) fn refresh(&mut self, id: u32, request: &RefreshRequest, connection: &mut dyn Connection) {
        if request.token.is_empty() {
            return self.break_off("a refresh without a token", connection);
        }
        let now_s = unix_s();
        let claims = match self.app.config.access.tokens.connection(&request.token, now_s) {
            Ok(claims) if *claims.sub == *self.profile.user => claims,
            Err(TokenError::Expired) => return self.disconnect(Disconnect::Expired, connection),
            Ok(_) | Err(TokenError::Invalid(_)) => return self.disconnect(Disconnect::InvalidToken, connection),
        };
        let expires_at = claims.expires_at();
        if expires_at.is_some_and(|at| at <= now_s) {
            return self.disconnect(Disconnect::Expired, connection);
        }
        self.expires = expires_at.map(|at| self.give_up_at(at));
        let result = RefreshResult {
            client: connection.id().to_owned(),
            version: VERSION.to_owned(),
            expires: expires_at.is_some(),
            ttl: expires_at.map(|at| seconds(at.saturating_sub(now_s))).unwrap_or_default(),
        };
        let principal = principal_of(&self.app.config.access, self.app.engine.customers(), &claims);
        self.take_identity(principal, Some(&claims), connection);
        self.reply(&Reply { id, refresh: Some(result), ..Reply::default() }, connection);
    }
}

/// A span for the wire.
pub(super) fn seconds(span: i64) -> u32 {
    u32::try_from(span.max(0)).unwrap_or(u32::MAX)
}
