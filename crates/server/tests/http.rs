//! Orders over HTTP: the rules at their boundaries, bad input, retries, overload, restarts.

mod support;

use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use ordercast_store::model::ModelStore;
use ordercast_store::write::{BatchId, CommitFuture, Decider, OutlookDepth, OutlookFuture, ResolveFuture, WriteStore};
use serde_json::{Value, json};
use support::{Answer, Client, PATIENCE, Server};

fn order(change: impl FnOnce(&mut Value)) -> String {
    let mut order = json!({"amount": 99.99, "items": ["a"], "customer": "john", "address": "123 Main St"});
    change(&mut order);
    order.to_string()
}

/// Waits until the order has left the workers.
fn completed(client: &mut Client, id: &str) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let order = client.get(&format!("/orders/{id}")).json();
        if order["status"] == "completed" {
            return order;
        }
        assert!(Instant::now() < deadline, "never completed: {order}");
        std::thread::yield_now();
    }
}

#[test]
fn rules_hold_at_their_exact_boundaries() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |_| {});
    let mut client = server.client();
    let amount = |text: &str| format!(r#"{{"amount":{text},"items":["a"],"customer":"x","address":"y"}}"#);
    let items = |count: usize| order(|order| order["items"] = json!(vec!["a"; count]));
    let field = |name: &str, value: Value| order(|order| order[name] = value);
    let rows: Vec<(String, u16, &[&str])> = vec![
        (amount("1000.00"), 201, &[]),
        (amount("1000.01"), 201, &[]),
        (amount("10000.00"), 201, &[]),
        (amount("10000.01"), 422, &["/amount"]),
        (amount("0"), 422, &["/amount"]),
        (amount("-1"), 422, &["/amount"]),
        (amount("1e400"), 422, &["/amount"]),
        (amount("1e3"), 201, &[]),
        (amount("0.005"), 422, &["/amount"]),
        (amount("\"NaN\""), 422, &["/amount"]),
        (amount("NaN"), 400, &[]),
        (amount("Infinity"), 400, &[]),
        (items(50), 201, &[]),
        (items(51), 422, &["/items"]),
        (items(0), 422, &["/items"]),
        (field("customer", Value::Null), 422, &["/customer"]),
        (field("address", Value::Null), 422, &["/address"]),
        (field("priority", json!(0)), 422, &["/priority"]),
        (field("priority", json!(1)), 201, &[]),
        (field("priority", json!(3)), 201, &[]),
        (field("priority", json!(4)), 422, &["/priority"]),
        (field("priority", json!("high")), 422, &["/priority"]),
        (field("status", json!("completed")), 201, &[]),
        (field("items", json!([{"sku": "a", "quantity": 1, "price": 1}, "b"])), 422, &["/items"]),
        (field("items", json!([{"sku": "a", "quantity": 3, "price": 33.33}])), 201, &[]),
        (field("items", json!([{"sku": "a", "quantity": 3, "price": 33.34}])), 422, &["/amount"]),
    ];
    for (body, status, pointers) in rows {
        let answer = client.post("/orders", &body);
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        if status == 201 {
            assert_eq!(answer.json()["status"], "pending", "{body}");
        } else {
            assert!(answer.head.contains("application/problem+json"), "{}", answer.head);
            assert_eq!(answer.pointers(), pointers, "{body}");
        }
    }
}

#[test]
fn lanes_follow_amount_first_and_priority_second() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |_| {});
    let mut client = server.client();
    for (amount, priority, lane) in [
        ("1000.00", 2, "processing"),
        ("1000.00", 1, "expedited"),
        ("1000.01", 1, "priority_processing"),
        ("1000.01", 3, "priority_processing"),
        ("0.01", 3, "processing"),
    ] {
        let body = format!(r#"{{"amount":{amount},"priority":{priority},"items":["a"],"customer":"x","address":"y"}}"#);
        let placed = client.post("/orders", &body).json();
        let id = placed["id"].as_str().expect("an id").to_owned();
        completed(&mut client, &id);
        let events = client.get(&format!("/orders/{id}/events")).json();
        let statuses: Vec<_> =
            events["events"].as_array().expect("events").iter().map(|event| &event["status"]).collect();
        assert_eq!(statuses, ["pending", lane, "completed"], "{amount} {priority}");
    }
}

