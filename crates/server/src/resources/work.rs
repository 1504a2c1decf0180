//! Workers outside the process: they claim orders, show that they live, and say how the work ended.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::response::Response;
use hyper::HeaderMap;
use hyper::header::HeaderValue;
use ordercast_access::Origin;
use ordercast_domain::Violation;
use ordercast_domain::decide::WorkResult;
use ordercast_domain::ids::LeaseId;
use ordercast_engine::encode;
use ordercast_engine::{Claim, Report};
use ordercast_protocol::action::{WorkRequest, parse_work};
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::json::JsonWriter;

use crate::app::App;
use crate::http::body::read_json;
use crate::http::parameters::bad_query;
use crate::http::response::{IDEMPOTENCY_REPLAYED, json_response};
use crate::operations::orders::find;
use crate::problem::Problem;
use crate::resources::orders::whole_order_response;

/// How long a lease lasts unless it is renewed. A worker renews it every two seconds; when it is gone, its orders are in
/// work again within ten.
const LEASE: Duration = Duration::from_secs(6);
/// Most orders of one claim.
pub(crate) const MAX_CAPACITY: i64 = 100;
/// Longest wait of one claim, in seconds.
pub(crate) const MAX_WAIT_S: i64 = 30;
/// Longest wait that a worker may ask for before the next attempt, in seconds.
pub(crate) const MAX_RETRY_AFTER_S: i64 = 7 * 86_400;

/// What a worker may say of its lease or of an order.
const VERBS: [&str; 4] = ["heartbeat", "complete", "fail", "release"];

fn invalid(pointer: &str, detail: impl Into<String>) -> Problem {
    Problem::violations(ErrorCode::InvalidAction, vec![Violation::new(pointer, detail)])
}

fn refused(error: ordercast_engine::CommandError) -> Problem {
    Problem::of_command(ErrorCode::InvalidAction, error)
}

/// A number within its bounds.
fn bounded(pointer: &str, number: Option<i64>, default: i64, most: i64) -> Result<i64, Problem> {
    match number.unwrap_or(default) {
        number if (0..=most).contains(&number) => Ok(number),
        _ => Err(invalid(pointer, format!("must be from 0 to {most}"))),
    }
}

/// A field that belongs to another verb is refused.
fn check_fields(verb: &str, asked: &WorkRequest<'_>) -> Result<(), Problem> {
    const ENDS: &[&str] = &["complete", "fail", "release"];
    let fields: [(&str, bool, &[&str]); 8] = [
        ("/worker", asked.worker.is_some(), &["claim"]),
        ("/lease", asked.lease.is_some(), &["claim", "complete", "fail", "release"]),
        ("/capacity", asked.capacity.is_some(), &["claim"]),
        ("/wait_s", asked.wait_s.is_some(), &["claim"]),
        ("/token", asked.token.is_some(), ENDS),
        ("/outcome", asked.outcome.is_some(), &["fail"]),
        ("/reason", asked.reason.is_some(), &["fail"]),
        ("/retry_after_s", asked.retry_after_s.is_some(), &["fail"]),
    ];
    let foreign = fields.into_iter().filter(|(_, is_given, takers)| *is_given && !takers.contains(&verb));
    let wrong: Vec<_> = foreign.map(|(pointer, ..)| Violation::new(pointer, format!("is not of {verb}"))).collect();
    if wrong.is_empty() { Ok(()) } else { Err(Problem::violations(ErrorCode::InvalidAction, wrong)) }
}

/// `POST /work/claim`: orders for a worker, under its lease or a new one. When none is ready it waits up to `wait_s`.
pub(crate) async fn claim(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body = read_json(&app, &headers, body).await?;
    let asked = parse_work(&body)?;
    check_fields("claim", &asked)?;
    let most = bounded("/capacity", asked.capacity, 1, MAX_CAPACITY)?;
    let wait_s = bounded("/wait_s", asked.wait_s, 0, MAX_WAIT_S)?;
    let worker = asked.worker.as_deref().filter(|worker| !worker.trim().is_empty()).unwrap_or(&origin.principal.id);
    let claim = Claim {
        worker: worker.into(),
        lease: asked.lease.as_deref().map(LeaseId::from),
        most: usize::try_from(most).unwrap_or(1),
        ttl_ms: i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX),
    };
    let patience = Duration::from_secs(wait_s.unsigned_abs());
    let claimed = app.engine.claim(origin.clone(), claim, patience).await.map_err(refused)?;
    let mut out = Vec::with_capacity(256 + claimed.orders.len() * 640);
    let mut json = JsonWriter::new(&mut out);
    json.begin_object();
    if claimed.orders.is_empty() && asked.lease.is_none() {
        // A lease that holds nothing was not kept.
        json.key("lease").raw("null");
    } else {
        json.key("lease").string(&claimed.lease);
        json.key("expires_at").instant(claimed.expires_at_ms);
    }
    json.key("lease_s").integer(LEASE.as_secs()).key("orders").begin_array();
    for order in &claimed.orders {
        let (_, details) = find(&app, order.id.clone()).await?;
        let mut order_json = Vec::with_capacity(512);
        encode::order_json(order, &details, &mut order_json);
        json.begin_object().key("token").integer(order.token);
        json.key("order").raw(&String::from_utf8_lossy(&order_json)).end_object();
    }
    json.end_array().end_object();
    Ok(json_response(out))
}

