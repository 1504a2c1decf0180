//! Orders over HTTP.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::header::{ETAG, HeaderValue, LOCATION};
use hyper::{Request, StatusCode};
use ordercast_access::{Origin, Principal};
use ordercast_domain::ids::CustomerId;
use ordercast_domain::order::{Details, Order};
use ordercast_domain::rules::Priority;
use ordercast_engine::Placed;
use ordercast_engine::encode;
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::json::parse_instant;
use ordercast_store::read::OrderQuery;
use ordercast_store::search::{MAX_SEARCH_BYTES, OrderSearch};
use serde::Deserialize;

use crate::app::App;
use crate::http::body::{idempotency_key, read_json, require_json};
use crate::http::parameters::{bad_query, number};
use crate::http::response::{IDEMPOTENCY_REPLAYED, json_response};
use crate::operations::drafts::{Entrance, check_placing, draft_of, explain};
use crate::operations::orders::{
    DEFAULT_PAGE, MAX_PAGE, check_reading, events_json, find, list_json, status_of, whole_order_json,
};
use crate::problem::Problem;

/// `POST /orders`: 201 once the order is durable, 200 with `Idempotency-Replayed` when it was accepted before.
pub(crate) async fn place(app: &Arc<App>, origin: Origin, request: Request<Incoming>) -> Result<Response, Problem> {
    require_json(request.headers())?;
    let key = idempotency_key(request.headers(), ErrorCode::InvalidOrder)?;
    let (head, body) = request.into_parts();
    let body = read_json(app, &head.headers, body).await?;
    let draft = draft_of(&app.engine, &body, &Entrance { key, ..Entrance::LINE })?;
    check_placing(&origin.principal, &draft)?;
    match app.engine.place(origin, draft).await {
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

/// `GET /orders/{id}`.
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(bad_query)?;
    let id = id.into();
    check_reading(&app, &origin.principal, &id).await?;
    let (order, details) = find(&app, id).await?;
    whole_order_response(&app, &origin.principal, &order, &details).await
}

/// What `GET /orders` may ask for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ListQuery {
    q: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
    status: Option<String>,
    priority: Option<String>,
    customer_id: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

/// How many orders or events a page may have.
fn page_limit(text: Option<&str>) -> Result<usize, Problem> {
    let limit = number("limit", text, DEFAULT_PAGE as u64, 1..=MAX_PAGE as u64)?;
    Ok(usize::try_from(limit).unwrap_or(MAX_PAGE))
}

fn priority_of(text: &str) -> Result<Priority, Problem> {
    let priority = text.parse().ok().and_then(Priority::from_number);
    priority.ok_or_else(|| Problem::new(ErrorCode::InvalidQuery, "priority must be 1, 2 or 3"))
}

fn search_of(text: &str) -> Result<OrderSearch, Problem> {
    OrderSearch::new(text).ok_or_else(|| {
        let detail = format!("q must be a text to search for, of at most {MAX_SEARCH_BYTES} bytes");
        Problem::new(ErrorCode::InvalidQuery, detail)
    })
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
        customer_id: query.customer_id.as_deref().map(CustomerId::from),
        from_ms: query.from.as_deref().map(|text| time_of("from", text)).transpose()?,
        to_ms: query.to.as_deref().map(|text| time_of("to", text)).transpose()?,
        search: query.q.as_deref().map(search_of).transpose()?,
        before,
        limit,
    };
    Ok(json_response(list_json(&app, query).await?))
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
    Extension(origin): Extension<Origin>,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<EventsQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let (Path(id), Query(query)) = (id.map_err(bad_query)?, query.map_err(bad_query)?);
    let after = number("after", query.after.as_deref(), 0, 0..=i64::MAX.unsigned_abs())?;
    let limit = page_limit(query.limit.as_deref())?;
    let id = id.into();
    check_reading(&app, &origin.principal, &id).await?;
    Ok(json_response(events_json(&app, id, after, limit).await?))
}
