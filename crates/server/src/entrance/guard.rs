//! Who may ask from where.
//!
//! Open mode has no users: every client that reaches the server is its administrator, so it listens on loopback only.
//! A browser on the same machine reaches loopback too, on behalf of any page. Two checks keep foreign pages
//! out: the host must be this machine's own name for itself (a foreign name that resolves here is an attack,
//! DNS rebinding), and an `Origin` must be the server's own or one that the settings list, exactly.

use hyper::header::{HOST, ORIGIN};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Uri, Version};
use ordercast_protocol::error::ErrorCode;

use crate::Problem;

/// The head of a request, as far as it is judged here.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) version: Version,
    pub(crate) headers: &'a HeaderMap,
}

impl<'a> From<&'a Parts> for Head<'a> {
    fn from(head: &'a Parts) -> Self {
        Self { method: &head.method, uri: &head.uri, version: head.version, headers: &head.headers }
    }
}

/// Judges the head of a request. `opens_stream` is true for what a foreign page could read without asking:
/// WebSockets.
pub(crate) fn check(head: Head<'_>, opens_stream: bool, allowed_origins: &[String]) -> Result<(), Problem> {
    let host = host_of(head)?;
    if !host.is_empty() && !is_loopback(host) {
        return Err(forbidden(&format!("the host {host} is not this machine; use localhost or 127.0.0.1")));
    }
    let is_safe = matches!(*head.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let Some(origin) = head.headers.get(ORIGIN).filter(|_| !is_safe || opens_stream) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or("null");
    let is_own = origin.strip_prefix("http://").is_some_and(|rest| !host.is_empty() && rest == host);
    if is_own || allowed_origins.iter().any(|allowed| allowed == origin) {
        return Ok(());
    }
    Err(forbidden(&format!("pages of {origin} may not send here; list the origin in server.allowed_origins")))
}

/// The host that a request is for (RFC 9112 §3.2): that of an absolute target, which goes before the header, or the only
/// `Host` header. Without one, with several or with one that names no host, an HTTP/1.1 request is refused; HTTP/1.0 has
/// none, and no browser speaks that.
fn host_of(head: Head<'_>) -> Result<&str, Problem> {
    let wrong = |detail: &str| Err(Problem::new(ErrorCode::InvalidQuery, detail));
    let mut hosts = head.headers.get_all(HOST).iter();
    let given = hosts.next();
    if hosts.next().is_some() {
        return wrong("a request has one Host header (RFC 9112 §3.2)");
    }
    if given.is_none() && head.version >= Version::HTTP_11 {
        return wrong("a request of HTTP/1.1 has a Host header (RFC 9112 §3.2)");
    }
    let host = match given.map(|host| host.to_str()) {
        Some(Ok(host)) if is_authority(host) => host,
        None => "",
        Some(_) => return wrong("the Host header must name a host, with a port or without (RFC 9112 §3.2)"),
    };
    let Some(target) = head.uri.authority() else { return Ok(host) };
    if head.uri.scheme().is_some_and(|scheme| scheme.as_str() != "http") {
        return wrong("the address of the request has another scheme than http");
    }
    if !is_authority(target.as_str()) {
        return wrong("the address of the request must name a host, with a port or without");
    }
    Ok(target.as_str())
}

/// Whether a text is a host, perhaps with a port, and nothing else: no user, no path, no blank.
fn is_authority(text: &str) -> bool {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (text, ""),
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte);
    let is_address = |byte: u8| byte.is_ascii_hexdigit() || b":.".contains(&byte);
    let is_name = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(address) => !address.is_empty() && address.bytes().all(is_address),
        None => !name.is_empty() && name.bytes().all(is_plain),
    };
    is_name && port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit())
}

