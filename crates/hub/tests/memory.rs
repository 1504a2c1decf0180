//! Memory channels: publications, their past, presence; and handlers over streams.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod rig;

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_core::Stream;
use ordercast_hub::signal::{Signal, Target};
use ordercast_hub::{EventStream, HistoryQuery, HubConfig, PresenceStats};
use ordercast_protocol::envelope::Wire;
use rig::{Client, DEADLINE, Frame, Rig, WordHandler, channel, config};

fn publish(rig: &Rig, name: &str, numbers: std::ops::RangeInclusive<u64>) -> String {
    let mut epoch = String::new();
    for number in numbers {
        let position = rig.hub.publish(&channel(name), format!("{{\"n\":{number}}}").into()).unwrap();
        epoch = position.epoch.to_string();
    }
    epoch
}

fn expect(client: &mut Client, name: &str, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        let text = format!(r#"{{"n":{number},"channel":"{name}","offset":{number}}}"#);
        assert_eq!(client.next(), Frame::Text(text));
    }
}

#[test]
fn subscribers_get_what_is_published_and_what_they_missed() {
    let rig = Rig::start(config());
    let mut clients = [rig.connect(), rig.connect()];
    let answer = clients[0].subscribe("room:a");
    assert!(answer.ends_with(r#""offset":0}"#), "{answer}");
    clients[1].subscribe("room:b");
    let epoch = publish(&rig, "room:a", 1..=5);
    expect(&mut clients[0], "room:a", 1..=5);

    let mut late = rig.connect();
    let answer = late.subscribe(&format!("room:a {epoch} 3"));
    assert!(answer.contains(r#""offset":3,"recovered":true"#), "{answer}");
    expect(&mut late, "room:a", 4..=5);
    let answer = late.subscribe(&format!("room:a {epoch} 3 first"));
    assert!(answer.ends_with(r#" 4:{"n":4} 5:{"n":5}"#), "the first page is in the answer: {answer}");
    publish(&rig, "room:a", 6..=6);
    expect(&mut late, "room:a", 6..=6);
    expect(&mut clients[0], "room:a", 6..=6);

    publish(&rig, "room:a", 7..=20);
    expect(&mut clients[0], "room:a", 7..=20);
    for (since, recovered) in [
        (format!("{epoch} 9"), false),
        (format!("{epoch} 10"), true),
        (format!("{epoch} 21"), false),
        ("x 20".to_owned(), false),
    ] {
        let answer = rig.connect().subscribe(&format!("room:a {since}"));
        assert!(answer.contains(&format!("\"recovered\":{recovered}")), "{since}: {answer}");
    }
    let newest = HistoryQuery { limit: Some(2), reverse: true, ..HistoryQuery::default() };
    let history = rig.hub.history(&channel("room:a"), newest);
    assert_eq!(history.events.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [20, 19]);
    assert_eq!((history.floor, history.position.offset), (10, 20));
}

/// More than the outbox and than is kept: the client is told that it missed something, and goes on.
#[test]
fn a_subscriber_who_is_too_slow_is_told() {
    let rig = Rig::start(HubConfig { outbox_bytes: 4_096, ..config() });
    let (mut slow, mut quick) = (rig.connect(), rig.connect());
    slow.subscribe("room:a");
    quick.subscribe("room:a");
    let body = |number: u64| Bytes::from(format!("{{\"n\":{number},\"pad\":\"{}\"}}", "x".repeat(1_000_000)));
    const COUNT: u64 = 40;
    for number in 1..=COUNT {
        rig.hub.publish(&channel("room:a"), body(number)).unwrap();
        assert!(matches!(quick.next(), Frame::Text(text) if text.ends_with(&format!("\"offset\":{number}}}"))));
    }
    let mut seen = 0;
    let missed = loop {
        let Frame::Text(text) = slow.next() else { panic!("closed") };
        if text.starts_with("{\"type\":\"subscribed\"") {
            break text;
        }
        seen += 1;
        assert!(text.ends_with(&format!("\"offset\":{seen}}}")), "{}", &text[text.len() - 60..]);
    };
    assert!(missed.contains(&format!("\"offset\":{COUNT},\"recovered\":false,\"floor\":{}", COUNT - 10)), "{missed}");
    assert!(seen < COUNT - 10);
    publish(&rig, "room:a", COUNT + 1..=COUNT + 1);
    expect(&mut slow, "room:a", COUNT + 1..=COUNT + 1);
}

/// Threads publish while others come, go and resume: each sees every offset once.
#[test]
fn many_publish_while_others_come_and_go() {
    const THREADS: u64 = 4;
    const EACH: u64 = 500;
    let rig = Rig::start(config());
    let room = ordercast_protocol::channel::Channel {
        name: "room:busy".into(),
        source: ordercast_protocol::channel::Source::Memory(ordercast_protocol::channel::Retention {
            events: 10_000,
            age_s: 0,
        }),
    };
    let epoch = rig.hub.publish(&room, "{\"n\":0}".into()).unwrap().epoch;
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..EACH {
                    rig.hub.publish(&room, "{\"n\":0}".into());
                }
            });
        }
        let mut seen = 0;
        while seen < THREADS * EACH + 1 {
            let mut client = rig.connect();
            client.subscribe(&format!("room:busy {epoch} {seen}"));
            for _ in 0..97.min(THREADS * EACH + 1 - seen) {
                seen += 1;
                let text = format!(r#"{{"n":0,"channel":"room:busy","offset":{seen}}}"#);
                assert_eq!(client.next(), Frame::Text(text));
            }
        }
    });
}

#[test]
fn presence_follows_subscriptions() {
    let rig = Rig::start(config());
    let (mut ann, mut bob) = (rig.connect(), rig.connect());
    let joined =
        |user: &str| format!(r#"{{"type":"presence","channel":"room:a","joined":[{{"user":"{user}"}}],"left":[]}}"#);
    ann.say("join room:a ann");
    assert!(matches!(ann.next(), Frame::Text(text) if text.starts_with("{\"type\":\"subscribed\"")));
    assert_eq!(ann.next(), Frame::Text(joined("ann")));
    bob.say("join room:a bob");
    assert_eq!(ann.next(), Frame::Text(joined("bob")));
    assert_eq!(rig.hub.presence_stats("room:a"), PresenceStats { clients: 2, users: 2 });
    let listed = rig.hub.presence("room:a", 10, None);
    assert_eq!(
        listed.iter().map(|(_, info)| &info[..]).collect::<Vec<_>>(),
        [b"{\"user\":\"ann\"}", b"{\"user\":\"bob\"}"]
    );
    drop(bob);
    let left = r#"{"type":"presence","channel":"room:a","joined":[],"left":[{"user":"bob"}]}"#;
    assert_eq!(ann.next(), Frame::Text(left.to_owned()));
    ann.say("unsub room:a");
    rig.wait("an empty room", |hub| hub.presence_stats("room:a") == PresenceStats::default());
}

#[test]
fn handlers_are_woken_and_told() {
    let rig = Rig::start(config());
    let mut client = rig.connect();
    client.say("wake 50");
    assert_eq!(client.next(), Frame::Text("awake".to_owned()));
    let tell = |user: &str, reason: &str| {
        let target = Target { user: user.into(), ..Target::default() };
        rig.hub.signal(target, Signal::Disconnect { code: 3000, reason: reason.into(), kept: Vec::new() });
    };
    tell("nobody", "not you");
    tell("local", "you");
    assert_eq!(client.next(), Frame::Text("you".to_owned()));
}

fn next_item(rig: &Rig, stream: &mut EventStream) -> Option<String> {
    let next = std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx));
    let item = rig.runtime.block_on(async { tokio::time::timeout(DEADLINE, next).await.unwrap() });
    item.map(|item| String::from_utf8(item.to_vec()).unwrap())
}

#[test]
fn a_handler_speaks_over_a_stream() {
    let rig = Rig::start(config());
    let handler = Box::new(WordHandler(Arc::clone(&rig.stage), Wire::CentrifugeLines));
    let slot = rig.hub.reserve().unwrap();
    let mut stream = rig.hub.open_handler(slot, rig::local(), handler, "secret".into(), "say hi".into());
    assert!(!rig.hub.deliver("guess", "say x".into()));
    let mut said = String::new();
    while !said.contains("hi\n") {
        said += &next_item(&rig, &mut stream).unwrap();
    }
    assert!(rig.hub.deliver("secret", "sub room:a".into()));
    assert!(next_item(&rig, &mut stream).unwrap().contains("subscribed"));
    publish(&rig, "room:a", 1..=1);
    let push = "{\"push\":{\"channel\":\"room:a\",\"pub\":{\"data\":{\"n\":1},\"offset\":1}}}\n";
    assert_eq!(next_item(&rig, &mut stream).unwrap(), push);
    assert!(rig.hub.deliver("secret", "close 3000".into()));
    let mut rest = String::new();
    while let Some(item) = next_item(&rig, &mut stream) {
        rest += &item;
    }
    assert_eq!(rest, "bye\nfarewell 3000\n");
    drop(stream);
    rig.wait("the end of the handler", |hub| !hub.deliver("secret", "x".into()) && hub.stats().streams == 0);
}

/// Whole to whoever has nothing yet, as a difference to whoever has the one before.
#[test]
fn differences_are_sent_to_whom_they_help() {
    let rig = Rig::start(config());
    let subscribe = || {
        let handler = Box::new(WordHandler(Arc::clone(&rig.stage), Wire::CentrifugeJson));
        let mut client = rig.connect_with(b"", handler).unwrap();
        assert_eq!(client.text(), "hello");
        client.say("delta room:a");
        client.text();
        client
    };
    let publish = |number: u64| {
        let text = "a long text that is the same in each of them ".repeat(20);
        rig.hub.publish(&channel("room:a"), format!("{{\"n\":{number},\"text\":\"{text}\"}}").into()).unwrap();
    };
    let is_delta = |text: String| text.contains("\"delta\":true") && text.len() < 200;
    let mut first = subscribe();
    publish(1);
    assert!(!is_delta(first.text()), "it has nothing to compare with");
    publish(2);
    assert!(is_delta(first.text()));
    let mut second = subscribe();
    publish(3);
    assert!(is_delta(first.text()));
    assert!(!is_delta(second.text()), "it has nothing to compare with");
    publish(4);
    assert!(is_delta(first.text()) && is_delta(second.text()));
}