/// `POST /work/{lease}/heartbeat` renews a lease; `POST /work/{order}/complete`, `fail` and `release` end the work.
pub(crate) async fn tell(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let Path((id, verb)) = path.map_err(bad_query)?;
    let body = read_json(&app, &headers, body).await?;
    let asked = parse_work(&body)?;
    if !VERBS.contains(&verb.as_str()) {
        return Err(Problem::new(ErrorCode::NotFound, format!("known are {}", VERBS.join(", "))));
    }
    check_fields(&verb, &asked)?;
    let result = match verb.as_str() {
        "heartbeat" => return heartbeat(&app, origin, id.into()).await,
        "complete" => Some(WorkResult::Completed),
        "fail" => Some(failure(&asked)?),
        _ => None,
    };
    let (lease, token) = claim_of(&asked)?;
    let report = Report { order_id: id.into(), lease, token, result };
    let changed = app.engine.report(origin.clone(), report).await.map_err(refused)?;
    let (order, details) = find(&app, changed.order.id).await?;
    let mut response = whole_order_response(&app, &origin.principal, &order, &details).await?;
    if changed.replayed {
        response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// What proves that an order is the worker's: the lease and the token of its claim.
fn claim_of(asked: &WorkRequest<'_>) -> Result<(LeaseId, u32), Problem> {
    let lease = asked.lease.as_deref().filter(|lease| !lease.is_empty());
    let token = asked.token.and_then(|token| u32::try_from(token).ok());
    match (lease, token) {
        (Some(lease), Some(token)) => Ok((lease.into(), token)),
        (lease, token) => {
            let missing =
                [("/lease", lease.is_none()), ("/token", token.is_none())].into_iter().filter(|(_, gone)| *gone);
            let wrong = |(pointer, _)| Violation::new(pointer, "is required: that of the order's claim");
            Err(Problem::violations(ErrorCode::InvalidAction, missing.map(wrong).collect()))
        }
    }
}

async fn heartbeat(app: &App, origin: Origin, lease: LeaseId) -> Result<Response, Problem> {
    let renewed = app.engine.renew(origin, lease, LEASE).await.map_err(refused)?;
    let mut out = Vec::with_capacity(64 + renewed.orders.len() * 64);
    let mut json = JsonWriter::new(&mut out);
    json.begin_object().key("expires_at").instant(renewed.expires_at_ms).key("orders").begin_array();
    for order in &renewed.orders {
        json.begin_object().key("id").string(&order.id).key("token").integer(order.token);
        json.key("cancel_requested").boolean(order.cancel_requested).end_object();
    }
    json.end_array().end_object();
    Ok(json_response(out))
}

fn failure(asked: &WorkRequest<'_>) -> Result<WorkResult, Problem> {
    let reason = asked.reason.as_deref().filter(|reason| !reason.trim().is_empty());
    let reason: Arc<str> = reason.ok_or_else(|| invalid("/reason", "is required: say why"))?.into();
    let after_s = bounded("/retry_after_s", asked.retry_after_s, 0, MAX_RETRY_AFTER_S)?;
    match asked.outcome.as_deref().unwrap_or("retry") {
        "retry" => Ok(WorkResult::Retry { reason, after_ms: Some(after_s * 1_000) }),
        "fail" => Ok(WorkResult::Failed { reason }),
        "reject" => Ok(WorkResult::Rejected { reason }),
        "hold" => Ok(WorkResult::Held { reason }),
        _ => Err(invalid("/outcome", "must be retry, fail, reject or hold")),
    }
}
