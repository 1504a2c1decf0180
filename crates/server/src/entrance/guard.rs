//! Who may ask from where.
//!
//! There is no sign-in yet: every client that reaches the server is its administrator, so it listens on loopback only.
//! A browser on the same machine reaches loopback too, on behalf of any page, and a proxy on behalf of anyone. Three checks
//! keep them out: the host must be this machine's own name for itself or one that the settings list (any other that resolves
//! here is an attack, DNS rebinding), an `Origin` must be the server's own or one that the settings list, exactly, and a
//! request with headers that proxies add is refused unless the settings say that a proxy is meant to be there.

use std::net::IpAddr;

use hyper::header::{HOST, HeaderName, ORIGIN};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Uri, Version};
use ordercast_protocol::error::ErrorCode;

use crate::Problem;
use crate::app::ServerConfig;
use crate::app::proxy::ProxyConfig;

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

/// Judges the head of a request from `peer`, and gives the address of its client. `opens_stream` is true for what a
/// foreign page could read without asking: WebSockets.
pub(crate) fn check(
    head: Head<'_>,
    peer: IpAddr,
    opens_stream: bool,
    config: &ServerConfig,
) -> Result<IpAddr, Problem> {
    let proxy = &config.proxy;
    let forwarded = Forwarded::of(head.headers, peer, proxy)?;
    let own = host_of(head)?;
    let host = forwarded.host.unwrap_or(own);
    if !host.is_empty() && !is_loopback(host) && !is_allowed(host, &proxy.allowed_hosts) {
        return Err(forbidden(&format!(
            "the host {host} is not this machine; use localhost or 127.0.0.1, or list the host in server.allowed_hosts"
        )));
    }
    let is_safe = matches!(*head.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let origin = head.headers.get(ORIGIN).filter(|_| !is_safe || opens_stream);
    let Some(origin) = origin else { return Ok(forwarded.client) };
    let origin = origin.to_str().unwrap_or("null");
    let scheme = if forwarded.is_https { "https://" } else { "http://" };
    let is_own = origin.strip_prefix(scheme).is_some_and(|rest| !host.is_empty() && rest == host);
    if is_own || config.allowed_origins.iter().any(|allowed| allowed == origin) {
        return Ok(forwarded.client);
    }
    Err(forbidden(&format!("pages of {origin} may not send here; list the origin in server.allowed_origins")))
}

/// What a proxy tells of a request, as far as it is believed.
struct Forwarded<'a> {
    /// The address of the client.
    client: IpAddr,
    /// The host that the client asked for.
    host: Option<&'a str>,
    is_https: bool,
}

impl<'a> Forwarded<'a> {
    fn of(headers: &'a HeaderMap, peer: IpAddr, proxy: &ProxyConfig) -> Result<Self, Problem> {
        let nothing = Self { client: peer, host: None, is_https: false };
        let Some(name) = headers.keys().find(|name| is_of_proxy(name)) else { return Ok(nothing) };
        if !proxy.is_open_insecurely {
            return Err(forbidden(&format!(
                "the request came through a proxy (it has {name}), and there is no sign-in here: everyone who reaches \
                 the proxy would be the administrator. Let the proxy ask for a password and start the server with \
                 --insecure-open; the recipes in deploy/ do that"
            )));
        }
        let is_trusted = |address: IpAddr| proxy.trusted.iter().any(|network| network.contains(address));
        if !is_trusted(peer) {
            return Ok(nothing);
        }
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        // Each proxy appends the address that it was asked from: what stands before the first one that is not trusted may be
        // made up by the client.
        let hops = headers.get_all("x-forwarded-for").into_iter().filter_map(|value| value.to_str().ok());
        let hops: Vec<_> = hops.flat_map(|value| value.split(',')).map(|hop| hop.trim().parse::<IpAddr>()).collect();
        let mut client = peer;
        for hop in hops.into_iter().rev() {
            let Ok(hop) = hop else { break };
            client = hop;
            if !is_trusted(hop) {
                break;
            }
        }
        let host = text("x-forwarded-host").filter(|host| is_authority(host));
        Ok(Self { client, host, is_https: text("x-forwarded-proto").is_some_and(|scheme| scheme == "https") })
    }
}

/// Whether a header is one that proxies add.
fn is_of_proxy(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("x-forwarded-") || matches!(name, "forwarded" | "x-real-ip" | "via")
}

