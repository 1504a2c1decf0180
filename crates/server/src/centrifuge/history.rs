//! What was published before.

use std::sync::Arc;

use bytes::Bytes;
use ordercast_access::{Right, Verdict};
use ordercast_hub::handler::{Connection, Replies};
use ordercast_hub::{HistoryQuery, Hub};
use ordercast_protocol::centrifuge::code::Error;
use ordercast_protocol::centrifuge::codec::{Encoding, encode_reply};
use ordercast_protocol::centrifuge::message::{HistoryRequest, HistoryResult, Reply};
use ordercast_protocol::centrifuge::publication::to_message;
use ordercast_protocol::channel::{Channel, Log, Retention, Source, View};
use ordercast_protocol::position::Position;
use ordercast_store::StoreError;
use ordercast_store::log::{PageLimit, PageQuery, StoredEvent};

use super::client::Client;
use crate::app::App;
use crate::operations::permission::{in_channel, is_allowed};

/// Most publications of one answer, as in the reference server.
const MAX_PUBLICATIONS: usize = 300;
/// Most bytes of bodies in one answer: replies that a client does not take have a bound.
const MAX_BYTES: usize = 128 * 1024;
/// Most pages that are read for one answer.
const MAX_PAGES: usize = 32;

pub(super) fn history(client: &mut Client, id: u32, request: HistoryRequest, connection: &mut dyn Connection) {
    let (channel, verdict) = match may_read(client, &request.channel, connection) {
        Ok(found) => found,
        Err(error) => return client.refuse(id, error, connection),
    };
    if matches!(channel.source, Source::Memory(_)) {
        return match memory_history(&client.app.hub, client.encoding, &channel, &request) {
            Ok(history) => client.reply(&Reply { id, history: Some(history), ..Reply::default() }, connection),
            Err(error) => client.refuse(id, error, connection),
        };
    }
    let Some(leave) = client.leave_to_wait() else {
        return client.refuse(id, Error::TooManyRequests, connection);
    };
    let (app, principal) = (Arc::clone(&client.app), connection.origin().principal.clone());
    let (encoding, runtime) = (client.encoding, client.app.runtime.clone());
    let read = async move |replies: Replies| {
        let history = match is_allowed(&app, &principal, verdict, &channel).await {
            Ok(true) => read_history(&app, encoding, &channel, &request).await,
            Ok(false) => Err(Error::PermissionDenied),
            Err(_) => Err(Error::Internal),
        };
        let reply = match history {
            Ok(history) => Reply { id, history: Some(history), ..Reply::default() },
            Err(error) => Reply { id, error: Some(error.into()), ..Reply::default() },
        };
        let mut message = Vec::new();
        encode_reply(encoding, &reply, &mut message);
        replies.send(message);
        drop(leave);
    };
    connection.ask(Box::new(move |replies| drop(runtime.spawn(read(replies)))));
}

fn may_read(client: &Client, name: &str, connection: &dyn Connection) -> Result<(Channel, Verdict), Error> {
    let (channel, namespace) = client.app.config.channels.find(name).map_err(|_| Error::UnknownChannel)?;
    let is_subscribed = client.subscriptions.contains(name);
    let principal = &connection.origin().principal;
    let verdict = in_channel(principal, Right::ReadHistory, &channel, namespace.as_deref(), is_subscribed);
    if channel.source == Source::Memory(Retention::NONE) {
        return Err(Error::NotAvailable);
    }
    if verdict == Verdict::Denied {
        return Err(Error::PermissionDenied);
    }
    if !client.app.hub.has_capacity_for(&channel) {
        return Err(Error::LimitExceeded);
    }
    Ok((channel, verdict))
}

/// The history of any channel.
///
/// # Errors
/// [`Error::UnrecoverablePosition`] for another epoch, [`Error::NotAvailable`] when the channel keeps nothing or
/// its last events are not found in time, [`Error::BadRequest`], and [`Error::Internal`] when the store cannot be read.
pub(crate) async fn read_history(
    app: &App,
    encoding: Encoding,
    channel: &Channel,
    request: &HistoryRequest,
) -> Result<HistoryResult, Error> {
    match &channel.source {
        Source::Memory(_) => memory_history(&app.hub, encoding, channel, request),
        Source::Log(log, view) => log_history(app, encoding, (*log, view), request).await,
    }
}

