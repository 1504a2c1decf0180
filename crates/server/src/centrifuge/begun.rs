//! Replies and pushes for a subscription that has begun, or has lost its place.

use std::borrow::Cow;

use ordercast_hub::handler::{Connection, Subscribed};
use ordercast_protocol::centrifuge::code::{Disconnect, Error, Unsubscribe};
use ordercast_protocol::centrifuge::fossil;
use ordercast_protocol::centrifuge::message::{Publication, Reply, SubscribePush, SubscribeResult};
use ordercast_protocol::centrifuge::publication::{data_of, to_delta_message, to_message};
use ordercast_protocol::centrifuge::push::{push_publication, push_subscribe};
use ordercast_protocol::channel::Channel;

use super::client::Client;
use super::connect;
use super::subscription::{Awaited, Subscription};
use super::times::seconds;
use super::times::unix_s;

/// A subscription has begun, or has lost its place.
pub(super) fn on_begun(client: &mut Client, channel: &Channel, begun: &Subscribed, connection: &mut dyn Connection) {
    let Some(subscription) = client.subscriptions.get_mut(&channel.name) else { return };
    let Some(awaited) = subscription.awaited.take() else {
        if begun.recovered == Some(false) && subscription.positioned {
            end_with_hole(client, &channel.name, connection);
        }
        return;
    };
    let subscription = subscription.clone();
    match awaited {
        Awaited::Reply { id, or_error: true } if begun.recovered == Some(false) => {
            client.subscriptions.remove(&channel.name);
            connection.unsubscribe(&channel.name);
            client.refuse(id, Error::UnrecoverablePosition, connection);
        }
        Awaited::Reply { id, .. } => {
            let subscribe = Some(result(client, &subscription, begun));
            client.reply(&Reply { id, subscribe, ..Reply::default() }, connection);
        }
        Awaited::Connect => {
            let result = result(client, &subscription, begun);
            connect::add_to_connect(client, &channel.name, result, connection);
        }
        Awaited::Push => push_begun(client, &channel.name, &subscription, begun, connection),
    }
}

fn end_with_hole(client: &mut Client, channel: &str, connection: &mut dyn Connection) {
    if client.subscriptions.get(channel).is_some_and(|subscription| subscription.by_server) {
        return client.disconnect(Disconnect::InsufficientState, connection);
    }
    client.subscriptions.remove(channel);
    connection.unsubscribe(channel);
    client.tell_unsubscribed(channel, Unsubscribe::InsufficientState, connection);
}

fn push_begun(
    client: &mut Client,
    channel: &str,
    subscription: &Subscription,
    begun: &Subscribed,
    connection: &mut dyn Connection,
) {
    let result = result(client, subscription, begun);
    let told = SubscribePush {
        recoverable: result.recoverable,
        positioned: result.positioned,
        epoch: result.epoch,
        offset: result.offset,
        data: result.data,
    };
    let mut push = Vec::new();
    push_subscribe(client.encoding, channel, told, &mut push);
    client.reply_encoded(&push, connection);
    for (offset, body) in &begun.events {
        push.clear();
        push_publication(client.encoding, channel, *offset, body, &mut push);
        client.reply_encoded(&push, connection);
    }
}

fn result(client: &Client, subscription: &Subscription, begun: &Subscribed) -> SubscribeResult {
    let ends_at = subscription.ends_at();
    let mut result = SubscribeResult {
        expires: ends_at.is_some(),
        ttl: ends_at.map(|at| seconds(at.saturating_sub(unix_s()))).unwrap_or_default(),
        recoverable: subscription.recoverable,
        positioned: subscription.positioned,
        was_recovering: subscription.was_recovering,
        recovered: begun.recovered == Some(true),
        delta: subscription.delta,
        data: subscription.data(),
        publications: publications(client, subscription, begun),
        ..SubscribeResult::default()
    };
    if subscription.positioned {
        (result.epoch, result.offset) = (begun.epoch.to_string(), begun.offset);
    }
    result
}

/// What was missed. With deltas the first is whole, each other one leads from the one before.
fn publications(client: &Client, subscription: &Subscription, begun: &Subscribed) -> Vec<Publication> {
    let encoding = client.encoding;
    if !subscription.delta {
        return begun.events.iter().map(|(offset, body)| to_message(encoding, *offset, body)).collect();
    }
    let mut before: Option<Cow<'_, [u8]>> = None;
    let publications = begun.events.iter().map(|(offset, body)| {
        let data = data_of(encoding, body);
        let delta = before.as_ref().and_then(|before| fossil::create(before, &data));
        before = Some(data);
        to_delta_message(encoding, *offset, body, delta.as_deref())
    });
    publications.collect()
}
