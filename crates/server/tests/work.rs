//! Workers outside the process: leases, tokens, outcomes, and what becomes of the orders of those who are gone.

mod support;

use std::time::{Duration, Instant};

use ordercast_domain::rules::Concurrency;
use ordercast_store_sqlite::verify::verify;
use serde_json::{Value, json};
use support::{Answer, Client, PATIENCE, Server};

fn place(client: &mut Client, id: &str) {
    let order = json!({"id": id, "items": ["a"], "amount": 5, "customer": "x", "address": "1 Road"});
    assert_eq!(client.post("/orders", &order.to_string()).status, 201);
}

fn post(client: &mut Client, path: &str, body: Value) -> Answer {
    client.post(path, &body.to_string())
}

fn claim(client: &mut Client, capacity: u32, wait_s: u32) -> Value {
    let claimed = post(client, "/work/claim", json!({"worker": "kitchen", "capacity": capacity, "wait_s": wait_s}));
    assert_eq!(claimed.status, 200, "{}", claimed.text());
    claimed.json()
}

fn kind(answer: &Answer) -> (u16, String) {
    let kind = answer.json()["type"].as_str().unwrap_or_default().trim_start_matches("/docs/errors/").to_owned();
    (answer.status, kind)
}

fn no_pool(setup: &mut support::Setup) {
    setup.engine.slots = 0;
    setup.engine.rules.retries.base_ms = 0;
    setup.engine.rules.retries.max_attempts = 2;
}

#[test]
fn a_worker_claims_and_tells_how_it_ended() {
    let dir = tempfile::tempdir().expect("a folder");
    {
        let server = Server::start(dir.path(), no_pool);
        let mut client = server.client();
        for id in ["done", "late", "again", "bad", "odd", "back"] {
            place(&mut client, id);
        }
        let claimed = claim(&mut client, 10, 0);
        let orders = claimed["orders"].as_array().expect("orders");
        assert_eq!((orders.len(), &orders[0]["order"]["address"]), (6, &json!("1 Road")), "{claimed}");
        let token = orders[0]["token"].clone();
        let lease = claimed["lease"].as_str().expect("a lease");
        let held = post(&mut client, &format!("/work/{lease}/heartbeat"), json!({})).json();
        assert_eq!(held["orders"].as_array().map(Vec::len), Some(6), "{held}");
        let failed = |outcome: &str| json!({"lease": lease, "token": 1, "outcome": outcome, "reason": "no oven"});
        let by = |lease: &str, token: Value| json!({"lease": lease, "token": token});
        for (path, body, status, expected) in [
            ("done/complete", by(lease, json!(2)), 409, "stale-token"),
            ("done/complete", by("another", token.clone()), 409, "stale-token"),
            ("done/complete", json!({"token": token}), 422, "invalid-action"),
            ("done/complete", json!({"lease": lease}), 422, "invalid-action"),
            ("done/fail", by(lease, json!(1)), 422, "invalid-action"),
            ("done/fail", failed("explode"), 422, "invalid-action"),
            ("done/explode", by(lease, json!(1)), 404, "not-found"),
            ("none/complete", by(lease, json!(1)), 404, "not-found"),
            ("done/complete", by(lease, token.clone()), 200, "completed"),
            ("done/complete", by(lease, token.clone()), 200, "completed"),
            ("done/complete", by("another", token.clone()), 409, "stale-token"),
            ("done/fail", failed("fail"), 409, "already-reported"),
            ("done/release", by(lease, token.clone()), 409, "already-reported"),
            ("late/fail", failed("fail"), 200, "failed"),
            ("late/fail", failed("fail"), 200, "failed"),
            ("late/fail", failed("retry"), 409, "already-reported"),
            ("again/fail", failed("retry"), 200, "retrying"),
            ("again/fail", failed("retry"), 200, "retrying"),
            ("bad/fail", failed("reject"), 200, "rejected"),
            ("bad/fail", failed("reject"), 200, "rejected"),
            ("odd/fail", failed("hold"), 200, "held"),
            ("odd/fail", failed("hold"), 200, "held"),
            ("back/release", by(lease, json!(1)), 200, "pending"),
            ("back/release", by(lease, json!(1)), 200, "pending"),
            ("back/complete", by(lease, json!(1)), 409, "already-reported"),
        ] {
            let answer = post(&mut client, &format!("/work/{path}"), body);
            let told = if status == 200 { answer.json()["status"].clone() } else { json!(kind(&answer).1) };
            assert_eq!((answer.status, told), (status, json!(expected)), "{path} {}", answer.text());
        }
        assert_eq!(client.get("/orders/late").json()["last_error"], "no oven");
        let mut seen = Vec::new();
        while seen.len() < 2 {
            let claimed = claim(&mut client, 10, 5);
            let orders = claimed["orders"].as_array().expect("orders").clone();
            seen.extend(orders.iter().map(|claim| (claim["order"]["id"].clone(), claim["order"]["attempts"].clone())));
        }
        // Somebody has them again: what was reported of the claim before still gets the same answer, and changes nothing.
        for (id, verb, body) in [("again", "fail", failed("retry")), ("back", "release", by(lease, json!(1)))] {
            let version = client.get(&format!("/orders/{id}")).json()["version"].clone();
            let answer = post(&mut client, &format!("/work/{id}/{verb}"), body);
            assert_eq!((answer.status, &answer.json()["version"]), (200, &version), "{id} {}", answer.text());
        }
        seen.sort_by_key(|(id, _)| id.to_string());
        assert_eq!(seen, [(json!("again"), json!(2)), (json!("back"), json!(1))], "only what failed was charged");
        assert_eq!(kind(&post(&mut client, "/work/none/heartbeat", json!({}))), (409, "lease-ended".to_owned()));
    }
    let report = verify(dir.path(), |_| {}).expect("readable");
    assert!(report.is_clean(), "{report}");
}

