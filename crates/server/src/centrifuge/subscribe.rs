//! Subscriptions: asked for by the client, or made by the server.

use std::sync::Arc;

use ordercast_access::{Right, Verdict};
use ordercast_hub::handler::{Connection, Presence, Replies, Subscribe, SubscribeError};
use ordercast_protocol::centrifuge::code::{Error, Unsubscribe};
use ordercast_protocol::centrifuge::message::{
    ClientInfo, Reply, SubRefreshRequest, SubRefreshResult, SubscribeRequest, UnsubscribeRequest, UnsubscribeResult,
};
use ordercast_protocol::channel::{Channel, ChannelError, Retention, Source};
use ordercast_protocol::limits::MAX_CHANNELS;
use ordercast_protocol::position::{Epoch, Position};

use super::client::Client;
use super::client::OrderSeen;
use super::subscription::{Awaited, Subscription, Wish};
use super::times::seconds;
use super::times::unix_s;
use crate::access::tokens::{ChannelOptions, SubscriptionClaims, TokenError};
use crate::channels::Namespace;
use crate::operations::permission::{in_channel, is_allowed};

/// The one kind of delta.
const FOSSIL: &str = "fossil";

pub(super) fn subscribe(client: &mut Client, id: u32, request: SubscribeRequest, connection: &mut dyn Connection) {
    let wish = match wish(client, id, request, connection) {
        Ok(wish) => wish,
        Err(error) => return client.refuse(id, error, connection),
    };
    let (wish, verdict) = wish;
    let outcome = match verdict {
        Verdict::Allowed => begin_subscription(client, wish, connection),
        Verdict::Denied => Err(Error::PermissionDenied),
        Verdict::IfOwn => hold(client, wish, connection),
    };
    if let Err(error) = outcome {
        client.refuse(id, error, connection);
    }
}

/// Judges a request.
fn wish(
    client: &Client,
    id: u32,
    request: SubscribeRequest,
    connection: &dyn Connection,
) -> Result<(Wish, Verdict), Error> {
    if request.kind != 0 || request.tf.is_some() {
        return Err(Error::NotAvailable);
    }
    if !request.delta.is_empty() && request.delta != FOSSIL {
        return Err(Error::BadRequest);
    }
    if client.subscriptions.contains(&request.channel) {
        return Err(Error::AlreadySubscribed);
    }
    if client.subscriptions.len() >= MAX_CHANNELS {
        return Err(Error::LimitExceeded);
    }
    let found = client.app.config.channels.find(&request.channel);
    let (channel, namespace) = found.map_err(|error| match error {
        ChannelError::Length => Error::BadRequest,
        ChannelError::Unknown => Error::UnknownChannel,
    })?;
    let claims = match request.token.as_str() {
        "" => None,
        token => Some(subscription_claims(client, token, &channel.name, connection)?),
    };
    let principal = &connection.origin().principal;
    let verdict = match claims {
        Some(_) => Verdict::Allowed,
        None => in_channel(principal, Right::Subscribe, &channel, namespace.as_deref(), false),
    };
    // Who may not read the past may not ask for it here either; a namespace may give it to everyone.
    let history = in_channel(principal, Right::ReadHistory, &channel, namespace.as_deref(), true);
    let sees_past = history != Verdict::Denied;
    let or_error = request.flag & SubscribeRequest::REJECT_UNRECOVERED != 0;
    let wish = Wish {
        awaited: Awaited::Reply { id, or_error },
        since: request.recover.then_some((request.epoch, request.offset)),
        recoverable: sees_past && (request.recoverable || request.recover),
        positioned: sees_past && request.positioned,
        join_leave: request.join_leave,
        delta: request.delta == FOSSIL,
        ends_at: claims.as_ref().and_then(SubscriptionClaims::expires_at),
        options: claims.map(SubscriptionClaims::into_options).unwrap_or_default(),
        channel,
        namespace,
    };
    Ok((wish, verdict))
}

/// Checks a subscription's token: it must be this user's, for this channel, and for this connection if it
/// names one.
fn subscription_claims(
    client: &Client,
    token: &str,
    channel: &str,
    connection: &dyn Connection,
) -> Result<SubscriptionClaims, Error> {
    let now_s = unix_s();
    let claims = client.app.config.access.tokens.subscription(token, now_s).map_err(|error| match error {
        TokenError::Expired => Error::TokenExpired,
        TokenError::Invalid(detail) => {
            tracing::info!(connection = connection.id(), channel, detail, "a token was not accepted");
            Error::PermissionDenied
        }
    })?;
    let is_right_client = claims.client.as_ref().is_none_or(|client| *client == connection.id());
    if *claims.sub != *client.profile.user || claims.channel != channel || !is_right_client {
        return Err(Error::PermissionDenied);
    }
    if claims.expires_at().is_some_and(|at| at <= now_s) {
        return Err(Error::TokenExpired);
    }
    Ok(claims)
}

