//! The table of routes, and who may use each.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, patch, post};
use hyper::header::{ALLOW, HeaderValue};
use ordercast_access::{Origin, Resource, Right, Verdict, judge};
use ordercast_protocol::error::ErrorCode;

use crate::app::App;
use crate::centrifuge::endpoints;
use crate::pages::{embedded, error_pages};
use crate::problem::Problem;
use crate::resources::{actions, adjustments, bulk, events, orders, products, queues, redrive, work};
use crate::telemetry::{metrics, observe};
use crate::{contract, server_api};

/// What a route needs: a right on a resource.
type Need = (Right, Resource<'static>);

const LIST_ORDERS: Need = (Right::ListOrders, Resource::AllOrders);
const PLACE_ORDERS: Need = (Right::PlaceOrder, Resource::AllOrders);
const CONTROL_QUEUES: Need = (Right::ControlQueues, Resource::Queue);
const READ_ORDER: Need = (Right::ReadOrder, Resource::Order(None));
const ACT_ON_ORDER: Need = (Right::ActOnOrder, Resource::Order(None));
const WORK: Need = (Right::Work, Resource::Queue);
const READ_PRODUCTS: Need = (Right::ReadCatalogue, Resource::Catalogue);
const CHANGE_PRODUCTS: Need = (Right::ChangeCatalogue, Resource::Catalogue);
const READ_ADJUSTMENTS: Need = (Right::ReadAdjustments, Resource::Adjustments);
const STORE_ADJUSTMENTS: Need = (Right::StoreAdjustments, Resource::Adjustments);
const READ_STATISTICS: Need = (Right::ReadStatistics, Resource::Statistics);

/// All routes but `POST /orders` and those of WebSockets, which the front answers itself.
pub(crate) fn routes(app: Arc<App>) -> Router {
    let anyone = Router::new()
        .route("/health", get(observe::health))
        .route("/livez", get(observe::live))
        .route("/readyz", get(observe::ready))
        .route("/connection/http_stream", post(endpoints::http_stream))
        .route("/connection/sse", get(endpoints::events).post(endpoints::events))
        .route("/emulation", post(endpoints::emulation))
        .route("/openapi.json", get(contract::openapi))
        .route("/asyncapi.json", get(contract::asyncapi))
        .route("/docs", get(contract::routes))
        .route("/docs/errors", get(error_pages::list))
        .route("/docs/style.css", get(error_pages::style))
        .route("/docs/errors/{name}", get(error_pages::page))
        // Each channel is judged by itself.
        .route("/events", get(events::stream))
        .merge(server_api::routes())
        .fallback(embedded::serve);
    let orders = Router::new()
        .route("/orders", needing(LIST_ORDERS, get(orders::list)))
        .route("/orders/bulk", needing(PLACE_ORDERS, post(bulk::place)))
        .route("/orders/retry", needing(CONTROL_QUEUES, post(redrive::retry)))
        // Whose order it is, and what they may do to it, is looked at with the order.
        .route("/orders/{id}", needing(READ_ORDER, get(orders::get)))
        .route("/orders/{id}/events", needing(READ_ORDER, get(orders::events)))
        .route("/orders/{id}/{action}", needing(ACT_ON_ORDER, post(actions::act)))
        .route("/queues", needing(CONTROL_QUEUES, get(queues::list)))
        .route("/queues/{queue}/{verb}", needing(CONTROL_QUEUES, post(queues::queue)))
        .route("/customers/{customer_id}/{verb}", needing(CONTROL_QUEUES, post(queues::customer)))
        .route("/work/claim", needing(WORK, post(work::claim)))
        .route("/work/{id}/{verb}", needing(WORK, post(work::tell)));
    let products = needing(READ_PRODUCTS, get(products::list));
    let stores = needing(CHANGE_PRODUCTS, post(products::store));
    let product = needing(READ_PRODUCTS, get(products::get));
    let changes = needing(CHANGE_PRODUCTS, patch(products::change));
    let adjustments = needing(READ_ADJUSTMENTS, get(adjustments::list));
    let adjusts = needing(STORE_ADJUSTMENTS, post(adjustments::store));
    let stock = Router::new()
        .route("/products", products.merge(stores))
        .route("/products/{sku}", product.merge(changes))
        .route("/adjustments", adjustments.merge(adjusts));
    let statistics = Router::new()
        .route("/stats", get(observe::stats))
        .route("/stats/history", get(observe::history))
        .route("/ws/stats", get(observe::sockets))
        .route("/metrics", get(metrics::serve))
        .route_layer(from_fn(|request, next| require(READ_STATISTICS, request, next)));
    anyone.merge(orders).merge(stock).merge(statistics).method_not_allowed_fallback(wrong_method).with_state(app)
}

/// A route for those who may use a right on a resource.
fn needing(need: Need, route: MethodRouter<Arc<App>>) -> MethodRouter<Arc<App>> {
    route.route_layer(from_fn(move |request, next| require(need, request, next)))
}

/// Lets a request pass whose principal may use a right on a resource, or may if it turns out to be its own.
async fn require((right, resource): Need, request: Request, next: Next) -> Response {
    let origin = request.extensions().get::<Origin>();
    let verdict = origin.map_or(Verdict::Denied, |origin| judge(&origin.principal, right, resource));
    match verdict {
        Verdict::Allowed | Verdict::IfOwn => next.run(request).await,
        Verdict::Denied => {
            let detail = format!("this needs the right to {}", right.name());
            Problem::new(ErrorCode::PermissionDenied, detail).into_response()
        }
    }
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
