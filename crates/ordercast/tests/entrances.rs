//! One rule for all entrances: what `POST /orders` refuses, a frame, a call, a bulk request and an import refuse too, with
//! the same pointers and the same words.
//!
//! Bodies are good ones with a field or two made wrong, every field in turn. `ORDERCAST_ENTRANCES_CASES` says how many;
//! the long run takes 20,000.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod harness;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use harness::{Server, run, stderr};
use ordercast_loadgen::dice::Dice;
use ordercast_loadgen::http::Http;
use ordercast_loadgen::socket::{Message, Socket};
use serde_json::{Map, Value, json};

const CASES: usize = 256;
const CASES_VARIABLE: &str = "ORDERCAST_ENTRANCES_CASES";
const SEED: u64 = 7;
/// Lines of one bulk request: fewer than wait for a client that sends all before it reads.
const BULK_LINES: usize = 200;
const PATIENCE: Duration = Duration::from_secs(60);
const JSON: &str = "Content-Type: application/json\r\n";

/// What became of a body: the status and the kind of error, and every wrong field with its words.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    status: u64,
    code: String,
    detail: String,
    fields: Vec<(String, String)>,
}

impl Verdict {
    fn of(status: u64, problem: &Value) -> Self {
        if status < 300 {
            // The first entrance stores it, and the others may find it there.
            return Self { status: 201, code: String::new(), detail: String::new(), fields: Vec::new() };
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let fields = problem["errors"].as_array().cloned().unwrap_or_default();
        Self {
            status,
            code: text(&problem["type"]).trim_start_matches("/docs/errors/").to_owned(),
            detail: text(&problem["detail"]),
            fields: fields.iter().map(|field| (text(&field["pointer"]), text(&field["detail"]))).collect(),
        }
    }

    /// The message of a protocol whose errors are only text.
    fn line(&self) -> String {
        if self.fields.len() < 2 {
            return self.detail.clone();
        }
        let fields: Vec<_> = self.fields.iter().map(|(pointer, detail)| format!("{pointer} {detail}")).collect();
        format!("{}: {}", self.detail, fields.join("; "))
    }

    /// The reason in the report of an import, which counts alike ones together.
    fn reason(&self) -> String {
        let without_numbers = |detail: &str| match detail.strip_prefix("has ").and_then(|rest| rest.split_once(' ')) {
            Some((count, rest)) if count.parse::<u64>().is_ok() => format!("has … {rest}"),
            _ => detail.to_owned(),
        };
        let Some((pointer, detail)) = self.fields.first() else {
            return format!("{}: {}", self.code, without_numbers(&self.detail));
        };
        let parts = pointer.split('/').map(|part| if part.parse::<u64>().is_ok() { "*" } else { part });
        format!("{}: {} {}", self.code, parts.collect::<Vec<_>>().join("/"), without_numbers(detail))
    }
}

/// A way to make an order wrong, or other than usual.
type Change = (&'static str, fn(&mut Map<String, Value>));

fn set(order: &mut Map<String, Value>, name: &str, value: Value) {
    order.insert(name.to_owned(), value);
}

fn item(order: &mut Map<String, Value>, name: &str, value: Value) {
    order["items"][0][name] = value;
}

/// Every field, wrong in each way that it can be.
const CHANGES: &[Change] = &[
    ("no amount", |order| drop(order.remove("amount"))),
    ("amount 0", |order| set(order, "amount", json!(0))),
    ("amount below 0", |order| set(order, "amount", json!(-1))),
    ("amount too large", |order| set(order, "amount", json!(10_000.01))),
    ("amount too precise", |order| set(order, "amount", json!(1.005))),
    ("amount as text", |order| set(order, "amount", json!("5"))),
    ("amount that is no sum", |order| set(order, "amount", json!(4.99))),
    ("amount in an object", |order| set(order, "amount", json!({"value": 5}))),
    ("currency unknown", |order| set(order, "currency", json!("usd"))),
    ("currency long", |order| set(order, "currency", json!("U".repeat(17)))),
    ("currency a number", |order| set(order, "currency", json!(1))),
    ("another currency", |order| set(order, "currency", json!("EUR"))),
    ("no items", |order| drop(order.remove("items"))),
    ("items null", |order| set(order, "items", Value::Null)),
    ("items empty", |order| set(order, "items", json!([]))),
    ("items a text", |order| set(order, "items", json!("cake"))),
    ("items too many", |order| set(order, "items", json!(vec!["cake"; 51]))),
    ("items nested", |order| set(order, "items", json!([["cake"]]))),
    ("item empty", |order| set(order, "items", json!(["cake", ""]))),
    ("item long", |order| set(order, "items", json!(["x".repeat(129)]))),
    ("items of both kinds", |order| set(order, "items", json!(["cake", {"sku": "cake", "price": 5}]))),
    ("some items priced", |order| set(order, "items", json!([{"sku": "pie"}, {"sku": "cake", "price": 5}]))),
    ("sku missing", |order| set(order, "items", json!([{"quantity": 1, "price": 5}]))),
    ("sku null", |order| item(order, "sku", Value::Null)),
    ("sku a number", |order| item(order, "sku", json!(7))),
    ("sku long", |order| item(order, "sku", json!("x".repeat(129)))),
    ("sku other", |order| item(order, "sku", json!("pie"))),
    ("sku of the catalogue", |order| item(order, "sku", json!("tea"))),
    ("quantity 0", |order| item(order, "quantity", json!(0))),
    ("quantity below 0", |order| item(order, "quantity", json!(-3))),
    ("quantity too large", |order| item(order, "quantity", json!(1_000_001))),
    ("quantity a fraction", |order| item(order, "quantity", json!(1.5))),
    ("quantity whole with a point", |order| item(order, "quantity", json!(1.0))),
    ("quantity as text", |order| item(order, "quantity", json!("1"))),
    ("price below 0", |order| item(order, "price", json!(-1))),
    ("price too precise", |order| item(order, "price", json!(0.000_000_1))),
    ("price too large", |order| item(order, "price", json!(1e18))),
    ("price as text", |order| item(order, "price", json!("5"))),
    ("price other", |order| item(order, "price", json!(4))),
    ("no price", |order| drop(order["items"][0].as_object_mut().map(|item| item.remove("price")))),
    ("price of the catalogue", |order| {
        item(order, "sku", json!("cake-pop"));
        item(order, "price", json!(5.00));
    }),
    ("no price of a known sku", |order| {
        set(order, "items", json!([{"sku": "cake-pop", "untracked": false}]));
    }),
    ("another price of a known sku", |order| {
        set(order, "items", json!([{"sku": "cake-pop", "price": 4}, {"sku": "tea", "price": 1}]));
        set(order, "amount", json!(5));
    }),
    ("sku unknown", |order| set(order, "items", json!([{"sku": "cake-pap", "price": 5}]))),
    ("skus unknown, and another price", |order| {
        let tea = json!({"sku": "tea", "price": 3});
        set(order, "items", json!([{"sku": "x", "price": 1}, tea, {"sku": "tee", "price": 1}]));
    }),
    ("qty", |order| item(order, "qty", json!(3))),
    ("unit_price", |order| item(order, "unit_price", json!(3))),
    ("status in an item", |order| item(order, "status", json!("x"))),
    ("untracked", |order| item(order, "untracked", json!(true))),
    ("untracked a number", |order| item(order, "untracked", json!(1))),
    ("price_override", |order| set(order, "price_override", json!("a friend"))),
    ("price_override blank", |order| set(order, "price_override", json!("  "))),
    ("price_override long", |order| set(order, "price_override", json!("x".repeat(2_001)))),
    ("no customer", |order| drop(order.remove("customer"))),
    ("customer blank", |order| set(order, "customer", json!(" \t"))),
    ("customer null", |order| set(order, "customer", Value::Null)),
    ("customer long", |order| set(order, "customer", json!("x".repeat(2_001)))),
    ("customer an object", |order| set(order, "customer", json!({"name": "x"}))),
    ("no address", |order| drop(order.remove("address"))),
    ("address empty", |order| set(order, "address", json!(""))),
    ("address long", |order| set(order, "address", json!("ä".repeat(1_001)))),
    ("address a list", |order| set(order, "address", json!(["x"]))),
    ("priority 0", |order| set(order, "priority", json!(0))),
    ("priority 4", |order| set(order, "priority", json!(4))),
    ("priority a word", |order| set(order, "priority", json!("high"))),
    ("priority null", |order| set(order, "priority", Value::Null)),
    ("notes long", |order| set(order, "notes", json!("x".repeat(2_001)))),
    ("notes a flag", |order| set(order, "notes", json!(true))),
    ("placed_at a word", |order| set(order, "placed_at", json!("yesterday"))),
    ("placed_at a number", |order| set(order, "placed_at", json!(1_700_000_000))),
    ("placed_at too early", |order| set(order, "placed_at", json!("1969-12-31T23:59:59Z"))),
    ("run_at local", |order| set(order, "run_at", json!("2030-01-01T09:00:00"))),
    ("run_at too late", |order| set(order, "run_at", json!("9999-12-31T23:59:59-10:00"))),
    ("time_zone alone", |order| set(order, "time_zone", json!("Europe/Berlin"))),
    ("time_zone unknown", |order| {
        set(order, "run_at", json!("2030-01-01T09:00:00"));
        set(order, "time_zone", json!("Mars/Dome"));
    }),
    ("charges a text", |order| set(order, "charges", json!("5"))),
    ("charges", |order| set(order, "charges", json!([{"kind": "tax", "amount": 1}]))),
    ("charges too many", |order| set(order, "charges", json!(vec![json!({"kind": "tax", "amount": 0}); 51]))),
    ("charge of no kind", |order| set(order, "charges", json!([{"kind": "tip", "amount": 1}]))),
    ("charge without amount", |order| set(order, "charges", json!([{"kind": "tax"}]))),
    ("discount above 0", |order| set(order, "charges", json!([{"kind": "discount", "amount": 1}]))),
    ("tax below 0", |order| set(order, "charges", json!([{"kind": "tax", "amount": -1}]))),
    ("charge with a rate", |order| set(order, "charges", json!([{"kind": "tax", "amount": 0, "rate": 7}]))),
    ("id of other letters", |order| set(order, "id", json!("a b"))),
    ("id empty", |order| set(order, "id", json!(""))),
    ("id long", |order| set(order, "id", json!("x".repeat(65)))),
    ("id reserved", |order| set(order, "id", json!("bulk"))),
    ("id a step", |order| set(order, "id", json!(".."))),
    ("id a number", |order| set(order, "id", json!(7))),
    ("idempotency_key empty", |order| set(order, "idempotency_key", json!(""))),
    ("idempotency_key long", |order| set(order, "idempotency_key", json!("k".repeat(256)))),
    ("idempotency_key a number", |order| set(order, "idempotency_key", json!(1))),
    ("runAt", |order| set(order, "runAt", json!("2030-01-01T00:00:00Z"))),
    ("Currency", |order| set(order, "Currency", json!("EUR"))),
    ("a field of its own", |order| set(order, "gift/wrap~", json!(true))),
    ("fields of the server", |order| {
        set(order, "status", json!({"any": [1]}));
        set(order, "version", json!("x"));
        set(order, "number", json!(null));
    }),
    ("an order of one product where none is known", |order| set(order, "quantity", json!(2))),
];

/// An order that is good.
fn good() -> Map<String, Value> {
    let order = json!({
        "items": [{"sku": "cake", "quantity": 1, "price": 5, "untracked": true}], "amount": 5, "customer": "x", "address": "y",
    });
    order.as_object().unwrap().clone()
}

/// Good orders with a change or two: every change in turn, and another one by chance.
fn bodies(count: usize) -> Vec<(String, String)> {
    let mut dice = Dice::new(SEED, 0);
    let mut pick = || CHANGES[(dice.roll() % CHANGES.len() as u64) as usize];
    let case = |case: usize| {
        let (mut order, first) = (good(), CHANGES[case % CHANGES.len()]);
        let changes = if case < CHANGES.len() { vec![first] } else { vec![first, pick()] };
        let mut names = Vec::new();
        for (name, change) in changes {
            let has_item = order.get("items").is_some_and(|items| items[0].is_object());
            // What changes the first line needs one.
            if !has_item {
                order = good();
                names.clear();
            }
            change(&mut order);
            names.push(name);
        }
        (names.join(", "), Value::Object(order).to_string())
    };
    (0..count).map(case).collect()
}

fn posted(http: &mut Http, body: &str) -> Verdict {
    let answer = http.ask("POST", "/orders", JSON, body).unwrap();
    Verdict::of(answer.status.into(), &serde_json::from_slice(&answer.body).unwrap())
}

fn text(socket: &mut Socket) -> Value {
    match socket.receive().unwrap() {
        Message::Text(text) => serde_json::from_slice(&text).unwrap(),
        Message::Close(code) => panic!("closed with {code:?}"),
    }
}

/// What the frame of an order is answered with, in the form of a problem.
fn framed(address: SocketAddr, socket: &mut Option<Socket>, body: &str) -> Verdict {
    let socket = socket.get_or_insert_with(|| Socket::connect(address, "/ws?channels=stats", PATIENCE).unwrap());
    socket.send(&format!("{{\"type\":\"order\",\"ref\":1,{}", &body[1..])).unwrap();
    loop {
        let frame = text(socket);
        match frame["type"].as_str() {
            Some("order_ack") => return Verdict::of(201, &Value::Null),
            Some("error") => {
                let code = frame["code"].as_str().unwrap();
                let problem = json!({"type": code, "detail": frame["message"], "errors": frame["errors"]});
                return Verdict::of(422, &problem);
            }
            _ => {}
        }
    }
}

/// A connection of a Centrifuge client.
fn calling(address: SocketAddr) -> Socket {
    let mut socket = Socket::connect(address, "/connection/websocket", PATIENCE).unwrap();
    socket.send("{\"id\":1,\"connect\":{}}").unwrap();
    assert!(text(&mut socket)["connect"].is_object());
    socket
}

/// What a call is answered with: code and message.
fn called(socket: &mut Socket, id: usize, body: &str) -> (u64, String) {
    socket.send(&format!("{{\"id\":{id},\"rpc\":{{\"method\":\"order.place\",\"data\":{body}}}}}")).unwrap();
    loop {
        let reply = text(socket);
        if reply["id"].as_u64() != Some(id as u64) {
            continue;
        }
        return match reply["error"].as_object() {
            Some(error) => (error["code"].as_u64().unwrap(), error["message"].as_str().unwrap().to_owned()),
            None => (201, String::new()),
        };
    }
}

fn in_bulk(url: &str, bodies: &[(String, String)]) -> Vec<Verdict> {
    let lines: String = bodies.iter().map(|(_, body)| format!("{body}\n")).collect();
    let answer = ureq::post(format!("{url}/orders/bulk")).content_type("application/x-ndjson").send(lines);
    let answer = answer.unwrap().body_mut().with_config().limit(1 << 30).read_to_string().unwrap();
    let lines = answer.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| Verdict::of(line["status"].as_u64().unwrap(), &line["error"])).collect()
}

/// The reasons of an import, and how often each occurred.
fn imported(server: &Server, bodies: &[(String, String)]) -> BTreeMap<String, u64> {
    let path = server.data_dir.join("orders.ndjson");
    let lines: String = bodies.iter().map(|(_, body)| format!("{body}\n")).collect();
    std::fs::write(&path, format!("\u{feff}{lines}")).unwrap();
    let output =
        run(&["import", path.to_str().unwrap(), "--format", "orders-ndjson", "--url", &server.url, "--report", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    assert_eq!(report["skipped"], json!([]), "what the server would refuse is the server's to refuse");
    let reasons = report["refused"].as_array().unwrap().iter();
    reasons.map(|row| (row["reason"].as_str().unwrap().to_owned(), row["count"].as_u64().unwrap())).collect()
}

#[test]
fn all_entrances_refuse_the_same_with_the_same_words() {
    let count = std::env::var(CASES_VARIABLE).ok().map_or(CASES, |count| count.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &["--workers", "0"]);
    let address: SocketAddr = server.address().parse().unwrap();
    let mut http = Http::connect(address).unwrap();
    let tea = json!([{"sku": "tea", "price": 2.5}, {"sku": "cake-pop", "price": 5}]).to_string();
    assert_eq!(http.ask("POST", "/products", JSON, &tea).unwrap().status, 200);

    let bodies = bodies(count);
    let in_bulk: Vec<_> = bodies.chunks(BULK_LINES).flat_map(|bodies| in_bulk(&server.url, bodies)).collect();
    assert_eq!(in_bulk.len(), bodies.len());
    let (mut frames, mut calls) = (None, calling(address));
    let mut accepted = 0;
    for (at, (name, body)) in bodies.iter().enumerate() {
        let expected = posted(&mut http, body);
        assert_eq!(in_bulk[at], expected, "bulk, seed {SEED}, {name}: {body}");
        // Who errs too often is closed, so there are new connections every hundred bodies.
        if at % 100 == 99 {
            (frames, calls) = (None, calling(address));
        }
        let framed = framed(address, &mut frames, body);
        // Frames have no status.
        let by_frame = (framed.code, framed.detail, framed.fields);
        // What orders one product is an order of its own there; nothing else is.
        assert_eq!(
            by_frame,
            (expected.code.clone(), expected.detail.clone(), expected.fields.clone()),
            "/ws, seed {SEED}, {name}: {body}"
        );
        let by_call = (expected.status, expected.line());
        assert_eq!(called(&mut calls, at + 2, body), by_call, "a call, seed {SEED}, {name}: {body}");
        accepted += usize::from(expected.status == 201);
    }
    assert!(accepted * 50 > count && accepted * 2 < count, "{accepted} of {count} are good: others were meant");
    // What a file says of prices and SKUs stands for itself, so an import is compared where there is no catalogue.
    let dir = tempfile::tempdir().unwrap();
    let empty = Server::start(dir.path(), &["--workers", "0"]);
    let mut http = Http::connect(empty.address().parse().unwrap()).unwrap();
    let mut reasons = BTreeMap::<String, u64>::new();
    for verdict in bodies.iter().map(|(_, body)| posted(&mut http, body)).filter(|verdict| verdict.status != 201) {
        *reasons.entry(verdict.reason()).or_default() += 1;
    }
    assert!(reasons.len() > 40, "{reasons:?}");
    assert_eq!(imported(&empty, &bodies), reasons);
}

/// The order of one product has no other limits than any order.
#[test]
fn an_order_of_one_product_is_an_order() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &["--workers", "0"]);
    let address: SocketAddr = server.address().parse().unwrap();
    let mut http = Http::connect(address).unwrap();
    let tea = json!({"sku": "tea", "price": 2.5, "currency": "EUR"}).to_string();
    assert_eq!(http.ask("POST", "/products", JSON, &tea).unwrap().status, 200);
    let (order, mut sockets) = (json!({"product": "tea", "quantity": 2}).as_object().unwrap().clone(), None);
    for (name, value) in [
        ("customer", json!("  ")),
        ("customer", json!("x".repeat(120_000))),
        ("address", json!("")),
        ("address", json!("x".repeat(120_000))),
        ("notes", json!("x".repeat(2_001))),
        ("priority", json!(9)),
        ("id", json!("..")),
        ("idempotency_key", json!("k".repeat(256))),
        ("run_at", json!("soon")),
        ("colour", json!("green")),
    ] {
        let mut posted_order = good();
        set(&mut posted_order, name, value.clone());
        let expected = posted(&mut http, &Value::Object(posted_order).to_string());
        let mut framed_order = order.clone();
        set(&mut framed_order, name, value);
        let framed = framed(address, &mut sockets, &Value::Object(framed_order).to_string());
        let words = |verdict: &Verdict| {
            verdict.fields.first().map(|(pointer, detail)| {
                // The fields that are known differ by two.
                (pointer.clone(), detail.split("; known are").next().unwrap_or_default().to_owned())
            })
        };
        assert!(words(&expected).is_some_and(|(pointer, _)| pointer == format!("/{name}")), "{name}: {expected:?}");
        assert_eq!((framed.status, words(&framed)), (422, words(&expected)), "{name}");
    }
    for (quantity, fields) in
        [(0, vec!["/quantity".to_owned()]), (1_000_001, vec!["/quantity".to_owned()]), (2, vec![])]
    {
        let mut order = order.clone();
        set(&mut order, "quantity", json!(quantity));
        let framed = framed(address, &mut sockets, &Value::Object(order).to_string());
        let pointers: Vec<_> = framed.fields.into_iter().map(|(pointer, _)| pointer).collect();
        assert_eq!(pointers, fields, "{quantity}");
    }
}
