//! What is done to orders over HTTP, frames and calls: the table, versions, keys, stock and money.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use ordercast_store_sqlite::verify::verify;
use serde_json::{Value, json};
use support::{Answer, Client, PATIENCE, Server, Socket};

/// Three tea, of which stock is counted, and a cup: 40.00 in all.
fn order(id: &str) -> Value {
    let line = |sku, quantity| json!({"sku": sku, "quantity": quantity, "price": 10, "untracked": true});
    json!({"id": id, "items": [line("tea", 3), line("cup", 1)], "customer": "ann", "address": "1 Road"})
}

fn place(client: &mut Client, order: &Value) -> Value {
    let placed = client.post("/orders", &order.to_string());
    assert_eq!(placed.status, 201, "{}", placed.text());
    placed.json()
}

fn act(client: &mut Client, id: &str, action: &str, body: &Value) -> Answer {
    client.post(&format!("/orders/{id}/{action}"), &body.to_string())
}

fn act_with(client: &mut Client, id: &str, action: &str, headers: &[&str], body: &Value) -> Answer {
    let headers = [&["Content-Type: application/json"], headers].concat();
    client.request("POST", &format!("/orders/{id}/{action}"), &headers, body.to_string().as_bytes())
}

fn until_status(client: &mut Client, id: &str, status: &str) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let order = client.get(&format!("/orders/{id}")).json();
        if order["status"] == status {
            return order;
        }
        assert!(Instant::now() < deadline, "never {status}: {order}");
        std::thread::yield_now();
    }
}

/// Stock and what of it is reserved.
fn tea(client: &mut Client) -> (i64, i64) {
    let products = client.get("/products").json();
    let tea = products["products"].as_array().expect("products").iter().find(|product| product["sku"] == "tea");
    let tea = tea.expect("there is tea");
    (tea["stock"].as_i64().expect("a stock"), tea["reserved"].as_i64().expect("a number"))
}

fn stock_tea(client: &mut Client, stock: i64) {
    let body = json!({"sku": "tea", "price": 10, "stock": stock}).to_string();
    assert_eq!(client.post("/products", &body).status, 200);
}

fn kind(answer: &Answer) -> (u16, String) {
    let kind = answer.json()["type"].as_str().unwrap_or_default().trim_start_matches("/docs/errors/").to_owned();
    (answer.status, kind)
}

