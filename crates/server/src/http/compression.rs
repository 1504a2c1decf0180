//! Answers in gzip for clients that take it: what is large, whole and text.

use std::io::{self, Write};

use axum::body::{Body, HttpBody};
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::BodyExt;
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, VARY};
use ordercast_protocol::error::ErrorCode;

use super::accept;
use crate::problem::Problem;

/// Smallest answer that is compressed, in bytes: less fits two packets anyway.
const MIN_BYTES: u64 = 2 * 1024;
/// Largest answer that is compressed, in bytes.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// An answer beyond this many bytes is compressed on a thread for such work: about a millisecond.
const INLINE_BYTES: u64 = 64 * 1024;
/// The quickest level: JSON shrinks to a sixth by it, and to an eighth by the slowest.
const LEVEL: u32 = 1;

/// The answer, in gzip if `takes`, the `Accept-Encoding` of the request, has it and it is worth it. Streams stay as they
/// are.
pub(crate) async fn compress(takes: Option<&HeaderValue>, mut response: Response) -> Response {
    let size = response.body().size_hint().exact();
    let Some(size) = size.filter(|size| (MIN_BYTES..=MAX_BYTES).contains(size)) else { return response };
    if !is_text(response.headers()) || response.headers().contains_key(CONTENT_ENCODING) {
        return response;
    }
    response.headers_mut().append(VARY, HeaderValue::from_static("accept-encoding"));
    if takes.and_then(|takes| accept::weight_in(takes, "gzip")).unwrap_or(0) == 0 {
        return response;
    }
    let (mut head, body) = response.into_parts();
    // It is whole already, so that nothing is waited for here and nothing can fail.
    let Ok(body) = body.collect().await else { return failed() };
    let body = body.to_bytes();
    let compressed = if size > INLINE_BYTES {
        tokio::task::spawn_blocking(move || gzip(&body)).await.unwrap_or_else(|error| Err(io::Error::other(error)))
    } else {
        gzip(&body)
    };
    let Ok(compressed) = compressed else { return failed() };
    head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    head.headers.remove(CONTENT_LENGTH);
    Response::from_parts(head, Body::from(compressed))
}

fn failed() -> Response {
    use axum::response::IntoResponse;
    Problem::new(ErrorCode::Internal, "the answer could not be compressed").into_response()
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::new(LEVEL));
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn is_text(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default();
    kind.starts_with("text/") || kind.ends_with("json") || kind == "application/openmetrics-text"
}