#[test]
fn a_claim_waits_for_an_order_and_no_longer_than_asked() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), no_pool);
    let begun = Instant::now();
    let nothing = claim(&mut server.client(), 1, 1);
    assert_eq!((&nothing["lease"], nothing["orders"].as_array().map(Vec::len)), (&Value::Null, Some(0)));
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let (mut waiting, mut client) = (server.client(), server.client());
    let body = json!({"worker": "kitchen", "wait_s": 30}).to_string();
    waiting.send("POST", "/work/claim", &["Content-Type: application/json"], body.as_bytes());
    place(&mut client, "o1");
    let begun = Instant::now();
    let claimed = waiting.answer().json();
    assert_eq!(claimed["orders"][0]["order"]["id"], "o1");
    assert!(begun.elapsed() < Duration::from_secs(5), "it is woken");
}

/// A worker that is killed never renews; its order is claimed by another, and what it says later changes nothing. Leases
/// outlive the server.
#[test]
fn the_orders_of_a_worker_that_is_gone_are_in_work_again_within_ten_seconds() {
    let dir = tempfile::tempdir().expect("a folder");
    let (begun, first);
    {
        let server = Server::start(dir.path(), no_pool);
        let mut client = server.client();
        place(&mut client, "o1");
        begun = Instant::now();
        first = claim(&mut client, 1, 0);
        assert_eq!(first["orders"][0]["token"], 1);
    }
    let server = Server::start(dir.path(), no_pool);
    let mut client = server.client();
    assert_eq!(client.get("/orders/o1").json()["status"], "processing", "its lease still holds");
    let claimed = claim(&mut client, 1, 30);
    let rescued = begun.elapsed();
    assert_eq!((&claimed["orders"][0]["order"]["id"], &claimed["orders"][0]["token"]), (&json!("o1"), &json!(3)));
    assert!(rescued < Duration::from_secs(10), "in work again after {rescued:?}");
    println!("in work again after {rescued:?}");
    let late = post(&mut client, "/work/o1/complete", json!({"lease": first["lease"], "token": 1}));
    assert_eq!(kind(&late), (409, "stale-token".to_owned()));
    let lease = claimed["lease"].as_str().expect("a lease");
    let deadline = begun + PATIENCE;
    while begun.elapsed() < rescued + Duration::from_secs(7) {
        assert_eq!(post(&mut client, &format!("/work/{lease}/heartbeat"), json!({})).status, 200);
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(500));
    }
    let done = json!({"lease": lease, "token": 3});
    assert_eq!(post(&mut client, "/work/o1/complete", done).json()["status"], "completed");
}

