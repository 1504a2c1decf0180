//! The real server frozen, stopped and with its clock set: what was held stays held, and what is due comes.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

#[path = "support/clock.rs"]
mod clock;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use clock::MovingClock;
use ordercast_loadgen::http::Http;
use ordercast_loadgen::server::Server;
use serde_json::{Value, json};

/// Longer than a lease.
const LONG: Duration = Duration::from_millis(7_500);
/// A dead worker's orders are in work again within this time.
const RESCUE: Duration = Duration::from_secs(10);
const HOUR_S: i64 = 3_600;

fn start(dir: &Path, env: &[(&str, &str)]) -> Server {
    Server::start(Path::new(env!("CARGO_BIN_EXE_ordercast")), dir, &["--workers", "0"], env).unwrap()
}

fn ask(server: &Server, path: &str, body: Value) -> (u16, Value) {
    let mut http = Http::connect(server.address).unwrap();
    let answer = http.ask("POST", path, "", &body.to_string()).unwrap();
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

fn place(server: &Server, id: &str, run_at: Option<String>) -> String {
    let mut order = json!({"id": id, "items": ["a"], "amount": 5, "customer": "x", "address": "1 Road"});
    if let Some(run_at) = run_at {
        order["run_at"] = json!(run_at);
    }
    let (status, order) = ask(server, "/orders", order);
    assert_eq!(status, 201, "{order}");
    order["created_at"].as_str().unwrap().to_owned()
}

fn look(server: &Server, id: &str) -> Value {
    Http::connect(server.address).unwrap().get(&format!("/orders/{id}")).unwrap()
}

/// Claims one order; gives its id, and what proves that it is ours.
fn claim(server: &Server, wait_s: u32) -> (String, Value) {
    let (status, claimed) = ask(server, "/work/claim", json!({"worker": "k", "wait_s": wait_s}));
    assert_eq!(status, 200, "{claimed}");
    let order = &claimed["orders"][0];
    let id = order["order"]["id"].as_str().unwrap_or_default().to_owned();
    (id, json!({"lease": claimed["lease"], "token": order["token"]}))
}

fn beats(server: &Server, claim: &Value) -> u16 {
    ask(server, &format!("/work/{}/heartbeat", claim["lease"].as_str().unwrap()), json!({})).0
}

fn assert_still_held(server: &Server, id: &str, claim: &Value) {
    assert_eq!(beats(server, claim), 200, "the lease holds");
    let (status, order) = ask(server, &format!("/work/{id}/complete"), claim.clone());
    assert_eq!((status, &order["status"], &order["attempts"]), (200, &json!("completed"), &json!(1)), "{order}");
}

fn signal(server: &Server, name: &str) {
    let pid = server.process().pid.to_string();
    assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
}

#[test]
fn a_frozen_server_ends_no_lease_and_charges_no_attempt() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), &[]);
    place(&server, "o1", None);
    let (id, held) = claim(&server, 5);
    signal(&server, "-STOP");
    std::thread::sleep(LONG);
    signal(&server, "-CONT");
    // Its worker takes a moment to notice.
    std::thread::sleep(Duration::from_secs(1));
    assert_still_held(&server, &id, &held);
}

#[test]
fn a_server_that_was_down_gives_each_lease_its_whole_length() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), &[]);
    place(&server, "o1", None);
    let (id, held) = claim(&server, 5);
    server.kill().unwrap();
    std::thread::sleep(LONG);
    let server = start(dir.path(), &[]);
    std::thread::sleep(Duration::from_secs(4));
    assert_still_held(&server, &id, &held);
}

/// What is due by the wall clock comes, waits and leases do not end, and no time runs backwards.
#[test]
fn a_clock_that_is_set_ends_nothing_and_strands_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let clock = MovingClock::new(dir.path());
    let server = start(&dir.path().join("data"), &clock.env());
    place(&server, "waits", None);
    let (id, held) = claim(&server, 5);
    let failed = json!({"lease": held["lease"], "token": held["token"], "reason": "busy", "retry_after_s": HOUR_S});
    assert_eq!(ask(&server, &format!("/work/{id}/fail"), failed).0, 200);
    let first = place(&server, "held", None);
    let (id, held) = claim(&server, 5);
    let in_an_hour = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(HOUR_S);
    place(&server, "scheduled", Some(in_an_hour.to_string()));

    clock.set_s(2 * HOUR_S);
    let started = Instant::now();
    while look(&server, "scheduled")["status"] != "pending" {
        assert!(started.elapsed() < RESCUE, "its time has come");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(look(&server, "waits")["status"], "retrying", "a wait goes by steady time");
    let second = place(&server, "forward", None);
    clock.set_s(-HOUR_S);
    std::thread::sleep(Duration::from_millis(1_500));
    let third = place(&server, "back", None);
    assert!(first < second && second <= third, "{first} {second} {third}");
    assert_still_held(&server, &id, &held);

    // A worker that dies now has its order taken from it in time, whatever the clock says.
    let (id, lost) = claim(&server, 5);
    let started = Instant::now();
    clock.set_s(-2 * HOUR_S);
    let mut seen = Vec::new();
    while !seen.contains(&id) {
        assert!(started.elapsed() < RESCUE, "{id} is in work again within {RESCUE:?}; seen were {seen:?}");
        seen.push(claim(&server, 1).0);
    }
    assert_eq!(ask(&server, &format!("/work/{id}/complete"), lost).0, 409, "it is fenced");
    let ended = server.terminate().unwrap();
    assert!(ended.errors.contains("the wall clock was set"), "{}", ended.errors);
}
