//! Subscribers come back and get what they missed, or are told that they cannot.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod rig;

use std::time::Duration;

use ordercast_hub::HubConfig;
use ordercast_protocol::channel::Log;
use ordercast_store::log::PageLimit;
use rig::{Frame, Rig, config};

#[test]
fn every_offset_can_be_resumed_from() {
    let page = PageLimit { events: 3, bytes: 10_000 };
    let rig = Rig::start(HubConfig { page, ..config() });
    rig.commit(20, 10);
    for since in 0..=20 {
        let mut client = rig.connect();
        let answer = client.subscribe(&format!("orders e1 {since}"));
        let expected =
            format!(r#"{{"type":"subscribed","channel":"orders","epoch":"e1","offset":{since},"recovered":true}}"#);
        assert_eq!(answer, expected);
        client.expect("orders", since + 1..=20 + since);
        rig.commit(1, 10);
        client.expect("orders", [21 + since]);
    }
}

#[test]
fn what_cannot_be_resumed_is_said() {
    let rig = Rig::start(config());
    rig.commit(20, 10);
    rig.logs.set_floor(Log::Orders, 5);
    let mut client = rig.connect();
    for since in ["other 7", "e1 21", "e1 4000000000", "e1 4"] {
        // The floor is known after the next look at the log.
        let mut answer = client.subscribe(&format!("orders {since}"));
        while since == "e1 4" && !answer.contains("\"recovered\":false") {
            answer = client.text();
        }
        assert!(answer.contains(r#""offset":20,"recovered":false,"floor":"#), "{since}: {answer}");
        client.expect_nothing();
    }
    rig.commit(1, 10);
    client.expect("orders", [21]);
    let answer = client.subscribe("orders e1 5");
    assert!(answer.contains("\"recovered\":true"), "{answer}");
    client.expect("orders", 6..=21);
}

#[test]
fn subscribing_again_replaces() {
    let rig = Rig::start(config());
    let mut client = rig.connect();
    client.subscribe("orders");
    rig.commit(3, 10);
    client.expect("orders", 1..=3);
    client.subscribe("orders e1 1");
    client.expect("orders", 2..=3);
    rig.commit(1, 10);
    client.expect("orders", [4]);
    client.expect_nothing();
}

#[test]
fn commits_go_on_while_a_client_catches_up() {
    let page = PageLimit { events: 50, bytes: 100_000 };
    let rig = Rig::start(HubConfig { page, ..config() });
    rig.commit(2_000, 100);
    let mut clients: Vec<_> = (0..10).map(|_| rig.connect()).collect();
    for (client, since) in clients.iter_mut().zip([0_u64, 1, 500, 900, 1_000, 1_500, 1_900, 1_990, 1_999, 2_000]) {
        client.say(&format!("sub orders e1 {since}"));
        rig.commit(100, 100);
    }
    for (client, since) in clients.iter_mut().zip([0_u64, 1, 500, 900, 1_000, 1_500, 1_900, 1_990, 1_999, 2_000]) {
        assert!(client.text().contains("\"recovered\":true"));
        client.expect("orders", since + 1..=3_000);
        client.expect_nothing();
    }
}

#[test]
fn failing_reads_are_tried_again() {
    let rig = Rig::start(HubConfig { stream_heartbeat: Duration::from_millis(40), ..config() });
    rig.commit(100, 10);
    rig.logs.fail(3);
    let mut client = rig.connect();
    client.subscribe("orders e1 0");
    client.expect("orders", 1..=100);
    rig.wait("counted", |hub| hub.stats().errors == 3);
}

#[test]
fn another_life_of_the_log_sends_everybody_to_ask_again() {
    let rig = Rig::start(config());
    rig.commit(3, 10);
    let mut client = rig.connect();
    client.subscribe("orders");
    rig.logs.restore("e2");
    assert_eq!(client.next(), Frame::Close(Some(1001)));
    let mut client = rig.connect();
    let answer = client.subscribe("orders e1 3");
    assert!(answer.contains(r#""epoch":"e2","offset":3,"recovered":false"#), "{answer}");
    assert_eq!(&*rig.hub.log_state(Log::Orders).epoch.0, "e2");
}

/// All are cut off at once and come back from near offsets: what they missed is read once for all of them, or not at
/// all when it went by lately.
#[test]
fn those_who_come_back_together_share_what_is_read() {
    const CLIENTS: u64 = 200;
    let rig = Rig::start(HubConfig { shards: 1, ..config() });
    rig.commit(1_000, 100);
    let resume = |head: u64| {
        let mut clients: Vec<_> = (0..CLIENTS).map(|_| rig.connect()).collect();
        for (client, missed) in clients.iter_mut().zip(1..) {
            client.say(&format!("sub orders e1 {}", head - missed));
        }
        for (client, missed) in clients.iter_mut().zip(1..) {
            let answer = client.text();
            assert!(answer.contains("\"recovered\":true"), "{answer}");
            client.expect("orders", head - missed + 1..=head);
        }
    };
    resume(1_000);
    let read = rig.hub.stats().pages_read;
    assert!(read <= 8, "{read} pages for {CLIENTS} clients");
    rig.wait("nobody", |hub| hub.stats().active == 0);
    let mut witness = rig.connect();
    witness.subscribe("orders");
    rig.commit(500, 100);
    witness.expect("orders", 1_001..=1_500);
    drop(witness);
    rig.wait("nobody", |hub| hub.stats().active == 0);
    rig.commit(100, 100);
    resume(1_600);
    assert_eq!(rig.hub.stats().pages_read, read, "the shard has what went by");
}