#[test]
fn failed_orders_are_counted_and_tried_again_by_filter() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), no_pool);
    let mut client = server.client();
    for at in 0..7 {
        place(&mut client, &format!("o{at}"));
    }
    let lease = claim(&mut client, 6, 0)["lease"].clone();
    for at in 0..6 {
        let reason = if at % 2 == 0 { "no oven" } else { "no flour left" };
        let failed = json!({"lease": lease, "token": 1, "outcome": "fail", "reason": reason});
        assert_eq!(post(&mut client, &format!("/work/o{at}/fail"), failed).status, 200);
    }
    let versions = |client: &mut support::Client| -> Vec<_> {
        (0..7).map(|at| client.get(&format!("/orders/o{at}")).json()["version"].clone()).collect()
    };
    let before = versions(&mut client);
    for (body, pointer) in [
        (json!({}), "/status"),
        (json!({"status": "completed", "reason": "x"}), "/status"),
        (json!({"status": "failed"}), "/reason"),
        (json!({"status": "failed", "limit": 0, "dry_run": true}), "/limit"),
        (json!({"status": "failed", "cursor": "x", "dry_run": true}), "/cursor"),
        (json!({"status": "failed", "reason": "x".repeat(501)}), "/reason"),
        (json!({"status": "failed", "reason": "x".repeat(501), "dry_run": true}), "/reason"),
        (json!({"status": "failed", "error": "no such error", "reason": "x".repeat(501)}), "/reason"),
    ] {
        assert_eq!(post(&mut client, "/orders/retry", body.clone()).pointers(), [pointer], "{body}");
    }
    assert_eq!(kind(&post(&mut client, "/orders/retry", json!({"status": "failed", "cause": "x"}))).0, 422);
    let counted = |matched: u64, ids: Value, next: Value| json!({"dry_run": true, "matched": matched, "retried": 0, "moved_on": 0, "ids": ids, "next": next});
    for (filter, expected) in [
        (json!({"error": "oven"}), counted(3, json!(["o4", "o2", "o0"]), Value::Null)),
        (json!({"error": "oven", "limit": 2}), counted(2, json!(["o4", "o2"]), json!("3"))),
        (json!({"error": "oven", "limit": 2, "cursor": "3"}), counted(1, json!(["o0"]), Value::Null)),
        (json!({"customer_id": "c_none"}), counted(0, json!([]), Value::Null)),
        (json!({"to": "2020-01-01T00:00:00Z"}), counted(0, json!([]), Value::Null)),
        (
            json!({"from": "2020-01-01T00:00:00Z", "limit": 6}),
            counted(6, json!(["o5", "o4", "o3", "o2", "o1", "o0"]), Value::Null),
        ),
    ] {
        let mut body = filter.clone();
        (body["status"], body["dry_run"]) = (json!("failed"), json!(true));
        assert_eq!(post(&mut client, "/orders/retry", body).json(), expected, "{filter}");
    }
    assert_eq!(versions(&mut client), before, "counting changes nothing");
    let longest = json!({"status": "failed", "error": "flour", "limit": 1, "reason": "x".repeat(500)});
    assert_eq!(post(&mut client, "/orders/retry", longest).json()["retried"], 1);
    let body = json!({"status": "failed", "error": "oven", "reason": "a new oven"});
    let retried = post(&mut client, "/orders/retry", body.clone()).json();
    assert_eq!((&retried["matched"], &retried["retried"], &retried["moved_on"]), (&json!(3), &json!(3), &json!(0)));
    assert_eq!(post(&mut client, "/orders/retry", body).json()["matched"], 0, "they are no longer failed");
    let order = client.get("/orders/o2").json();
    assert_eq!((&order["status"], &order["attempts"], &order["version"]), (&json!("pending"), &json!(0), &json!(4)));
    let events = client.get("/orders/o2/events").json();
    let last = events["events"].as_array().and_then(|events| events.last()).expect("events").clone();
    assert_eq!((&last["reason"], &last["action"]), (&json!("a new oven"), &json!("retry")));
    assert_eq!(client.get("/orders/o1").json()["status"], "failed", "it has another error");
}

