//! Adjustments over HTTP: money facts that are no orders.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::response::Response;
use hyper::header::HeaderValue;
use hyper::{HeaderMap, StatusCode};
use ordercast_access::Origin;
use ordercast_domain::draft::{AdjustmentInput, draft_adjustment};
use ordercast_engine::encode;
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::intake::parse_adjustment;
use ordercast_protocol::json::JsonWriter;
use serde::Deserialize;

use crate::app::App;
use crate::http::body::read_json;
use crate::http::parameters::{bad_query, number};
use crate::http::response::{IDEMPOTENCY_REPLAYED, json_response};
use crate::operations::drafts::item_of;
use crate::problem::Problem;

pub(crate) const MAX_PAGE: u64 = 500;
pub(crate) const DEFAULT_PAGE: u64 = 50;

/// `POST /adjustments`: 201 once it is durable, 200 with `Idempotency-Replayed` when it was stored before.
pub(crate) async fn store(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body = read_json(&app, &headers, body).await?;
    let request = parse_adjustment(&body)?;
    let input = AdjustmentInput {
        id: &request.id,
        kind: &request.kind,
        currency: request.currency.as_deref(),
        items: request.items.iter().map(item_of).collect(),
        customer: request.customer.as_deref(),
        notes: request.notes.as_deref(),
        placed_at_ms: request.placed_at_ms,
    };
    let adjustment = draft_adjustment(&input, app.engine.rules(), app.engine.customers())
        .map_err(|violations| Problem::violations(ErrorCode::InvalidAdjustment, violations))?;
    let adjusted = app.engine.adjust(origin, adjustment).await;
    let adjusted = adjusted.map_err(|error| Problem::of_command(ErrorCode::InvalidAdjustment, error))?;
    let mut out = Vec::new();
    let mut json = JsonWriter::new(&mut out);
    json.begin_object();
    encode::adjustment_view(&adjusted.adjustment).write_fields(&mut json);
    json.end_object();
    let mut response = json_response(out);
    if adjusted.is_new {
        *response.status_mut() = StatusCode::CREATED;
    } else {
        response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// What `GET /adjustments` may ask for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ListQuery {
    limit: Option<String>,
    cursor: Option<String>,
}

/// `GET /adjustments`: in the order they were stored.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(bad_query)?;
    let skip = number("cursor", query.cursor.as_deref(), 0, 0..=i64::MAX.unsigned_abs())?;
    let limit = number("limit", query.limit.as_deref(), DEFAULT_PAGE, 1..=MAX_PAGE)?;
    let adjustments = app.store.adjustments(skip, usize::try_from(limit).unwrap_or(1)).await?;
    let mut out = Vec::new();
    let mut json = JsonWriter::new(&mut out);
    json.begin_object().key("adjustments").begin_array();
    for adjustment in &adjustments {
        json.begin_object();
        encode::adjustment_view(adjustment).write_fields(&mut json);
        json.end_object();
    }
    json.end_array().key("next");
    let count = adjustments.len() as u64;
    if count == limit {
        json.string(&(skip + count).to_string());
    } else {
        json.raw("null");
    }
    json.end_object();
    Ok(json_response(out))
}
