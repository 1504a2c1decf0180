//! What every broker must do, whatever carries its messages.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ordercast_protocol::centrifuge::code::Unsubscribe;
use ordercast_protocol::channel::{Channel, Log, Retention, Source};
use ordercast_protocol::position::{Epoch, Position};
use ordercast_protocol::topic::{Topic, TopicKind, Topics};

use crate::presence::{MemberChange, Presence, PresenceChange};
use crate::signal::{Overrides, Signal, Target, Terms};
use crate::{
    AnnouncedEvent, Announcement, Broker, Ephemeral, Health, Message, Publication, Reason, Sender, SentSignal,
};

/// How long a message may take on a broker that is well.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the suite lets other threads run before it lets a listener end that a stop must wait for.
const YIELDS: usize = 1_000;

type Heard = Arc<Mutex<Vec<Message>>>;

/// Runs the suite. `connect` makes two brokers that have not been started and carry each other's messages, as those of two
/// nodes do; for a broker within one process they are the same one.
///
/// # Panics
/// When the broker does not conform.
pub fn check<B: Broker>(connect: impl Fn() -> [Arc<B>; 2]) {
    every_kind_arrives_whole(connect());
    health_follows_start_and_stop(connect());
    stop_waits_for_listeners(connect());
}

/// Each node hears each message as it was announced, its own and those of the other.
fn every_kind_arrives_whole<B: Broker>(nodes: [Arc<B>; 2]) {
    let heard = [listen(&*nodes[0]), listen(&*nodes[1])];
    assert!(nodes[0].reaches_others(), "there are two listeners");
    let messages = one_of_each();
    for (number, message) in messages.iter().enumerate() {
        nodes[number % 2].announce(message.clone());
    }
    for heard in &heard {
        let arrived = wait_for(heard, messages.len());
        for message in &messages {
            assert!(arrived.contains(message), "it did not arrive, or not whole: {message:?}");
        }
    }
    nodes.iter().for_each(|node| node.stop());
}

fn health_follows_start_and_stop<B: Broker>(nodes: [Arc<B>; 2]) {
    let [node, _] = &nodes;
    assert_eq!(node.health(), Health::Unavailable(Reason::NotStarted));
    let heard = listen(&**node);
    let deadline = Instant::now() + DELIVERY_TIMEOUT;
    while node.health() != Health::Ready {
        assert!(Instant::now() < deadline, "not ready: {:?}", node.health());
        std::thread::yield_now();
    }
    nodes.iter().for_each(|node| node.stop());
    node.stop();
    assert_eq!(node.health(), Health::Unavailable(Reason::Stopped));
    one_of_each().into_iter().for_each(|message| node.announce(message));
    assert!(wait_for(&heard, 0).is_empty(), "a stopped broker calls nobody");
    assert_eq!(node.start(Box::new(|_| {})), Err(Reason::Stopped));
}

/// A listener that is being called when the broker is stopped has returned when the stop has.
fn stop_waits_for_listeners<B: Broker>(nodes: [Arc<B>; 2]) {
    let [node, _] = &nodes;
    let is_called = Arc::new(AtomicBool::new(false));
    let (entered, has_entered) = mpsc::sync_channel(1);
    let (let_go, is_let_go) = mpsc::sync_channel::<()>(1);
    let (called, is_let_go) = (Arc::clone(&is_called), Mutex::new(is_let_go));
    let listener = move |_: &Message| {
        called.store(true, Ordering::SeqCst);
        // The suite waits for both.
        let _ = entered.send(());
        let _ = is_let_go.lock().unwrap_or_else(PoisonError::into_inner).recv();
        called.store(false, Ordering::SeqCst);
    };
    assert_eq!(node.start(Box::new(listener)), Ok(()));
    std::thread::scope(|scope| {
        scope.spawn(|| node.announce(Message::Commit(Arc::new(announcement()))));
        assert!(has_entered.recv_timeout(DELIVERY_TIMEOUT).is_ok(), "nothing was delivered");
        let stopping = scope.spawn(|| {
            node.stop();
            is_called.load(Ordering::SeqCst)
        });
        (0..YIELDS).for_each(|_| std::thread::yield_now());
        assert!(let_go.send(()).is_ok(), "the listener waits");
        assert!(matches!(stopping.join(), Ok(false)), "a listener was still being called after the stop");
    });
}

