//! Subscribers get every event once and in order, whatever the broker and their neighbours do.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod rig;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ordercast_broker::{Broker, Ephemeral, Health, Listener, Message, Reason, Sender};
use ordercast_hub::HubConfig;
use ordercast_protocol::channel::Log;
use ordercast_store::log::PageLimit;
use rig::{Dice, Rig, config};

#[test]
fn fifty_subscribers_get_every_event_once() {
    let rig = Rig::start(config());
    let mut clients: Vec<_> = (0..50).map(|_| rig.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.subscribe("orders"), r#"{"type":"subscribed","channel":"orders","epoch":"e1","offset":0}"#);
    }
    let mut dice = Dice(1);
    let mut head = 0;
    for _ in 0..200 {
        let count = dice.roll(20) + 1;
        rig.commit(count as usize, dice.roll(300) as usize);
        head += count;
    }
    for client in &mut clients {
        client.expect("orders", 1..=head);
    }
    rig.wait("all counted", |hub| hub.stats().events_delivered == 50 * head);
    let stats = rig.hub.stats();
    assert_eq!((stats.parked_total, stats.errors, stats.websockets), (0, 0, 50));
    assert!(stats.writes <= 50 * (200 + 2), "at most one write for a commit: {stats:?}");
}

#[test]
fn a_client_that_does_not_read_is_parked_and_misses_nothing() {
    let rig = Rig::start(HubConfig { outbox_bytes: 64 * 1024, ..config() });
    let (mut slow, mut quick) = (rig.connect(), rig.connect());
    slow.subscribe("orders");
    slow.subscribe("order:never");
    quick.subscribe("orders");
    let mut head = 0;
    while rig.hub.stats().parked_now == 0 {
        rig.commit(10, 8_000);
        quick.expect("orders", head + 1..=head + 10);
        head += 10;
    }
    for _ in 0..50 {
        rig.commit(10, 8_000);
        quick.expect("orders", head + 1..=head + 10);
        head += 10;
    }
    slow.expect("orders", 1..=head);
    rig.commit(3, 10);
    slow.expect("orders", head + 1..=head + 3);
    rig.wait("resumed", |hub| hub.stats().parked_now == 0 && hub.stats().resumed > 0);
    slow.expect_nothing();
}

#[test]
fn a_client_that_reads_haltingly_gets_every_event_once() {
    let page = PageLimit { events: 16, bytes: 32 * 1024 };
    let rig = Rig::start(HubConfig { outbox_bytes: 16 * 1024, page, ..config() });
    let mut client = rig.connect();
    client.subscribe("orders");
    let mut dice = Dice(7);
    let (mut head, mut read) = (0, 0);
    for _ in 0..60 {
        for _ in 0..dice.roll(8) {
            let count = dice.roll(30) + 1;
            rig.commit(count as usize, dice.roll(20_000) as usize);
            head += count;
        }
        let until = read + dice.roll(head - read + 1);
        client.expect("orders", read + 1..=until);
        read = until;
    }
    client.expect("orders", read + 1..=head);
    client.expect_nothing();
}

/// Loses a third of the messages, repeats some and holds others back.
struct HostileBroker {
    listeners: Mutex<Vec<Listener>>,
    state: Mutex<(Dice, Vec<Message>)>,
}

impl Broker for HostileBroker {
    fn announce(&self, message: Message) {
        let mut state = self.state.lock().unwrap();
        let (dice, held) = &mut *state;
        let mut told = Vec::new();
        match dice.roll(6) {
            0 | 1 => {}
            2 => held.push(message),
            3 => told.extend([message.clone(), message]),
            _ => told.push(message),
        }
        if dice.roll(4) == 0 {
            told.append(held);
            told.reverse();
        }
        for listener in self.listeners.lock().unwrap().iter() {
            told.iter().for_each(listener);
        }
    }

    fn start(&self, listener: Listener) -> Result<(), Reason> {
        self.listeners.lock().unwrap().push(listener);
        Ok(())
    }

