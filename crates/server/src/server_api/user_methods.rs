//! Methods about users and their connections, and about the server.

use std::sync::Arc;

use ordercast_hub::Audience;
use ordercast_protocol::centrifuge::code::{Disconnect, Error, Unsubscribe};
use ordercast_protocol::json::JsonWriter;

use super::Failure;
use super::requests::OfUser;
use crate::access::tokens::ChannelOptions;
use crate::app::App;
use crate::centrifuge::signal::{Signal, Since, Target};

/// Longest text of a close frame beside its code (RFC 6455 §5.5), in bytes.
const MAX_REASON_BYTES: usize = 123;
/// What a method returns that has nothing to tell.
const NOTHING: &str = "{}";

pub(super) fn subscribe(app: &App, request: &OfUser, options: ChannelOptions) -> Result<String, Failure> {
    let since = request.recover_since.as_ref();
    let since = since.map(|since| Since { epoch: since.epoch.clone(), offset: since.offset });
    let channel = channel_of(app, request)?;
    tell(app, request, |target| Signal::Subscribe { target, channel, options: Box::new(options), since })
}

pub(super) fn unsubscribe(app: &App, request: &OfUser) -> Result<String, Failure> {
    let channel = channel_of(app, request)?;
    tell(app, request, |target| Signal::Unsubscribe { target, channel, why: Unsubscribe::Server })
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
    tell(app, request, |target| Signal::Disconnect { target, code, reason: reason.into(), kept })
}

pub(super) fn refresh(app: &App, request: &OfUser) -> Result<String, Failure> {
    let expired = Disconnect::Expired;
    tell(app, request, |target| match request.expired {
        true => Signal::Disconnect { target, code: expired.code(), reason: expired.reason().into(), kept: Vec::new() },
        false => Signal::Refresh { target, expires_at: (request.expire_at > 0).then_some(request.expire_at) },
    })
}

fn channel_of(app: &App, request: &OfUser) -> Result<Arc<str>, Error> {
    if request.channel.is_empty() {
        return Err(Error::BadRequest);
    }
    app.config.channels.resolve(&request.channel).map(|channel| channel.name).map_err(|_| Error::UnknownChannel)
}

/// Passes a signal to the sessions it may be meant for; they know themselves.
fn tell(app: &App, request: &OfUser, signal: impl FnOnce(Target) -> Signal) -> Result<String, Failure> {
    let given = |text: &str| (!text.is_empty()).then(|| Arc::from(text));
    let user: Arc<str> = request.user.as_str().into();
    let target = Target { user: Arc::clone(&user), client: given(&request.client), session: given(&request.session) };
    let audience = match (&target.client, &target.session) {
        (Some(client), _) => Audience::Client(Arc::clone(client)),
        (None, None) if user.is_empty() => return Err(Error::BadRequest.into()),
        // A user without an id has many names.
        (None, Some(_)) if user.is_empty() => Audience::All,
        (None, _) => Audience::User(user),
    };
    app.hub.signal(audience, Arc::new(signal(target)));
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
