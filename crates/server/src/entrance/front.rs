//! The first look at every request.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::header::{ACCEPT_ENCODING, ALLOW, HeaderValue};
use hyper::{Method, Request};
use ordercast_protocol::error::ErrorCode;
use tower_service::Service;

use super::guard::Head;
use super::{base_path, cors, echo, guard};
use crate::access::authenticate::authenticate;
use crate::app::App;
use crate::centrifuge::endpoints;
use crate::http::compression::compress;
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
    routes: Router,
    peer: SocketAddr,
    mut request: Request<Incoming>,
) -> Response {
    let base_path = &app.config.proxy.base_path;
    if let Some(uri) = base_path::strip(request.uri(), base_path) {
        *request.uri_mut() = uri;
    }
    let allowed = &app.config.allowed_origins;
    let origin = if allowed.is_empty() { None } else { cors::listed_origin(request.headers(), allowed) };
    let early = origin.as_ref().and_then(|_| cors::preflight(request.method(), request.headers()));
    let early = early.or_else(|| base_path::to_root(request.uri(), base_path));
    let mut response = match early {
        Some(response) => response,
        None => judged(&app, routes, peer, request).await,
    };
    if let Some(problem) = response.extensions().get::<Problem>() {
        app.report("http", &peer.to_string(), problem);
    }
    base_path::prepend(&mut response, base_path);
    if !allowed.is_empty() {
        cors::allow(&mut response, origin);
    }
    response
}

/// Answers a request if it may come from where it comes.
async fn judged(app: &Arc<App>, routes: Router, peer: SocketAddr, request: Request<Incoming>) -> Response {
    let path = request.uri().path();
    let socket = socket_at(app, path);
    let opens_stream = socket.is_some() || path.starts_with(endpoints::TRANSPORT_PATHS);
    let head =
        Head { method: request.method(), uri: request.uri(), version: request.version(), headers: request.headers() };
    let checked = guard::check(head, peer.ip(), opens_stream, &app.config)
        .and_then(|client| query::check(request.method(), path, request.uri().query()).map(|()| client));
    let client = match checked {
        Ok(client) => SocketAddr::new(client, peer.port()),
        Err(problem) => return problem.into_response(),
    };
    match socket {
        None if path == "/orders" && *request.method() == Method::POST => {
            orders::place(app, authenticate(request.headers(), client.ip()), request).await.into_response()
        }
        Some(_) if *request.method() != Method::GET => {
            let detail = format!("{path} is for WebSockets, which are opened by GET");
            let mut response = Problem::new(ErrorCode::MethodNotAllowed, detail).into_response();
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
            response
        }
        Some(grant) => {
            let (head, body) = request.into_parts();
            match grant(app, client, &head) {
                Ok(granted) => granted.respond(app, client, Request::from_parts(head, body)),
                Err(problem) => problem.into_response(),
            }
        }
        None => routed(routes, client, request).await,
    }
}

/// Answers by the table of routes, compressed where that is worth it.
async fn routed(mut routes: Router, client: SocketAddr, request: Request<Incoming>) -> Response {
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(client);
    let origin = authenticate(&parts.headers, client.ip());
    parts.extensions.insert(origin);
    let takes = parts.headers.get(ACCEPT_ENCODING).filter(|_| parts.method == Method::GET).cloned();
    let response = match routes.call(Request::from_parts(parts, Body::new(body))).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    compress(takes.as_ref(), response).await
}