    fn reaches_others(&self) -> bool {
        false
    }

    fn health(&self) -> Health {
        Health::Ready
    }

    fn stop(&self) {
        self.listeners.lock().unwrap().clear();
    }
}

#[test]
fn a_hostile_broker_costs_nobody_an_event() {
    for seed in 0..5 {
        let broker = HostileBroker { listeners: Mutex::default(), state: Mutex::new((Dice(seed), Vec::new())) };
        let rig = Rig::with_broker(config(), Arc::new(broker));
        let (mut all, mut one) = (rig.connect(), rig.connect());
        all.subscribe("orders");
        one.subscribe("order:a");
        for step in 0..200 {
            let order = if step % 10 == 9 { "a" } else { "b" };
            rig.announce(&[("{\"n\":1}".to_owned(), Some(order), None), ("{\"n\":2}".to_owned(), Some("c"), None)]);
        }
        // Nothing follows the last: the looks at the log must find it.
        all.expect("orders", 1..=400);
        one.expect("order:a", (0..20).map(|step| step * 20 + 19));
        all.expect_nothing();
        one.expect_nothing();
    }
}

/// No look at the logs comes to the rescue.
fn unwatched() -> HubConfig {
    HubConfig { shards: 1, log_poll_interval: Duration::from_secs(3_600), ..config() }
}

#[test]
fn commits_that_a_held_shard_cannot_take_are_read_from_the_log() {
    const COMMITS: u64 = 20;
    // Nobody is parked, so that only the shard itself reads the log.
    let rig = Rig::start(HubConfig { outbox_bytes: 64 * 1024 * 1024, ..unwatched() });
    let (mut client, mut holder) = (rig.connect(), rig.connect());
    client.subscribe("orders");
    holder.say("hold");
    rig.stage.wait_held();
    for _ in 0..COMMITS {
        rig.commit(1, 1024 * 1024);
    }
    let skipped = rig.hub.stats().commits_skipped;
    assert!((11..COMMITS).contains(&skipped), "8 MiB of {COMMITS} may wait, and {skipped} were skipped");
    rig.stage.let_go();
    client.expect("orders", 1..=COMMITS);
    rig.commit(1, 10);
    client.expect("orders", [COMMITS + 1]);
    client.expect_nothing();
    assert!(rig.hub.stats().repairs > 0);
}

#[test]
fn commits_that_wake_nobody_are_in_the_past_of_who_comes_next() {
    let rig = Rig::start(unwatched());
    let mut client = rig.connect();
    let mut head = 0;
    for _ in 0..20 {
        rig.commit(50, 10);
        head += 50;
        assert!(client.subscribe("orders").ends_with(&format!("\"offset\":{head}}}")));
        client.expect_nothing();
        rig.commit(2, 10);
        client.expect("orders", head + 1..=head + 2);
        head += 2;
        client.say("unsub orders");
        assert_eq!(client.text(), "unsub true");
    }
    rig.commit(3, 10);
    assert!(client.subscribe("order:x e1 1").contains("\"offset\":1,\"recovered\":true"));
    assert!(client.subscribe("orders e1 7").contains("\"offset\":7,\"recovered\":true"));
    client.expect("orders", 8..=head + 3);
    client.expect_nothing();
}

#[test]
fn subscribers_who_come_and_go_amid_commits_miss_nothing() {
    let rig = Rig::start(unwatched());
    let mut client = rig.connect();
    let (orders, counts) = std::sync::mpsc::sync_channel::<u64>(64);
    std::thread::scope(|scope| {
        let committed = &rig;
        scope.spawn(move || counts.into_iter().for_each(|count| (0..count).for_each(|_| committed.commit(1, 10))));
        let mut dice = Dice(5);
        let (mut head, mut seen) = (0, 0);
        for round in 0..400 {
            let count = dice.roll(40);
            orders.send(count).unwrap();
            head += count;
            let is_resumed = round % 3 == 0;
            let answer = client.subscribe(&if is_resumed { format!("orders e1 {seen}") } else { "orders".to_owned() });
            let (_, offset) = answer.split_once("\"offset\":").unwrap();
            let offset = offset.trim_end_matches(",\"recovered\":true}").trim_end_matches('}').parse::<u64>().unwrap();
            assert!(if is_resumed { offset == seen } else { offset >= seen }, "{seen}: {answer}");
            client.expect("orders", offset + 1..=head);
            seen = head;
            client.say("unsub orders");
            assert_eq!(client.text(), "unsub true");
        }
        drop(orders);
    });
}

