//! Who is subscribed.

use std::collections::BTreeMap;

use ordercast_access::{Right, Verdict};
use ordercast_hub::Hub;
use ordercast_hub::handler::Connection;
use ordercast_protocol::centrifuge::code::Error;
use ordercast_protocol::centrifuge::message::{
    ClientInfo, PresenceRequest, PresenceResult, PresenceStatsRequest, PresenceStatsResult, Reply,
};

use super::client::Client;
use crate::operations::permission::in_channel;

/// Most clients that are listed; the counts know them all.
const MAX_LISTED: usize = 1_000;

pub(super) fn presence(client: &mut Client, id: u32, request: &PresenceRequest, connection: &mut dyn Connection) {
    match may_see(client, &request.channel, connection) {
        Ok(()) => {
            let presence = Some(read_presence(&client.app.hub, &request.channel));
            client.reply(&Reply { id, presence, ..Reply::default() }, connection);
        }
        Err(error) => client.refuse(id, error, connection),
    }
}

pub(super) fn presence_stats(
    client: &mut Client,
    id: u32,
    request: &PresenceStatsRequest,
    connection: &mut dyn Connection,
) {
    match may_see(client, &request.channel, connection) {
        Ok(()) => {
            let presence_stats = Some(read_presence_stats(&client.app.hub, &request.channel));
            client.reply(&Reply { id, presence_stats, ..Reply::default() }, connection);
        }
        Err(error) => client.refuse(id, error, connection),
    }
}

fn may_see(client: &Client, name: &str, connection: &dyn Connection) -> Result<(), Error> {
    let (channel, namespace) = client.app.config.channels.find(name).map_err(|_| Error::UnknownChannel)?;
    let is_subscribed = client.subscriptions.contains(name);
    let principal = &connection.origin().principal;
    match in_channel(principal, Right::ReadPresence, &channel, namespace.as_deref(), is_subscribed) {
        _ if !namespace.as_ref().is_some_and(|namespace| namespace.presence) => Err(Error::NotAvailable),
        Verdict::Allowed => Ok(()),
        Verdict::Denied | Verdict::IfOwn => Err(Error::PermissionDenied),
    }
}

/// Who is in a channel, as far as they are listed.
pub(crate) fn read_presence(hub: &Hub, channel: &str) -> PresenceResult {
    let clients = hub.presence(channel, MAX_LISTED, None).into_iter();
    let clients = clients.map(|(client, info)| {
        // It was written by a handler of a node.
        let info = serde_json::from_slice(&info).unwrap_or_else(|_| ClientInfo::default());
        (client.to_string(), info)
    });
    PresenceResult { presence: clients.collect::<BTreeMap<_, _>>() }
}

/// How many are in a channel.
pub(crate) fn read_presence_stats(hub: &Hub, channel: &str) -> PresenceStatsResult {
    let stats = hub.presence_stats(channel);
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    PresenceStatsResult { num_clients: count(stats.clients), num_users: count(stats.users) }
}
