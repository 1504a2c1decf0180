//! The pages, embedded in the binary.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Uri};
use ordercast_protocol::error::ErrorCode;

use crate::problem::Problem;

include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// Everything a page uses comes from this server; no script or style stands in the page itself.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
                      form-action 'self'; frame-ancestors 'none'";

/// Serves a page or a file of one; everything else is not found.
pub(crate) async fn serve(method: Method, uri: Uri) -> Response {
    let path = match uri.path() {
        "/" => "/index.html",
        "/desk" => "/desk.html",
        path => path,
    };
    let Some((_, content)) = PAGES.iter().find(|(route, _)| *route == path) else {
        let detail = format!("nothing is at {}; the pages are / and /desk, the orders are at /orders", uri.path());
        return Problem::new(ErrorCode::NotFound, detail).into_response();
    };
    if !matches!(method, Method::GET | Method::HEAD) {
        return Problem::new(ErrorCode::MethodNotAllowed, format!("{path} is only read, by GET")).into_response();
    }
    let mut response = Response::new(Body::from(*content));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(path)));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // Files under assets carry a hash of their content in their name.
    let caching = if path.starts_with("/assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    response
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("json" | "map") => "application/json",
        _ => "application/octet-stream",
    }
}
