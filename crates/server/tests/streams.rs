//! The plain JSON protocol on `/ws`, and Server-Sent Events.

mod support;

use serde_json::json;
use support::{Server, Socket};

const ORDER: &str = r#"{"type":"order","ref":"7","amount":5,"items":["a"],"customer":"x","address":"y"}"#;

#[test]
fn a_connection_is_greeted_and_an_empty_catalogue_says_what_to_do() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |_| {});
    let mut socket = server.socket("/ws");
    let connect = socket.next().expect("a greeting");
    assert_eq!(connect["type"], "connect");
    assert!(connect["id"].as_str().is_some_and(|id| !id.is_empty()));
    let products = socket.next().expect("the products");
    assert_eq!((&products["type"], &products["products"]), (&json!("products"), &json!([])));
    assert!(products["message"].as_str().is_some_and(|text| text.contains("ordercast products import")));
    let subscribed = socket.next().expect("the default subscription");
    assert_eq!((&subscribed["type"], &subscribed["channel"]), (&json!("subscribed"), &json!("orders")));
}

#[test]
fn an_order_by_hash_is_answered_when_durable_and_told_to_everyone() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |setup| setup.engine.slots = 0);
    server.client().post("/products", r#"{"sku":"tea","name":"Tea","price":2.5,"stock":9}"#);
    let mut buyer = server.socket("/ws?channels=market_data");
    let mut others: Vec<Socket> = (0..3).map(|_| server.socket("/ws")).collect();
    others.iter_mut().for_each(|socket| drop(socket.next_of("subscribed")));
    let products = buyer.next_of("products");
    let hash = products["products"][0]["hash"].as_str().expect("a hash").to_owned();
    assert_eq!(hash.len(), 16);
    buyer.next_of("subscribed");
    buyer.send(&json!({"type": "order", "ref": 1, "product": hash, "quantity": 2}).to_string());
    let ack = buyer.next_of("order_ack");
    assert_eq!((&ack["ref"], &ack["order"]["amount"]), (&json!(1), &json!(5.0)));
    let id = ack["order"]["id"].as_str().expect("an id");
    let change = buyer.next_of("market_data");
    assert_eq!((&change["reserved"], &change["channel"]), (&json!(2), &json!("market_data")));
    for other in &mut others {
        let event = other.next_of("order");
        assert_eq!((event["order_id"].as_str(), &event["offset"]), (Some(id), &json!(1)));
        let text = event.to_string();
        assert!(!text.contains("guest-") && !text.contains("collected"), "no personal data: {text}");
    }
    let over_http = server.client().get(&format!("/orders/{id}")).json();
    assert_eq!(over_http["id"].as_str(), Some(id), "orders by WebSocket and HTTP are the same");
    assert_eq!(over_http["items"][0]["quantity"], 2);
}

/// `/ws` subscribes to orders at once. A `since` that comes then replaces that subscription: after `subscribed` come all
/// events from there on, in their order and once, whatever had come or waited before.
#[test]
fn a_position_replaces_the_running_subscription_without_a_hole_or_a_repeat() {
    const BEFORE: u64 = 300;
    const BESIDE: u64 = 1_500;
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |setup| setup.engine.slots = 0);
    let place = |client: &mut support::Client, count: u64| {
        let line = "{\"amount\":5,\"items\":[\"a\"],\"customer\":\"x\",\"address\":\"y\"}\n";
        let lines = line.repeat(count as usize);
        client.send("POST", "/orders/bulk", &["Content-Type: application/x-ndjson"], lines.as_bytes());
        client.read_until(&format!("{{\"line\":{count},"));
    };
    place(&mut server.client(), BEFORE);
    let epoch = server.client().get("/orders?limit=1").json()["as_of"]["orders"]["epoch"].clone();
    std::thread::scope(|scope| {
        let load = scope.spawn(|| place(&mut server.client(), BESIDE));
        for offset in [0, 7, BEFORE, 150, 0] {
            let mut socket = server.socket("/ws");
            socket.next_of("subscribed");
            for _ in 0..3 {
                // Some are on their way, and more in the queue.
                std::thread::yield_now();
                let since = json!({"orders": {"epoch": epoch, "offset": offset}});
                socket.send(&json!({"type": "subscribe", "channels": ["orders"], "since": since}).to_string());
                let subscribed = socket.next_of("subscribed");
                assert_eq!((&subscribed["offset"], &subscribed["recovered"]), (&json!(offset), &json!(true)));
                for expected in offset + 1..=BEFORE + 50 {
                    let event = socket.next().expect("an event");
                    assert_eq!((&event["type"], &event["offset"]), (&json!("order"), &json!(expected)), "{offset}");
                }
            }
        }
        load.join().expect("the load ends");
    });
}

