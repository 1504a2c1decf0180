//! What stands between clients and routes: pages of other origins, proxies, a base path, compression, and addresses at which
//! there is nothing.

mod support;

use std::io::Read;

use serde_json::json;
use support::{Answer, Server};

const PAGE: &str = "Origin: https://shop.example";
const JSON: &str = "Content-Type: application/json";

fn order(id: &str) -> String {
    json!({"id": id, "items": ["tea"], "amount": 2.5, "customer": "anna", "address": "1 Mill Lane"}).to_string()
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let lines = answer.head.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).next_back()
}

#[test]
fn listed_origins_read_every_route_and_others_none() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |setup| {
        setup.server.allowed_origins = vec!["https://shop.example".to_owned()];
    });
    let mut client = server.client();
    let preflight =
        ["Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type,idempotency-key"];
    for path in ["/orders", "/orders/x/cancel", "/orders/bulk", "/products", "/work/claim", "/emulation", "/nothing"] {
        let answer = client.request("OPTIONS", path, &[&preflight[..], &[PAGE]].concat(), b"");
        assert_eq!(answer.status, 204, "{path}");
        assert_eq!(header(&answer, "access-control-allow-origin"), Some("https://shop.example"), "{path}");
        assert_eq!(header(&answer, "access-control-allow-headers"), Some("content-type,idempotency-key"), "{path}");
        assert!(header(&answer, "access-control-allow-methods").is_some_and(|methods| methods.contains("PATCH")));
        let foreign =
            client.request("OPTIONS", path, &[&preflight[..], &["Origin: https://evil.example"]].concat(), b"");
        assert_eq!(header(&foreign, "access-control-allow-origin"), None, "{path}");
        assert_ne!(foreign.status, 204, "{path}");
    }
    let placed = client.request("POST", "/orders", &[PAGE, JSON, "Idempotency-Key: k"], order("a").as_bytes());
    assert_eq!(placed.status, 201);
    for (answer, status) in [
        (placed, 201),
        (client.request("POST", "/orders", &[PAGE, JSON], b"{}"), 422),
        (client.request("GET", "/orders", &[PAGE], b""), 200),
        (client.request("GET", "/orders/none", &[PAGE], b""), 404),
        (client.request("GET", "/stats", &[PAGE], b""), 200),
        (client.request("GET", "/", &[PAGE], b""), 200),
        (client.request("PATCH", "/products/none", &[PAGE, JSON], b"{}"), 422),
    ] {
        assert_eq!(answer.status, status, "{}", answer.head);
        assert_eq!(header(&answer, "access-control-allow-origin"), Some("https://shop.example"), "{}", answer.head);
        let exposed = header(&answer, "access-control-expose-headers").unwrap_or_default();
        for name in ["Location", "ETag", "Idempotency-Replayed", "Retry-After"] {
            assert!(exposed.contains(name), "{name} in {exposed}");
        }
    }
    for origin in [&["Origin: https://evil.example"][..], &["Origin: null"], &[]] {
        let answer = client.request("GET", "/orders", origin, b"");
        assert_eq!(header(&answer, "access-control-allow-origin"), None, "{origin:?}");
        assert_eq!(header(&answer, "vary"), Some("origin"), "caches must not mix them up");
    }
    assert_eq!(client.request("POST", "/orders", &["Origin: https://evil.example", JSON], b"{}").status, 403);
}

#[test]
fn a_proxy_is_refused_until_it_is_meant() {
    let dir = tempfile::tempdir().expect("a folder");
    let through = ["X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https", "Host: orders.shop.example"];
    {
        let server = Server::start(dir.path(), |_| {});
        for path in ["/health", "/orders", "/ws", "/"] {
            let answer = server.client().request("GET", path, &["X-Forwarded-For: 203.0.113.9"], b"");
            assert_eq!(answer.status, 403, "{path}");
            assert!(answer.text().contains("--insecure-open"), "{}", answer.text());
        }
        assert_eq!(server.client().get("/health").json()["access"], "open");
    }
    let server = Server::start(dir.path(), |setup| {
        setup.server.proxy.is_open_insecurely = true;
        setup.server.proxy.allowed_hosts = vec!["orders.shop.example".to_owned()];
        setup.server.proxy.trusted = vec!["127.0.0.1".parse().expect("an address")];
    });
    // One that is refused before its body is read ends its connection.
    let ask = |method: &str, path: &str, headers: &[&str], body: &str| {
        server.client().request(method, path, headers, body.as_bytes()).status
    };
    assert_eq!(server.client().get("/health").json()["access"], "insecure-open");
    assert_eq!(ask("GET", "/orders", &through, ""), 200);
    let own = [&through[..], &["Origin: https://orders.shop.example", JSON]].concat();
    assert_eq!(ask("POST", "/orders", &own, &order("a")), 201, "its own page over TLS");
    let plain = ["Host: orders.shop.example", "Origin: https://orders.shop.example", JSON];
    assert_eq!(ask("POST", "/orders", &plain, &order("b")), 403, "no TLS without a proxy");
    assert_eq!(ask("GET", "/orders", &["Host: evil.example"], ""), 403);
}