fn forbidden(detail: &str) -> Problem {
    Problem::new(ErrorCode::ForbiddenOrigin, detail)
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        // An IPv6 address stands in brackets, which a port follows.
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let is_name = name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost");
    is_name || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn allowed(method: Method, host: &str, origin: Option<&str>, opens_stream: bool) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(host).unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        let uri = Uri::from_static("/");
        let head = Head { method: &method, uri: &uri, version: Version::HTTP_11, headers: &headers };
        check(head, opens_stream, &["https://shop.example".to_owned()]).is_ok()
    }

    #[test]
    fn a_request_names_one_host() {
        const FOREIGN: Option<u16> = Some(403);
        const WRONG: Option<u16> = Some(400);
        for (target, version, hosts, expected) in [
            ("/", Version::HTTP_11, &["localhost"][..], None),
            ("/", Version::HTTP_11, &[], WRONG),
            ("/", Version::HTTP_10, &[], None),
            ("/", Version::HTTP_10, &["evil.example"], FOREIGN),
            ("/", Version::HTTP_11, &["localhost", "localhost"], WRONG),
            ("/", Version::HTTP_10, &["localhost", "evil.example"], WRONG),
            ("/", Version::HTTP_11, &[""], WRONG),
            ("/", Version::HTTP_11, &["local host"], WRONG),
            ("/", Version::HTTP_11, &["evil.example@localhost"], WRONG),
            ("/", Version::HTTP_11, &["localhost/x"], WRONG),
            ("/", Version::HTTP_11, &["localhost:80:80"], WRONG),
            ("/", Version::HTTP_11, &["localhost:http"], WRONG),
            ("/", Version::HTTP_11, &["localhost, localhost"], WRONG),
            ("/", Version::HTTP_11, &["[::1]:80"], None),
            ("/", Version::HTTP_11, &["[::1"], WRONG),
            ("http://localhost/", Version::HTTP_11, &["evil.example"], None),
            ("http://evil.example/", Version::HTTP_11, &["localhost"], FOREIGN),
            ("http://127.0.0.1:1/", Version::HTTP_11, &[], WRONG),
            ("http://127.0.0.1:1/", Version::HTTP_11, &["a", "b"], WRONG),
            ("http://x@127.0.0.1/", Version::HTTP_11, &["127.0.0.1"], WRONG),
            ("https://localhost/", Version::HTTP_11, &["localhost"], WRONG),
        ] {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(HOST, HeaderValue::from_static(host));
            }
            let uri = Uri::from_static(target);
            let head = Head { method: &Method::GET, uri: &uri, version, headers: &headers };
            let refused = check(head, false, &[]).err().map(|problem| problem.code.http_status());
            assert_eq!(refused, expected, "{target} {version:?} {hosts:?}");
        }
    }

    #[test]
    fn an_absolute_target_is_the_host_of_the_origin_too() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("localhost:2"));
        for (origin, fine) in [("http://localhost:1", true), ("http://localhost:2", false)] {
            headers.insert(ORIGIN, HeaderValue::from_static(origin));
            let uri = Uri::from_static("http://localhost:1/orders");
            let head = Head { method: &Method::POST, uri: &uri, version: Version::HTTP_11, headers: &headers };
            assert_eq!(check(head, false, &[]).is_ok(), fine, "{origin}");
        }
    }

    #[test]
    fn only_own_and_listed_origins_send() {
        let post = |host, origin| allowed(Method::POST, host, origin, false);
        assert!(post("127.0.0.1:8080", None));
        assert!(post("127.0.0.1:8080", Some("http://127.0.0.1:8080")));
        assert!(post("localhost:8080", Some("https://shop.example")));
        assert!(!post("localhost:8080", Some("http://localhost:8081")));
        assert!(!post("localhost:8080", Some("http://shop.example")));
        assert!(!post("localhost:8080", Some("https://shop.example.evil")));
        assert!(!post("localhost:8080", Some("null")));
        assert!(allowed(Method::GET, "localhost", Some("https://evil.example"), false), "reads need no leave");
        assert!(!allowed(Method::GET, "localhost", Some("https://evil.example"), true), "but sockets do");
    }

    #[test]
    fn only_names_of_this_machine_are_hosts() {
        for (host, fine) in [
            ("localhost", true),
            ("LOCALHOST:1", true),
            ("app.localhost:1", true),
            ("127.9.9.9:80", true),
            ("[::1]:8080", true),
            ("[::1]", true),
            ("evil.example:8080", false),
            ("127.0.0.1.evil.example", false),
            ("10.0.0.1:8080", false),
        ] {
            assert_eq!(allowed(Method::GET, host, None, false), fine, "{host}");
        }
    }
}