/// Whether a host is listed: as it is, or by its name alone.
fn is_allowed(host: &str, allowed: &[String]) -> bool {
    let name = name_of(host);
    allowed.iter().any(|listed| listed.eq_ignore_ascii_case(host) || listed.eq_ignore_ascii_case(name))
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

/// A host without its port.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        // An IPv6 address stands in brackets, which a port follows.
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_loopback(host: &str) -> bool {
    let name = name_of(host);
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let is_name = name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost");
    is_name || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn allowed(method: Method, host: &str, origin: Option<&str>, opens_stream: bool) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(host).unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        let uri = Uri::from_static("/");
        let head = Head { method: &method, uri: &uri, version: Version::HTTP_11, headers: &headers };
        let config =
            ServerConfig { allowed_origins: vec!["https://shop.example".to_owned()], ..ServerConfig::default() };
        check(head, LOCAL, opens_stream, &config).is_ok()
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
            let refused =
                check(head, LOCAL, false, &ServerConfig::default()).err().map(|problem| problem.code.http_status());
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
            assert_eq!(check(head, LOCAL, false, &ServerConfig::default()).is_ok(), fine, "{origin}");
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

    fn behind(headers: &[(&'static str, &'static str)], peer: &str, proxy: ProxyConfig) -> Result<IpAddr, u16> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        let config = ServerConfig { proxy, ..ServerConfig::default() };
        let uri = Uri::from_static("/orders");
        let head = Head { method: &Method::POST, uri: &uri, version: Version::HTTP_11, headers: &map };
        check(head, peer.parse().unwrap(), false, &config).map_err(|problem| problem.code.http_status())
    }

    #[test]
    fn proxies_are_refused_in_open_mode_and_believed_where_they_are_trusted() {
        let open = || ProxyConfig {
            allowed_hosts: vec!["shop.example".to_owned()],
            trusted: vec!["127.0.0.1".parse().unwrap(), "10.0.0.0/8".parse().unwrap()],
            is_open_insecurely: true,
            ..ProxyConfig::default()
        };
        for name in ["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-anything", "x-real-ip", "via"] {
            let headers = [("host", "localhost"), (name, "1.2.3.4")];
            assert_eq!(behind(&headers, "127.0.0.1", ProxyConfig::default()), Err(403), "{name}");
            assert!(behind(&headers, "127.0.0.1", open()).is_ok(), "{name}");
        }
        let host = ("host", "shop.example");
        let own = ("origin", "https://shop.example");
        for (headers, peer, expected) in [
            (&[host][..], "127.0.0.1", Ok("127.0.0.1")),
            (&[("host", "shop.example:8443")], "127.0.0.1", Ok("127.0.0.1")),
            (&[("host", "evil.example")], "127.0.0.1", Err(403)),
            (&[host, ("x-forwarded-for", "1.2.3.4")], "127.0.0.1", Ok("1.2.3.4")),
            // What the client made up stands before what the first proxy has seen.
            (&[host, ("x-forwarded-for", "6.6.6.6, 1.2.3.4, 10.1.1.1")], "127.0.0.1", Ok("1.2.3.4")),
            (&[host, ("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.2.3.4")], "127.0.0.1", Ok("1.2.3.4")),
            (&[host, ("x-forwarded-for", "1.2.3.4, unknown")], "127.0.0.1", Ok("127.0.0.1")),
            (&[host, ("x-forwarded-for", "1.2.3.4")], "192.168.0.1", Ok("192.168.0.1")),
            (&[host, own], "127.0.0.1", Err(403)),
            (&[host, own, ("x-forwarded-proto", "https")], "127.0.0.1", Ok("127.0.0.1")),
            (&[host, own, ("x-forwarded-proto", "https")], "192.168.0.1", Err(403)),
            (
                &[("host", "localhost"), own, ("x-forwarded-host", "shop.example"), ("x-forwarded-proto", "https")],
                "127.0.0.1",
                Ok("127.0.0.1"),
            ),
            (&[("host", "localhost"), ("x-forwarded-host", "evil.example")], "127.0.0.1", Err(403)),
            (&[("host", "localhost"), ("x-forwarded-host", "evil.example")], "192.168.0.1", Ok("192.168.0.1")),
        ] {
            let expected = expected.map(|address: &str| address.parse().unwrap());
            assert_eq!(behind(headers, peer, open()), expected, "{headers:?} from {peer}");
        }
    }
}
