//! What a client can make the server hold over HTTP.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use support::Server;

const STALL: Duration = Duration::from_millis(400);

fn order(id: usize, notes: usize) -> String {
    let notes = "n".repeat(notes);
    format!(
        "{{\"id\":\"o{id}\",\"amount\":5,\"items\":[\"a\"],\"customer\":\"x\",\"address\":\"y\",\"notes\":\"{notes}\"}}\n"
    )
}

fn head(length: usize) -> String {
    format!(
        "POST /orders/bulk HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n"
    )
}

/// Everything until the server closes.
fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // A reset after the last byte is an end too: the server need not read what it does not want.
    let _ = stream.read_to_end(&mut text);
    String::from_utf8(text).expect("text")
}

/// The lines of a chunked answer: those that are whole JSON objects.
fn answers(text: &str) -> Vec<Value> {
    let lines = text.split(['\r', '\n']).filter(|line| line.starts_with('{'));
    lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn a_bulk_request_that_stands_still_ends_with_a_reason() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |setup| setup.server.handshake_timeout = STALL);
    for (sent, status) in [("", "408"), ("{\"id\":\"half", "408"), (&*order(1, 10), "200")] {
        let mut stream = TcpStream::connect(server.address).expect("a connection");
        stream.write_all(head(1_000_000).as_bytes()).expect("room");
        stream.write_all(sent.as_bytes()).expect("room");
        let text = rest(&mut stream);
        assert!(text.starts_with(&format!("HTTP/1.1 {status}")), "{text}");
        assert!(text.contains("request-timeout"), "{text}");
        if status == "200" {
            let answers = answers(&text);
            assert_eq!(
                (&answers[0]["status"], &answers[1]["status"]),
                (&Value::from(201), &Value::from(408)),
                "{text}"
            );
            assert_eq!(answers[1]["line"], 2);
        }
    }
}

/// A client that sends everything before it reads: more than the kernel keeps for it. It learns what was taken, and
/// what was not.
#[test]
fn who_sends_all_before_it_reads_learns_what_was_not_taken() {
    const LINES: usize = 12_000;
    const NOTES: usize = 1_500;
    // Longer than a busy machine takes to let the client read.
    const STALL: Duration = Duration::from_secs(2);
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |setup| {
        setup.server.handshake_timeout = STALL;
        setup.server.bulk_answer_bytes = 1024 * 1024;
        setup.engine.slots = 0;
    });
    let body: String = (0..LINES).map(|id| order(id, NOTES)).collect();
    let mut stream = TcpStream::connect(server.address).expect("a connection");
    stream.write_all(head(body.len()).as_bytes()).expect("room");
    stream.write_all(body.as_bytes()).expect("the server takes all, and throws away what it does not want");
    let text = rest(&mut stream);
    let answers = answers(&text);
    let taken = answers.iter().filter(|answer| answer["status"] == 201).count();
    let last = answers.last().expect("answers");
    let mut client = server.client();
    assert_eq!(last["status"], 408, "{last}");
    assert!((1..LINES).contains(&taken), "{taken} were taken");
    assert_eq!(last["line"], Value::from(taken as u64 + 1), "the first that was not taken is named");
    assert_eq!(client.get(&format!("/orders/o{}", taken - 1)).status, 200);
    assert_eq!(client.get(&format!("/orders/o{taken}")).status, 404);
}

/// Most programs send everything before they read. What the server keeps of the answers lets them, up to a size.
#[test]
fn who_sends_all_before_it_reads_is_served_while_there_is_room_for_the_answers() {
    const LINES: usize = 20_000;
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |setup| setup.engine.slots = 0);
    let body: String = (0..LINES).map(|id| order(id, 300)).collect();
    let mut stream = TcpStream::connect(server.address).expect("a connection");
    stream.write_all(head(body.len()).as_bytes()).expect("room");
    stream.write_all(body.as_bytes()).expect("room");
    let answers = answers(&rest(&mut stream));
    assert_eq!(answers.iter().filter(|answer| answer["status"] == 201).count(), LINES);
}

#[test]
fn waiting_claims_leave_room_for_orders_and_each_order_wakes_one() {
    const WAITING: usize = 200;
    const FIRST: usize = 20;
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |setup| {
        setup.engine.slots = 0;
        setup.engine.client_capacity = 50;
    });
    let body = r#"{"worker":"w","capacity":1,"wait_s":30}"#;
    let mut workers: Vec<_> = (0..WAITING).map(|_| server.client()).collect();
    let mut client = server.client();
    let waiting = |client: &mut support::Client| {
        let text = client.get("/metrics").text();
        let line = text.lines().find(|line| line.starts_with("work_claims_waiting ")).expect("the metric").to_owned();
        line.rsplit(' ').next().and_then(|number| number.parse::<usize>().ok()).expect("a number")
    };
    // Requests of several connections arrive in any order, so the first wait before the others come.
    for worker in &mut workers[..FIRST] {
        worker.send("POST", "/work/claim", &["Content-Type: application/json"], body.as_bytes());
    }
    while waiting(&mut client) < FIRST {}
    for worker in &mut workers[FIRST..] {
        worker.send("POST", "/work/claim", &["Content-Type: application/json"], body.as_bytes());
    }
    while waiting(&mut client) < WAITING {}
    let commits = |client: &mut support::Client| client.get("/stats").json()["commits"].as_u64().expect("a number");
    let before = commits(&mut client);
    for id in 0..FIRST {
        assert_eq!(client.post("/orders", &order(id, 1)).status, 201, "waiting claims take no place");
    }
    while waiting(&mut client) > WAITING - FIRST {}
    let spent = commits(&mut client) - before;
    assert!(spent <= 60, "{spent} commits for 20 orders and 20 claims");
    let claimed: Vec<_> = workers[..FIRST].iter_mut().map(|worker| worker.answer().json()).collect();
    assert!(
        claimed.iter().all(|claimed| claimed["orders"].as_array().is_some_and(|orders| orders.len() == 1)),
        "the first who came"
    );
}
