//! Orders over HTTP.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LOCATION};
use hyper::{Request, StatusCode};
use ordercast_domain::order::{Details, Fulfilment, Order};
use ordercast_domain::rules::Priority;
use ordercast_domain::status::{Lane, Status};
use ordercast_domain::transition::{ActionName, actions_from};
use ordercast_engine::Placed;
use ordercast_engine::encode;
use ordercast_protocol::channel::{Log, View};
use ordercast_protocol::envelope::Wire;
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::excerpt::excerpt;
use ordercast_protocol::json::{JsonWriter, parse_instant};
use ordercast_protocol::principal::Principal;
use ordercast_store::log::{LogState, PageLimit, PageQuery};
use ordercast_store::read::OrderQuery;
use serde::Deserialize;

use crate::actor::actor_of;
use crate::app::App;
use crate::body::{idempotency_key, read_json, require_json};
use crate::drafts::{Entrance, draft_of, explain};
use crate::problem::Problem;

/// Most orders or events of one page of a list.
pub(crate) const MAX_PAGE: usize = 500;
pub(crate) const DEFAULT_PAGE: usize = 50;
/// Most bytes of event bodies in one answer.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Tells that the answer is that of an earlier request.
pub(crate) const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// `POST /orders`: 201 once the order is durable, 200 with `Idempotency-Replayed` when it was accepted before.
pub(crate) async fn place(app: &Arc<App>, peer: SocketAddr, request: Request<Incoming>) -> Result<Response, Problem> {
    require_json(request.headers())?;
    let key = idempotency_key(request.headers(), ErrorCode::InvalidOrder)?;
    let (head, body) = request.into_parts();
    let body = read_json(app, &head.headers, body).await?;
    let draft = draft_of(&app.engine, &body, &Entrance { key, ..Entrance::LINE })?;
    let principal = Principal::local_admin();
    match app.engine.place(peer.ip(), principal, draft).await {
        Err(error) => Err(explain(app, error).await),
        Ok(Placed::Accepted { order, details }) => Ok(order_response(StatusCode::CREATED, &order, &details)),
        Ok(Placed::Replayed { order_id }) => {
            let (order, details) = find(app, order_id).await?;
            let mut response = order_response(StatusCode::OK, &order, &details);
            response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
            Ok(response)
        }
    }
}

/// An order by id.
pub(crate) async fn find(app: &App, id: Arc<str>) -> Result<(Order, Details), Problem> {
    let order = app.store.order(Arc::clone(&id)).await?;
    order.ok_or_else(|| Problem::new(ErrorCode::NotFound, format!("there is no order {}", excerpt(&id))))
}

fn order_response(status: StatusCode, order: &Order, details: &Details) -> Response {
    let mut json = Vec::with_capacity(512);
    encode::order_json(order, details, &mut json);
    let mut response = json_response(json);
    *response.status_mut() = status;
    set_etag(&mut response, order);
    let headers = response.headers_mut();
    if status == StatusCode::CREATED
        && let Ok(location) = HeaderValue::from_str(&format!("/orders/{}", order.id))
    {
        headers.insert(LOCATION, location);
    }
    response
}

fn set_etag(response: &mut Response, order: &Order) {
    let headers = response.headers_mut();
    if order.version == 1 {
        headers.insert(ETAG, HeaderValue::from_static("\"1\""));
    } else if let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", order.version)) {
        headers.insert(ETAG, etag);
    }
}

/// An order with all that became of it, and what `principal` may do to it.
pub(crate) async fn whole_order_response(
    app: &App,
    principal: &Principal,
    order: &Order,
    details: &Details,
) -> Result<Response, Problem> {
    let mut response = json_response(whole_order_json(app, principal, order, details).await?);
    set_etag(&mut response, order);
    Ok(response)
}

/// As above, as JSON.
pub(crate) async fn whole_order_json(
    app: &App,
    principal: &Principal,
    order: &Order,
    details: &Details,
) -> Result<Vec<u8>, Problem> {
    // Only what is done can have been shipped or given back; most questions are about others.
    let is_done = order.captured() > 0;
    let fulfilment = if is_done { app.store.fulfilment(order.seq).await? } else { Fulfilment::default() };
    let mut allowed = match actor_of(principal) {
        Ok(actor) => actions_from(order.status, &actor),
        Err(_) => Vec::new(),
    };
    allowed.retain(|action| ActionName::for_people(action.name()).is_some());
    let mut json = Vec::with_capacity(768);
    encode::whole_order_json(order, details, &fulfilment, &allowed, &mut json);
    Ok(json)
}

/// An answer of JSON text.
pub(crate) fn json_response(json: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(json));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// `GET /orders/{id}`.
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    Extension(principal): Extension<Principal>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(bad_query)?;
    let (order, details) = find(&app, id.into()).await?;
    whole_order_response(&app, &principal, &order, &details).await
}

/// What `GET /orders` may ask for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ListQuery {
    limit: Option<String>,
    cursor: Option<String>,
    status: Option<String>,
    priority: Option<String>,
    customer_id: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

/// A path or query that cannot even be taken apart.
pub(crate) fn bad_query(rejection: impl std::fmt::Display) -> Problem {
    Problem::new(ErrorCode::InvalidQuery, rejection.to_string())
}

/// A whole number of a query within its bounds, or the default.
pub(crate) fn number(
    name: &str,
    text: Option<&str>,
    default: u64,
    bounds: RangeInclusive<u64>,
) -> Result<u64, Problem> {
    let Some(text) = text else { return Ok(default) };
    // Rust reads a plus sign, too.
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u64>() {
        Ok(number) if is_plain && bounds.contains(&number) => Ok(number),
        _ => {
            let detail = format!("{name} must be a whole number from {} to {}", bounds.start(), bounds.end());
            Err(Problem::new(ErrorCode::InvalidQuery, detail))
        }
    }
}

