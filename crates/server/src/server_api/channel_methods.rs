//! Methods about channels.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ordercast_access::Origin;
use ordercast_protocol::centrifuge::code::Error;
use ordercast_protocol::centrifuge::codec::Encoding;
use ordercast_protocol::centrifuge::message::{HistoryRequest, json_text};
use ordercast_protocol::centrifuge::publication::{PublicationBody, write_publication};
use ordercast_protocol::channel::{Channel, Retention, Source};
use ordercast_protocol::json::JsonWriter;
use ordercast_protocol::limits::MAX_IDEMPOTENCY_KEY_BYTES;
use ordercast_protocol::position::Position;
use ordercast_store::clock::wall_now_ms;
use serde::Serialize;

use super::Failure;
use super::requests::{Listing, OfChannel, Publish};
use crate::app::App;
use crate::centrifuge::{read_history, read_presence, read_presence_stats};
use crate::channels::Namespace;
use crate::operations::publishing::{self, Submitted};

/// Most channels of one broadcast.
const MAX_BROADCAST: usize = 10_000;
/// What a method returns that has nothing to tell.
const NOTHING: &str = "{}";

pub(super) async fn publish(app: &App, origin: &Origin, request: &Publish) -> Result<String, Failure> {
    let body = body_of(request)?;
    Ok(result_of(submit_into(app, origin, &request.channel, request, &body)).await?)
}

/// All are on their way before the first is waited for, so that those which are stored share a commit.
pub(super) async fn broadcast(app: &App, origin: &Origin, request: &Publish) -> Result<String, Failure> {
    if request.channels.is_empty() {
        return Err(Error::BadRequest.into());
    }
    if request.channels.len() > MAX_BROADCAST {
        return Err(Error::LimitExceeded.into());
    }
    let body = body_of(request)?;
    let submitted: Vec<_> =
        request.channels.iter().map(|channel| submit_into(app, origin, channel, request, &body)).collect();
    let mut out = Vec::with_capacity(request.channels.len() * 48);
    let mut json = JsonWriter::new(&mut out);
    json.begin_object().key("responses").begin_array();
    for submitted in submitted {
        json.begin_object();
        match result_of(submitted).await {
            Ok(result) => json.key("result").raw(&result),
            Err(error) => {
                json.key("error").begin_object().key("code").integer(error.code());
                json.key("message").string(error.message()).end_object()
            }
        };
        json.end_object();
    }
    json.end_array().end_object();
    Ok(text(out))
}

/// The publication, encoded once for all channels.
fn body_of(request: &Publish) -> Result<Bytes, Error> {
    let data: Cow<'_, [u8]> = match (&request.b64data, &request.data) {
        (Some(base64), _) => Cow::Owned(STANDARD.decode(base64).map_err(|_| Error::BadRequest)?),
        // However the caller laid it out: what was published is the value.
        (None, Some(json)) => match json_text(json.get().as_bytes()) {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        },
        (None, None) => return Err(Error::BadRequest),
    };
    if request.version > 0 {
        return Err(Error::NotAvailable);
    }
    let publication = PublicationBody { data: &data, info: None, tags: &request.tags, time_ms: wall_now_ms() };
    let mut body = Vec::with_capacity(data.len() + 128);
    write_publication(&publication, &mut body);
    Ok(body.into())
}

/// A publication on its way, and whether its position means anything.
type OnItsWay = Result<(Submitted, bool), Error>;

fn submit_into(app: &App, origin: &Origin, name: &str, request: &Publish, body: &Bytes) -> OnItsWay {
    let (channel, _) = application_channel(app, name)?;
    let is_kept = channel.source != Source::Memory(Retention::NONE);
    let is_stored = matches!(channel.source, Source::Log(..));
    // Keys are remembered in memory, and would promise too much of what is stored.
    let key = request.idempotency_key.as_deref().filter(|key| !key.is_empty());
    if key.is_some_and(|key| key.len() > MAX_IDEMPOTENCY_KEY_BYTES) {
        return Err(Error::BadRequest);
    }
    if is_kept && request.skip_history || is_stored && key.is_some() {
        return Err(Error::NotAvailable);
    }
    let submitted = match key {
        None => publishing::submit(app, origin, &channel, body.clone()),
        Some(key) => {
            let send = || app.hub.publish(&channel, body.clone());
            app.published_keys.once(name, key, Instant::now(), send).map(Submitted::Told)
        }
    };
    Ok((submitted.ok_or(Error::NotAvailable)?, is_kept))
}