/// Asks the store whose an order is before its channel is subscribed.
fn hold(client: &mut Client, wish: Wish, connection: &mut dyn Connection) -> Result<(), Error> {
    let leave = client.leave_to_wait().ok_or(Error::TooManyRequests)?;
    let (app, principal) = (Arc::clone(&client.app), connection.origin().principal.clone());
    let channel = wish.channel.clone();
    client.subscriptions.insert(Arc::clone(&channel.name), Subscription::held(wish));
    let (post, runtime) = (client.answers.post(|seen| seen), client.app.runtime.clone());
    let read = async move |replies: Replies| {
        let is_own = is_allowed(&app, &principal, Verdict::IfOwn, &channel).await;
        let is_own = is_own.map_err(|error| tracing::error!(%error, "a read failed"));
        post.send(OrderSeen { channel: channel.name, is_own }, &replies);
        drop(leave);
    };
    connection.ask(Box::new(move |replies| drop(runtime.spawn(read(replies)))));
    Ok(())
}

/// The store has said whose the order is.
pub(super) fn on_order_seen(
    client: &mut Client,
    channel: &str,
    is_own: Result<bool, ()>,
    connection: &mut dyn Connection,
) {
    let Some(wish) = client.subscriptions.get_mut(channel).and_then(|held| held.held.take()) else { return };
    client.subscriptions.remove(channel);
    let awaited = wish.awaited;
    let outcome = match is_own {
        Ok(true) => begin_subscription(client, *wish, connection),
        Ok(false) => Err(Error::PermissionDenied),
        Err(()) => Err(Error::Internal),
    };
    if let (Err(error), Awaited::Reply { id, .. }) = (outcome, awaited) {
        client.refuse(id, error, connection);
    }
}

/// Starts a subscription that is allowed. It is answered when it has begun.
pub(super) fn begin_subscription(
    client: &mut Client,
    wish: Wish,
    connection: &mut dyn Connection,
) -> Result<(), Error> {
    if !client.app.hub.has_capacity_for(&wish.channel) {
        return Err(Error::LimitExceeded);
    }
    let mut subscription = Subscription::new(&wish);
    let Wish { channel, namespace, options, .. } = &wish;
    let overrides = options.overrides;
    let settings = namespace.as_deref();
    let of = |setting: fn(&Namespace) -> bool| settings.is_some_and(setting);
    let (is_log, has_history) = match channel.source {
        Source::Log(..) => (true, true),
        Source::Memory(retention) => (false, retention != Retention::NONE),
    };
    let force_recovery = is_log || overrides.force_recovery.unwrap_or_else(|| of(|space| space.force_recovery));
    let by_server = subscription.by_server;
    // The server's own subscriptions can be resumed only where all can be.
    subscription.recoverable = has_history && (force_recovery || (wish.recoverable && !by_server));
    subscription.positioned = has_history
        && (subscription.recoverable
            || overrides.force_positioning.unwrap_or(false)
            || (wish.positioned && !by_server));
    subscription.delta = wish.delta && subscription.positioned && !is_log && of(|space| space.delta);
    let is_shown = overrides.presence.unwrap_or_else(|| of(|space| space.presence));
    let is_announced = overrides.join_leave.unwrap_or_else(|| of(|space| space.join_leave));
    let told_anyway = overrides.force_push_join_leave.unwrap_or_else(|| of(|space| space.force_push_join_leave));
    let since = wish.since.clone().filter(|_| subscription.recoverable);
    subscription.was_recovering = since.is_some();
    subscription.set_end(wish.ends_at.map(|at| (at, client.give_up_at(at))));
    let presence = (is_shown || is_announced).then(|| Presence {
        user: Arc::clone(&client.profile.user),
        info: encode_info(&client_info(client, &subscription, connection)),
        is_announced,
    });
    let options = Subscribe {
        since: since.map(|(epoch, offset)| position(client, channel, epoch, offset)),
        first_page: true,
        delta: subscription.delta,
        presence,
        join_leave: is_announced && (told_anyway || wish.join_leave),
        ..Subscribe::default()
    };
    let begun = connection.subscribe(channel.clone(), options);
    begun.map_err(|error| match error {
        SubscribeError::TooMany => Error::LimitExceeded,
        SubscribeError::Closing => Error::NotAvailable,
    })?;
    client.subscriptions.insert(Arc::clone(&channel.name), subscription);
    Ok(())
}