/// How many orders or events a page may have.
fn page_limit(text: Option<&str>) -> Result<usize, Problem> {
    let limit = number("limit", text, DEFAULT_PAGE as u64, 1..=MAX_PAGE as u64)?;
    Ok(usize::try_from(limit).unwrap_or(MAX_PAGE))
}

/// A status, or an active one on a lane, by its outward name.
pub(crate) fn status_of(name: &str) -> Result<(Status, Option<Lane>), Problem> {
    let lane = Lane::ALL.into_iter().find(|lane| lane.name() == name).map(|lane| (Status::Active, Some(lane)));
    let status = || Status::ALL.into_iter().find(|status| status.name() == name).map(|status| (status, None));
    lane.or_else(status).ok_or_else(|| {
        let mut names: Vec<_> = Status::ALL.iter().map(|status| status.name()).collect();
        names.extend(Lane::ALL.iter().map(|lane| lane.name()));
        Problem::new(ErrorCode::InvalidQuery, format!("status must be one of {}", names.join(", ")))
    })
}

fn priority_of(text: &str) -> Result<Priority, Problem> {
    let priority = text.parse().ok().and_then(Priority::from_number);
    priority.ok_or_else(|| Problem::new(ErrorCode::InvalidQuery, "priority must be 1, 2 or 3"))
}

fn time_of(name: &str, text: &str) -> Result<i64, Problem> {
    parse_instant(text).ok_or_else(|| {
        let detail = format!("{name} must be an RFC 3339 time such as 2026-03-01T09:00:00Z (+ is written %2B)");
        Problem::new(ErrorCode::InvalidQuery, detail)
    })
}

/// `GET /orders`: newest first, with the position of the log that the page and the stream join at.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(bad_query)?;
    let limit = page_limit(query.limit.as_deref())?;
    let before = match query.cursor.as_deref() {
        None => None,
        cursor => Some(number("cursor", cursor, 0, 0..=i64::MAX.unsigned_abs())?),
    };
    let query = OrderQuery {
        status: query.status.as_deref().map(status_of).transpose()?,
        priority: query.priority.as_deref().map(priority_of).transpose()?,
        customer_id: query.customer_id.map(Arc::from),
        from_ms: query.from.as_deref().map(|text| time_of("from", text)).transpose()?,
        to_ms: query.to.as_deref().map(|text| time_of("to", text)).transpose()?,
        before,
        limit,
    };
    Ok(json_response(list_json(&app, query).await?))
}

/// A page of orders as JSON.
pub(crate) async fn list_json(app: &App, query: OrderQuery) -> Result<Vec<u8>, Problem> {
    let page = app.store.orders(query).await?;
    let mut out = Vec::with_capacity(page.orders.len() * 512 + 128);
    let mut json = JsonWriter::new(&mut out);
    json.begin_object().key("orders").begin_array();
    let mut order_json = Vec::new();
    for (order, details) in &page.orders {
        order_json.clear();
        encode::order_json(order, details, &mut order_json);
        json.raw(&String::from_utf8_lossy(&order_json));
    }
    json.end_array().key("next");
    match page.next {
        Some(cursor) => json.string(&cursor.to_string()),
        None => json.raw("null"),
    };
    write_as_of(&mut json, &page.as_of);
    json.end_object();
    Ok(out)
}

/// Writes the position that a list and the stream join at.
pub(crate) fn write_as_of(json: &mut JsonWriter<'_>, state: &LogState) {
    json.key("as_of").begin_object().key(state.log.name()).begin_object();
    json.key("epoch").string(&state.epoch.0).key("offset").integer(state.head);
    json.end_object().end_object();
}

/// What `GET /orders/{id}/events` may ask for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct EventsQuery {
    after: Option<String>,
    limit: Option<String>,
}

/// `GET /orders/{id}/events`: what happened to an order, oldest first.
pub(crate) async fn events(
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<EventsQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let (Path(id), Query(query)) = (id.map_err(bad_query)?, query.map_err(bad_query)?);
    let after = number("after", query.after.as_deref(), 0, 0..=i64::MAX.unsigned_abs())?;
    let limit = page_limit(query.limit.as_deref())?;
    Ok(json_response(events_json(&app, id.into(), after, limit).await?))
}

/// A page of an order's events as JSON; a problem when there is no such order.
pub(crate) async fn events_json(app: &App, id: Arc<str>, after: u64, limit: usize) -> Result<Vec<u8>, Problem> {
    find(app, Arc::clone(&id)).await?;
    let limit = PageLimit { events: limit, bytes: MAX_PAGE_BYTES };
    let channel = format!("order:{id}");
    let page = app.store.log_page(PageQuery::after(Log::Orders, View::Order(id), after, limit)).await?;
    let mut out = Vec::new();
    let mut json = JsonWriter::new(&mut out);
    json.begin_object().key("events").begin_array();
    let mut frame = Vec::new();
    for event in &page.events {
        frame.clear();
        Wire::PlainJson.wrap(&channel, event.offset, &event.body, &mut frame);
        json.raw(&String::from_utf8_lossy(&frame));
    }
    json.end_array();
    json.key("next");
    let is_full = page.read_to < page.state.head;
    match page.events.last().filter(|_| is_full) {
        Some(last) => json.string(&last.offset.to_string()),
        None => json.raw("null"),
    };
    write_as_of(&mut json, &page.state);
    json.end_object();
    Ok(out)
}