async fn result_of(submitted: OnItsWay) -> Result<String, Error> {
    let (submitted, is_kept) = submitted?;
    let position = submitted.position().await?;
    Ok(if is_kept { position_json(&position) } else { NOTHING.to_owned() })
}

fn position_json(position: &Position) -> String {
    let mut out = Vec::with_capacity(64);
    let mut json = JsonWriter::new(&mut out);
    json.begin_object().key("offset").integer(position.offset).key("epoch").string(&position.epoch.0).end_object();
    text(out)
}

/// A channel of a namespace; what the built-in ones tell comes from the program itself.
fn application_channel(app: &App, name: &str) -> Result<(Channel, std::sync::Arc<Namespace>), Error> {
    if name.is_empty() {
        return Err(Error::BadRequest);
    }
    let (channel, namespace) = app.config.channels.find(name).map_err(|_| Error::UnknownChannel)?;
    if !app.hub.has_capacity_for(&channel) {
        return Err(Error::LimitExceeded);
    }
    Ok((channel, namespace.ok_or(Error::NotAvailable)?))
}

pub(super) fn presence(app: &App, request: &OfChannel) -> Result<String, Failure> {
    let (_, namespace) = application_channel(app, &request.channel)?;
    if !namespace.presence {
        return Err(Error::NotAvailable.into());
    }
    encode(&read_presence(&app.hub, &request.channel))
}

pub(super) fn presence_stats(app: &App, request: &OfChannel) -> Result<String, Failure> {
    let (_, namespace) = application_channel(app, &request.channel)?;
    if !namespace.presence {
        return Err(Error::NotAvailable.into());
    }
    encode(&read_presence_stats(&app.hub, &request.channel))
}

/// The history of any channel, built-in ones too.
pub(super) async fn history(app: &App, request: HistoryRequest) -> Result<String, Failure> {
    if request.channel.is_empty() {
        return Err(Error::BadRequest.into());
    }
    let channel = app.config.channels.resolve(&request.channel).map_err(|_| Error::UnknownChannel)?;
    encode(&read_history(app, Encoding::Json, &channel, &request).await?)
}

pub(super) fn history_remove(app: &App, request: &OfChannel) -> Result<String, Failure> {
    let (channel, _) = application_channel(app, &request.channel)?;
    if channel.source == Source::Memory(Retention::NONE) {
        return Err(Error::NotAvailable.into());
    }
    app.hub.remove_history(&channel.name);
    Ok(NOTHING.to_owned())
}

/// Channels in memory that have subscribers.
pub(super) fn channels(app: &App, request: &Listing) -> Result<String, Failure> {
    let is_asked = |name: &str| request.pattern.is_empty() || matches(&request.pattern, name);
    let listed = app.hub.channels().into_iter().filter(|(name, _)| is_asked(name));
    let channels = listed.map(|(name, num_clients)| (name.to_string(), ChannelInfo { num_clients }));
    encode(&ChannelList { channels: channels.collect() })
}

#[derive(Serialize)]
struct ChannelList {
    channels: BTreeMap<String, ChannelInfo>,
}

#[derive(Serialize)]
struct ChannelInfo {
    num_clients: usize,
}

/// Whether a name fits a pattern in which `*` stands for any text. What stands between two stars is found at its
/// first place, so the time is at most the product of the lengths.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

fn encode(result: &impl Serialize) -> Result<String, Failure> {
    Ok(serde_json::to_string(result)?)
}

fn text(json: Vec<u8>) -> String {
    String::from_utf8_lossy(&json).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_names() {
        for (pattern, fitting, others) in [
            ("news:*", vec!["news:", "news:a"], vec!["old:a", "news"]),
            ("*", vec!["", "a"], vec![]),
            ("a", vec!["a"], vec!["ab", "ba", ""]),
            ("*:a", vec!["b:a", ":a"], vec!["b:ab"]),
            ("a*b*c", vec!["abc", "axbxbc"], vec!["acb", "ab"]),
            ("a*a", vec!["aa", "aba"], vec!["a"]),
        ] {
            for name in fitting {
                assert!(matches(pattern, name), "{pattern} {name}");
            }
            for name in others {
                assert!(!matches(pattern, name), "{pattern} {name}");
            }
        }
    }
}