#[test]
fn bad_bodies_and_bad_requests_are_told_apart() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |_| {});
    let json = ["Content-Type: application/json"];
    let deep = format!(r#"{{"notes":{}1{}}}"#, "[".repeat(200), "]".repeat(200));
    let large = format!(r#"{{"notes":"{}"}}"#, "x".repeat(2 * 1024 * 1024));
    let post = |headers: &[&str], body: &str| server.client().request("POST", "/orders", headers, body.as_bytes());
    let check = |answer: &Answer, status: u16, kind: &str| {
        let told = answer.json();
        assert_eq!((answer.status, told["type"].as_str()), (status, Some(&*format!("/docs/errors/{kind}"))), "{told}");
        assert!(told["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{told}");
    };
    check(&post(&json, &deep), 400, "malformed-json");
    check(&post(&json, "{"), 400, "malformed-json");
    check(&post(&json, ""), 400, "malformed-json");
    check(&post(&json, "[]"), 422, "invalid-order");
    check(&post(&json, &large), 413, "too-large");
    check(&post(&["Content-Type: text/plain"], "{}"), 415, "unsupported-media-type");
    check(&post(&["Content-Type: application/json", "Origin: https://evil.example"], "{}"), 403, "forbidden-origin");
    check(&post(&["Content-Type: application/json", "Host: evil.example"], "{}"), 403, "forbidden-origin");
    check(&post(&["Content-Type: application/json", "Idempotency-Key: "], &order(|_| {})), 422, "invalid-order");
    check(&server.client().get("/nothing"), 404, "not-found");
    check(&server.client().get("/orders/none"), 404, "not-found");
    check(&server.client().get("/orders?status=lost"), 400, "invalid-query");
    check(&server.client().get("/orders?limit=many"), 400, "invalid-query");
    check(&server.client().request("PUT", "/orders", &[], b""), 405, "method-not-allowed");
    check(&server.client().get("/ws"), 400, "invalid-query");
    let metrics = server.client().get("/metrics").text();
    assert!(metrics.contains("errors_total{reason=\"malformed-json\"} 3"), "{metrics}");
    let stats = server.client().get("/stats").json();
    assert_eq!((&stats["total_processed"], &stats["error_count"]), (&json!(0), &json!(0)), "refused is not failed");
    assert_eq!(stats["refused"]["malformed-json"], 3, "{stats}");
    assert!(stats["uptime_seconds"].is_u64(), "{stats}");
}

#[test]
fn a_retry_gives_the_same_order_even_after_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    let by_key = |client: &mut Client, key: &str, body: &str| {
        client.request("POST", "/orders", &["Content-Type: application/json", key], body.as_bytes())
    };
    let (first, named) = {
        let server = Server::start(dir.path(), |_| {});
        let mut client = server.client();
        let first = by_key(&mut client, "Idempotency-Key: k1", &order(|_| {}));
        let named = client.post("/orders", &order(|order| order["id"] = json!("my-id")));
        assert_eq!((first.status, named.status), (201, 201));
        assert!(!first.head.contains("idempotency-replayed"));
        (first.json(), named.json())
    };
    let server = Server::start(dir.path(), |_| {});
    let mut client = server.client();
    let again = by_key(&mut client, "Idempotency-Key: k1", &order(|_| {}));
    assert_eq!(again.status, 200);
    assert!(again.head.contains("idempotency-replayed: true"), "{}", again.head);
    assert_eq!(again.json()["id"], first["id"]);
    let again = client.post("/orders", &order(|order| order["id"] = json!("my-id")));
    assert_eq!((again.status, again.json()["id"].as_str()), (200, Some("my-id")));
    assert_eq!(again.json()["customer_id"], named["customer_id"], "opaque ids survive a restart");
    let other = by_key(&mut client, "Idempotency-Key: k1", &order(|order| order["amount"] = json!(1)));
    assert_eq!((other.status, &other.json()["order_id"]), (409, &first["id"]));
    let other = client.post("/orders", &order(|order| (order["id"], order["amount"]) = (json!("my-id"), json!(1))));
    assert_eq!((other.status, other.json()["order_id"].as_str()), (409, Some("my-id")));
    let list = client.get("/orders").json();
    assert_eq!(list["orders"].as_array().map(Vec::len), Some(2));
}

#[test]
fn stock_is_never_oversold_and_the_refusal_names_the_line() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |_| {});
    let mut client = server.client();
    assert_eq!(client.post("/products", r#"{"sku":"tea","price":2.5,"stock":3}"#).json()["changed"], 1);
    let buy = |quantity: u32| {
        order(|order| {
            order["items"] = json!([{"sku": "cup", "price": 1, "untracked": true}, {"sku": "tea", "quantity": quantity, "price": 2.5}]);
            order["amount"] = Value::Null;
        })
    };
    assert_eq!(client.post("/orders", &buy(2)).status, 201);
    let refused = client.post("/orders", &buy(2));
    assert_eq!((refused.status, refused.pointers()), (409, vec!["/items/1/quantity".to_owned()]));
    assert!(refused.text().contains("only 1 of tea"), "{}", refused.text());
    let product = &client.get("/products").json()["products"][0];
    assert_eq!((&product["stock"], &product["reserved"]), (&json!(3), &json!(2)));
    let lower = client.post("/products", r#"[{"sku":"new","price":1},{"sku":"tea","price":2.5,"stock":1}]"#);
    assert_eq!((lower.status, lower.pointers()), (422, vec!["/1/stock".to_owned()]));
    let products = client.get("/products").json();
    assert_eq!(products["products"].as_array().map(Vec::len), Some(1), "all or none");
}

#[test]
fn lists_page_by_cursor_and_adjustments_are_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |_| {});
    let mut client = server.client();
    for n in 0..5 {
        assert_eq!(client.post("/orders", &order(|order| order["id"] = json!(format!("o{n}")))).status, 201);
    }
    completed(&mut client, "o4");
    let (mut ids, mut path) = (Vec::new(), "/orders?limit=2".to_owned());
    loop {
        let page = client.get(&path).json();
        assert!(page["as_of"]["orders"]["offset"].as_u64().is_some_and(|offset| offset >= 15), "{page}");
        let orders = page["orders"].as_array().expect("orders");
        ids.extend(orders.iter().map(|order| order["id"].as_str().expect("an id").to_owned()));
        let Some(cursor) = page["next"].as_str() else { break };
        path = format!("/orders?limit=2&cursor={cursor}");
    }
    assert_eq!(ids, ["o4", "o3", "o2", "o1", "o0"]);
    let adjustment = r#"{"id":"C1","kind":"cancellation","items":[{"sku":"a","quantity":-3,"price":2.505}],
        "placed_at":"2011-01-04T10:00:00Z"}"#;
    let stored = client.post("/adjustments", adjustment);
    assert_eq!((stored.status, &stored.json()["amount"]), (201, &json!(-7.52)), "-7.515 rounds half to even");
    assert!(stored.text().contains("\"rounding\":0.005"), "{}", stored.text());
    assert_eq!(client.post("/adjustments", adjustment).status, 200);
    assert_eq!(client.post("/adjustments", &adjustment.replace("-3", "-4")).status, 409);
    let listed = client.get("/adjustments").json();
    assert_eq!(listed["adjustments"].as_array().map(Vec::len), Some(1));
}

