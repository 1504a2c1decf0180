//! What plain clients ask about channels beside what happens in them: their history, and who is there.

use std::sync::Arc;

use bytes::Bytes;
use ordercast_hub::HistoryQuery;
use ordercast_hub::handler::{Connection, Replies};
use ordercast_protocol::channel::{Channel, Source};
use ordercast_protocol::envelope::Wire;
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::excerpt::excerpt;
use ordercast_protocol::frame::{Extent, write_history, write_presence};
use ordercast_protocol::position::Position;

use ordercast_store::log::{PageLimit, PageQuery};

use crate::app::App;
use crate::problem::Problem;

/// Most bytes of event bodies in one answer; a single larger event still fits.
const MAX_HISTORY_BYTES: usize = 256 * 1024;

/// A channel by the name that a client gave.
pub(crate) fn channel_of(app: &App, name: &str) -> Result<Channel, Problem> {
    let unknown = |error| Problem::new(ErrorCode::UnknownChannel, format!("{:?}: {error}", excerpt(name)));
    let channel = app.config.channels.resolve(name).map_err(unknown)?;
    if app.hub.has_capacity_for(&channel) {
        return Ok(channel);
    }
    let detail = "there are as many channels in memory as there may be (channels.memory_channels); try again later";
    Err(Problem::new(ErrorCode::ChannelLimit, detail))
}

/// Answers with a part of a channel's history, newest first, when it is the question's turn. Of a log it is read beside
/// the session.
pub(crate) fn tell_history(
    app: &Arc<App>,
    connection: &mut dyn Connection,
    reference: Option<&str>,
    channel: Channel,
    (before, limit): (Option<u64>, usize),
) {
    let Source::Log(log, view) = channel.source else {
        let query = HistoryQuery { since: before, limit: Some(limit), reverse: true };
        let (app, reference) = (Arc::clone(app), reference.map(str::to_owned));
        return connection.ask(Box::new(move |replies| {
            let mut history = app.hub.history(&channel, query);
            cut(&mut history.events);
            let Position { epoch, offset } = &history.position;
            let extent = Extent { epoch, offset: *offset, floor: history.floor };
            let oldest = history.events.last().map(|(offset, _)| *offset);
            let next = oldest.filter(|oldest| *oldest > history.floor + 1);
            replies.send(history_frame(reference.as_deref(), &channel.name, extent, &history.events, next));
        }));
    };
    let app = Arc::clone(app);
    let (reference, id) = (reference.map(str::to_owned), connection.id().to_owned());
    let runtime = app.runtime.clone();
    let read = async move |replies: Replies| {
        let limit = PageLimit { events: limit, bytes: MAX_HISTORY_BYTES };
        let query = PageQuery::before(log, view, before.unwrap_or(u64::MAX), limit);
        let start = query.start;
        match app.store.log_page(query).await {
            Ok(tail) => {
                let next = Some(tail.read_to).filter(|_| !tail.is_last(start));
                let extent = Extent { epoch: &tail.state.epoch, offset: tail.state.head, floor: tail.state.floor };
                let events: Vec<_> = tail.events.into_iter().map(|event| (event.offset, event.body)).collect();
                replies.send(history_frame(reference.as_deref(), &channel.name, extent, &events, next));
            }
            Err(error) => {
                let problem = Problem::from(error);
                app.report("websocket", &id, &problem);
                replies.send(problem.frame(reference.as_deref()));
            }
        }
    };
    connection.ask(Box::new(move |replies| drop(runtime.spawn(read(replies)))));
}

/// Leaves as many events as one answer may have bytes, and at least one.
fn cut(events: &mut Vec<(u64, Bytes)>) {
    let mut bytes = 0;
    let fits = |(_, body): &&(u64, Bytes)| {
        bytes += body.len();
        bytes <= MAX_HISTORY_BYTES
    };
    let count = events.iter().take_while(fits).count().max(1);
    events.truncate(count);
}

fn history_frame(
    reference: Option<&str>,
    channel: &str,
    extent: Extent<'_>,
    events: &[(u64, Bytes)],
    next: Option<u64>,
) -> Vec<u8> {
    let wrap = |(offset, body): &(u64, Bytes)| {
        let mut frame = Vec::with_capacity(body.len() + 64);
        Wire::PlainJson.wrap(channel, *offset, body, &mut frame);
        String::from_utf8_lossy(&frame).into_owned()
    };
    let frames: Vec<_> = events.iter().map(wrap).collect();
    let mut out = Vec::with_capacity(frames.iter().map(String::len).sum::<usize>() + 128);
    write_history(reference, channel, extent, frames.iter().map(String::as_str), next, &mut out);
    out
}

/// Answers with who is in a channel.
pub(crate) fn tell_presence(
    app: &App,
    connection: &mut dyn Connection,
    reference: Option<&str>,
    channel: &Channel,
    (after, limit): (Option<&str>, usize),
) {
    let stats = app.hub.presence_stats(&channel.name);
    let members = app.hub.presence(&channel.name, limit, after);
    let infos: Vec<_> = members.iter().map(|(_, info)| String::from_utf8_lossy(info)).collect();
    let next = members.last().map(|(client, _)| &**client).filter(|_| members.len() == limit);
    let mut out = Vec::with_capacity(256);
    let counts = (stats.clients, stats.users);
    write_presence(reference, &channel.name, counts, infos.iter().map(|info| &**info), next, &mut out);
    connection.send(&out);
}
