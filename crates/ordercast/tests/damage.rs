//! A byte of an event has changed on the disk: its readers get what is before it, are told of the gap, and go on.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::path::Path;
use std::time::Duration;

use ordercast_loadgen::http::Http;
use ordercast_loadgen::server::Server;
use ordercast_loadgen::socket::{Message, Socket};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);
/// The order whose first event is damaged; those before it have an event each.
const DAMAGED: &str = "order-09";

fn start(dir: &Path) -> Server {
    Server::start(Path::new(env!("CARGO_BIN_EXE_ordercast")), dir, &["--workers", "0"], &[]).unwrap()
}

fn place(server: &Server, id: &str) {
    let order = json!({"id": id, "items": ["a"], "amount": 5, "customer": "x", "address": "1 Road"});
    let mut http = Http::connect(server.address).unwrap();
    assert_eq!(http.ask("POST", "/orders", "", &order.to_string()).unwrap().status, 201);
}

/// Changes a byte of the event wherever it lies in the file.
fn damage(dir: &Path) {
    let path = dir.join("ordercast.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let (needle, mut found) = (format!("\"type\":\"order\",\"v\":1,\"order_id\":\"{DAMAGED}\"").into_bytes(), 0);
    for at in 0..bytes.len() - needle.len() {
        if bytes[at..].starts_with(&needle) {
            bytes[at + 8] = b'#';
            found += 1;
        }
    }
    assert!(found > 0, "the event lies in the file as it was told");
    std::fs::write(&path, bytes).unwrap();
}

fn next(socket: &mut Socket, kind: &str) -> Value {
    loop {
        let Message::Text(text) = socket.receive().unwrap() else { panic!("closed before {kind:?}") };
        let frame: Value = serde_json::from_slice(text.as_ref()).unwrap();
        if frame["type"] == kind {
            return frame;
        }
    }
}

#[test]
fn a_damaged_event_is_a_gap_that_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    (0..20).for_each(|number| place(&server, &format!("order-{number:02}")));
    assert!(server.terminate().unwrap().status.success());
    damage(dir.path());
    let server = start(dir.path());
    let list: Value = Http::connect(server.address).unwrap().get("/orders?limit=1").unwrap();
    let epoch = list["as_of"]["orders"]["epoch"].as_str().unwrap().to_owned();
    let ready = || Http::connect(server.address).unwrap().ask("GET", "/readyz", "", "").unwrap();
    assert_eq!(ready().status, 200, "nobody has met it yet");

    let mut socket = Socket::connect(server.address, "/ws?channels=products", PATIENCE).unwrap();
    let since = json!({"orders": {"epoch": epoch, "offset": 0}});
    socket.send(&json!({"type": "subscribe", "channels": ["orders"], "since": since}).to_string()).unwrap();
    for offset in 1..=9 {
        assert_eq!(next(&mut socket, "order")["offset"], offset, "what is before it is delivered");
    }
    let told = next(&mut socket, "subscribed");
    assert_eq!((&told["channel"], &told["recovered"]), (&json!("orders"), &json!(false)), "{told}");
    place(&server, "late");
    assert_eq!(next(&mut socket, "order")["order_id"], "late", "and then it goes on");
    let answer = ready();
    assert_eq!(answer.status, 503, "{}", String::from_utf8_lossy(&answer.body));
    let ended = server.terminate().unwrap();
    assert!(ended.errors.contains("event 10 of orders is damaged"), "{}", ended.errors);
}
