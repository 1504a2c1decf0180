//! Orders over HTTP.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, LOCATION};
use hyper::{Request, StatusCode};
use ordercast_domain::draft::{ChargeInput, Draft, ItemInput, OrderInput, draft_order};
use ordercast_domain::order::{Details, Fulfilment, Order};
use ordercast_domain::rules::Priority;
use ordercast_domain::status::{Lane, Status};
use ordercast_domain::transition::{ActionName, actions_from};
use ordercast_engine::intake::Placed;
use ordercast_engine::{Engine, encode};
use ordercast_protocol::channel::{Log, View};
use ordercast_protocol::envelope::Wire;
use ordercast_protocol::error::{ErrorCode, FieldError};
use ordercast_protocol::excerpt::excerpt;
use ordercast_protocol::intake::{ChargeRequest, ItemRequest, OrderRequest, parse_order};
use ordercast_protocol::json::{JsonWriter, parse_instant};
use ordercast_protocol::limits::{MAX_BODY_BYTES, MAX_IDEMPOTENCY_KEY_BYTES};
use ordercast_protocol::principal::Principal;
use ordercast_store::log::{LogState, PageLimit, PageQuery};
use ordercast_store::read::OrderQuery;
use serde::Deserialize;

use crate::actor::actor_of;
use crate::app::App;
use crate::body_room::Part;
use crate::problem::Problem;

/// Most orders or events of one page of a list.
pub(crate) const MAX_PAGE: usize = 500;
pub(crate) const DEFAULT_PAGE: usize = 50;
/// Most bytes of event bodies in one answer.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;
/// How much of a refused body is read and thrown away, and for how long.
const MAX_DISCARDED_BYTES: usize = 8 * MAX_BODY_BYTES;
const DISCARD_TIME: Duration = Duration::from_secs(2);
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Tells that the answer is that of an earlier request.
pub(crate) const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// `POST /orders`: 201 once the order is durable, 200 with `Idempotency-Replayed` when it was accepted before.
pub(crate) async fn place(app: &Arc<App>, peer: SocketAddr, request: Request<Incoming>) -> Result<Response, Problem> {
    require_json(request.headers())?;
    let key = idempotency_key(request.headers(), ErrorCode::InvalidOrder)?;
    let body = read_body(app, request.into_body()).await?;
    let draft = draft_of(&app.engine, &body, key)?;
    let principal = Principal::local_admin();
    match app.engine.place(peer.ip(), principal, draft).await.map_err(Problem::of_order)? {
        Placed::Accepted { order, details } => Ok(order_response(StatusCode::CREATED, &order, &details)),
        Placed::Replayed { order_id } => {
            let (order, details) = find(app, order_id).await?;
            let mut response = order_response(StatusCode::OK, &order, &details);
            response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
            Ok(response)
        }
    }
}

/// Judges the form and the rules of an order's body.
pub(crate) fn draft_of(engine: &Engine, body: &[u8], key: Option<Arc<str>>) -> Result<Draft, Problem> {
    let request = parse_order(body)?;
    let draft = draft_order(&input_of(&request), engine.rules(), engine.customers());
    let draft = draft.map_err(|violations| Problem::violations(ErrorCode::InvalidOrder, violations))?;
    let own_key = request.idempotency_key.as_deref().filter(|key| !key.is_empty()).map(Arc::from);
    Ok(Draft { key: key.or(own_key), ..draft })
}

fn input_of<'a>(request: &'a OrderRequest<'_>) -> OrderInput<'a> {
    OrderInput {
        id: request.id.as_deref(),
        amount: request.amount,
        currency: request.currency.as_deref(),
        items: request.items.iter().map(item_of).collect(),
        customer: request.customer.as_deref(),
        address: request.address.as_deref(),
        priority: request.priority,
        notes: request.notes.as_deref(),
        placed_at_ms: request.placed_at_ms,
        charges: request.charges.iter().map(charge_of).collect(),
        run_at_ms: request.run_at_ms,
    }
}

fn charge_of<'a>(charge: &'a ChargeRequest<'_>) -> ChargeInput<'a> {
    ChargeInput { kind: &charge.kind, name: charge.name.as_deref(), amount: charge.amount }
}

pub(crate) fn item_of<'a>(item: &'a ItemRequest<'_>) -> ItemInput<'a> {
    ItemInput { sku: &item.sku, quantity: item.quantity, price: item.price, plain: item.plain }
}

/// A body of any other type is refused by name; none is taken for JSON.
pub(crate) fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(content_type) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let essence = content_type.to_str().unwrap_or("").split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if essence == "application/json" || essence.ends_with("+json") {
        return Ok(());
    }
    let detail = format!("{} is not taken; send the header Content-Type: application/json", excerpt(&essence));
    Err(Problem::new(ErrorCode::UnsupportedMediaType, detail))
}

/// The client's key; a wrong one is told as an error of `invalid`.
pub(crate) fn idempotency_key(headers: &HeaderMap, invalid: ErrorCode) -> Result<Option<Arc<str>>, Problem> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    match key.to_str() {
        Ok(key) if (1..=MAX_IDEMPOTENCY_KEY_BYTES).contains(&key.len()) => Ok(Some(key.into())),
        _ => {
            let detail = format!("must have 1 to {MAX_IDEMPOTENCY_KEY_BYTES} visible ASCII characters");
            let fields = vec![FieldError::new("/Idempotency-Key", detail.clone())];
            Err(Problem { fields, ..Problem::new(invalid, format!("Idempotency-Key {detail}")) })
        }
    }
}

/// Reads a body up to the limit, within the time for a request's head. What came in one piece is not copied.
pub(crate) async fn read_body<B>(app: &App, mut body: B) -> Result<Bytes, Problem>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let timeout = app.config.handshake_timeout;
    match tokio::time::timeout(timeout, collect(&mut body, app.bodies.part())).await {
        Ok(Err(problem)) if problem.code == ErrorCode::TooLarge => {
            discard(body).await;
            Err(problem)
        }
        Ok(body) => body,
        Err(_) => Err(Problem::new(
            ErrorCode::RequestTimeout,
            format!("the body did not come within {} s", timeout.as_secs_f32()),
        )),
    }
}

/// Takes the rest of a body that was refused, up to a bound: closing on unread data resets the connection, and the
/// client would never see why.
async fn discard<B: http_body::Body<Data = Bytes> + Unpin>(mut body: B) {
    let mut left = MAX_DISCARDED_BYTES;
    let read = async {
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                return;
            }
        }
    };
    // Whoever sends slowly has heard enough.
    let _ = tokio::time::timeout(DISCARD_TIME, read).await;
}

async fn collect<B>(body: &mut B, mut room: Part<'_>) -> Result<Bytes, Problem>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let too_large = || Problem::new(ErrorCode::TooLarge, format!("a body has at most {MAX_BODY_BYTES} bytes"));
    if body.size_hint().lower() > MAX_BODY_BYTES as u64 {
        return Err(too_large());
    }
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Problem::new(ErrorCode::MalformedJson, format!("the body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        room.grow(data.len())?;
        if first.is_empty() && rest.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&std::mem::take(&mut first));
            }
            rest.extend_from_slice(&data);
        }
        if first.len().max(rest.len()) > MAX_BODY_BYTES {
            return Err(too_large());
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
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
    match text.parse::<u64>() {
        Ok(number) if bounds.contains(&number) => Ok(number),
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