#[test]
fn errors_are_told_and_the_connection_goes_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |_| {});
    let mut socket = server.socket("/ws");
    socket.next_of("subscribed");
    for (frame, code, reference) in [
        ("{", "malformed-json", json!(null)),
        (r#"{"type":"dance","ref":1}"#, "unknown-type", json!(1)),
        (r#"{"type":"subscribe","ref":2,"channels":["nowhere"]}"#, "unknown-channel", json!(2)),
        (r#"{"type":"order","ref":3,"product":"none"}"#, "unknown-product", json!(3)),
        (
            r#"{"type":"order","ref":4,"amount":0,"items":["a"],"customer":"x","address":"y"}"#,
            "invalid-order",
            json!(4),
        ),
    ] {
        socket.send(frame);
        let error = socket.next_of("error");
        assert_eq!((&error["code"], &error["ref"]), (&json!(code), &reference), "{frame}");
    }
    socket.send(r#"{"type":"ping","ref":"p"}"#);
    assert_eq!(socket.next_of("pong")["ref"], "p");
    socket.send(ORDER);
    assert_eq!(socket.next_of("order_ack")["ref"], "7");
}

#[test]
fn a_client_that_only_errs_is_closed() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |_| {});
    let mut socket = server.socket("/ws");
    for _ in 0..300 {
        socket.send("no");
    }
    let code = loop {
        if let Err(code) = socket.next() {
            break code;
        }
    };
    assert_eq!(code, 1008);
}

#[test]
fn a_subscription_resumes_where_it_ended() {
    let dir = tempfile::tempdir().expect("a folder");
    let epoch = {
        let server = Server::start(dir.path(), |setup| setup.engine.slots = 0);
        let mut socket = server.socket("/ws");
        let epoch = socket.next_of("subscribed")["epoch"].clone();
        for _ in 0..3 {
            server.client().post("/orders", r#"{"amount":5,"items":["a"],"customer":"x","address":"y"}"#);
        }
        epoch
    };
    let server = Server::start(dir.path(), |setup| setup.engine.slots = 0);
    let mut socket = server.socket("/ws?channels=");
    let since = json!({"orders": {"epoch": epoch, "offset": 1}});
    socket.send(&json!({"type": "subscribe", "channels": ["orders"], "since": since}).to_string());
    let subscribed = socket.next_of("subscribed");
    assert_eq!((&subscribed["recovered"], &subscribed["offset"]), (&json!(true), &json!(1)));
    socket.send(ORDER);
    let offsets: Vec<_> = (0..3).map(|_| socket.next_of("order")["offset"].clone()).collect();
    assert_eq!(offsets, [2, 3, 4]);
    socket.send(r#"{"type":"subscribe","channels":["orders"],"since":{"orders":{"epoch":"other","offset":1}}}"#);
    let lost = socket.next_of("subscribed");
    assert_eq!((&lost["recovered"], &lost["offset"], &lost["floor"]), (&json!(false), &json!(4), &json!(0)));
    socket.send(r#"{"type":"unsubscribe","channels":["orders"]}"#);
    assert_eq!(socket.next_of("unsubscribed")["channel"], "orders");
}

#[test]
fn connections_are_limited_counted_and_closed_with_1001() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut server = Server::start(dir.path(), |setup| setup.hub.max_connections = 2);
    let mut sockets = [server.socket("/ws"), server.socket("/ws")];
    sockets.iter_mut().for_each(|socket| drop(socket.next_of("subscribed")));
    let refused = Socket::open(server.address, "/ws").err().expect("the third is refused");
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after"), "{refused}");
    let stats = server.client().get("/ws/stats").json();
    let figures = (&stats["active"], &stats["peak"], &stats["accepted"], &stats["refused"], &stats["limit"]);
    assert_eq!(figures, (&json!(2), &json!(2), &json!(2), &json!(1), &json!(2)));
    let foreign = Socket::open_with(server.address, "/ws", "Origin: https://evil.example\r\n").err();
    assert!(foreign.is_some_and(|head| head.starts_with("HTTP/1.1 403")));
    let reader = std::thread::spawn(move || {
        sockets.map(|mut socket| {
            loop {
                if let Err(code) = socket.next() {
                    break code;
                }
            }
        })
    });
    server.stop();
    assert_eq!(reader.join().expect("no panic"), [1001, 1001]);
}

#[test]
fn events_stream_and_resume_by_their_id() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |setup| setup.engine.slots = 0);
    let body = r#"{"amount":5,"items":["a"],"customer":"x","address":"y"}"#;
    let mut stream = server.client();
    stream.send("GET", "/events?channels=orders,products", &[], b"");
    stream.read_until("event: subscribed");
    server.client().post("/orders", body);
    let text = stream.read_until("\"offset\":1}");
    let id = text.lines().rev().find_map(|line| line.strip_prefix("id: ")).expect("an id").to_owned();
    drop(stream);
    server.client().post("/orders", body);
    server.client().post("/products", r#"{"sku":"tea","price":1}"#);
    let mut resumed = server.client();
    resumed.send("GET", "/events?channels=orders,products", &[&format!("Last-Event-ID: {id}")], b"");
    let text = resumed.read_until("\"market_data\"");
    let text = if text.contains("\"offset\":2}") { text } else { text + &resumed.read_until("\"offset\":2}") };
    assert!(text.contains("\"recovered\":true"), "{text}");
    let told = |line: &str| line.starts_with("data: ") && line.contains("\"type\":\"order\"");
    assert_eq!(text.lines().filter(|line| told(line)).count(), 1, "only what was missed: {text}");
    let bad = server.client().request("GET", "/events", &["Last-Event-ID: nonsense"], b"");
    assert_eq!(bad.status, 400);
}

#[test]
fn orders_under_way_at_a_stop_are_acknowledged_before_the_socket_closes() {
    const ORDERS: usize = 50;
    let dir = tempfile::tempdir().expect("a folder");
    let mut server = Server::start(dir.path(), |setup| setup.engine.slots = 0);
    let mut socket = server.socket("/ws?channels=");
    socket.next_of("products");
    for _ in 0..ORDERS {
        socket.send(ORDER);
    }
    // The first answer shows that the server has begun to read them.
    socket.next_of("order_ack");
    let reader = std::thread::spawn(move || {
        let (mut acknowledged, mut refused) = (1, 0);
        loop {
            match socket.next() {
                Ok(message) if message["type"] == "order_ack" => acknowledged += 1,
                Ok(message) => refused += usize::from(message["code"] == "unavailable"),
                Err(code) => return (acknowledged, refused, code),
            }
        }
    });
    server.stop();
    let (acknowledged, refused, code) = reader.join().expect("no panic");
    assert_eq!(code, 1001);
    assert!(acknowledged + refused <= ORDERS);
    let (_writer, reader) =
        ordercast_store_sqlite::open(&ordercast_store_sqlite::SqliteOptions::new(dir.path())).expect("a store");
    let stored = ordercast_store::conformance::wait(ordercast_store::read::ReadStore::start_state(&reader));
    assert_eq!(stored.expect("readable").ready, acknowledged as u64, "what is stored was acknowledged");
}

#[test]
fn a_large_catalogue_greets_like_a_small_one() {
    const PRODUCTS: usize = 5_000;
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |_| {});
    let mut client = server.client();
    for part in 0..PRODUCTS / 1_000 {
        let product = |n: usize| json!({"sku": format!("P{:05}", part * 1_000 + n), "name": "x".repeat(60), "price": 1.5, "stock": 9});
        let products: Vec<_> = (0..1_000).map(product).collect();
        assert_eq!(client.post("/products", &json!(products).to_string()).json()["changed"], 1_000);
    }
    let mut socket = server.socket("/ws");
    let mut skus = std::collections::BTreeSet::new();
    let mut frames = 0;
    loop {
        let frame = socket.next_of("products");
        frames += 1;
        let products = frame["products"].as_array().expect("products");
        assert!(products.iter().all(|product| skus.insert(product["sku"].to_string())), "none comes twice");
        assert!(frame.to_string().len() < 128 * 1024, "a frame has a bound");
        if frame.get("continues").is_none() {
            break;
        }
    }
    assert_eq!(skus.len(), PRODUCTS);
    assert!(frames > 5, "{frames} frames");
    let mut snapshot = server.socket("/ws?channels=");
    snapshot.send(r#"{"type":"subscribe","channels":["products"],"snapshot":true}"#);
    let mut told = 0;
    loop {
        let frame = snapshot.next_of("snapshot");
        told += frame["products"].as_array().map_or(0, Vec::len);
        if frame.get("continues").is_none() {
            break;
        }
    }
    assert_eq!(told, PRODUCTS);
    assert_eq!(snapshot.next_of("subscribed")["recovered"], true);
    for _ in 0..700 {
        socket.send(ORDER);
    }
    (0..700).for_each(|_| drop(socket.next_of("order_ack")));
}