#[test]
fn an_order_is_held_released_and_called_off_and_its_events_tell_it() {
    let dir = tempfile::tempdir().expect("a folder");
    {
        let server = Server::start(dir.path(), |setup| setup.engine.slots = 0);
        let mut client = server.client();
        stock_tea(&mut client, 10);
        place(&mut client, &order("a1"));
        let seen = client.get("/orders/a1");
        assert!(seen.head.contains("etag: \"1\""), "{}", seen.head);
        assert_eq!(seen.json()["allowed"], json!(["hold", "cancel"]));
        let held = act(&mut client, "a1", "hold", &json!({}));
        assert_eq!((held.status, held.pointers()), (422, vec!["/reason".to_owned()]));
        let held = act_with(&mut client, "a1", "hold", &["If-Match: \"1\""], &json!({"reason": "looks odd"}));
        assert!(held.status == 200 && held.head.contains("etag: \"2\""), "{} {}", held.head, held.text());
        let stale = act_with(&mut client, "a1", "release", &["If-Match: \"1\""], &json!({}));
        assert_eq!((kind(&stale), &stale.json()["version"]), ((412, "stale-version".to_owned()), &json!(2)));
        let wrong = act(&mut client, "a1", "fulfil", &json!({}));
        assert_eq!(kind(&wrong), (409, "invalid-transition".to_owned()));
        assert_eq!(wrong.json()["allowed"], json!(["release", "reject", "cancel"]));
        assert_eq!(act(&mut client, "a1", "release", &json!({})).json()["status"], "pending");
        assert_eq!(tea(&mut client), (10, 3));
        assert_eq!(client.request("POST", "/orders/a1/cancel", &[], b"").json()["status"], "cancelled");
        assert_eq!(tea(&mut client), (10, 0));
        for (action, body, expected) in [
            ("explode", json!({}), (404, "not-found")),
            ("claim", json!({}), (404, "not-found")),
            ("refund", json!({"amout": 5}), (422, "invalid-action")),
            ("reschedule", json!({}), (422, "invalid-action")),
            ("cancel", json!({"version": 3}), (422, "invalid-action")),
            ("cancel", json!({}), (409, "invalid-transition")),
        ] {
            let answer = act(&mut client, "a1", action, &body);
            assert_eq!(kind(&answer), (expected.0, expected.1.to_owned()), "{action} {}", answer.text());
        }
        assert_eq!(kind(&act(&mut client, "none", "cancel", &json!({}))), (404, "not-found".to_owned()));
        let events = client.get("/orders/a1/events").json();
        let told: Vec<_> = events["events"]
            .as_array()
            .expect("events")
            .iter()
            .map(|event| [&event["version"], &event["from"], &event["status"], &event["action"], &event["reason"]])
            .collect();
        let null = Value::Null;
        let row = |version, from: &str, status: &str, action: &str| {
            (json!(version), json!(from), json!(status), json!(action))
        };
        let rows = [
            row(2, "pending", "held", "hold"),
            row(3, "held", "pending", "release"),
            row(4, "pending", "cancelled", "cancel"),
        ];
        assert_eq!(told[0], [&json!(1), &null, &json!("pending"), &null, &null]);
        for (told, (version, from, status, action)) in told[1..].iter().zip(&rows) {
            assert_eq!(told[..4], [version, from, status, action]);
        }
        assert_eq!(told[1][4], "looks odd");
    }
    let report = verify(dir.path(), |_| {}).expect("readable");
    assert!(report.is_clean(), "{report}");
}

#[test]
fn an_amount_that_a_rule_holds_waits_for_a_person() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |setup| setup.engine.rules.amounts.hold_above = Some(39));
    let mut client = server.client();
    let held = place(&mut client, &order("a1"));
    assert_eq!((&held["status"], &held["version"]), (&json!("held"), &json!(1)), "{held}");
    let events = client.get("/orders/a1/events").json();
    let told = &events["events"][0];
    assert_eq!(told["status"], "held", "{events}");
    assert_eq!(told["reason"], "amounts above 39 USD wait for a person", "{events}");
    // A worker may have it before the answer is read.
    assert_eq!(act(&mut client, "a1", "release", &json!({})).status, 200);
    until_status(&mut client, "a1", "completed");
}

#[test]
fn goods_leave_in_parts_come_back_and_money_goes_back_once() {
    let dir = tempfile::tempdir().expect("a folder");
    {
        let server = Server::start(dir.path(), |_| {});
        let mut client = server.client();
        stock_tea(&mut client, 10);
        place(&mut client, &order("a1"));
        let done = until_status(&mut client, "a1", "completed");
        assert_eq!((&done["captured"], &done["allowed"]), (&json!(40.0), &json!(["fulfil", "cancel", "refund"])));
        let part = act(&mut client, "a1", "fulfil", &json!({"lines": [{"line": 0, "quantity": 2}]})).json();
        assert_eq!(part["status"], "partially_fulfilled");
        assert_eq!(part["fulfilment"], json!([{"line": 0, "shipped": 2, "cancelled": 0, "returned": 0}]));
        assert_eq!(tea(&mut client), (8, 1));
        let refund = |client: &mut Client, key: &str, amount: f64| {
            let body = json!({"amount": amount, "reason": "broken"});
            act_with(client, "a1", "refund", &[&format!("Idempotency-Key: {key}")], &body)
        };
        let first = refund(&mut client, "k1", 12.5);
        assert!(!first.head.contains("idempotency-replayed"), "{}", first.head);
        for _ in 0..3 {
            let again = refund(&mut client, "k1", 12.5);
            assert!(again.status == 200 && again.head.contains("idempotency-replayed: true"), "{}", again.head);
            assert_eq!(again.json()["refunded"], 12.5);
        }
        assert_eq!(kind(&refund(&mut client, "k1", 12.0)), (409, "idempotency-conflict".to_owned()));
        assert_eq!(refund(&mut client, "k2", 27.51).pointers(), ["/amount"], "more than is left");
        assert_eq!(act(&mut client, "a1", "fulfil", &json!({"close": true})).json()["status"], "fulfilled");
        let back = json!({"lines": [{"line": 0, "quantity": 3}], "amount": 20, "restock": true});
        let back = act(&mut client, "a1", "return", &back).json();
        assert_eq!((&back["refunded"], &back["fulfilment"][0]["returned"]), (&json!(32.5), &json!(3)), "{back}");
        let ledger: Vec<_> = back["ledger"].as_array().expect("a ledger").iter().map(|row| &row["amount"]).collect();
        assert_eq!(ledger, [12.5, 20.0]);
        assert_eq!(tea(&mut client), (10, 0));
    }
    let report = verify(dir.path(), |_| {}).expect("readable");
    assert!(report.is_clean(), "{report}");
}

