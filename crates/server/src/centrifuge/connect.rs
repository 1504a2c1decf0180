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

use super::client::Client;
use super::stage::{Connecting, Profile, Stage, no_user};
use super::subscribe;
use super::subscription::{Awaited, Wish};
use super::times::{seconds, unix_s};
use crate::access::authenticate::{by_token, principal_of};
use crate::access::tokens::{ChannelOptions, ConnectionClaims, TokenError};

/// What the server calls itself.
const VERSION: &str = concat!("ordercast ", env!("CARGO_PKG_VERSION"));

pub(super) fn connect(client: &mut Client, id: u32, request: ConnectRequest, connection: &mut dyn Connection) {
    let (access, users) = (&client.app.config.access, client.app.engine.customers());
    let (principal, claims) = match by_token(access, users, &request.token, unix_s()) {
        Ok(known) => known,
        Err(TokenError::Expired) => return client.refuse_connect(id, Error::TokenExpired, connection),
        Err(TokenError::Invalid(detail)) => {
            tracing::info!(connection = connection.id(), detail, "a token was not accepted");
            return client.disconnect(Disconnect::InvalidToken, connection);
        }
    };
    let now_s = unix_s();
    let expires_at = claims.as_ref().and_then(ConnectionClaims::expires_at);
    if expires_at.is_some_and(|at| at <= now_s) {
        return client.refuse_connect(id, Error::TokenExpired, connection);
    }
    take_identity(client, principal, claims.as_ref(), connection);
    client.expires = expires_at.map(|at| client.give_up_at(at));
    let config = &client.app.config.centrifuge;
    let result = ConnectResult {
        client: connection.id().to_owned(),
        version: VERSION.to_owned(),
        expires: expires_at.is_some(),
        ttl: expires_at.map(|at| seconds(at.saturating_sub(now_s))).unwrap_or_default(),
        ping: if client.has_own_pings { 0 } else { seconds(config.ping_interval.as_secs() as i64) },
        pong: !client.has_own_pings,
        session: client.return_path.as_ref().map(|path| path.secret.to_string()).unwrap_or_default(),
        node: client.return_path.as_ref().map(|path| path.node.clone()).unwrap_or_default(),
        time: wall_now_ms(),
        ..ConnectResult::default()
    };
    client.stage = Stage::Connecting(Box::new(Connecting { id, result, waiting: 0 }));
    subscribe_at_connect(client, &request, claims.unwrap_or_default(), connection);
    finish_connecting(client, connection);
}

/// The connection is a principal's from now on, who is called what the token says; without a token, nothing.
fn take_identity(
    client: &mut Client,
    principal: Principal,
    claims: Option<&ConnectionClaims>,
    connection: &mut dyn Connection,
) {
    connection.set_principal(principal);
    client.profile = match claims {
        Some(claims) if !claims.sub.is_empty() => {
            Profile::new(claims.sub.as_str().into(), claims.public_info().clone())
        }
        Some(claims) => Profile::new(no_user(), claims.public_info().clone()),
        None => Profile::unknown(),
    };
}

/// Makes the subscriptions that the token names.
fn subscribe_at_connect(
    client: &mut Client,
    request: &ConnectRequest,
    claims: ConnectionClaims,
    connection: &mut dyn Connection,
) {
    let mut wanted: BTreeMap<String, ChannelOptions> = claims.subs;
    for name in claims.channels {
        wanted.entry(name).or_default();
    }
    if wanted.len() > MAX_CHANNELS {
        return client.disconnect(Disconnect::ChannelLimit, connection);
    }
    // All names first: a client that is refused must not have been subscribed to some of them.
    let find = |(name, options): (String, ChannelOptions)| {
        let (channel, namespace) = client.app.config.channels.find(&name).ok()?;
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
        let Stage::Connecting(connecting) = &client.stage else { return };
        return client.refuse_connect(connecting.id, Error::UnknownChannel, connection);
    };
    for wish in wishes {
        if subscribe::begin_subscription(client, wish, connection).is_err() {
            return client.disconnect(Disconnect::ChannelLimit, connection);
        }
        if let Stage::Connecting(connecting) = &mut client.stage {
            connecting.waiting += 1;
        }
    }
}

/// A subscription that the connect command waits for has begun.
pub(super) fn add_to_connect(
    client: &mut Client,
    channel: &str,
    result: SubscribeResult,
    connection: &mut dyn Connection,
) {
    if let Stage::Connecting(connecting) = &mut client.stage {
        connecting.waiting = connecting.waiting.saturating_sub(1);
        let result = Some(result);
        connecting.result.subs.push(SubscribedChannel { channel: channel.to_owned(), result });
    }
    finish_connecting(client, connection);
}

/// Answers the connect command when nothing is missing.
fn finish_connecting(client: &mut Client, connection: &mut dyn Connection) {
    let Stage::Connecting(connecting) = &mut client.stage else { return };
    if connecting.waiting > 0 {
        return;
    }
    let (id, connect) = (connecting.id, std::mem::take(&mut connecting.result));
    client.reply(&Reply { id, connect: Some(connect), ..Reply::default() }, connection);
    let mut hasher = DefaultHasher::new();
    connection.id().hash(&mut hasher);
    client.begin(hasher.finish());
}

/// Replaces the connection's token. A client whose new token is no good comes back with another: an error
/// would leave it without one, and connected.
pub(super) fn refresh(client: &mut Client, id: u32, request: &RefreshRequest, connection: &mut dyn Connection) {
    if request.token.is_empty() {
        return client.break_off("a refresh without a token", connection);
    }
    let now_s = unix_s();
    let claims = match client.app.config.access.tokens.connection(&request.token, now_s) {
        Ok(claims) if *claims.sub == *client.profile.user => claims,
        Err(TokenError::Expired) => return client.disconnect(Disconnect::Expired, connection),
        Ok(_) | Err(TokenError::Invalid(_)) => return client.disconnect(Disconnect::InvalidToken, connection),
    };
    let expires_at = claims.expires_at();
    if expires_at.is_some_and(|at| at <= now_s) {
        return client.disconnect(Disconnect::Expired, connection);
    }
    client.expires = expires_at.map(|at| client.give_up_at(at));
    let result = RefreshResult {
        client: connection.id().to_owned(),
        version: VERSION.to_owned(),
        expires: expires_at.is_some(),
        ttl: expires_at.map(|at| seconds(at.saturating_sub(now_s))).unwrap_or_default(),
    };
    let principal = principal_of(&client.app.config.access, client.app.engine.customers(), &claims);
    take_identity(client, principal, Some(&claims), connection);
    client.reply(&Reply { id, refresh: Some(result), ..Reply::default() }, connection);
}
