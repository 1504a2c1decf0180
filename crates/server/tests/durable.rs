//! Durable application channels: what was acknowledged is there after a restart.

mod support;

use std::path::Path;

use ordercast_access::Audience;
use ordercast_server::access::Access;
use ordercast_server::access::secret::Secret;
use ordercast_server::channels::{Channels, Namespace};
use serde_json::{Value, json};
use support::{Server, Socket};

fn start(dir: &Path) -> Server {
    let ledger = Namespace {
        name: "ledger".to_owned(),
        durable: true,
        force_recovery: true,
        allow_publish: Audience::Anyone,
        ..Namespace::default()
    };
    Server::start(dir, |setup| {
        setup.server.channels = Channels::new([ledger]).expect("a good namespace");
        setup.server.access = Access { api_key: Some(Secret::new("sesame")), ..Access::default() };
    })
}

fn call(server: &Server, method: &str, body: &Value) -> Value {
    let headers = ["X-API-Key: sesame", "Content-Type: application/json"];
    let answer = server.client().request("POST", &format!("/api/{method}"), &headers, body.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{method} {body}: {}", answer.text());
    answer.json()
}

fn subscribe(server: &Server, since: &Value) -> (Socket, Value) {
    let mut socket = server.socket("/ws?channels=");
    socket.next_of("products");
    let since = if since.is_null() { json!({}) } else { json!({"ledger:a": since}) };
    socket.send(&json!({"type": "subscribe", "channels": ["ledger:a"], "since": since}).to_string());
    let subscribed = socket.next_of("subscribed");
    (socket, subscribed)
}

fn numbers(socket: &mut Socket, count: usize) -> Vec<(Value, Value)> {
    let publications = (0..count).map(|_| socket.next_of("publication"));
    publications.map(|publication| (publication["data"]["n"].clone(), publication["channel"].clone())).collect()
}

#[test]
fn stored_publications_survive_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut server = start(dir.path());
    let (mut live, _) = subscribe(&server, &Value::Null);
    let mut epoch = Value::Null;
    for n in 1..=5 {
        for channel in ["ledger:a", "ledger:b"] {
            let answer = call(&server, "publish", &json!({"channel": channel, "data": {"n": n}}));
            epoch = answer["result"]["epoch"].clone();
            assert!(answer["result"]["offset"].as_u64() >= Some(n), "{answer}");
        }
    }
    let expected: Vec<_> = (1..=5).map(|n| (json!(n), json!("ledger:a"))).collect();
    assert_eq!(numbers(&mut live, 5), expected);
    server.stop();
    let server = start(dir.path());
    let (mut late, subscribed) = subscribe(&server, &json!({"epoch": epoch, "offset": 0}));
    assert_eq!(subscribed["recovered"], true, "{subscribed}");
    assert_eq!(numbers(&mut late, 5), expected);
    let responses = call(&server, "broadcast", &json!({"channels": ["ledger:a", "ledger:b"], "data": {"n": 6}}));
    assert_eq!(responses["result"]["responses"][1]["result"]["offset"], 12, "{responses}");
    assert_eq!(numbers(&mut late, 1), [(json!(6), json!("ledger:a"))]);
    let history = call(&server, "history", &json!({"channel": "ledger:b", "limit": 2, "reverse": true}));
    let publications = history["result"]["publications"].as_array().expect("publications");
    assert_eq!(publications.iter().map(|one| &one["data"]["n"]).collect::<Vec<_>>(), [6, 5]);
    late.send(r#"{"type":"history","channel":"ledger:a","limit":4}"#);
    let page = late.next_of("history");
    assert_eq!(page["events"].as_array().map(Vec::len), Some(4), "{page}");
    assert_eq!(page["events"][3]["data"]["n"], 3);
}

#[test]
fn what_stores_cannot_promise_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path());
    let body = json!({"channel": "ledger:a", "data": 1, "idempotency_key": "k"});
    assert_eq!(call(&server, "publish", &body)["error"]["code"], 108);
    for namespace in [
        Namespace { durable: true, history_size: 1, ..Namespace::default() },
        Namespace { durable: true, delta: true, ..Namespace::default() },
    ] {
        let refused = Channels::new([namespace]).expect_err("a contradiction").to_string();
        assert!(refused.contains("durable"), "{refused}");
    }
}

/// However long a channel is, its end is found: SDKs ask for the last publications first.
#[test]
fn long_channels_are_read_backwards() {
    const COUNT: usize = 2_500;
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path());
    for _ in 0..COUNT / 500 {
        call(&server, "publish", &json!({"channel": "ledger:other", "data": 1}));
        let answer = call(&server, "broadcast", &json!({"channels": vec!["ledger:long"; 500], "data": 1}));
        assert_eq!(answer["result"]["responses"].as_array().map(Vec::len), Some(500));
    }
    let (mut since, mut offsets) = (Value::Null, Vec::new());
    loop {
        let asked = json!({"channel": "ledger:long", "limit": 200, "reverse": true, "since": since});
        let history = call(&server, "history", &asked);
        let page = history["result"]["publications"].as_array().unwrap_or_else(|| panic!("{history}"));
        offsets.extend(page.iter().map(|one| one["offset"].as_u64().expect("an offset")));
        if page.len() < 200 {
            break;
        }
        since = json!({"offset": offsets.last(), "epoch": history["result"]["epoch"]});
    }
    assert_eq!(offsets.len(), COUNT);
    assert!(offsets.is_sorted_by(|newer, older| newer > older), "the newest first");
    assert_eq!((offsets[0], offsets[COUNT - 1]), (COUNT as u64 + 5, 2), "those of the other channel are not of it");
}