#[test]
fn products_are_changed_in_part_and_deliveries_undo_no_sale() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |setup| setup.engine.slots = 0);
    let mut client = server.client();
    stock_tea(&mut client, 3);
    place(&mut client, &order("a1"));
    let mut patch =
        |body: &str| client.request("PATCH", "/products/tea", &["Content-Type: application/json"], body.as_bytes());
    for (body, status, stock) in [
        (r#"{"stock_change":5}"#, 200, json!(8)),
        (r#"{"stock_change":-6}"#, 422, json!(8)),
        (r#"{"stock":3,"price":2.505,"name":"Leaf"}"#, 200, json!(3)),
        (r#"{"stock":2}"#, 422, json!(3)),
        (r#"{"stock":3,"stock_change":1}"#, 422, json!(3)),
        (r#"{"stok":9}"#, 422, json!(3)),
        (r#"{"stock":null}"#, 200, Value::Null),
    ] {
        let answer = patch(body);
        assert_eq!(answer.status, status, "{body} {}", answer.text());
        let product = &patch("{}").json();
        assert_eq!((&product["stock"], &product["reserved"]), (&stock, &json!(3)), "{body}");
    }
    let missing = client.request("PATCH", "/products/none", &["Content-Type: application/json"], b"{}");
    assert_eq!(kind(&missing), (422, "unknown-product".to_owned()));
    let page = client.get("/products").json();
    assert_eq!(page["as_of"]["products"]["offset"], 5, "an event for each change: {page}");
}

#[test]
fn scheduled_orders_wait_move_and_start_also_after_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    let later = |id: &str, at: jiff::Timestamp| {
        let mut later = order(id);
        later["run_at"] = json!(at.to_string());
        later
    };
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_millis(300);
    let far = "2099-01-01T00:00:00Z".parse::<jiff::Timestamp>().expect("a time");
    {
        let server = Server::start(dir.path(), |_| {});
        let mut client = server.client();
        assert_eq!(place(&mut client, &later("far", far))["status"], "scheduled");
        assert_eq!(place(&mut client, &later("now", far))["due_at"], "2099-01-01T00:00:00.000Z");
        let local = json!({"run_at": "2099-07-01T09:00:00", "time_zone": "Europe/Berlin"});
        let moved = act(&mut client, "far", "reschedule", &local);
        assert_eq!(moved.json()["due_at"], "2099-07-01T07:00:00.000Z", "{}", moved.text());
        assert_eq!(act(&mut client, "now", "start", &json!({})).status, 200);
        until_status(&mut client, "now", "completed");
        place(&mut client, &later("soon", soon));
    }
    let server = Server::start(dir.path(), |_| {});
    let mut client = server.client();
    let done = until_status(&mut client, "soon", "completed");
    assert_eq!(done["attempts"], 1);
    assert_eq!(client.get("/orders/far").json()["status"], "scheduled");
    assert_eq!(client.get("/orders?status=scheduled").json()["orders"].as_array().map(Vec::len), Some(1));
}

#[test]
fn totals_of_every_kind_of_line_add_up() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |setup| setup.engine.slots = 0);
    let mut client = server.client();
    let mut priced = order("a1");
    priced["charges"] = json!([
        {"kind": "discount", "name": "spring", "amount": -4.005},
        {"kind": "tax", "name": "VAT 7 %", "amount": 2.519_65},
        {"kind": "shipping", "amount": 4.9},
    ]);
    let placed = place(&mut client, &priced);
    assert_eq!((&placed["amount"], &placed["rounding"]), (&json!(43.41), &json!(0.004_65)), "{placed}");
    assert_eq!(client.get("/orders/a1").json()["charges"], priced["charges"]);
    let again = client.post("/orders", &priced.to_string());
    assert!(again.head.contains("idempotency-replayed: true"), "{}", again.head);
    priced["charges"][2]["amount"] = json!(5);
    assert_eq!(client.post("/orders", &priced.to_string()).status, 409);
}

#[test]
fn frames_and_calls_do_the_same() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |setup| setup.engine.slots = 0);
    let mut client = server.client();
    place(&mut client, &order("a1"));
    let mut socket = server.socket("/ws");
    let hold = json!({"type": "order_action", "ref": "7", "action": "hold", "id": "a1", "reason": "why", "version": 1});
    socket.send(&hold.to_string());
    let told = socket.next_of("order_ack");
    assert_eq!((&told["ref"], &told["order"]["status"]), (&json!("7"), &json!("held")));
    socket.send(&hold.to_string());
    assert_eq!(socket.next_of("error")["code"], "stale-version");
    socket.send(&json!({"type": "order_action", "action": "hold"}).to_string());
    assert_eq!(socket.next_of("error")["code"], "invalid-action");
}

/// Reads the whole of a chunked answer (RFC 9112 §7.1).
fn chunked(client: &mut Client) -> String {
    let text = client.read_until("\r\n0\r\n\r\n");
    let (head, mut rest) = text.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("application/x-ndjson"), "{head}");
    let mut body = String::new();
    while let Some((size, more)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a size");
        if size == 0 {
            break;
        }
        body.push_str(&more[..size]);
        rest = &more[size + 2..];
    }
    body
}

