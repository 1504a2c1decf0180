//! Opening handshakes without the HTTP library.
//!
//! When thousands of clients come back at once, most of what they cost is their handshakes. A request for a WebSocket
//! that came whole with the first bytes of a connection is judged by the same code as any other (see
//! [`crate::upgrade`]), but its socket goes to the hub at once, and the answer leaves with what the handler says
//! first. Whatever is not quite that, refusals included, is left to the HTTP library.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::{Method, Request, Uri, Version};

use super::{base_path, front, guard};
use crate::app::App;
use crate::upgrade::Granted;

/// Most header fields of such a request; those of browsers have about 15.
const MAX_HEADERS: usize = 32;

/// The handshake that `bytes` begin with if it is granted, and how many of them it has.
pub(crate) fn grant(app: &Arc<App>, peer: SocketAddr, bytes: &[u8]) -> Option<(Granted, usize)> {
    // A look at the first bytes spares other requests the parsing.
    if !bytes.starts_with(b"GET /") {
        return None;
    }
    let (mut head, length) = parse(bytes)?;
    if let Some(uri) = base_path::strip(&head.uri, &app.config.proxy.base_path) {
        head.uri = uri;
    }
    let grant = front::socket_at(app, head.uri.path())?;
    // The HTTP library's way counts and tells it.
    if app.hub.is_full() {
        return None;
    }
    let client = guard::check((&head).into(), peer.ip(), true, &app.config).ok()?;
    Some((grant(app, SocketAddr::new(client, peer.port()), &head).ok()?, length))
}

/// The head of a request without a body, and its length.
fn parse(bytes: &[u8]) -> Option<(Parts, usize)> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut fields);
    let Ok(httparse::Status::Complete(length)) = request.parse(bytes) else {
        return None;
    };
    if request.method != Some("GET") || request.version != Some(1) {
        return None;
    }
    let mut head = Request::new(()).into_parts().0;
    head.method = Method::GET;
    head.version = Version::HTTP_11;
    head.uri = Uri::try_from(request.path?).ok()?;
    head.headers.reserve(request.headers.len());
    for field in request.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        head.headers.append(name, HeaderValue::from_bytes(field.value).ok()?);
    }
    let has_body = head.headers.contains_key(CONTENT_LENGTH) || head.headers.contains_key(TRANSFER_ENCODING);
    (!has_body).then_some((head, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_requests_without_a_body_are_taken() {
        let whole = "GET /ws?channels=a HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\nx-a: 2\r\n\r\n";
        let (head, length) = parse(format!("{whole}rest").as_bytes()).expect("a head");
        assert_eq!((head.uri.path(), head.uri.query(), length), ("/ws", Some("channels=a"), whole.len()));
        let values: Vec<_> = head.headers.get_all("x-a").into_iter().collect();
        assert_eq!(values, ["1", "2"], "both are kept, in their order");
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS + 1));
        for other in [
            &whole[..whole.len() - 1],
            "",
            "POST /ws HTTP/1.1\r\n\r\n",
            "GET /ws HTTP/1.0\r\n\r\n",
            "GET /ws HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
            "GET /ws HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET /ws HTTP/1.1\r\nno colon\r\n\r\n",
            "GET //[ HTTP/1.1\r\nHost\u{0}: a\r\n\r\n",
            &many,
        ] {
            assert!(parse(other.as_bytes()).is_none(), "{other:?}");
        }
    }
}