#[test]
fn a_paused_queue_is_not_claimed_from_until_it_goes_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut server = Server::start(dir.path(), no_pool);
    let mut client = server.client();
    for (path, body, status) in [
        ("/queues/slow/pause", "{}", 404),
        ("/queues/all/stop", "{}", 404),
        ("/queues/all/pause", r#"{"cause":"x"}"#, 422),
        ("/queues/all/resume", "", 200),
    ] {
        assert_eq!(client.post(path, body).status, status, "{path} {body}");
    }
    let long = json!({"reason": "x".repeat(501)}).to_string();
    for verb in ["pause", "resume"] {
        assert_eq!(client.post(&format!("/queues/all/{verb}"), &long).pointers(), ["/reason"]);
    }
    place(&mut client, "o1");
    let customer_id = client.get("/orders/o1").json()["customer_id"].as_str().expect("an id").to_owned();
    for path in ["/queues/processing/pause".to_owned(), format!("/customers/{customer_id}/pause")] {
        let paused = post(&mut client, &path, json!({"reason": "stocktaking"})).json();
        assert_eq!((&paused["paused"], &paused["changed"]), (&json!(true), &json!(true)), "{paused}");
        assert_eq!(post(&mut client, &path, json!({})).json()["changed"], false, "it is already");
    }
    assert_eq!(claim(&mut client, 1, 0)["orders"], json!([]));
    server.stop();
    let server = Server::start(dir.path(), no_pool);
    let mut client = server.client();
    let queues = client.get("/queues").json();
    let pause = &queues["pauses"][0];
    assert_eq!((&queues["ready"], &pause["queue"], &pause["parked"]), (&json!(0), &json!("processing"), &json!(1)));
    assert_eq!((&pause["actor"], &pause["reason"]), (&json!("user:local"), &json!("stocktaking")), "{queues}");
    assert_eq!(queues["pauses"][1]["customer_id"], customer_id.as_str());
    assert_eq!(post(&mut client, "/queues/processing/resume", json!({})).json()["changed"], true);
    assert_eq!(claim(&mut client, 1, 1)["orders"], json!([]), "its customer is paused still");
    assert_eq!(post(&mut client, &format!("/customers/{customer_id}/resume"), json!({})).status, 200);
    assert_eq!(claim(&mut client, 1, 30)["orders"][0]["order"]["id"], "o1");
}

#[test]
fn a_customer_has_no_more_in_work_than_is_allowed() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), |setup| {
        no_pool(setup);
        setup.engine.rules.concurrency = Concurrency { max_active: Some(9), max_active_per_customer: Some(1) };
    });
    let mut client = server.client();
    place(&mut client, "o1");
    place(&mut client, "o2");
    let claimed = claim(&mut client, 5, 0);
    assert_eq!(claimed["orders"].as_array().map(Vec::len), Some(1), "{claimed}");
    assert_eq!(claim(&mut client, 5, 0)["orders"], json!([]), "its customer has one in work");
    let queues = client.get("/queues").json();
    let limits = json!({"max_active": 9, "max_active_per_customer": 1, "parked": 1});
    assert_eq!((&queues["limits"], &queues["ready"], &queues["active"]), (&limits, &json!(0), &json!(1)), "{queues}");
    let token = claimed["orders"][0]["token"].clone();
    assert_eq!(post(&mut client, "/work/o1/complete", json!({"lease": claimed["lease"], "token": token})).status, 200);
    assert_eq!(claim(&mut client, 5, 30)["orders"][0]["order"]["id"], "o2");
}
