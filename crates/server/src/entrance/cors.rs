//! Pages of other origins (the CORS protocol of the Fetch standard): those that the settings list may send to every route
//! and read the answers; others get no word of leave, so that browsers keep the answers from them.

use axum::body::Body;
use axum::response::Response;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY,
};
use hyper::{Method, StatusCode};

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PATCH");
/// Headers of answers that pages may read beside the usual ones.
const EXPOSED: HeaderValue = HeaderValue::from_static("Location, ETag, Idempotency-Replayed, Retry-After");
/// How long a browser may remember the answer to a preflight, in seconds: two hours, the most that Chromium takes.
const MAX_AGE_S: HeaderValue = HeaderValue::from_static("7200");
/// A page of the internet asks for a server on the own machine or network (Private Network Access).
const REQUEST_PRIVATE: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE: HeaderName = HeaderName::from_static("access-control-allow-private-network");
const TRUE: HeaderValue = HeaderValue::from_static("true");

/// The origin of a request, if the settings list it.
pub(crate) fn listed_origin(headers: &HeaderMap, allowed: &[String]) -> Option<HeaderValue> {
    let origin = headers.get(ORIGIN)?;
    allowed.iter().any(|listed| listed == origin).then(|| origin.clone())
}

/// The answer to what a browser asks before it lets a page of a listed origin send; `None` for other requests.
pub(crate) fn preflight(method: &Method, headers: &HeaderMap) -> Option<Response> {
    if *method != Method::OPTIONS || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let answer = response.headers_mut();
    answer.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    answer.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE_S);
    // The origin is trusted by name; what it sends is judged where it is read.
    if let Some(asked) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
    if headers.contains_key(REQUEST_PRIVATE) {
        answer.insert(ALLOW_PRIVATE, TRUE);
    }
    Some(response)
}

/// Says who may read an answer. Without a listed origin nobody else may, but caches learn that it depends on the origin.
pub(crate) fn allow(response: &mut Response, origin: Option<HeaderValue>) {
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("origin"));
    let Some(origin) = origin else { return };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
}
