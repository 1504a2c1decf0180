//! The contract with clients is what the server does: documents, router and committed copies are the same.

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use support::{Answer, Server};

/// Every method that a route could have.
const METHODS: [&str; 6] = ["get", "post", "put", "patch", "delete", "options"];
/// The sources that name routes.
const SOURCES: [&str; 2] = [include_str!("../src/entrance/routes.rs"), include_str!("../src/server_api.rs")];

fn ask(server: &Server, method: &str, path: &str) -> Answer {
    server.client().request(&method.to_uppercase(), path, &[], b"")
}

fn document(server: &Server, path: &str) -> Value {
    let answer = ask(server, "get", path);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn operations(document: &Value) -> Vec<(String, String)> {
    let paths = document["paths"].as_object().expect("an object");
    let methods = |(path, item): (&String, &Value)| {
        let names = item.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
        names.into_iter().map(|method| (method, path.clone())).collect::<Vec<_>>()
    };
    paths.iter().flat_map(methods).collect()
}

/// `ORDERCAST_WRITE_DOCS=1 cargo test -p ordercast-server --test contract` writes them.
#[test]
fn committed_documents_are_those_of_the_code() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), |_| {});
    for name in ["openapi.json", "asyncapi.json"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
        let text = ask(&server, "get", &format!("/{name}")).text();
        if std::env::var_os("ORDERCAST_WRITE_DOCS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == text, "{} is another; write it with ORDERCAST_WRITE_DOCS=1", path.display());
    }
}

#[test]
fn documented_methods_are_answered_and_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), |_| {});
    let document = document(&server, "/openapi.json");
    let documented: BTreeSet<_> = operations(&document).into_iter().collect();
    let paths: BTreeSet<_> = documented.iter().map(|(_, path)| path.clone()).collect();
    for path in &paths {
        for method in METHODS {
            let address = path.replace("{id}", "none").replace("{sku}", "none").replace("{name}", "not-found");
            // Streams that would be opened do not end.
            let is_endless =
                method == "get" && path == "/events" || path.starts_with("/connection/") && method == "post";
            if is_endless {
                continue;
            }
            let answer = ask(&server, method, &address);
            if documented.contains(&(method.to_owned(), path.clone())) {
                assert_ne!(answer.status, 405, "{method} {path}: {answer:?}");
                let told = &document["paths"][path][method]["responses"][answer.status.to_string()];
                assert!(told.is_object(), "{method} {path} answers {} undocumented: {}", answer.status, answer.text());
            } else if path == "/ws" || path == "/connection/websocket" {
                assert_eq!(answer.status, 405, "{method} {path} is no handshake");
                assert!(answer.head.to_ascii_lowercase().contains("\r\nallow: get\r\n"), "{}", answer.head);
            } else {
                assert_eq!(answer.status, 405, "{method} {path}: {answer:?}");
            }
        }
    }
}

#[test]
fn every_route_of_the_router_is_documented() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), |_| {});
    let documented = operations(&document(&server, "/openapi.json"));
    let mut count = 0;
    for (_, rest) in
        SOURCES.iter().flat_map(|source| source.match_indices(".route(\"").map(|(at, _)| (at, &source[at..])))
    {
        let route = rest.split('"').nth(1).expect("a literal");
        // A documented address fits a route when all parts do, but those that stand in braces.
        let fits = |path: &str| {
            let (route, path): (Vec<_>, Vec<_>) = (route.split('/').collect(), path.split('/').collect());
            route.len() == path.len() && route.iter().zip(&path).all(|(part, own)| part == own || part.starts_with('{'))
        };
        let is_documented = documented.iter().any(|(_, path)| fits(path));
        assert!(is_documented, "{route} is not documented");
        count += 1;
    }
    assert!(count > 25, "the sources name {count} routes: they are written in another way now");
}

#[test]
fn references_lead_somewhere() {
    fn check(document: &Value, node: &Value) {
        match node {
            Value::Object(fields) => {
                if let Some(Value::String(target)) = fields.get("$ref") {
                    assert!(document.pointer(&target[1..]).is_some(), "{target} leads nowhere");
                }
                fields.values().for_each(|value| check(document, value));
            }
            Value::Array(items) => items.iter().for_each(|value| check(document, value)),
            _ => {}
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), |_| {});
    for path in ["/openapi.json", "/asyncapi.json"] {
        let document = document(&server, path);
        check(&document, &document);
    }
}