fn limit_of(request: &HistoryRequest) -> Result<usize, Error> {
    if request.reverse && request.since.as_ref().is_some_and(|since| since.offset == 0) {
        return Err(Error::BadRequest);
    }
    Ok(usize::try_from(request.limit).unwrap_or(MAX_PUBLICATIONS).min(MAX_PUBLICATIONS))
}

fn check_epoch(request: &HistoryRequest, epoch: &str) -> Result<(), Error> {
    let is_known = |known: &str| known.is_empty() || known == epoch;
    let is_right = request.since.as_ref().is_none_or(|since| is_known(&since.epoch));
    if is_right { Ok(()) } else { Err(Error::UnrecoverablePosition) }
}

/// Where a memory channel stands.
pub(super) fn memory_position(hub: &Hub, channel: &Channel) -> Position {
    hub.history(channel, HistoryQuery { since: None, limit: Some(0), reverse: false }).position
}

fn memory_history(
    hub: &Hub,
    encoding: Encoding,
    channel: &Channel,
    request: &HistoryRequest,
) -> Result<HistoryResult, Error> {
    if channel.source == Source::Memory(Retention::NONE) {
        return Err(Error::NotAvailable);
    }
    let limit = limit_of(request)?;
    let since = request.since.as_ref().map(|since| since.offset);
    let history = hub.history(channel, HistoryQuery { since, limit: Some(limit), reverse: request.reverse });
    check_epoch(request, &history.position.epoch.0)?;
    Ok(result(encoding, &history.position, history.events))
}

async fn log_history(
    app: &App,
    encoding: Encoding,
    (log, view): (Log, &View),
    request: &HistoryRequest,
) -> Result<HistoryResult, Error> {
    let limit = limit_of(request)?;
    let states = app.store.log_states().await.map_err(failed)?;
    let state = states.into_iter().find(|state| state.log == log).ok_or(Error::Internal)?;
    check_epoch(request, &state.epoch.0)?;
    let position = Position { epoch: state.epoch, offset: state.head };
    if limit == 0 {
        return Ok(result(encoding, &position, Vec::new()));
    }
    let since = request.since.as_ref().map(|since| since.offset);
    let events = match request.reverse {
        true => backwards(app, (log, view), since.unwrap_or(u64::MAX), limit).await?,
        false => {
            let limit = PageLimit { events: limit, bytes: MAX_BYTES };
            let query = PageQuery::after(log, view.clone(), since.unwrap_or(0), limit);
            app.store.log_page(query).await.map_err(failed)?.events
        }
    };
    let events = events.into_iter().map(|event| (event.offset, event.body));
    Ok(result(encoding, &position, events.collect()))
}

/// The events below an offset, newest first. Of a view that is a small part of its log, much is looked at in vain; after
/// some pages of that it is given up.
async fn backwards(app: &App, (log, view): (Log, &View), before: u64, limit: usize) -> Result<Vec<StoredEvent>, Error> {
    let (mut events, mut bytes, mut before) = (Vec::new(), 0, before);
    for _ in 0..MAX_PAGES {
        let rest = PageLimit { events: limit - events.len(), bytes: MAX_BYTES };
        let query = PageQuery::before(log, view.clone(), before, rest);
        let start = query.start;
        let page = app.store.log_page(query).await.map_err(failed)?;
        let is_last = page.is_last(start);
        before = page.read_to;
        bytes += page.events.iter().map(|event| event.body.len()).sum::<usize>();
        events.extend(page.events);
        if is_last || events.len() >= limit || bytes >= MAX_BYTES {
            return Ok(events);
        }
    }
    if events.is_empty() { Err(Error::NotAvailable) } else { Ok(events) }
}

fn failed(error: StoreError) -> Error {
    if error == StoreError::Busy {
        return Error::TooManyRequests;
    }
    tracing::error!(%error, "a read failed");
    Error::Internal
}

/// Encodes as many as the bound of bytes allows, and at least one.
fn result(encoding: Encoding, position: &Position, events: Vec<(u64, Bytes)>) -> HistoryResult {
    let mut bytes = 0;
    let events = events.into_iter().enumerate().take_while(|(index, (_, body))| {
        bytes += body.len();
        *index == 0 || bytes <= MAX_BYTES
    });
    let publications = events.map(|(_, (offset, body))| to_message(encoding, offset, &body)).collect();
    HistoryResult { publications, epoch: position.epoch.to_string(), offset: position.offset }
}
