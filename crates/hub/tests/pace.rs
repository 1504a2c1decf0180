//! Subscribers who want the newest and not everything.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod rig;

use std::collections::HashMap;

use ordercast_hub::HubConfig;
use rig::{Client, Frame, Rig, config};

fn change(order: u64, version: u64, bytes: usize) -> (String, Option<&'static str>, Option<&'static str>) {
    let pad = "x".repeat(bytes);
    let body = format!(r#"{{"type":"order_update","v":1,"order_id":"o{order}","version":{version},"pad":"{pad}"}}"#);
    (body, None, None)
}

/// Order, version and offset of the next event.
fn next(client: &mut Client) -> (String, u64, u64) {
    let Frame::Text(text) = client.next() else { panic!("closed") };
    let field = |name: &str| {
        let rest = &text[text.find(name).unwrap_or_else(|| panic!("{text}")) + name.len()..];
        rest[..rest.find([',', '}']).unwrap()].to_owned()
    };
    (field("\"order_id\":"), field("\"version\":").parse().unwrap(), field("\"offset\":").parse().unwrap())
}

/// However slow the client is, it ends with the newest version of each order, and offsets only rise.
#[test]
fn a_slow_client_gets_the_newest_of_each_order() {
    const ORDERS: u64 = 5;
    const VERSIONS: u64 = 400;
    let rig = Rig::start(HubConfig { outbox_bytes: 4_096, recent_bytes: 64 << 20, shards: 1, ..config() });
    let (mut latest, mut all) = (rig.connect(), rig.connect());
    latest.say("latest orders");
    latest.text();
    all.subscribe("orders");
    for version in 1..=VERSIONS {
        let events: Vec<_> = (0..ORDERS).map(|order| change(order, version, 20_000)).collect();
        rig.announce(&events);
        (0..ORDERS).for_each(|_| drop(next(&mut all)));
    }
    let (mut newest, mut last, mut count) = (HashMap::new(), 0, 0);
    while newest.values().filter(|version| **version == VERSIONS).count() < ORDERS as usize {
        let (order, version, offset) = next(&mut latest);
        assert!(offset > last, "{offset} after {last}");
        (last, count) = (offset, count + 1);
        newest.insert(order, version);
    }
    assert_eq!(last, ORDERS * VERSIONS);
    assert!(count < ORDERS * VERSIONS / 2, "{count} events, as if it had asked for all");
}

/// What came within the time is one delivery; what comes after it another, without anything else happening.
#[test]
fn samples_are_the_newest_of_their_time() {
    let rig = Rig::start(HubConfig { shards: 1, ..config() });
    let (mut client, mut witness) = (rig.connect(), rig.connect());
    client.say("sample orders 300");
    client.text();
    witness.subscribe("orders");
    rig.announce(&[change(1, 1, 0)]);
    assert_eq!(next(&mut client), ("\"o1\"".to_owned(), 1, 1));
    for version in 2..=50 {
        rig.announce(&[change(1, version, 0), change(2, version, 0)]);
        (0..2).for_each(|_| drop(next(&mut witness)));
    }
    let mut seen = vec![next(&mut client), next(&mut client)];
    while seen.last().unwrap().1 < 50 {
        seen.extend([next(&mut client), next(&mut client)]);
    }
    assert!(seen.len() < 20, "{} deliveries", seen.len());
    assert_eq!(seen.last().unwrap().2, 99);
}
