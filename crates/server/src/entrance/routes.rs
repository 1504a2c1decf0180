//! The table of routes, and who may use each.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use hyper::header::{ALLOW, HeaderValue};
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::principal::{Principal, Role};

use crate::app::App;
use crate::centrifuge::endpoints;
use crate::pages::{embedded, error_pages};
use crate::problem::Problem;
use crate::resources::{actions, adjustments, bulk, events, orders, products, queues, redrive, work};
use crate::telemetry::{metrics, observe};
use crate::{contract, server_api};

/// All routes but `POST /orders` and those of WebSockets, which the front answers itself.
pub(crate) fn routes(app: Arc<App>) -> Router {
    let anyone = Router::new()
        .route("/health", get(observe::health))
        .route("/livez", get(observe::live))
        .route("/readyz", get(observe::ready))
        .route("/connection/http_stream", post(endpoints::http_stream).options(endpoints::preflight))
        .route("/connection/sse", get(endpoints::events).post(endpoints::events).options(endpoints::preflight))
        .route("/emulation", post(endpoints::emulation).options(endpoints::preflight))
        .route("/openapi.json", get(contract::openapi))
        .route("/asyncapi.json", get(contract::asyncapi))
        .route("/docs", get(contract::routes))
        .route("/docs/errors", get(error_pages::list))
        .route("/docs/style.css", get(error_pages::style))
        .route("/docs/errors/{name}", get(error_pages::page))
        .merge(server_api::routes())
        .fallback(embedded::serve);
    let staff = Router::new()
        .route("/orders", get(orders::list))
        .route("/orders/bulk", post(bulk::place))
        .route("/orders/retry", post(redrive::retry))
        .route("/orders/{id}", get(orders::get))
        .route("/orders/{id}/events", get(orders::events))
        .route("/queues", get(queues::list))
        .route("/queues/{queue}/{verb}", post(queues::queue))
        .route("/customers/{customer_id}/{verb}", post(queues::customer))
        .route("/products", get(products::list))
        .route("/adjustments", get(adjustments::list))
        .route("/events", get(events::stream))
        .route("/stats", get(observe::stats))
        .route("/stats/history", get(observe::history))
        .route("/ws/stats", get(observe::sockets))
        .route("/metrics", get(metrics::serve))
        .route_layer(from_fn(|request, next| require(Role::Staff, request, next)));
    // Whose order it is, and what they may do to it, is looked at with the order.
    let own = Router::new()
        .route("/orders/{id}/{action}", post(actions::act))
        .route_layer(from_fn(|request, next| require(Role::Customer, request, next)));
    let workers = Router::new()
        .route("/work/claim", post(work::claim))
        .route("/work/{id}/{verb}", post(work::tell))
        .route_layer(from_fn(|request, next| require(Role::Worker, request, next)));
    let admin = Router::new()
        .route("/products", post(products::store))
        .route("/products/{sku}", patch(products::change))
        .route("/adjustments", post(adjustments::store))
        .route_layer(from_fn(|request, next| require(Role::Admin, request, next)));
    anyone.merge(staff).merge(own).merge(workers).merge(admin).method_not_allowed_fallback(wrong_method).with_state(app)
}

/// Lets a request pass whose principal has the role.
async fn require(least: Role, mut request: Request, next: Next) -> Response {
    // Open mode knows one principal; with authentication it will come from the request.
    let principal = Principal::local_admin();
    if principal.role < least {
        let detail = format!("this needs the role {}", least.name());
        return Problem::new(ErrorCode::PermissionDenied, detail).into_response();
    }
    request.extensions_mut().insert(principal);
    next.run(request).await
}

async fn wrong_method(request: Request) -> Response {
    let path = request.uri().path();
    let detail = format!("{path} is not for {}", request.method());
    let mut response = Problem::new(ErrorCode::MethodNotAllowed, detail).into_response();
    // The router does not know that the front answers POST here, and would say otherwise.
    if path == "/orders" {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET,HEAD,POST"));
    }
    response
}
