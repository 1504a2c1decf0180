//! Two hubs with one broker: what one node's clients cause, those of the other see; and brokers that lose messages.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod rig;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ordercast_broker::{Broker, Health, InProcessBroker, Listener, Message, Reason};
use ordercast_hub::signal::{Signal, Target};
use ordercast_hub::{HistoryQuery, HubConfig, PresenceStats};
use ordercast_protocol::channel::Log;
use rig::{Client, Frame, Rig, channel, config};

/// No look at the logs comes to the rescue.
fn unwatched() -> HubConfig {
    HubConfig { log_poll_interval: Duration::from_secs(3_600), ..config() }
}

fn publish(rig: &Rig, name: &str, number: u64) -> String {
    rig.hub.publish(&channel(name), format!("{{\"n\":{number}}}").into()).unwrap().epoch.to_string()
}

fn expect(client: &mut Client, name: &str, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        let text = format!(r#"{{"n":{number},"channel":"{name}","offset":{number}}}"#);
        assert_eq!(client.next(), Frame::Text(text));
    }
}

#[test]
fn publications_of_either_node_reach_subscribers_of_both() {
    let here = Rig::start(config());
    let there = here.beside(config());
    let (mut ann, mut bob) = (here.connect(), there.connect());
    ann.subscribe("room:a");
    bob.subscribe("room:a");
    let mut epoch = String::new();
    for number in 1..=20 {
        epoch = publish(if number % 3 == 0 { &here } else { &there }, "room:a", number);
    }
    expect(&mut ann, "room:a", 1..=20);
    expect(&mut bob, "room:a", 1..=20);
    let history = there.hub.history(&channel("room:a"), HistoryQuery::default());
    assert_eq!((history.position.offset, history.events.len()), (20, 10), "one history for both");
    let mut late = here.connect();
    late.subscribe(&format!("room:a {epoch} 15"));
    expect(&mut late, "room:a", 16..=20);

    // Nothing is kept of this channel, and each message comes once.
    ann.subscribe("stats");
    bob.subscribe("stats");
    here.hub.publish(&channel("stats"), "{\"n\":1}".into()).unwrap();
    for client in [&mut ann, &mut bob] {
        assert!(matches!(client.next(), Frame::Text(text) if text.starts_with(r#"{"n":1,"channel":"stats""#)));
        client.expect_nothing();
    }
}

/// Publications that overtake each other on their way are put in order by the history.
#[test]
fn publications_of_many_threads_on_two_nodes_arrive_once_and_in_order() {
    const EACH: u64 = 200;
    let here = Rig::start(config());
    let there = here.beside(config());
    let room = ordercast_protocol::channel::Channel {
        name: "room:busy".into(),
        source: ordercast_protocol::channel::Source::Memory(ordercast_protocol::channel::Retention {
            events: 10_000,
            age_s: 0,
        }),
    };
    let epoch = here.hub.publish(&room, "{\"n\":0}".into()).unwrap().epoch;
    let (mut ann, mut bob) = (here.connect(), there.connect());
    ann.subscribe(&format!("room:busy {epoch} 0"));
    bob.subscribe(&format!("room:busy {epoch} 0"));
    std::thread::scope(|scope| {
        for rig in [&here, &there, &here, &there] {
            let room = &room;
            scope.spawn(move || (0..EACH).for_each(|_| drop(rig.hub.publish(room, "{\"n\":0}".into()))));
        }
    });
    ann.expect("room:busy", 1..=4 * EACH + 1);
    bob.expect("room:busy", 1..=4 * EACH + 1);
}

#[test]
fn signals_and_presence_reach_the_other_node() {
    let here = Rig::start(config());
    let there = here.beside(config());
    let (mut ann, mut bob) = (here.connect(), there.connect());
    let target = Target { user: "local".into(), ..Target::default() };
    here.hub.signal(target, Signal::Disconnect { code: 3000, reason: "you".into(), kept: Vec::new() });
    for client in [&mut ann, &mut bob] {
        assert_eq!(client.text(), "you");
        client.expect_nothing();
    }
    let joined =
        |user: &str| format!(r#"{{"type":"presence","channel":"room:a","joined":[{{"user":"{user}"}}],"left":[]}}"#);
    ann.say("join room:a ann");
    assert!(ann.text().starts_with("{\"type\":\"subscribed\""));
    assert_eq!(ann.text(), joined("ann"));
    bob.say("join room:a bob");
    assert_eq!(ann.text(), joined("bob"));
    for rig in [&here, &there] {
        assert_eq!(rig.hub.presence_stats("room:a"), PresenceStats { clients: 2, users: 2 });
    }
    drop(bob);
    assert_eq!(ann.text(), r#"{"type":"presence","channel":"room:a","joined":[],"left":[{"user":"bob"}]}"#);
    ann.say("unsub room:a");
    there.wait("an empty room", |hub| hub.presence_stats("room:a") == PresenceStats::default());
}

/// Loses everything while its switch is on.
struct LossyBroker {
    inner: InProcessBroker,
    loses: AtomicBool,
    lost: Mutex<usize>,
}

impl LossyBroker {
    fn recover(&self) {
        self.loses.store(false, Ordering::SeqCst);
        self.inner.announce(Message::Lost);
    }
}

impl Broker for LossyBroker {
    fn start(&self, listener: Listener) -> Result<(), Reason> {
        self.inner.start(listener)
    }

    fn announce(&self, message: Message) {
        if self.loses.load(Ordering::SeqCst) {
            *self.lost.lock().unwrap() += 1;
        } else {
            self.inner.announce(message);
        }
    }

    fn reaches_others(&self) -> bool {
        self.inner.reaches_others()
    }

    fn health(&self) -> Health {
        self.inner.health()
    }

    fn stop(&self) {
        self.inner.stop();
    }
}

#[test]
fn what_a_broker_lost_is_read_when_it_says_so() {
    let broker = LossyBroker { inner: InProcessBroker::new(), loses: AtomicBool::new(false), lost: Mutex::new(0) };
    let broker = Arc::new(broker);
    let here = Rig::with_broker(unwatched(), Arc::<LossyBroker>::clone(&broker));
    let there = here.beside(unwatched());
    let (mut orders, mut order, mut bob) = (here.connect(), here.connect(), there.connect());
    orders.subscribe("orders");
    order.subscribe("order:a");
    bob.subscribe("room:a");
    here.commit(2, 10);
    publish(&here, "room:a", 1);
    orders.expect("orders", 1..=2);
    expect(&mut bob, "room:a", 1..=1);

    broker.loses.store(true, Ordering::SeqCst);
    here.announce(&[("{\"n\":1}".to_owned(), Some("a"), None), ("{\"n\":2}".to_owned(), Some("b"), None)]);
    here.commit(3, 10);
    (2..=5).for_each(|number| drop(publish(&here, "room:a", number)));
    assert_eq!(*broker.lost.lock().unwrap(), 6);
    for client in [&mut orders, &mut order, &mut bob] {
        client.expect_nothing();
    }
    broker.recover();
    // Nothing follows: no hole would be seen without the word of the broker.
    orders.expect("orders", 3..=7);
    order.expect("order:a", [3]);
    expect(&mut bob, "room:a", 2..=5);
    here.commit(1, 10);
    publish(&here, "room:a", 6);
    orders.expect("orders", [8]);
    expect(&mut bob, "room:a", 6..=6);
    for client in [&mut orders, &mut order, &mut bob] {
        client.expect_nothing();
    }
    assert_eq!(here.hub.log_state(Log::Orders).head, 8);
}