#[test]
fn many_orders_come_in_one_request_and_each_line_is_answered() {
    const ORDERS: usize = 2_000;
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |setup| {
        // Less room than the window: lines that find none are tried again.
        (setup.engine.intake_capacity, setup.engine.client_capacity, setup.engine.slots) = (100, 100, 0);
    });
    let mut body = String::new();
    for n in 0..ORDERS {
        let line = match n {
            7 => "{\"items\":[]}".to_owned(),
            8 => "{".to_owned(),
            9 => String::new(),
            _ => json!({"idempotency_key": format!("k{n}"), "items": ["a"], "amount": 5, "customer": "x", "address": "y"})
                .to_string(),
        };
        body.push_str(&line);
        body.push('\n');
    }
    for round in 0..2 {
        let mut client = server.client();
        let headers = ["Content-Type: application/x-ndjson"];
        let answers = std::thread::scope(|scope| {
            let mut writing = client.another();
            let body = body.as_bytes();
            scope.spawn(move || writing.send("POST", "/orders/bulk", &headers, body));
            chunked(&mut client)
        });
        let answers: Vec<Value> = answers.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(answers.len(), ORDERS - 1, "an empty line is no order");
        for answer in &answers {
            let line = answer["line"].as_u64().expect("a line");
            let expected = match line {
                8 => 422,
                9 => 400,
                _ if round == 0 => 201,
                _ => 200,
            };
            assert_eq!(answer["status"], expected, "{answer}");
            assert_eq!(answer["replayed"] == json!(true), expected == 200, "{answer}");
            assert_eq!(answer["order"]["id"].is_string(), expected < 300, "{answer}");
            assert_eq!(answer["error"]["type"].is_string(), expected >= 400, "{answer}");
        }
        assert!(answers.windows(2).all(|pair| pair[0]["line"].as_u64() < pair[1]["line"].as_u64()), "in their order");
    }
    assert_eq!(server.client().get("/stats").json()["queue_length"], ORDERS - 3);
    let refused = server.client().request("POST", "/orders/bulk", &["Content-Type: text/csv"], b"a,b");
    assert_eq!(kind(&refused), (415, "unsupported-media-type".to_owned()));
    let mut named = order("bulk");
    named["id"] = json!("bulk");
    assert_eq!(server.client().post("/orders", &named.to_string()).pointers(), ["/id"]);
}

