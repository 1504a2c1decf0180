//! Methods about users and their connections, and about the server.

use std::sync::Arc;

use ordercast_hub::signal::{Signal, Target};
use ordercast_protocol::centrifuge::code::{Disconnect, Error, Unsubscribe};
use ordercast_protocol::json::JsonWriter;
use ordercast_protocol::position::{Epoch, Position};

use super::Failure;
use super::requests::OfUser;
use crate::access::tokens::ChannelOptions;
use crate::app::App;
use crate::centrifuge::signal::terms_of;

/// Longest text of a close frame beside its code (RFC 6455 §5.5), in bytes.
const MAX_REASON_BYTES: usize = 123;
/// What a method returns that has nothing to tell.
const NOTHING: &str = "{}";

pub(super) fn subscribe(app: &App, request: &OfUser, options: ChannelOptions) -> Result<String, Failure> {
    let since = request.recover_since.as_ref();
    let since = since.map(|since| Position { epoch: Epoch(since.epoch.as_str().into()), offset: since.offset });
    let channel = channel_of(app, request)?;
    tell(app, request, Signal::Subscribe { channel, terms: Box::new(terms_of(&options)), since })
}

pub(super) fn unsubscribe(app: &App, request: &OfUser) -> Result<String, Failure> {
    let channel = channel_of(app, request)?;
    tell(app, request, Signal::Unsubscribe { channel, why: Unsubscribe::Server })
}

pub(super) fn disconnect(app: &App, request: &OfUser) -> Result<String, Failure> {
    let default = Disconnect::ForceDisconnect;
    let (code, reason) = match &request.disconnect {
        None => (default.code(), default.reason()),
        Some(ending) => (ending.code, ending.reason.as_str()),
    };
    if !(3000..5000).contains(&code) || reason.len() > MAX_REASON_BYTES {
        return Err(Error::BadRequest.into());
    }
    let kept = request.whitelist.iter().map(|client| Arc::from(client.as_str())).collect();
    tell(app, request, Signal::Disconnect { code, reason: reason.into(), kept })
}

pub(super) fn refresh(app: &App, request: &OfUser) -> Result<String, Failure> {
    let expired = Disconnect::Expired;
    let signal = match request.expired {
        true => Signal::Disconnect { code: expired.code(), reason: expired.reason().into(), kept: Vec::new() },
        false => Signal::Refresh { expires_at: (request.expire_at > 0).then_some(request.expire_at) },
    };
    tell(app, request, signal)
}

fn channel_of(app: &App, request: &OfUser) -> Result<Arc<str>, Error> {
    if request.channel.is_empty() {
        return Err(Error::BadRequest);
    }
    app.config.channels.resolve(&request.channel).map(|channel| channel.name).map_err(|_| Error::UnknownChannel)
}

/// Passes a signal to the connections that the request names.
fn tell(app: &App, request: &OfUser, signal: Signal) -> Result<String, Failure> {
    let given = |text: &str| (!text.is_empty()).then(|| Arc::from(text));
    let (client, session) = (given(&request.client), given(&request.session));
    let target = Target { user: request.user.as_str().into(), client, session };
    if target.user.is_empty() && target.client.is_none() && target.session.is_none() {
        return Err(Error::BadRequest.into());
    }
    app.hub.signal(target, signal);
    Ok(NOTHING.to_owned())
}

/// The one node that is known, with what is counted of it; users are not.
pub(super) fn info(app: &App) -> String {
    let mut out = Vec::with_capacity(192);
    let mut json = JsonWriter::new(&mut out);
    json.begin_object().key("nodes").begin_array().begin_object();
    json.key("uid").string(app.hub.node()).key("name").string("ordercast");
    json.key("version").string(env!("CARGO_PKG_VERSION"));
    json.key("num_clients").integer(app.hub.stats().active).key("num_users").integer(0);
    json.key("num_channels")
        .integer(app.hub.channels().len())
        .key("uptime")
        .integer(app.engine.stats().uptime_s() as u64);
    json.end_object().end_array().end_object();
    String::from_utf8_lossy(&out).into_owned()
}