fn announcement() -> Announcement {
    let topics: Topics =
        [Topic::new(TopicKind::Order, "a"), Topic::new(TopicKind::Customer, "c_1")].into_iter().collect();
    let event = |body, topics| AnnouncedEvent { body: Bytes::from_static(body), topics };
    let events = vec![event(b"{\"type\":\"order\"}", topics), event(b"{\"n\":2}", Topics::default())];
    Announcement { log: Log::Orders, epoch: Epoch("e1".into()), first: 7, events, redacted: vec![3, 5] }
}

/// Every kind of message that is announced, with every field in use.
fn one_of_each() -> Vec<Message> {
    let announcement = announcement();
    assert_eq!(announcement.last(), 8);
    let from = Sender("0f3a".into());
    let position = Position { epoch: Epoch("e2".into()), offset: 3 };
    let body = Bytes::from_static(b"{\"n\":3}");
    let overrides = Overrides { presence: Some(true), join_leave: Some(false), ..Overrides::default() };
    let terms = Box::new(Terms { info: body.clone(), data: Bytes::from_static(b"[1]"), overrides });
    let signals = [
        Signal::Subscribe { channel: "room:a".into(), terms, since: Some(position.clone()) },
        Signal::Unsubscribe { channel: "room:a".into(), why: Unsubscribe::Server },
        Signal::Disconnect { code: 3000, reason: "bye".into(), kept: vec!["c1".into()] },
        Signal::Refresh { expires_at: Some(-1) },
    ];
    let target = Target { user: "ann".into(), client: Some("c1".into()), session: Some("s".into()) };
    let signal = |signal| SentSignal { from: from.clone(), target: target.clone(), signal };
    let member = Presence { user: "ann".into(), info: body.clone(), is_announced: true };
    let presence =
        [MemberChange::Join(member.clone()), MemberChange::Renew(member), MemberChange::Leave].map(|change| {
            let source = Source::Memory(Retention { events: 10, age_s: 60 });
            let channel = Channel { name: "room:a".into(), source };
            PresenceChange { from: from.clone(), channel, client: "c1".into(), change }
        });
    let publication = Publication { from: from.clone(), channel: "room:a".into(), position, body: body.clone() };
    let mut messages = vec![
        Message::Commit(Arc::new(announcement)),
        Message::Publication(publication),
        Message::Ephemeral(Ephemeral { from: from.clone(), channel: "stats".into(), body }),
    ];
    messages.extend(signals.map(|kind| Message::Signal(Arc::new(signal(kind)))));
    messages.extend(presence.map(|change| Message::Presence(Arc::new(change))));
    messages
}

fn listen(node: &dyn Broker) -> Heard {
    let heard = Heard::default();
    let filled = Arc::clone(&heard);
    let listener = move |message: &Message| {
        // Said after a connection was made, at any time.
        if *message != Message::Lost {
            filled.lock().unwrap_or_else(PoisonError::into_inner).push(message.clone());
        }
    };
    assert_eq!(node.start(Box::new(listener)), Ok(()));
    heard
}

fn wait_for(heard: &Heard, count: usize) -> Vec<Message> {
    let deadline = Instant::now() + DELIVERY_TIMEOUT;
    loop {
        let messages = heard.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if messages.len() >= count {
            return messages;
        }
        assert!(Instant::now() < deadline, "{} of {count} messages arrived", messages.len());
        std::thread::yield_now();
    }
}
