//! What a request may look like, over real sockets: packing, marks, hosts, targets, parameters, names and keys.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use support::{Answer, PATIENCE, Server};

const ORDER: &str = r#"{"items":["tea"],"amount":2,"customer":"c","address":"a"}"#;
const HANDSHAKE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn start() -> (tempfile::TempDir, Server) {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |setup| setup.engine.slots = 0);
    (dir, server)
}

/// A request on a connection of its own: what is refused before its body was read ends the connection.
fn ask(server: &Server, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
    server.client().request(method, path, headers, body)
}

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

/// The status of an answer to a head that is sent as it is, and may be no head at all.
fn status_of(server: &Server, head: &str) -> u16 {
    let mut stream = TcpStream::connect(server.address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(head.as_bytes()).expect("the head is taken");
    let mut line = [0; 12];
    stream.read_exact(&mut line).expect("an answer");
    String::from_utf8_lossy(&line)[9..].parse().expect("a status")
}

#[test]
fn bodies_may_come_in_gzip_and_in_no_other_packing() {
    let (_dir, server) = start();
    let json = "Content-Type: application/json";
    for (path, body, status) in [
        ("/orders", ORDER, 201),
        ("/products", r#"[{"sku":"tea","price":1}]"#, 200),
        ("/orders/retry", r#"{"status":"failed","dry_run":true}"#, 200),
        ("/work/claim", "{}", 200),
        ("/queues/all/pause", r#"{"reason":"x"}"#, 200),
        ("/adjustments", r#"{"id":"a","kind":"write_off","items":[{"sku":"x"}]}"#, 201),
    ] {
        let answer = ask(&server, "POST", path, &[json, "Content-Encoding: gzip"], &packed(body));
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        for packing in ["br", "deflate", "gzip, gzip"] {
            let answer = ask(&server, "POST", path, &[json, &format!("Content-Encoding: {packing}")], &packed(body));
            let name = packing.split(',').next().expect("a name");
            assert!(answer.status == 415 && answer.text().contains(name), "{path} {packing}: {answer:?}");
        }
        let answer = ask(&server, "POST", path, &[json, "Content-Encoding: identity"], b"nonsense");
        assert_eq!(answer.status, 400, "{path}: {answer:?}");
        let answer = ask(&server, "POST", path, &[json, "Content-Encoding: gzip"], b"{}");
        assert!(answer.status == 400 && answer.text().contains("gzip"), "{path}: {answer:?}");
    }
    let bomb = packed(&" ".repeat(50 << 20));
    assert_eq!(ask(&server, "POST", "/orders", &[json, "Content-Encoding: gzip"], &bomb).status, 413);
    let lines = format!("{ORDER}\n{ORDER}\n").repeat(1_000);
    let headers = ["Content-Type: application/x-ndjson", "Content-Encoding: gzip"];
    let mut bulk = server.client();
    bulk.send("POST", "/orders/bulk", &headers, &packed(&lines));
    bulk.read_until("{\"line\":2000,\"status\":201");
    let answer = ask(&server, "POST", "/orders/bulk", &[headers[0], "Content-Encoding: zstd"], b"");
    assert!(answer.status == 415 && answer.text().contains("zstd"), "{answer:?}");
}

#[test]
fn a_byte_order_mark_is_read_past() {
    let (_dir, server) = start();
    let mut client = server.client();
    for (path, body, status) in [
        ("/orders", ORDER, 201),
        ("/products", r#"[{"sku":"tea","price":1}]"#, 200),
        ("/orders/retry", r#"{"status":"failed","dry_run":true}"#, 200),
        ("/work/claim", "", 200),
        ("/queues/all/pause", r#"{"reason":"x"}"#, 200),
    ] {
        let answer = client.post(path, &format!("\u{feff}{body}"));
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }
    let mut bulk = server.client();
    bulk.send("POST", "/orders/bulk", &[], format!("\u{feff}{ORDER}\n{ORDER}").as_bytes());
    let answers = bulk.read_until("{\"line\":2,\"status\":201");
    assert!(answers.contains("{\"line\":1,\"status\":201"), "{answers}");
    let mut socket = server.socket("/ws?channels=stats");
    socket.send("\u{feff}{\"type\":\"ping\",\"ref\":1}");
    while socket.next().expect("a frame")["type"] != "pong" {}
}

/// The same on the HTTP library's way, and on the one without it, which handshakes that come whole take.
#[test]
fn a_request_names_one_host_on_every_way() {
    let (_dir, server) = start();
    for (hosts, target, status) in [
        ("Host: localhost\r\n", "", None),
        ("", "", Some(400)),
        ("Host: localhost\r\nHost: localhost\r\n", "", Some(400)),
        ("Host: localhost\r\nX: 1\r\nhost: evil.example\r\n", "", Some(400)),
        ("Host:\r\n", "", Some(400)),
        ("Host: localhost/x\r\n", "", Some(400)),
        ("Host: evil.example\r\n", "", Some(403)),
        ("Host: evil.example\r\n", "http://localhost", None),
        ("Host: localhost\r\n", "http://evil.example", Some(403)),
        ("Host: localhost\r\n", "http://u@localhost", Some(400)),
        ("Host: localhost\r\n", "https://localhost", Some(400)),
        ("", "http://localhost", Some(400)),
        ("Host: localhost\r\nHost: localhost\r\n", "http://localhost", Some(400)),
    ] {
        for (method, path, more, fine) in [
            ("GET", "/stats", "", 200),
            ("GET", "/ws", HANDSHAKE, 101),
            ("GET", "/connection/websocket", HANDSHAKE, 101),
            ("POST", "/orders/retry", "Content-Length: 0\r\n", 400),
        ] {
            let head = format!("{method} {target}{path} HTTP/1.1\r\n{hosts}{more}\r\n");
            assert_eq!(status_of(&server, &head), status.unwrap_or(fine), "{head}");
        }
    }
    assert_eq!(status_of(&server, "GET /stats HTTP/1.0\r\n\r\n"), 200, "HTTP/1.0 has no Host");
}

#[test]
fn parameters_and_fields_that_are_not_known_are_refused_with_the_nearest() {
    let (_dir, server) = start();
    for (method, path, body, status, word) in [
        ("GET", "/orders?statuses=failed", "", 400, "did you mean status?"),
        ("GET", "/orders/none/events?Limit=1", "", 400, "did you mean limit?"),
        ("GET", "/products?sku=tea", "", 400, "there are none"),
        ("GET", "/stats/history?second=5", "", 400, "did you mean seconds?"),
        ("POST", "/orders?dry_run=true", ORDER, 400, "there are none"),
        (
            "POST",
            "/orders",
            r#"{"items":["a"],"amount":1,"custommer":"x","address":"y"}"#,
            422,
            "did you mean customer?",
        ),
        ("POST", "/products", r#"{"sku":"tea","price":1,"Stock":3}"#, 422, "did you mean stock?"),
        ("PATCH", "/products/tea", r#"{"prise":1}"#, 422, "did you mean price?"),
        ("POST", "/adjustments", r#"{"id":"a","kind":"write_off","item":[]}"#, 422, "did you mean items?"),
        ("POST", "/orders/a/cancel", r#"{"raeson":"x"}"#, 422, "did you mean reason?"),
        ("POST", "/orders/a/fulfil", r#"{"lines":[{"line":0,"qty":1}]}"#, 422, "did you mean quantity?"),
        ("POST", "/orders/retry", r#"{"status":"failed","dryRun":true}"#, 422, "did you mean dry_run?"),
        ("POST", "/work/claim", r#"{"waits":1}"#, 422, "did you mean wait_s?"),
        ("POST", "/work/a/complete", r#"{"Token":1}"#, 422, "did you mean token?"),
        ("POST", "/queues/all/pause", r#"{"why":"x"}"#, 422, "known are reason"),
        ("POST", "/customers/c_1/resume", r#"{"reason":"x","a":1}"#, 422, "known are reason"),
        ("POST", "/orders", "[]", 422, "must be an object"),
        ("POST", "/work/claim", "7", 422, "must be an object"),
    ] {
        let answer = ask(&server, method, path, &["Content-Type: application/json"], body.as_bytes());
        assert_eq!(answer.status, status, "{method} {path} {body}: {answer:?}");
        assert!(answer.text().contains(word), "{method} {path} {body}: {}", answer.text());
        assert_eq!(answer.pointers().is_empty(), status == 400, "{method} {path} {body}: {}", answer.text());
    }
    for path in ["/?utm=1", "/desk?x=1", "/docs?x=1", "/openapi.json?x=1"] {
        assert!(server.client().get(path).status != 400, "pages are not strict: {path}");
    }
    let mut socket = server.socket("/ws?channels=stats&x=1");
    for (frame, word) in [
        (r#"{"type":"subscribe","chanels":["orders"]}"#, "did you mean channels?"),
        (r#"{"type":"history","channel":"orders","max":1}"#, "known are channel, before, limit"),
        (r#"{"type":"order_action","id":"a","action":"hold","reason":"x","untill":"y"}"#, "did you mean until?"),
        (
            r#"{"type":"order","items":["a"],"amount":1,"customer":"x","address":"y","Notes":"z"}"#,
            "did you mean notes?",
        ),
        ("[]", "must be an object"),
    ] {
        socket.send(frame);
        let error = loop {
            let frame = socket.next().expect("a frame");
            if frame["type"] == "error" {
                break frame;
            }
        };
        assert!(error["message"].as_str().expect("a text").contains(word), "{frame}: {error}");
    }
}

#[test]
fn names_that_addresses_cannot_carry_are_refused() {
    let (_dir, server) = start();
    let mut client = server.client();
    for name in [".", ".."] {
        let order = json!({"id": name, "items": ["a"], "amount": 1, "customer": "x", "address": "y"});
        assert_eq!(client.post("/orders", &order.to_string()).pointers(), ["/id"]);
        let adjustment = json!({"id": name, "kind": "write_off", "items": [{"sku": "x"}]});
        assert_eq!(client.post("/adjustments", &adjustment.to_string()).pointers(), ["/id"]);
        assert_eq!(client.post("/products", &json!({"sku": name, "price": 1}).to_string()).pointers(), ["/sku"]);
        let several = json!([{"sku": "tea", "price": 1}, {"sku": name, "price": 1}]);
        assert_eq!(client.post("/products", &several.to_string()).pointers(), ["/1/sku"]);
        let path = format!("/customers/{}/pause", name.replace('.', "%2e"));
        assert_eq!(client.post(&path, "").status, 404);
    }
    let dots = json!({"id": "...", "items": ["a"], "amount": 1, "customer": "x", "address": "y"});
    assert_eq!(client.post("/orders", &dots.to_string()).status, 201);
    assert_eq!(client.get("/orders/...").status, 200);
}

#[test]
fn versions_and_keys_are_what_they_are() {
    let (_dir, server) = start();
    for id in ["m1", "m2"] {
        let order = json!({"id": id, "items": ["a"], "amount": 1, "customer": "x", "address": "y"});
        assert_eq!(server.client().post("/orders", &order.to_string()).status, 201);
    }
    let hold = |id: &str, header: &str| {
        let headers = ["Content-Type: application/json", header];
        ask(&server, "POST", &format!("/orders/{id}/hold"), &headers, br#"{"reason":"r"}"#)
    };
    for tag in ["\"+1\"", "\"01\"", "\" 1\"", "1"] {
        assert_eq!(hold("m1", &format!("If-Match: {tag}")).status, 412, "{tag}");
    }
    assert_eq!(hold("m1", "Idempotency-Key: kk").status, 200);
    assert_eq!(hold("m1", "Idempotency-Key: kk").status, 200);
    let conflict = hold("m2", "Idempotency-Key: kk");
    assert_eq!((conflict.status, conflict.json()["order_id"].as_str()), (409, Some("m1")), "the one that has the key");
    assert!(conflict.json()["detail"].as_str().expect("a text").contains("m1"));
    let long = format!("Idempotency-Key: {}", "k".repeat(256));
    assert_eq!(hold("m2", &long).pointers(), ["/Idempotency-Key"]);
    assert_eq!(hold("m2", "Idempotency-Key:").pointers(), ["/Idempotency-Key"]);
    let keyless =
        json!({"items": ["a"], "amount": 1, "customer": "x", "address": "y", "idempotency_key": ""}).to_string();
    for _ in 0..2 {
        assert_eq!(server.client().post("/orders", &keyless).status, 201, "an empty key in a body is none");
    }
    let keyed =
        json!({"items": ["a"], "amount": 1, "customer": "x", "address": "y", "idempotency_key": "a"}).to_string();
    let headers = |key| ["Content-Type: application/json", key];
    let answer = ask(&server, "POST", "/orders", &headers("Idempotency-Key: b"), keyed.as_bytes());
    assert_eq!(answer.pointers(), ["/idempotency_key"]);
    assert_eq!(ask(&server, "POST", "/orders", &headers("Idempotency-Key: a"), keyed.as_bytes()).status, 201);
    assert_eq!(server.client().post("/orders", &keyed).status, 200, "the same key, wherever it stands");
}

#[test]
fn no_text_of_a_client_becomes_lines_of_a_stream() {
    let (_dir, server) = start();
    let mut client = server.client();
    for id in [
        "products=x%0Aevent:%20FORGED%0Adata:%20%7B%7D%0A%0Aid:%20y.5",
        "orders=x%0D.5",
        "orders=X.5",
        "orders=.5",
        "orders=a.%2B5",
        &format!("orders={}.5", "e".repeat(33)),
    ] {
        let answer = client.get(&format!("/events?channels=orders,products&last_event_id={id}"));
        assert_eq!(answer.status, 400, "{id}: {answer:?}");
    }
    let mut socket = server.socket("/ws?channels=stats");
    socket.send(r#"{"type":"subscribe","channels":["orders"],"since":{"orders":{"epoch":"x\nid: 1","offset":1}}}"#);
    loop {
        let frame = socket.next().expect("a frame");
        if frame["type"] == "error" {
            assert_eq!(frame["errors"][0]["pointer"], "/since/orders/epoch");
            break;
        }
    }
}
