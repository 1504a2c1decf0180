//! The pages, embedded in the binary.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap,
    HeaderValue, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Uri};
use ordercast_protocol::error::ErrorCode;

use super::error_pages::nothing_at;
use crate::http::accept;
use crate::problem::Problem;

include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// Everything a page uses comes from this server; no script or style stands in the page itself.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
                      form-action 'self'; frame-ancestors 'none'";

/// How files are compressed beforehand: the name of the encoding and the ending of such a file, the smaller one first.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// Serves a page or a file of one; everything else is not found.
pub(crate) async fn serve(method: Method, uri: Uri, request: HeaderMap) -> Response {
    let path = match uri.path() {
        "/" => "/index.html",
        "/desk" => "/desk.html",
        path => path,
    };
    let is_compressed = ENCODINGS.iter().any(|(_, ending)| path.ends_with(ending));
    let Some(plain) = find(path).filter(|_| !is_compressed) else { return nothing(&uri, &request) };
    if !matches!(method, Method::GET | Method::HEAD) {
        return Problem::new(ErrorCode::MethodNotAllowed, format!("{path} is only read, by GET")).into_response();
    }
    let is_taken = |name: &str| accept::weight(&request, &ACCEPT_ENCODING, name).unwrap_or(0) > 0;
    let compressed = ENCODINGS.into_iter().filter(|(name, _)| is_taken(name));
    let compressed = compressed.filter_map(|(name, ending)| Some((name, find(&format!("{path}{ending}"))?))).next();
    let (encoding, content) = compressed.map_or((None, plain), |(name, content)| (Some(name), content));
    let mut response = Response::new(Body::from(content));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(path)));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(encoding) = encoding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    // Files under assets carry a hash of their content in their name.
    let caching = if path.starts_with("/assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    response
}

fn find(path: &str) -> Option<&'static [u8]> {
    PAGES.iter().find(|(route, _)| *route == path).map(|(_, content)| *content)
}

/// A page for people, a problem for programs.
fn nothing(uri: &Uri, request: &HeaderMap) -> Response {
    let detail = format!("nothing is at {}; the pages are / and /desk, the orders are at /orders", uri.path());
    let problem = Problem::new(ErrorCode::NotFound, detail);
    if accept::weight(request, &ACCEPT, "text/html").unwrap_or(0) > 0 {
        nothing_at(uri)
    } else {
        problem.into_response()
    }
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