#[test]
fn a_broker_that_says_nothing_is_replaced_by_looking() {
    let rig = Rig::start(config());
    let mut client = rig.connect();
    client.subscribe("products");
    client.subscribe("market_data");
    rig.logs.append(Log::Products, &vec![("{\"n\":1}".to_owned(), None, None); 3]);
    let mut texts: Vec<_> = (0..6).map(|_| client.text()).collect();
    texts.sort();
    let expected =
        |channel: &'static str| (1..=3).map(move |n| format!("{{\"n\":1,\"channel\":\"{channel}\",\"offset\":{n}}}"));
    let expected: Vec<_> = expected("market_data").chain(expected("products")).collect();
    assert_eq!(texts.len(), expected.len());
    assert!(expected.iter().all(|text| texts.contains(text)), "{texts:?}");
    assert!(rig.hub.stats().repairs >= 1);
}

#[test]
fn views_get_their_own_events_live_and_from_the_log() {
    let rig = Rig::start(config());
    let event = |order, customer| ("{\"n\":1}".to_owned(), Some(order), Some(customer));
    let events = [event("a", "c_1"), event("b", "c_2"), event("a", "c_1"), event("c", "c_1")];
    rig.announce(&events);
    let (mut live, mut late) = (rig.connect(), rig.connect());
    live.subscribe("order:a");
    live.subscribe("orders:c_2");
    live.subscribe("orders");
    for _ in 0..3 {
        rig.announce(&events);
    }
    let mut offsets: Vec<(String, u64)> = Vec::new();
    for _ in 0..12 + 6 + 3 {
        let text = live.text();
        let (head, offset) = text.rsplit_once("\"offset\":").unwrap();
        let channel = head.split('"').nth(5).unwrap().to_owned();
        offsets.push((channel, offset.trim_end_matches('}').parse().unwrap()));
    }
    let of = |name: &'static str| offsets.iter().filter(move |(channel, _)| channel == name).map(|(_, offset)| *offset);
    assert_eq!(of("orders").collect::<Vec<_>>(), (5..=16).collect::<Vec<_>>());
    assert_eq!(of("order:a").collect::<Vec<_>>(), [5, 7, 9, 11, 13, 15]);
    assert_eq!(of("orders:c_2").collect::<Vec<_>>(), [6, 10, 14]);
    live.expect_nothing();

    late.subscribe("orders:c_1 e1 4");
    late.expect("orders:c_1", [5, 7, 8, 9, 11, 12, 13, 15, 16]);
    rig.announce(&events);
    late.expect("orders:c_1", [17, 19, 20]);
    late.say("unsub orders:c_1");
    assert_eq!(late.text(), "unsub true");
    late.say("unsub orders:c_1");
    assert_eq!(late.text(), "unsub false");
    rig.announce(&events);
    late.expect_nothing();
}

#[test]
fn ephemeral_messages_are_told_to_who_is_there() {
    let rig = Rig::start(config());
    let mut client = rig.connect();
    rig.hub.publish_ephemeral("stats", &"{\"n\":1}".into());
    client.say("sub stats");
    client.text();
    rig.broker.announce(Message::Ephemeral(Ephemeral {
        from: Sender("elsewhere".into()),
        channel: "stats".into(),
        body: "{\"n\":2}".into(),
    }));
    rig.hub.publish_ephemeral("stats", &"{\"n\":3}".into());
    client.expect("stats", [2, 3]);
}
