//! Snapshot and tail, history, presence and policies over the plain JSON protocol.

mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use support::{Server, Socket};

const ORDER: &str = r#"{"amount":5,"items":["a"],"customer":"x","address":"y"}"#;

fn place(server: &Server) -> String {
    let answer = server.client().post("/orders", ORDER);
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["id"].as_str().expect("an id").to_owned()
}

fn quiet(server: &Server) -> Socket {
    let mut socket = server.socket("/ws?channels=");
    socket.next_of("products");
    socket
}

/// What a client knows: the version and status of each order.
type Known = BTreeMap<String, (u64, String)>;

fn learn(known: &mut Known, id: &Value, order: &Value) {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let version = order["version"].as_u64().expect("a version");
    let entry = known.entry(text(id)).or_default();
    if version > entry.0 {
        *entry = (version, text(&order["status"]));
    }
}

/// Orders are placed and worked off while clients ask for snapshot and tail: each ends knowing what the store knows,
/// and sees every offset after its snapshot once.
#[test]
fn a_snapshot_and_its_tail_have_no_seam() {
    const ORDERS: usize = 300;
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |_| {});
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (0..ORDERS).for_each(|_| drop(place(&server)));
            is_done.store(true, Ordering::Release);
        });
        let mut rounds = 0;
        while !is_done.load(Ordering::Acquire) || rounds < 3 {
            rounds += 1;
            let mut socket = quiet(&server);
            socket.send(r#"{"type":"subscribe","channels":["orders"],"snapshot":true}"#);
            let snapshot = socket.next_of("snapshot");
            let mut known = Known::new();
            for order in snapshot["orders"].as_array().expect("orders") {
                learn(&mut known, &order["id"], order);
            }
            let subscribed = socket.next_of("subscribed");
            assert_eq!((&subscribed["offset"], &subscribed["recovered"]), (&snapshot["offset"], &json!(true)));
            let mut offset = snapshot["offset"].as_u64().expect("an offset");
            let head = server.client().get("/orders?limit=1").json()["as_of"]["orders"]["offset"].as_u64();
            while Some(offset) < head {
                let event = socket.next().expect("an event");
                offset += 1;
                assert_eq!(event["offset"], json!(offset), "{event}");
                learn(&mut known, &event["order_id"], &json!({"version": event["version"], "status": event["status"]}));
            }
            for order in server.client().get("/orders?limit=500").json()["orders"].as_array().expect("orders") {
                let id = order["id"].as_str().expect("an id");
                // Those that moved after the head was asked for are known in an older version.
                let version = order["version"].as_u64().expect("a version");
                match known.get(id) {
                    Some((own, status)) if *own == version => assert_eq!(order["status"], json!(status)),
                    Some((own, _)) => assert!(*own < version, "{id}: {own} of {version}"),
                    None => assert!(!is_done.load(Ordering::Acquire) || version >= 1),
                }
            }
        }
    });
}

#[test]
fn snapshots_show_views_and_products() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |setup| setup.engine.slots = 0);
    server.client().post("/products", r#"{"sku":"tea","name":"Tea","price":2.5,"stock":9}"#);
    let ids = [place(&server), place(&server)];
    let customer =
        server.client().get("/orders").json()["orders"][0]["customer_id"].as_str().expect("a customer").to_owned();
    let mut socket = quiet(&server);
    for (channel, list, count) in [
        ("orders".to_owned(), "orders", 2),
        (format!("orders:{customer}"), "orders", 2),
        (format!("order:{}", ids[0]), "orders", 1),
        ("products".to_owned(), "products", 1),
    ] {
        socket.send(&json!({"type": "subscribe", "channels": [channel], "snapshot": true}).to_string());
        let snapshot = socket.next_of("snapshot");
        assert_eq!((&snapshot["channel"], &snapshot["more"]), (&json!(channel), &json!(false)));
        assert_eq!(snapshot[list].as_array().map(Vec::len), Some(count), "{snapshot}");
        assert_eq!(socket.next_of("subscribed")["offset"], snapshot["offset"]);
    }
    for (channel, code) in [("stats", "invalid-query"), ("order:none", "not-found"), ("nowhere", "unknown-channel")] {
        socket.send(&json!({"type": "subscribe", "channels": [channel], "snapshot": true}).to_string());
        assert_eq!(socket.next_of("error")["code"], code, "{channel}");
    }
}

#[test]
fn history_goes_back_page_by_page() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |setup| setup.engine.slots = 0);
    let ids: Vec<_> = (0..7).map(|_| place(&server)).collect();
    let mut socket = quiet(&server);
    let (mut seen, mut before) = (Vec::new(), Value::Null);
    loop {
        socket
            .send(&json!({"type": "history", "ref": 9, "channel": "orders", "limit": 3, "before": before}).to_string());
        let page = socket.next_of("history");
        assert_eq!((&page["ref"], &page["offset"], &page["floor"]), (&json!(9), &json!(7), &json!(0)));
        seen.extend(page["events"].as_array().expect("events").iter().map(|event| event["order_id"].clone()));
        before = page["next"].clone();
        if before.is_null() {
            break;
        }
    }
    let newest_first: Vec<_> = ids.iter().rev().map(|id| json!(id)).collect();
    assert_eq!(seen, newest_first);
    socket.send(&json!({"type": "history", "channel": format!("order:{}", ids[2])}).to_string());
    assert_eq!(socket.next_of("history")["events"].as_array().map(Vec::len), Some(1));
    socket.send(r#"{"type":"presence","channel":"orders","ref":"p"}"#);
    let presence = socket.next_of("presence");
    assert_eq!((&presence["clients"], &presence["members"], &presence["ref"]), (&json!(0), &json!([]), &json!("p")));
}

#[test]
fn a_server_that_stops_says_when_to_come_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut server = Server::start(dir.path(), |_| {});
    let mut socket = server.socket("/ws");
    socket.next_of("subscribed");
    let stopping = std::thread::spawn(move || server.stop());
    let after_ms = socket.next_of("reconnect")["after_ms"].as_u64().expect("a number");
    assert!(after_ms < 5_000);
    assert_eq!(socket.next(), Err(1001));
    drop(socket);
    stopping.join().expect("it stops");
}
