//! How connections live and end.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod rig;

use std::io::Write;
use std::time::Duration;

use ordercast_hub::{HubConfig, LimitReached, Protocol};
use rig::{Frame, Rig, config, masked};

#[test]
fn messages_and_answers_go_both_ways() {
    let rig = Rig::start(config());
    let mut client = rig.try_connect(&masked(0x81, b"say early")).unwrap();
    assert_eq!(client.text(), "early");
    client.say("later answer");
    assert_eq!(client.text(), "answer");
    let long = "x".repeat(50_000);
    client.say(&format!("say {long}"));
    assert_eq!(client.text(), long);
    for byte in [masked(0x01, b"say fr"), masked(0x89, b"p"), masked(0x80, b"agments")].concat() {
        client.stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(client.next(), Frame::Pong(b"p".to_vec()));
    assert_eq!(client.text(), "fragments");
    rig.wait("counted", |hub| hub.connections().iter().any(|connection| connection.messages == 4));
    let connections = rig.hub.connections();
    assert_eq!((connections.len(), connections[0].protocol), (1, Protocol::WebSocket));
    assert!(connections[0].last_activity_ms >= connections[0].connected_at_ms);
}

#[test]
fn closes_are_answered() {
    let rig = Rig::start(config());
    for (payload, code) in [(&b"\x03\xe8"[..], Some(1000)), (b"", None), (b"\x0f\xa0bye", Some(4000))] {
        let mut client = rig.connect();
        client.stream.write_all(&masked(0x88, payload)).unwrap();
        assert_eq!(client.next(), Frame::Close(code));
        assert_eq!(client.next(), Frame::End);
    }
    let mut client = rig.connect();
    client.say("close 4001");
    assert_eq!(client.text(), "bye");
    assert_eq!(client.next(), Frame::Close(Some(4001)));
    client.stream.write_all(&masked(0x88, b"\x0f\xa1")).unwrap();
    assert_eq!(client.next(), Frame::End);
    rig.wait("all gone", |hub| hub.stats().active == 0);
    let closes = rig.hub.stats().closes.into_iter().collect::<Vec<_>>();
    assert_eq!(closes, [(1000, 1), (1005, 1), (4000, 1), (4001, 1)]);
}

#[test]
fn broken_clients_are_closed_with_the_reason() {
    let rig = Rig::start(HubConfig { max_message_bytes: 1_000, ..config() });
    for (bytes, code) in [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), 1002),
        (vec![0xff; 5_000], 1002),
        (masked(0x81, b"\xff"), 1007),
        (masked(0x81, &[b'x'; 1_001]), 1009),
        (masked(0x81, b"panic"), 1011),
    ] {
        let mut client = rig.connect();
        client.stream.write_all(&bytes).unwrap();
        assert_eq!(client.next(), Frame::Close(Some(code)));
    }
    rig.wait("all gone", |hub| hub.stats().active == 0);
    let mut client = rig.connect();
    client.expect_nothing();
}

#[test]
fn the_number_of_connections_is_bounded() {
    let rig = Rig::start(HubConfig { max_connections: 3, ..config() });
    let mut clients: Vec<_> = (0..3).map(|_| rig.connect()).collect();
    assert_eq!(rig.try_connect(b"").err(), Some(LimitReached::Connections));
    drop(clients.pop());
    rig.wait("room again", |hub| hub.stats().active == 2);
    let slot = rig.hub.reserve().unwrap();
    assert_eq!(rig.try_connect(b"").err(), Some(LimitReached::Connections));
    drop(slot);
    clients.push(rig.connect());
    let stats = rig.hub.stats();
    assert_eq!((stats.peak, stats.limit, stats.accepted, stats.refused), (3, 3, 5, 2));
    assert_eq!(stats.closes.get(&1006), Some(&1));
}

#[test]
fn silent_clients_are_asked_and_then_dropped() {
    let (ping_interval, read_timeout) = (Duration::from_millis(100), Duration::from_millis(400));
    let rig = Rig::start(HubConfig { ping_interval, read_timeout, ..config() });
    let mut client = rig.connect();
    for _ in 0..8 {
        assert_eq!(client.next(), Frame::Ping);
        client.stream.write_all(&masked(0x8A, b"")).unwrap();
    }
    assert_eq!(client.next(), Frame::Ping);
    assert_eq!(client.next(), Frame::End);
    rig.wait("gone", |hub| hub.stats().active == 0);
}

