//! What every broker must do, whatever carries its messages.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ordercast_protocol::channel::Log;
use ordercast_protocol::position::Epoch;
use ordercast_protocol::topic::{Topic, TopicKind};

use crate::{AnnouncedEvent, Announcement, Broker, Message};

/// How long a message may take on a broker that is well.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs the suite: each of two listeners hears each message as it was announced.
///
/// # Panics
/// When the broker does not conform.
pub fn check(broker: &dyn Broker) {
    let heard: [Arc<Mutex<Vec<Message>>>; 2] = Default::default();
    for heard in &heard {
        let heard = Arc::clone(heard);
        broker.listen(Box::new(move |message| {
            heard.lock().unwrap_or_else(PoisonError::into_inner).push(message.clone());
        }));
    }
    let announcement = Arc::new(Announcement {
        log: Log::Orders,
        epoch: Epoch("e1".into()),
        first: 7,
        events: vec![
            AnnouncedEvent {
                body: Bytes::from_static(b"{\"type\":\"order\"}"),
                topics: [Topic::new(TopicKind::Order, "a"), Topic::new(TopicKind::Customer, "c_1")].into(),
            },
            AnnouncedEvent {
                body: Bytes::from_static(b"{\"n\":2}"),
                topics: Topic::new(TopicKind::Channel, "room:1").into(),
            },
        ],
        redacted: vec![3, 5],
    });
    assert_eq!(announcement.last(), 8);
    broker.announce(Message::Commit(Arc::clone(&announcement)));
    broker.announce(Message::Ephemeral { channel: "stats".into(), body: Bytes::from_static(b"{\"n\":3}") });
    for heard in &heard {
        let messages = wait_for(heard, 2);
        let commit = messages.iter().find_map(|message| match message {
            Message::Commit(commit) => Some(commit),
            Message::Ephemeral { .. } => None,
        });
        assert_eq!(commit, Some(&announcement), "a commit arrives whole");
        let ephemeral = messages.iter().any(
            |message| matches!(message, Message::Ephemeral { channel, body } if &**channel == "stats" && &**body == b"{\"n\":3}"),
        );
        assert!(ephemeral, "what is not stored arrives too");
    }
}

fn wait_for(heard: &Mutex<Vec<Message>>, count: usize) -> Vec<Message> {
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