/// A position; without an epoch it is one of the present.
fn position(client: &Client, channel: &Channel, epoch: String, offset: u64) -> Position {
    let epoch = match (epoch.is_empty(), &channel.source) {
        (false, _) => Epoch(epoch.into()),
        (true, Source::Log(log, _)) => client.app.hub.log_state(*log).epoch,
        (true, Source::Memory(_)) => super::history::memory_position(&client.app.hub, channel).epoch,
    };
    Position { epoch, offset }
}

/// The client as others see it.
pub(super) fn client_info(client: &Client, subscription: &Subscription, connection: &dyn Connection) -> ClientInfo {
    ClientInfo {
        user: client.profile.user.to_string(),
        client: connection.id().to_owned(),
        conn_info: client.profile.info(),
        chan_info: subscription.info(),
    }
}

pub(super) fn unsubscribe(client: &mut Client, id: u32, request: &UnsubscribeRequest, connection: &mut dyn Connection) {
    if client.subscriptions.remove(&request.channel).is_some() {
        connection.unsubscribe(&request.channel);
    }
    client.reply(&Reply { id, unsubscribe: Some(UnsubscribeResult {}), ..Reply::default() }, connection);
}

/// Replaces a subscription's token.
pub(super) fn refresh_subscription(
    client: &mut Client,
    id: u32,
    request: &SubRefreshRequest,
    connection: &mut dyn Connection,
) {
    if request.kind != 0 {
        return client.refuse(id, Error::NotAvailable, connection);
    }
    if request.token.is_empty() {
        return client.break_off("a refresh without a token", connection);
    }
    if !client.subscriptions.contains(&request.channel) {
        return client.refuse(id, Error::PermissionDenied, connection);
    }
    match subscription_claims(client, &request.token, &request.channel, connection) {
        Ok(claims) => prolong(client, id, &request.channel, &claims, connection),
        Err(Error::TokenExpired) => {
            // Told to subscribe again, the client gets a token; an error would end the subscription.
            client.subscriptions.remove(&request.channel);
            connection.unsubscribe(&request.channel);
            client.tell_unsubscribed(&request.channel, Unsubscribe::Expired, connection);
            client.refuse(id, Error::Expired, connection);
        }
        Err(error) => client.refuse(id, error, connection),
    }
}

fn prolong(client: &mut Client, id: u32, channel: &str, claims: &SubscriptionClaims, connection: &mut dyn Connection) {
    let ends_at = claims.expires_at();
    let end = ends_at.map(|at| (at, client.give_up_at(at)));
    if let Some(subscription) = client.subscriptions.get_mut(channel) {
        subscription.set_end(end);
    }
    let ttl = ends_at.map(|at| seconds(at.saturating_sub(unix_s()))).unwrap_or_default();
    let sub_refresh = Some(SubRefreshResult { expires: ends_at.is_some(), ttl });
    client.reply(&Reply { id, sub_refresh, ..Reply::default() }, connection);
}

/// Subscribes the client because another program wishes it.
pub(super) fn subscribe_by_server(
    client: &mut Client,
    channel: &str,
    options: ChannelOptions,
    since: Option<&Position>,
    connection: &mut dyn Connection,
) {
    let is_full = client.subscriptions.len() >= MAX_CHANNELS;
    let found = client.app.config.channels.find(channel).ok();
    let Some((channel, namespace)) = found.filter(|_| !is_full && !client.subscriptions.contains(channel)) else {
        return;
    };
    let wish = Wish {
        channel,
        namespace,
        options,
        awaited: Awaited::Push,
        since: since.map(|since| (since.epoch.to_string(), since.offset)),
        recoverable: true,
        positioned: true,
        join_leave: false,
        delta: false,
        ends_at: None,
    };
    if let Err(error) = begin_subscription(client, wish, connection) {
        tracing::info!(connection = connection.id(), ?error, "a client could not be subscribed");
    }
}

/// Ends a subscription because another program wishes it.
pub(super) fn unsubscribe_by_server(
    client: &mut Client,
    channel: &str,
    why: Unsubscribe,
    connection: &mut dyn Connection,
) {
    let Some(subscription) = client.subscriptions.remove(channel) else { return };
    connection.unsubscribe(channel);
    match subscription.awaited {
        Some(Awaited::Reply { id, .. }) => client.refuse(id, Error::PermissionDenied, connection),
        Some(Awaited::Connect | Awaited::Push) => {}
        None => client.tell_unsubscribed(channel, why, connection),
    }
}

fn encode_info(info: &ClientInfo) -> bytes::Bytes {
    // Strings and JSON always have an encoding.
    serde_json::to_vec(info).unwrap_or_default().into()
}
