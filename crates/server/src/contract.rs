//! The contract with clients, built from the tables and limits of the code: OpenAPI for HTTP, AsyncAPI for sockets and
//! streams, and a page that lists all routes.

mod asyncapi;
mod examples;
mod figures;
mod methods;
mod openapi;
mod operation;
mod order_routes;
mod orders;
mod page;
mod queue_routes;
mod schema;
mod server_routes;

use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde_json::Value;

use crate::app::App;
use crate::pages::error_pages::document;

/// The parameters of queries by address, as the document has them.
#[cfg(test)]
pub(crate) fn query_parameters() -> Vec<(String, Vec<String>)> {
    let all = openapi::operations().into_iter().map(|operation| {
        let names = operation.parameters.iter().filter(|parameter| parameter["in"] == "query");
        let names = names.filter_map(|parameter| parameter["name"].as_str().map(str::to_owned)).collect();
        (operation.path, names)
    });
    all.filter(|(_, names): &(_, Vec<String>)| !names.is_empty()).collect()
}

/// `GET /openapi.json`.
pub(crate) async fn openapi(State(app): State<Arc<App>>) -> Response {
    static TEXT: LazyLock<Bytes> = LazyLock::new(|| text_of(&openapi::document("")));
    match &*app.config.proxy.base_path {
        "" => json(&TEXT),
        base_path => json(&text_of(&openapi::document(base_path))),
    }
}

/// `GET /asyncapi.json`.
pub(crate) async fn asyncapi() -> Response {
    static TEXT: LazyLock<Bytes> = LazyLock::new(|| text_of(&asyncapi::document()));
    json(&TEXT)
}

/// `GET /docs`.
pub(crate) async fn routes() -> Response {
    document("./", "Routes", &page::routes())
}

fn text_of(document: &Value) -> Bytes {
    format!("{document:#}\n").into()
}

fn json(text: &Bytes) -> Response {
    let mut response = Response::new(Body::from(text.clone()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