#[test]
fn replies_that_are_not_read_close_the_connection() {
    let write_timeout = Duration::from_millis(200);
    let rig = Rig::start(HubConfig { control_bytes: 10_000, write_timeout, ..config() });
    let mut client = rig.connect();
    client.stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    let request = masked(0x81, format!("say {}", "x".repeat(60_000)).as_bytes());
    while client.stream.write_all(&request).is_ok() && rig.hub.stats().active == 1 {}
    rig.wait("gone", |hub| hub.stats().active == 0);
    assert_eq!(rig.hub.stats().closes.get(&1008), Some(&1));
}

#[test]
fn a_large_greeting_reaches_a_client_that_reads_slowly() {
    // The second is more than the kernel takes, so that it goes out in several turns.
    for mebibytes in [2, 32] {
        let rig = Rig::start(config());
        let greeting = "x".repeat(mebibytes * 1024 * 1024);
        rig.stage.set_greeting(greeting.clone().into());
        let mut client = rig.connect();
        for n in 0..100 {
            client.say(&format!("answer {n}"));
        }
        assert!(client.text() == greeting);
        for n in 0..100 {
            assert_eq!(client.text(), format!("echo answer {n}"));
        }
        client.expect_nothing();
        assert_eq!(rig.hub.stats().closes.len(), 0);
    }
}

#[test]
fn a_large_greeting_that_is_not_read_is_no_licence() {
    let rig = Rig::start(config());
    rig.stage.set_greeting("x".repeat(32 * 1024 * 1024).into());
    let mut client = rig.connect();
    client.stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    let request = masked(0x81, format!("say {}", "x".repeat(60_000)).as_bytes());
    while client.stream.write_all(&request).is_ok() && rig.hub.stats().closes.is_empty() {}
    rig.wait("closed", |hub| hub.stats().closes.get(&1008) == Some(&1));
}

#[test]
fn many_replies_in_one_turn_are_written_before_they_are_judged() {
    let rig = Rig::start(config());
    let mut client = rig.connect();
    for words in ["answers 1000 520", "burst 1000 520"] {
        client.say(words);
        for _ in 0..1_000 {
            assert_eq!(client.text().len(), 520);
        }
    }
    client.expect_nothing();
}

#[test]
fn one_message_cannot_ask_for_subscriptions_without_end() {
    let rig = Rig::start(HubConfig { max_channels: 4, ..config() });
    let mut client = rig.connect();
    for _ in 0..2 {
        client.say("subs orders 30000");
        assert_eq!(client.text(), "refused 29992");
        for _ in 0..8 {
            assert!(client.text().contains("\"channel\":\"orders\""));
        }
    }
    rig.commit(1, 10);
    client.expect("orders", [1]);
    client.expect_nothing();
}

#[test]
fn a_drain_says_goodbye_to_all() {
    let rig = Rig::start(config());
    let mut clients: Vec<_> = (0..20).map(|_| rig.connect()).collect();
    for client in &mut clients {
        client.subscribe("orders");
    }
    rig.commit(5, 1_000);
    let hub = rig.hub.clone();
    let drain = rig.runtime.spawn(async move { hub.drain(Duration::from_secs(20)).await });
    for client in &mut clients {
        client.expect("orders", 1..=5);
        assert_eq!(client.next(), Frame::Close(Some(1001)));
        client.stream.write_all(&masked(0x88, b"\x03\xe9")).unwrap();
        assert_eq!(client.next(), Frame::End);
    }
    rig.runtime.block_on(drain).unwrap();
    assert_eq!(rig.hub.reserve().err(), Some(LimitReached::Connections));
    let stats = rig.hub.stats();
    assert_eq!((stats.active, stats.closes.get(&1001)), (0, Some(&20)));
    // Nothing is left to tell, and nobody to hear it.
    rig.commit(1, 10);
    rig.runtime.block_on(rig.hub.drain(Duration::ZERO));
}

#[test]
fn a_drain_without_grace_ends_all_the_same() {
    let rig = Rig::start(config());
    let mut client = rig.connect();
    rig.runtime.block_on(rig.hub.drain(Duration::ZERO));
    let end = client.next();
    assert!(matches!(end, Frame::Close(Some(1001)) | Frame::End), "{end:?}");
    assert_eq!(rig.hub.stats().active, 0);
}
