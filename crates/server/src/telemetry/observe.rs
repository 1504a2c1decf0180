//! How the server is: for people, for load balancers and for pages.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use ordercast_protocol::json::{Decimal, JsonWriter};
use ordercast_store::clock::wall_now_ms;
use serde::Deserialize;

use crate::app::App;
use crate::http::parameters::{bad_query, number};
use crate::http::response::json_response;
use crate::problem::Problem;
use crate::telemetry::ticker::{MAX_TICKS, today};

/// `GET /stats`: this boot's figures. `error_count` is the orders whose work failed and the requests that the server could not
/// serve (those of the 500s); requests refused stand apart, by kind.
pub(crate) async fn stats(State(app): State<Arc<App>>) -> Response {
    let stats = app.engine.stats();
    let (completed, failed) = (stats.completed.load(Relaxed), stats.failed.load(Relaxed));
    let errors = failed + app.errors.failures();
    let work_us = stats.work_us.load(Relaxed);
    let average_us = work_us.checked_div(completed + failed).unwrap_or(0);
    let mut out = Vec::with_capacity(256);
    let mut json = JsonWriter::new(&mut out);
    json.begin_object();
    json.key("total_processed").integer(completed + errors);
    json.key("success_count").integer(completed);
    json.key("error_count").integer(errors);
    json.key("average_process_time_ms").decimal(thousandths(average_us));
    json.key("active_workers").integer(stats.active.load(Relaxed));
    json.key("queue_length").integer(stats.ready.load(Relaxed));
    json.key("uptime_seconds").integer(stats.uptime_s() as u64);
    json.key("accepted").integer(stats.accepted.load(Relaxed));
    json.key("replayed").integer(stats.replayed.load(Relaxed));
    json.key("unacknowledged").integer(stats.waiting.load(Relaxed));
    json.key("commits").integer(stats.commits.load(Relaxed));
    json.key("refused").begin_object();
    for (code, count) in app.errors.refusals() {
        json.key(code.name()).integer(count);
    }
    json.end_object();
    if let Some(today) = today(&app) {
        json.key("today");
        today.write(&mut json);
    }
    json.end_object();
    json_response(out)
}

fn thousandths(value: u64) -> Decimal {
    Decimal { value: i64::try_from(value).unwrap_or(i64::MAX), scale: 3 }
}

/// What `GET /stats/history` may ask for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct HistoryQuery {
    seconds: Option<String>,
}

/// `GET /stats/history?seconds=900`: the last ticks of the channel `stats`, oldest first, so that charts do not
/// begin empty.
pub(crate) async fn history(
    State(app): State<Arc<App>>,
    query: Result<Query<HistoryQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(bad_query)?;
    let seconds = number("seconds", query.seconds.as_deref(), MAX_TICKS as u64, 0..=MAX_TICKS as u64)?;
    let ticks = app.ticks.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    let skip = ticks.len().saturating_sub(usize::try_from(seconds).unwrap_or(MAX_TICKS));
    let mut out = Vec::with_capacity(ticks.len() * 400 + 16);
    let mut json = JsonWriter::new(&mut out);
    json.begin_object().key("ticks").begin_array();
    for tick in ticks.iter().skip(skip) {
        json.raw(&String::from_utf8_lossy(tick));
    }
    json.end_array().end_object();
    Ok(json_response(out))
}

/// `GET /health`.
pub(crate) async fn health(State(app): State<Arc<App>>) -> Response {
    let stats = app.engine.stats();
    let failure = app.engine.failure();
    let mut out = Vec::with_capacity(256);
    let mut json = JsonWriter::new(&mut out);
    json.begin_object();
    json.key("status").string(if failure.is_none() { "healthy" } else { "unhealthy" });
    json.key("timestamp").integer(wall_now_ms().div_euclid(1000));
    json.key("pool").begin_object();
    json.key("healthy").boolean(failure.is_none());
    json.key("queue_length").integer(stats.ready.load(Relaxed));
    json.key("workers").integer(app.engine.config().slots);
    json.end_object();
    json.key("durability").string(app.engine.durability());
    json.key("version").string(env!("CARGO_PKG_VERSION"));
    json.key("demo").boolean(app.config.demo);
    let is_open = app.config.access.is_open;
    let insecurely = app.config.proxy.is_open_insecurely;
    json.key("access").string(if insecurely {
        "insecure-open"
    } else if is_open {
        "open"
    } else {
        "token"
    });
    if let Some(failure) = &failure {
        json.key("failure").string(failure);
    }
    json.end_object();
    let mut response = json_response(out);
    if failure.is_some() {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}

/// `GET /livez`: the process answers.
pub(crate) async fn live() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: orders are accepted and delivered.
pub(crate) async fn ready(State(app): State<Arc<App>>) -> Response {
    if app.engine.failure().is_some() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the store failed\n").into_response();
    }
    if app.hub.stats().shards_lost > 0 {
        return (StatusCode::SERVICE_UNAVAILABLE, "part of the hub failed; restart\n").into_response();
    }
    if app.has_acceptor_failed.load(Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "no new connections are accepted; restart\n").into_response();
    }
    if app.hub.stats().damaged_reads > 0 {
        let text = "an event of a log is damaged and was not delivered; `ordercast verify` lists all, after a stop\n";
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    }
    if let Some(trouble) = app.engine.trouble() {
        return (StatusCode::SERVICE_UNAVAILABLE, format!("{trouble}\n")).into_response();
    }
    "ok\n".into_response()
}

/// `GET /ws/stats`: sockets and streams.
pub(crate) async fn sockets(State(app): State<Arc<App>>) -> Response {
    let stats = app.hub.stats();
    let mut out = Vec::with_capacity(512);
    let mut json = JsonWriter::new(&mut out);
    json.begin_object();
    json.key("active").integer(stats.active).key("peak").integer(stats.peak);
    json.key("accepted").integer(stats.accepted).key("refused").integer(stats.refused);
    json.key("limit").integer(stats.limit);
    json.key("by_protocol").begin_object();
    json.key("websocket").integer(stats.websockets).key("sse").integer(stats.streams).end_object();
    for (name, value) in [
        ("frames_in", stats.frames_in),
        ("frames_out", stats.frames_out),
        ("bytes_in", stats.bytes_in),
        ("bytes_out", stats.bytes_out),
        ("writes", stats.writes),
        ("events_delivered", stats.events_delivered),
        ("parked", stats.parked_now),
        ("parked_total", stats.parked_total),
        ("resumed", stats.resumed),
        ("dropped", stats.dropped),
        ("errors", stats.errors),
        ("repairs", stats.repairs),
    ] {
        json.key(name).integer(value);
    }
    json.key("closes").begin_object();
    for (code, count) in &stats.closes {
        json.key(&code.to_string()).integer(*count);
    }
    json.end_object();
    let is_healthy = stats.active < stats.limit && stats.shards_lost == 0 && app.engine.failure().is_none();
    json.key("healthy").boolean(is_healthy);
    json.end_object();
    json_response(out)
}