/// What a buyer was told.
#[derive(Debug, PartialEq, Eq)]
enum Bought {
    Sold,
    SoldBefore,
    Refused,
}

fn buy_over_http(client: &mut Client, body: &str) -> Bought {
    let answer = client.post("/orders", body);
    match answer.status {
        201 => Bought::Sold,
        200 => Bought::SoldBefore,
        _ => {
            assert_eq!(kind(&answer), (409, "out-of-stock".to_owned()));
            assert_eq!(answer.pointers(), ["/items/0/quantity"]);
            Bought::Refused
        }
    }
}

fn buy_over_a_socket(socket: &mut Socket, body: &str) -> Bought {
    socket.send(&body.replacen('{', "{\"type\":\"order\",\"ref\":\"b\",", 1));
    loop {
        let frame = socket.next().expect("an answer");
        match frame["type"].as_str() {
            Some("order_ack") if frame["replayed"] == true => return Bought::SoldBefore,
            Some("order_ack") => return Bought::Sold,
            Some("error") => {
                assert_eq!((&frame["ref"], &frame["code"]), (&json!("b"), &json!("out-of-stock")), "{frame}");
                return Bought::Refused;
            }
            _ => {}
        }
    }
}

/// A thousand buyers over HTTP and WebSockets, five hundred units: each is sold once, and asking again changes nothing.
#[test]
fn a_thousand_buyers_share_five_hundred_units() {
    const BUYERS: usize = 1_000;
    const UNITS: usize = 500;
    let dir = tempfile::tempdir().expect("a folder");
    {
        let server = Server::start(dir.path(), |setup| {
            (setup.engine.intake_capacity, setup.engine.client_capacity) = (2 * BUYERS, 2 * BUYERS);
        });
        stock_tea(&mut server.client(), UNITS as i64);
        for round in 0..2 {
            let (sold, refused, next) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
            std::thread::scope(|scope| {
                for thread in 0..16 {
                    let (server, sold, refused, next) = (&server, &sold, &refused, &next);
                    scope.spawn(move || {
                        let (mut client, mut socket) = (server.client(), server.socket("/ws?channels="));
                        loop {
                            let buyer = next.fetch_add(1, Relaxed);
                            if buyer >= BUYERS {
                                return;
                            }
                            let items = json!([{"sku": "tea", "quantity": 1, "price": 10}]);
                            let id = format!("buyer-{buyer}");
                            let body = json!({"id": id, "items": items, "customer": id, "address": "x"}).to_string();
                            let bought = match thread % 2 {
                                0 => buy_over_http(&mut client, &body),
                                _ => buy_over_a_socket(&mut socket, &body),
                            };
                            assert!(bought != if round == 0 { Bought::SoldBefore } else { Bought::Sold }, "{id}");
                            if bought == Bought::Refused { refused } else { sold }.fetch_add(1, Relaxed);
                        }
                    });
                }
            });
            assert_eq!((sold.into_inner(), refused.into_inner()), (UNITS, BUYERS - UNITS), "round {round}");
            assert_eq!(tea(&mut server.client()), (UNITS as i64, UNITS as i64));
        }
    }
    let report = verify(dir.path(), |_| {}).expect("readable");
    assert!(report.is_clean(), "{report}");
}
