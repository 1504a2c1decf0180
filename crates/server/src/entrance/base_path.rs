//! A path that all addresses begin with outside: a proxy serves several programs under one name.

use axum::body::Body;
use axum::response::Response;
use hyper::header::{CONTENT_LENGTH, HeaderValue, LOCATION};
use hyper::{StatusCode, Uri};

use crate::problem::Problem;

/// The address without the base path, if it has it.
pub(crate) fn strip(uri: &Uri, base_path: &str) -> Option<Uri> {
    if base_path.is_empty() {
        return None;
    }
    let rest = uri.path_and_query()?.as_str().strip_prefix(base_path)?;
    if !rest.starts_with('/') {
        return None;
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(rest.parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// The answer to the base path without the slash at its end: the page's own addresses would miss a part.
pub(crate) fn to_root(uri: &Uri, base_path: &str) -> Option<Response> {
    if base_path.is_empty() || uri.path() != base_path {
        return None;
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(LOCATION, HeaderValue::from_str(&format!("{base_path}/")).ok()?);
    Some(response)
}

/// Puts the base path before the addresses that an answer names.
pub(crate) fn prepend(response: &mut Response, base_path: &str) {
    if base_path.is_empty() {
        return;
    }
    if let Some(problem) = response.extensions().get::<Problem>() {
        let body = problem.to_json(base_path);
        *response.body_mut() = Body::from(body);
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let location = location.filter(|location| location.starts_with('/') && !location.starts_with(base_path));
    if let Some(location) = location.and_then(|at| HeaderValue::from_str(&format!("{base_path}{at}")).ok()) {
        response.headers_mut().insert(LOCATION, location);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_parts_are_cut_off() {
        for (uri, base_path, expected) in [
            ("/shop/orders?limit=1", "/shop", Some("/orders?limit=1")),
            ("/shop/", "/shop", Some("/")),
            ("/shop", "/shop", None),
            ("/shops/orders", "/shop", None),
            ("/orders", "/shop", None),
            ("/orders", "", None),
            ("http://localhost/a/b/ws", "/a/b", Some("http://localhost/ws")),
        ] {
            let stripped = strip(&uri.parse().unwrap(), base_path).map(|uri| uri.to_string());
            assert_eq!(stripped.as_deref(), expected, "{uri} {base_path}");
        }
    }
}
