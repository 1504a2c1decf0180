//! Queues and customers whose orders are held back.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::response::Response;
use hyper::HeaderMap;
use ordercast_access::Origin;
use ordercast_domain::Violation;
use ordercast_domain::decide::MAX_REASON_BYTES;
use ordercast_domain::draft::is_path_step;
use ordercast_domain::pause::{Pause, Scope};
use ordercast_domain::status::Lane;
use ordercast_protocol::action::parse_reason;
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::json::JsonWriter;

use crate::app::App;
use crate::http::body::read_json;
use crate::http::parameters::bad_query;
use crate::http::response::json_response;
use crate::problem::Problem;

/// Longest id of a customer, in bytes.
pub(crate) const MAX_CUSTOMER_BYTES: usize = 64;

/// `GET /queues`: how many orders wait and are in work, and what is held back.
pub(crate) async fn list(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let pauses = app.store.pauses().await?;
    let limits = app.engine.rules().concurrency;
    let stats = app.engine.stats();
    let mut out = Vec::with_capacity(128 + pauses.len() * 160);
    let mut json = JsonWriter::new(&mut out);
    json.begin_object().key("ready").integer(stats.ready.load(Relaxed));
    json.key("active").integer(stats.active.load(Relaxed)).key("limits").begin_object();
    for (name, most) in [("max_active", limits.max_active), ("max_active_per_customer", limits.max_active_per_customer)]
    {
        if let Some(most) = most {
            json.key(name).integer(most as u64);
        }
    }
    json.key("parked").integer(stats.limited.load(Relaxed)).end_object().key("pauses").begin_array();
    for (pause, parked) in &pauses {
        json.begin_object();
        write_scope(&mut json, &pause.scope);
        json.key("since").instant(pause.since_ms).key("actor").string(&pause.actor);
        if let Some(reason) = &pause.reason {
            json.key("reason").string(reason);
        }
        json.key("ending").boolean(pause.is_ending).key("parked").integer(*parked).end_object();
    }
    json.end_array().end_object();
    Ok(json_response(out))
}

/// `POST /queues/{queue}/pause` and `resume`; a queue is a lane, or `all`.
pub(crate) async fn queue(
    state: State<Arc<App>>,
    origin: Extension<Origin>,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let Path((name, verb)) = path.map_err(bad_query)?;
    let lane = Lane::ALL.into_iter().find(|lane| lane.name() == name).map(Scope::Lane);
    let scope = lane.or((name == "all").then_some(Scope::All)).ok_or_else(|| {
        let lanes = Lane::ALL.map(Lane::name).join(", ");
        Problem::new(ErrorCode::NotFound, format!("queues are all, {lanes}"))
    })?;
    switch(state, origin, (scope, &verb), headers, body).await
}

/// `POST /customers/{customer_id}/pause` and `resume`.
pub(crate) async fn customer(
    state: State<Arc<App>>,
    origin: Extension<Origin>,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let Path((id, verb)) = path.map_err(bad_query)?;
    if is_path_step(&id) {
        return Err(Problem::new(ErrorCode::NotFound, "no customer has such an id"));
    }
    if id.len() > MAX_CUSTOMER_BYTES {
        return Err(Problem::new(ErrorCode::NotFound, "no customer has so long an id"));
    }
    switch(state, origin, (Scope::Customer(id.into()), &verb), headers, body).await
}

async fn switch(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    (scope, verb): (Scope, &str),
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body = read_json(&app, &headers, body).await?;
    let reason = parse_reason(&body)?;
    let length = reason.as_deref().map_or(0, str::len);
    if length > MAX_REASON_BYTES {
        let detail = format!("has {length} bytes; at most {MAX_REASON_BYTES} are allowed");
        return Err(Problem::violations(ErrorCode::InvalidAction, vec![Violation::new("/reason", detail)]));
    }
    let changed = match verb {
        "pause" => {
            let (actor, reason) = (origin.principal.to_string(), reason.as_deref().map(Arc::from));
            let pause = Pause { scope: scope.clone(), since_ms: 0, actor, reason, is_ending: false };
            app.engine.pause(origin, pause).await
        }
        "resume" => app.engine.resume(origin, scope.clone()).await,
        _ => return Err(Problem::new(ErrorCode::NotFound, "known are pause and resume")),
    };
    let changed = changed.map_err(|error| Problem::of_command(ErrorCode::InvalidAction, error))?;
    let mut out = Vec::with_capacity(96);
    let mut json = JsonWriter::new(&mut out);
    json.begin_object();
    write_scope(&mut json, &scope);
    json.key("paused").boolean(verb == "pause").key("changed").boolean(changed).end_object();
    Ok(json_response(out))
}

fn write_scope(json: &mut JsonWriter<'_>, scope: &Scope) {
    match scope {
        Scope::All => json.key("queue").string("all"),
        Scope::Lane(lane) => json.key("queue").string(lane.name()),
        Scope::Customer(customer_id) => json.key("customer_id").string(customer_id),
    };
}
