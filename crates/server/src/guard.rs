//! Who may ask from where.
//!
//! Open mode has no users: whoever reaches the server is its administrator, so it listens on loopback only.
//! A browser on the same machine reaches loopback too, on behalf of any page. Two checks keep foreign pages
//! out: the host must be this machine's own name for itself (a foreign name that resolves here is an attack,
//! DNS rebinding), and an `Origin` must be the server's own or one that the settings list, exactly.

use hyper::header::{HOST, ORIGIN};
use hyper::{HeaderMap, Method};
use ordercast_protocol::error::ErrorCode;

use crate::Problem;

/// Judges the head of a request. `opens_stream` is true for what a foreign page could read without asking:
/// WebSockets.
pub(crate) fn check(
    method: &Method,
    headers: &HeaderMap,
    opens_stream: bool,
    allowed_origins: &[String],
) -> Result<(), Problem> {
    let host = match headers.get(HOST).map(|host| host.to_str()) {
        Some(Ok(host)) => host,
        // HTTP/1.0 has none, and no browser speaks that.
        None => "",
        Some(Err(_)) => return Err(forbidden("the Host header is not readable")),
    };
    if !host.is_empty() && !is_loopback(host) {
        return Err(forbidden(&format!("the host {host} is not this machine; use localhost or 127.0.0.1")));
    }
    let is_safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let Some(origin) = headers.get(ORIGIN).filter(|_| !is_safe || opens_stream) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or("null");
    let is_own = origin.strip_prefix("http://").is_some_and(|rest| !host.is_empty() && rest == host);
    if is_own || allowed_origins.iter().any(|allowed| allowed == origin) {
        return Ok(());
    }
    Err(forbidden(&format!("pages of {origin} may not send here; list the origin in server.allowed_origins")))
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
        check(&method, &headers, opens_stream, &["https://shop.example".to_owned()]).is_ok()
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