/// A store whose commits wait until the test lets them go.
struct Held {
    inner: ModelStore,
    open: Arc<(Mutex<bool>, Condvar)>,
}

impl WriteStore for Held {
    fn commit<'a>(&'a mut self, id: BatchId, batch: &'a mut dyn Decider) -> CommitFuture<'a> {
        let mut open = self.open.0.lock().expect("no panic holds it");
        while !*open {
            open = self.open.1.wait(open).expect("no panic holds it");
        }
        drop(open);
        self.inner.commit(id, batch)
    }

    fn resolve(&mut self, id: BatchId) -> ResolveFuture<'_> {
        self.inner.resolve(id)
    }

    fn outlook(&mut self, depth: OutlookDepth) -> OutlookFuture<'_> {
        self.inner.outlook(depth)
    }

    fn is_exclusive(&self) -> bool {
        self.inner.is_exclusive()
    }
}

#[test]
fn a_full_intake_refuses_at_once_and_loses_nothing() {
    let store = ModelStore::new();
    let open = Arc::new((Mutex::new(false), Condvar::new()));
    let held = Held { inner: store.clone(), open: Arc::clone(&open) };
    let server = Server::start_on(held, Arc::new(store), |setup| {
        (setup.engine.intake_capacity, setup.engine.client_capacity) = (3, 3);
        setup.engine.slots = 0;
    });
    let mut waiting: Vec<Client> = (0..3).map(|_| server.client()).collect();
    let send = |client: &mut Client| {
        client.send("POST", "/orders", &["Content-Type: application/json"], order(|_| {}).as_bytes())
    };
    waiting.iter_mut().for_each(send);
    let mut other = server.client();
    let deadline = Instant::now() + PATIENCE;
    while other.get("/stats").json()["unacknowledged"] != 3 {
        assert!(Instant::now() < deadline, "three commands wait");
    }
    let refused = other.post("/orders", &order(|_| {}));
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.head.contains("retry-after: 1"), "{}", refused.head);
    *open.0.lock().expect("no panic holds it") = true;
    open.1.notify_all();
    for client in &mut waiting {
        assert_eq!(client.answer().status, 201);
    }
    assert_eq!(other.post("/orders", &order(|_| {})).status, 201, "there is room again");
    assert_eq!(other.get("/orders").json()["orders"].as_array().map(Vec::len), Some(4));
}

