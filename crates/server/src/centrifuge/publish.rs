//! Publishing into channels of the application.

use std::collections::BTreeMap;

use bytes::Bytes;
use ordercast_access::{Right, Verdict};
use ordercast_engine::CommandError;
use ordercast_hub::handler::Connection;
use ordercast_protocol::centrifuge::code::Error;
use ordercast_protocol::centrifuge::codec::encode_reply;
use ordercast_protocol::centrifuge::message::{ClientInfo, PublishRequest, PublishResult, Reply};
use ordercast_protocol::centrifuge::publication::{PublicationBody, write_publication};
use ordercast_protocol::channel::{Channel, Source};
use ordercast_protocol::position::Position;
use ordercast_store::clock::wall_now_ms;

use super::client::Client;
use super::subscribe;
use crate::operations::permission::in_channel;
use crate::operations::publishing;

pub(super) fn publish(client: &mut Client, id: u32, request: &PublishRequest, connection: &mut dyn Connection) {
    let (channel, body) = match publication(client, request, connection) {
        Ok(publication) => publication,
        Err(error) => return client.refuse(id, error, connection),
    };
    if matches!(channel.source, Source::Log(..)) {
        return publish_durably(client, id, channel, body, connection);
    }
    match client.app.hub.publish(&channel, body) {
        Some(_) => client.reply(&Reply { id, publish: Some(PublishResult {}), ..Reply::default() }, connection),
        None => client.refuse(id, Error::NotAvailable, connection),
    }
}

/// The answer comes when the publication is on disk.
fn publish_durably(client: &Client, id: u32, channel: Channel, body: Bytes, connection: &dyn Connection) {
    let (replies, encoding) = (connection.replies(), client.encoding);
    let answer = move |outcome: Result<Position, CommandError>| {
        let mut reply = Reply { id, ..Reply::default() };
        match outcome {
            Ok(_) => reply.publish = Some(PublishResult {}),
            Err(error) => reply.error = Some(publishing::error_of(&error).into()),
        }
        let mut message = Vec::new();
        encode_reply(encoding, &reply, &mut message);
        replies.send(message);
    };
    let origin = connection.origin().clone();
    client.app.engine.submit_publication(origin, channel.name, body, Box::new(answer));
}

/// The channel of a publication, and its body.
fn publication(
    client: &Client,
    request: &PublishRequest,
    connection: &dyn Connection,
) -> Result<(Channel, Bytes), Error> {
    if request.kind != 0 {
        return Err(Error::NotAvailable);
    }
    if request.data.is_empty() {
        return Err(Error::BadRequest);
    }
    let found = client.app.config.channels.find(&request.channel);
    let (channel, namespace) = found.map_err(|_| Error::UnknownChannel)?;
    if !client.app.hub.has_capacity_for(&channel) {
        return Err(Error::LimitExceeded);
    }
    let subscription = client.subscriptions.get(&channel.name);
    let principal = &connection.origin().principal;
    let is_subscribed = subscription.is_some();
    if in_channel(principal, Right::Publish, &channel, namespace.as_deref(), is_subscribed) != Verdict::Allowed {
        return Err(Error::PermissionDenied);
    }
    let info = match subscription {
        Some(subscription) => subscribe::client_info(client, subscription, connection),
        None => ClientInfo {
            user: client.profile.user.to_string(),
            client: connection.id().to_owned(),
            conn_info: client.profile.info(),
            chan_info: Bytes::new(),
        },
    };
    let tags = BTreeMap::new();
    let publication = PublicationBody { data: &request.data, info: Some(&info), tags: &tags, time_ms: wall_now_ms() };
    let mut body = Vec::with_capacity(request.data.len() + 256);
    write_publication(&publication, &mut body);
    Ok((channel, body.into()))
}