#[test]
fn addresses_have_the_base_path_or_not_and_answers_have_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |setup| setup.server.proxy.base_path = "/shop".to_owned());
    let mut client = server.client();
    for (path, id) in [("/shop/orders", "a"), ("/orders", "b")] {
        let placed = client.post(path, &order(id));
        assert_eq!(placed.status, 201, "{path}");
        assert_eq!(header(&placed, "location"), Some(&*format!("/shop/orders/{id}")), "{path}");
        let problem = client.post(path, "{").json();
        assert_eq!(problem["type"], "/shop/docs/errors/malformed-json", "{path}");
    }
    let home = client.get("/shop");
    assert_eq!((home.status, header(&home, "location")), (308, Some("/shop/")));
    for path in ["/shop/", "/shop/desk", "/shop/docs", "/shop/health", "/shop/docs/errors/malformed-json", "/health"] {
        assert_eq!(client.get(path).status, 200, "{path}");
    }
    assert_eq!(client.get("/shops/health").status, 404);
    assert_eq!(client.get("/shop/openapi.json").json()["servers"][0]["url"], "/shop/");
    let bulk = client.request("POST", "/shop/orders/bulk", &["Content-Type: application/x-ndjson"], b"{}\n");
    assert_eq!(bulk.status, 200);
    let mut socket = server.socket("/shop/ws?channels=orders");
    assert_eq!(socket.next_of("subscribed")["channel"], "orders");
}

#[test]
fn large_answers_are_compressed_for_those_who_take_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |_| {});
    let mut client = server.client();
    for number in 0..50 {
        assert_eq!(client.post("/orders", &order(&format!("z-{number}"))).status, 201);
    }
    let plain = client.get("/orders?limit=50&cursor=51");
    assert_eq!(header(&plain, "content-encoding"), None);
    for (accept, encoding) in
        [("gzip, deflate, br", Some("gzip")), ("gzip;q=0", None), ("br", None), ("identity", None)]
    {
        let headers = [&*format!("Accept-Encoding: {accept}")];
        let answer = client.request("GET", "/orders?limit=50&cursor=51", &headers, b"");
        assert_eq!(header(&answer, "content-encoding"), encoding, "{accept}");
        assert_eq!(header(&answer, "vary"), Some("accept-encoding"), "{accept}");
        if encoding.is_some() {
            assert!(answer.body.len() * 4 < plain.body.len(), "{} of {}", answer.body.len(), plain.body.len());
            let mut text = String::new();
            flate2::read::GzDecoder::new(&answer.body[..]).read_to_string(&mut text).expect("whole gzip");
            let ids = |text: &str| {
                let list: serde_json::Value = serde_json::from_str(text).expect("JSON");
                list["orders"].as_array().expect("orders").iter().map(|order| order["id"].clone()).collect::<Vec<_>>()
            };
            assert_eq!(ids(&text), ids(&plain.text()));
        }
    }
    let small = client.request("GET", "/health", &["Accept-Encoding: gzip"], b"");
    assert_eq!(header(&small, "content-encoding"), None, "not worth it");
    let document = client.request("GET", "/openapi.json", &["Accept-Encoding: gzip"], b"");
    assert_eq!(header(&document, "content-encoding"), Some("gzip"));
}

#[test]
fn nothing_is_a_page_for_people_and_a_problem_for_programs() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |_| {});
    let mut client = server.client();
    let browser = ["Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"];
    let page = client.request("GET", "/orderz/x&y", &browser, b"");
    assert_eq!(page.status, 404);
    assert!(header(&page, "content-type").is_some_and(|kind| kind.starts_with("text/html")), "{}", page.head);
    let text = page.text();
    assert!(text.contains("There is nothing here") && text.contains("href=\"../desk\""), "{text}");
    assert!(text.contains("/orderz/x&amp;y"), "an address is text: {text}");
    for accept in ["*/*", "application/json"] {
        let answer = client.request("GET", "/orderz", &[&*format!("Accept: {accept}")], b"");
        assert_eq!((answer.status, header(&answer, "content-type")), (404, Some("application/problem+json")));
    }
}
