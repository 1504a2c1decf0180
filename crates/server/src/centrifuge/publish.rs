//! Publishing into channels of the application.

use std::collections::BTreeMap;

use bytes::Bytes;
use ordercast_hub::session::Connection;
use ordercast_protocol::centrifuge::code::Error;
use ordercast_protocol::centrifuge::message::{ClientInfo, PublishRequest, PublishResult, Reply};
use ordercast_protocol::centrifuge::publication::{PublicationBody, write_publication};
use ordercast_store::model::system_now_ms;

use super::permission::{Right, Verdict, in_channel};
use super::session::CentrifugeSession;

impl CentrifugeSession {
    pub(super) fn publish(&mut self, id: u32, request: &PublishRequest, connection: &mut dyn Connection) {
        match self.try_publish(request, connection) {
            Ok(()) => self.reply(&Reply { id, publish: Some(PublishResult {}), ..Reply::default() }, connection),
            Err(error) => self.refuse(id, error, connection),
        }
    }

    fn try_publish(&self, request: &PublishRequest, connection: &dyn Connection) -> Result<(), Error> {
        if request.kind != 0 {
            return Err(Error::NotAvailable);
        }
        if request.data.is_empty() {
            return Err(Error::BadRequest);
        }
        let found = self.app.config.channels.find(&request.channel);
        let (channel, namespace) = found.map_err(|_| Error::UnknownChannel)?;
        let subscription = self.subscriptions.get(&channel.name);
        let caller = &self.identity.caller;
        let is_subscribed = subscription.is_some();
        if in_channel(caller, Right::Publish, &channel, namespace.as_deref(), is_subscribed) != Verdict::Allowed {
            return Err(Error::PermissionDenied);
        }
        let info = match subscription {
            Some(subscription) => self.client_info(subscription, connection),
            None => ClientInfo {
                user: self.identity.user.to_string(),
                client: connection.id().to_owned(),
                conn_info: self.identity.info.clone(),
                chan_info: Bytes::new(),
            },
        };
        let tags = BTreeMap::new();
        let publication =
            PublicationBody { data: &request.data, info: Some(&info), tags: &tags, time_ms: system_now_ms() };
        let mut body = Vec::with_capacity(request.data.len() + 256);
        write_publication(&publication, &mut body);
        self.app.hub.publish(&channel, body.into()).map(drop).ok_or(Error::NotAvailable)
    }
}