#[test]
fn one_client_too_many_is_429() {
    let store = ModelStore::new();
    let open = Arc::new((Mutex::new(false), Condvar::new()));
    let held = Held { inner: store.clone(), open: Arc::clone(&open) };
    let server = Server::start_on(held, Arc::new(store), |setup| {
        (setup.engine.intake_capacity, setup.engine.client_capacity) = (10, 1);
    });
    let mut first = server.client();
    first.send("POST", "/orders", &["Content-Type: application/json"], order(|_| {}).as_bytes());
    let mut other = server.client();
    let deadline = Instant::now() + PATIENCE;
    while other.get("/stats").json()["unacknowledged"] != 1 {
        assert!(Instant::now() < deadline, "one command waits");
    }
    let refused = other.post("/orders", &order(|_| {}));
    assert_eq!(refused.status, 429);
    assert!(refused.head.contains("retry-after: 1"), "{}", refused.head);
    *open.0.lock().expect("no panic holds it") = true;
    open.1.notify_all();
    assert_eq!(first.answer().status, 201);
}

#[test]
fn a_body_that_does_not_come_is_given_up() {
    let dir = tempfile::tempdir().expect("a folder");
    let server =
        Server::start(dir.path(), |setup| setup.server.handshake_timeout = std::time::Duration::from_millis(50));
    let mut slow = server.client();
    slow.send("POST", "/orders", &["Content-Type: application/json", "Expect: nothing", "X-Rest: late"], b"");
    assert_eq!(slow.answer().status, 400, "an empty body is told at once");
    let mut slow = server.client();
    slow.start("POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{");
    let answer = slow.answer();
    assert_eq!((answer.status, answer.json()["type"].as_str()), (408, Some("/docs/errors/request-timeout")));
    assert!(answer.head.contains("connection: close"), "{}", answer.head);
}