#[test]
fn the_page_lists_every_route_and_loads_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), |_| {});
    let page = ask(&server, "get", "/docs");
    assert!(page.head.contains("default-src 'none'"), "{}", page.head);
    let text = page.text();
    for (method, path) in operations(&document(&server, "/openapi.json")) {
        let row = format!("<tr><td>{}</td><td><code>{path}</code></td>", method.to_uppercase());
        assert!(text.contains(&row), "{row}");
    }
    for link in ["openapi.json", "asyncapi.json", "docs/errors"] {
        assert!(text.contains(&format!("href=\"{link}\"")), "{link}");
    }
    assert!(!text.contains("<script"));
}

/// The document says it, so it has to hold: bodies at their bounds, and fields of other actions.
#[test]
fn bounds_and_foreign_fields() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), |setup| setup.engine.slots = 0);
    let mut client = server.client();
    let order = r#"{"id":"o1","items":["tea"],"amount":2,"customer":"c","address":"a"}"#;
    assert_eq!(client.post("/orders", order).status, 201);
    for (path, body, status, pointers) in [
        ("/orders/o1/cancel", r#"{"lines":[{"line":0,"quantity":1}]}"#.to_owned(), 422, &["/lines"][..]),
        ("/orders/o1/cancel", r#"{"amount":1,"close":true}"#.to_owned(), 422, &["/amount", "/close"]),
        ("/orders/o1/hold", r#"{"reason":"x","run_at":"2030-01-01T00:00:00Z"}"#.to_owned(), 422, &["/run_at"]),
        ("/orders/o1/cancel", r#"{"time_zone":5}"#.to_owned(), 422, &["/time_zone"]),
        ("/orders/retry", format!(r#"{{"status":"failed","reason":"{}"}}"#, "x".repeat(501)), 422, &["/reason"]),
        ("/orders/o1/hold", format!(r#"{{"reason":"{}"}}"#, "x".repeat(501)), 422, &["/reason"]),
        ("/orders/o1/hold", format!(r#"{{"reason":"{}"}}"#, "x".repeat(500)), 200, &[]),
        ("/work/claim", r#"{"token":1}"#.to_owned(), 422, &["/token"]),
        ("/work/l1/heartbeat", r#"{"lease":"l1"}"#.to_owned(), 422, &["/lease"]),
        ("/work/o1/complete", r#"{"token":1,"reason":"x"}"#.to_owned(), 422, &["/reason"]),
        (
            "/work/o1/fail",
            r#"{"token":1,"reason":"x","outcome":"fail","retry_after_s":-1}"#.to_owned(),
            422,
            &["/retry_after_s"],
        ),
    ] {
        let answer = client.post(path, &body);
        assert_eq!(
            (answer.status, answer.pointers()),
            (status, pointers.iter().map(|&p| p.to_owned()).collect()),
            "{path} {body}"
        );
    }
    for (path, status) in
        [("/orders?limit=0", 400), ("/orders?limit=1", 200), ("/orders?limit=500", 200), ("/orders?limit=501", 400)]
    {
        assert_eq!(client.get(path).status, status, "{path}");
    }
}

/// An example that the server would refuse is worse than none. It may be about an order that is not there.
#[test]
fn every_body_has_an_example_that_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), |setup| {
        setup.server.access.api_key = Some(ordercast_server::access::secret::Secret::new("sesame"));
    });
    let document = document(&server, "/openapi.json");
    let mut count = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap().iter().filter(|(_, one)| one["requestBody"].is_object())
        {
            let (kind, content) = operation["requestBody"]["content"].as_object().unwrap().iter().next().unwrap();
            let example = &content["example"];
            assert!(!example.is_null(), "{method} {path} has no example");
            let body = match example.as_array() {
                Some(lines) if kind == "application/x-ndjson" => {
                    lines.iter().map(|line| format!("{line}\n")).collect::<String>()
                }
                _ => example.to_string(),
            };
            let names = ["id", "customer_id", "sku"].into_iter();
            let path = names.fold(path.clone(), |path, name| path.replace(&format!("{{{name}}}"), "flat-white"));
            let path = path.replace("{queue}", "all");
            // These do not end.
            if path.starts_with("/connection/") {
                continue;
            }
            let headers = [format!("Content-Type: {kind}"), "X-API-Key: sesame".to_owned()];
            let headers: Vec<_> = headers.iter().map(String::as_str).collect();
            let answer = server.client().request(&method.to_ascii_uppercase(), &path, &headers, body.as_bytes());
            let text = answer.text();
            let is_of_another_thing = [404, 409].contains(&answer.status);
            assert!(answer.status < 300 || is_of_another_thing, "{method} {path} {body}: {} {text}", answer.status);
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}
