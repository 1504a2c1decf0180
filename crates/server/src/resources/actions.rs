//! Actions on orders over HTTP.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::response::Response;
use hyper::HeaderMap;
use hyper::header::{HeaderValue, IF_MATCH};
use ordercast_access::Origin;
use ordercast_domain::decide::Request;
use ordercast_protocol::action::parse_action;
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::intake::Form;

use crate::app::App;
use crate::http::body::{idempotency_key, read_json, require_json};
use crate::http::parameters::bad_query;
use crate::http::response::IDEMPOTENCY_REPLAYED;
use crate::operations::actions::action_of;
use crate::operations::orders::find;
use crate::problem::Problem;
use crate::resources::orders::whole_order_response;

/// `POST /orders/{id}/{action}`: 200 with the order once what was done is durable.
pub(crate) async fn act(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let Path((id, action)) = path.map_err(bad_query)?;
    require_json(&headers)?;
    let key = idempotency_key(&headers, ErrorCode::InvalidAction)?;
    let body = read_json(&app, &headers, body).await?;
    let asked = parse_action(&body, Form::Body)?;
    let request = Request {
        order_id: id.into(),
        action: action_of(&action, &asked)?,
        reason: asked.reason.as_deref().map(Arc::from),
        if_versions: if_match(&headers),
        key,
    };
    perform(&app, origin, request).await
}

async fn perform(app: &App, origin: Origin, request: Request) -> Result<Response, Problem> {
    let changed = app.engine.act(origin.clone(), request).await;
    let changed = changed.map_err(|error| Problem::of_command(ErrorCode::InvalidAction, error))?;
    let (order, details) = find(app, changed.order.id).await?;
    let mut response = whole_order_response(app, &origin.principal, &order, &details).await?;
    if changed.replayed {
        response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// The versions that `If-Match` allows (RFC 9110 §13.1.1); `None` for any. A tag that is not ours matches nothing, and
/// neither does a weak one.
fn if_match(headers: &HeaderMap) -> Option<Vec<u32>> {
    let mut versions = Vec::new();
    let mut is_given = false;
    for value in headers.get_all(IF_MATCH) {
        is_given = true;
        for tag in value.to_str().unwrap_or("").split(',').map(str::trim) {
            if tag == "*" {
                return None;
            }
            let tag = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            let version =
                tag.and_then(|tag| tag.parse().ok()).filter(|version: &u32| tag == Some(&*version.to_string()));
            versions.extend(version);
        }
    }
    is_given.then_some(versions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_strong_tags_of_ours_match() {
        for (values, expected) in [
            (&[][..], None),
            (&["*"], None),
            (&["\"3\""], Some(vec![3])),
            (&["\"3\", \"4\"", "\"5\""], Some(vec![3, 4, 5])),
            (&["W/\"3\""], Some(vec![])),
            (&["3"], Some(vec![])),
            (&["\"three\""], Some(vec![])),
            (&["\"+3\"", "\"03\"", "\" 3\"", "\"\"", "\"4294967296\""], Some(vec![])),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(IF_MATCH, HeaderValue::from_static(value));
            }
            assert_eq!(if_match(&headers), expected, "{values:?}");
        }
    }
}