#[test]
fn an_adjustment_without_a_time_is_replayed_and_not_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |_| {});
    let mut client = server.client();
    let body = r#"{"id":"A1","kind":"bad_debt","items":[{"sku":"B","quantity":1,"price":-11062.06}]}"#;
    let first = client.post("/adjustments", body);
    let again = client.post("/adjustments", body);
    assert_eq!((first.status, again.status), (201, 200));
    assert!(again.head.contains("idempotency-replayed: true"));
    assert_eq!(first.json(), again.json(), "as it is stored");
    assert_eq!(first.json()["placed_at"], first.json()["created_at"]);
}

#[test]
fn rejections_of_the_router_are_problems_too() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |_| {});
    for path in ["/orders?limit=1&limit=2", "/orders/%ff", "/events?channels=", "/adjustments?cursor=x"] {
        let answer = server.client().get(path);
        assert_eq!(
            (answer.status, answer.json()["type"].as_str()),
            (400, Some("/docs/errors/invalid-query")),
            "{path}"
        );
    }
    let answer = server.client().request("DELETE", "/orders", &[], b"");
    assert!(answer.head.contains("allow: GET,HEAD,POST"), "{}", answer.head);
}

#[test]
fn lists_are_narrowed_by_priority_and_time() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |_| {});
    let mut client = server.client();
    for (id, priority) in [("a", 1), ("b", 2), ("c", 1)] {
        let body =
            format!(r#"{{"id":"{id}","amount":5,"items":["x"],"customer":"c","address":"d","priority":{priority}}}"#);
        assert_eq!(client.post("/orders", &body).status, 201);
    }
    let mut ids = |query: &str| {
        let answer = client.get(&format!("/orders?{query}"));
        assert_eq!(answer.status, 200, "{query}");
        let orders = answer.json()["orders"].as_array().expect("a list").clone();
        orders.iter().map(|order| order["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids("priority=1"), ["c", "a"]);
    assert_eq!(ids("from=2020-01-01T00:00:00Z&to=2999-01-01T00:00:00Z"), ["c", "b", "a"]);
    assert_eq!(ids("priority=1&to=2020-01-01T00:00:00Z"), [""; 0]);
    assert_eq!(ids("from=2999-01-01T00:00:00Z"), [""; 0]);
    for wrong in ["priority=4", "priority=high", "from=yesterday", "to=2020-01-01"] {
        let answer = client.get(&format!("/orders?{wrong}"));
        let name = wrong.split('=').next().expect("a name");
        assert_eq!(answer.status, 400, "{wrong}");
        assert!(answer.json()["detail"].as_str().expect("a detail").starts_with(name), "{wrong}");
    }
}

#[test]
fn the_type_of_a_problem_leads_to_its_page() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |_| {});
    let mut client = server.client();
    let problem = client.post("/orders", "{").json();
    let page = client.get(problem["type"].as_str().expect("a type"));
    assert_eq!(page.status, 200);
    assert!(page.head.contains("text/html") && page.text().contains("<h1>The body is not valid JSON</h1>"));
    let list = client.get("/docs/errors").text();
    assert!(list.contains("<a href=\"errors/stale-version\">"), "{list}");
    assert_eq!(client.get("/docs/errors/nothing").status, 404);
}

/// After a restart the figures of the day include the orders of the runs before.
#[test]
fn the_figures_of_today_survive_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    for run in 1..=3 {
        let server = Server::start(dir.path(), |_| {});
        let mut client = server.client();
        for (id, currency) in [("a", "USD"), ("b", "EUR")] {
            let body = order(|order| {
                order["id"] = format!("{id}{run}").into();
                order["currency"] = currency.into();
            });
            assert_eq!(client.post("/orders", &body).status, 201);
        }
        let today = loop {
            let today = client.get("/stats").json()["today"].clone();
            if today.is_object() {
                break today;
            }
        };
        let sum = [0.0, 99.99, 199.98, 299.97][run];
        let expected = json!({"EUR": sum, "USD": sum});
        assert_eq!(today["accepted"], 2 * run, "{today}");
        assert_eq!(today["revenue"], expected, "{today}");
    }
}
