//! The first look at every request.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, Request};
use ordercast_protocol::error::ErrorCode;
use tower_service::Service;

use super::guard::Head;
use super::{echo, guard};
use crate::access::authenticate::authenticate;
use crate::app::App;
use crate::centrifuge::endpoints;
use crate::http::query;
use crate::plain::endpoint;
use crate::problem::Problem;
use crate::resources::orders;
use crate::upgrade::Grant;

/// Who judges the handshake of a WebSocket at an address, if there are any.
pub(crate) fn socket_at(app: &App, path: &str) -> Option<Grant> {
    match path {
        "/ws" => Some(endpoint::websocket),
        endpoints::WEBSOCKET_PATH => Some(endpoints::websocket),
        echo::PATH if app.config.echo => Some(echo::websocket),
        _ => None,
    }
}

/// Answers one request.
pub(crate) async fn answer(
    app: Arc<App>,
    mut routes: Router,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Response {
    let path = request.uri().path();
    let socket = socket_at(&app, path);
    let opens_stream = socket.is_some() || path.starts_with(endpoints::TRANSPORT_PATHS);
    let allowed = &app.config.allowed_origins;
    let head =
        Head { method: request.method(), uri: request.uri(), version: request.version(), headers: request.headers() };
    let checked = guard::check(head, opens_stream, allowed)
        .and_then(|()| query::check(request.method(), path, request.uri().query()));
    let response = match (checked, socket) {
        (Err(problem), _) => problem.into_response(),
        (Ok(()), None) if path == "/orders" && *request.method() == Method::POST => {
            orders::place(&app, authenticate(request.headers(), peer.ip()), request).await.into_response()
        }
        (Ok(()), Some(_)) if *request.method() != Method::GET => {
            let detail = format!("{path} is for WebSockets, which are opened by GET");
            let mut response = Problem::new(ErrorCode::MethodNotAllowed, detail).into_response();
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
            response
        }
        (Ok(()), Some(grant)) => {
            let (head, body) = request.into_parts();
            match grant(&app, peer, &head) {
                Ok(granted) => granted.respond(&app, peer, Request::from_parts(head, body)),
                Err(problem) => problem.into_response(),
            }
        }
        (Ok(()), None) => {
            let (mut parts, body) = request.into_parts();
            parts.extensions.insert(peer);
            let origin = authenticate(&parts.headers, peer.ip());
            parts.extensions.insert(origin);
            match routes.call(Request::from_parts(parts, Body::new(body))).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
    };
    if let Some(problem) = response.extensions().get::<Problem>() {
        app.report("http", &peer.to_string(), problem);
    }
    response
}
