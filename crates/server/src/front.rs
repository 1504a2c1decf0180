//! The first look at every request.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::{Method, Request};
use tower_service::Service;

use crate::app::App;
use crate::centrifuge::endpoints;
use crate::problem::Problem;
use crate::{echo, guard, orders, upgrade};

/// Answers one request.
pub(crate) async fn answer(
    app: Arc<App>,
    mut routes: Router,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Response {
    let path = request.uri().path();
    let is_echo = app.config.echo && path == echo::PATH;
    let opens_stream = path == "/ws" || is_echo || path.starts_with(endpoints::TRANSPORT_PATHS);
    let allowed = &app.config.allowed_origins;
    let response = match guard::check(request.method(), request.headers(), opens_stream, allowed) {
        Err(problem) => problem.into_response(),
        Ok(()) if path == "/orders" && *request.method() == Method::POST => {
            orders::place(&app, peer, request).await.into_response()
        }
        Ok(()) if path == "/ws" => upgrade::websocket(&app, peer, request).into_response(),
        Ok(()) if is_echo => echo::websocket(&app, peer, request).into_response(),
        Ok(()) if path == endpoints::WEBSOCKET_PATH => endpoints::websocket(&app, peer, request).into_response(),
        Ok(()) => {
            let (mut parts, body) = request.into_parts();
            parts.extensions.insert(peer);
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
