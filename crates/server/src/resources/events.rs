//! Server-Sent Events: `GET /events?channels=orders,stats`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::response::Response;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Uri};
use ordercast_access::Origin;
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::limits::MAX_CHANNELS;
use ordercast_protocol::position::decode_positions;

use crate::app::App;
use crate::http::parameters::{parse_channels, query_value};
use crate::http::response::Infallible;
use crate::operations::permission::check_subscribing;
use crate::problem::Problem;
use crate::upgrade::reserve;

const DEFAULT_CHANNELS: &str = "orders";
/// Names under which a query may hold the id of the last event: ours, and those that stand-ins for `EventSource` use where
/// they cannot set the header.
const LAST_ID_NAMES: [&str; 5] =
    ["last_event_id", "lastEventId", "Last-Event-ID", "last-event-id", "evs_last_event_id"];

/// Opens a stream. `Last-Event-ID` (or one of [`LAST_ID_NAMES`] in the query, for clients that cannot set headers) holds
/// the positions of all its channels and resumes there.
pub(crate) async fn stream(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let names = query_value(uri.query(), "channels").unwrap_or_else(|| DEFAULT_CHANNELS.to_owned());
    let channels = parse_channels(&app, &names)?;
    if channels.is_empty() || channels.len() > MAX_CHANNELS {
        let detail = format!("name 1 to {MAX_CHANNELS} channels, such as /events?channels=orders");
        return Err(Problem::new(ErrorCode::InvalidQuery, detail));
    }
    for channel in &channels {
        check_subscribing(&app, &origin.principal, channel).await?;
    }
    let from_header = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let last_id = from_header.or_else(|| from_query(uri.query())).unwrap_or_default();
    let positions = decode_positions(&last_id)
        .ok_or_else(|| Problem::new(ErrorCode::InvalidQuery, "Last-Event-ID must be an id that this server gave"))?;
    let since = |name: &str| positions.iter().find(|(known, _)| known == name).map(|(_, position)| position.clone());
    let channels = channels.into_iter().map(|channel| {
        let since = since(&channel.name);
        (channel, since)
    });
    let stream = app.hub.open_stream(reserve(&app)?, origin, channels.collect());
    let mut response = Response::new(Body::from_stream(Infallible(stream)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

fn from_query(query: Option<&str>) -> Option<String> {
    LAST_ID_NAMES.into_iter().find_map(|name| query_value(query, name)).filter(|id| !id.is_empty())
}
