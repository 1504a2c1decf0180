//! Topics: each log has views by every kind of topic, whatever its events are kept by.

use std::sync::Arc;

use bytes::Bytes;
use ordercast_protocol::channel::{Log, View};
use ordercast_protocol::topic::{MAX_TOPICS, Topic, TopicKind, Topics};

use super::{ALL, draft, event, place, read_all, run};
use crate::log::{PageLimit, PageQuery, Start, StoredEvent};
use crate::read::ReadStore;
use crate::write::{EventInsert, Keys, LogWrites, Trim, WriteStore, Writes};

/// Events that each log gets.
const EVENTS: usize = 20;
/// Events of each log that are left at last.
const KEPT: u64 = 9;

/// One of the topics that the events of this suite may have.
fn topic(n: usize) -> Topic {
    Topic::new(TopicKind::ALL[n % TopicKind::ALL.len()], format!("na\u{ef}ve {n}"))
}

/// The event of a log with this number, beside what the log itself asks for.
fn numbered(log: Log, n: usize) -> EventInsert {
    let all = (0..=n % MAX_TOPICS).map(topic);
    let topics: Topics = match log {
        // These have the topic of their channel, and no other channel.
        Log::Publications => all
            .filter(|topic| topic.kind != TopicKind::Channel)
            .chain([Topic::new(TopicKind::Channel, "room")])
            .collect(),
        _ => all.skip(1).collect(),
    };
    EventInsert { log, order: None, topics, body: Bytes::from(format!("{{\"n\":{n}}}")) }
}

/// Runs the part of the suite about topics on an empty store.
///
/// # Panics
/// When the store does not conform.
pub fn check_topics(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    let logs = [Log::Products, Log::Adjustments, Log::Publications];
    let mut written: Vec<EventInsert> = Vec::new();
    for n in 0..EVENTS {
        let events: Vec<_> = logs.iter().map(|&log| numbered(log, n)).collect();
        written.extend(events.iter().cloned());
        run(writer, Keys::default(), |_, _| LogWrites { events: events.clone(), ..LogWrites::default() }.into());
    }
    for log in logs {
        let of_log: Vec<_> = written.iter().filter(|event| event.log == log).map(|event| &event.topics).collect();
        let all = read_all(reader, &PageQuery::after(log, View::All, 0, ALL).with_topics());
        assert!(all.iter().map(|event| &event.topics).eq(of_log), "{log:?}: topics are read as they were written");
        finds_events(reader, log, &all);
    }
    let trims: Vec<_> =
        logs.iter().map(|&log| Trim { log, max_events: Some(KEPT), before_ms: None, most: u64::MAX }).collect();
    run(writer, Keys::default(), |_, _| LogWrites { trims: trims.clone(), ..LogWrites::default() }.into());
    for log in logs {
        let left = read_all(reader, &PageQuery::after(log, View::All, 0, ALL).with_topics());
        assert_eq!(left.len() as u64, KEPT);
        finds_events(reader, log, &left);
    }
    orders_have_topics_beside_their_own(writer, reader);
}

/// Each view has the events of the log that have its topic, in pages of any size, in both directions.
fn finds_events(reader: &dyn ReadStore, log: Log, all: &[StoredEvent]) {
    for topic in (0..=MAX_TOPICS).map(topic).chain([Topic::new(TopicKind::Channel, "room")]) {
        let view = View::Topic(topic);
        let mut expected: Vec<_> = all.iter().filter(|event| view.holds(&event.topics)).cloned().collect();
        for limit in [ALL, PageLimit { events: 1, bytes: 1_000 }, PageLimit { events: 3, bytes: 1_000 }] {
            let on = PageQuery::after(log, view.clone(), 0, limit).with_topics();
            assert_eq!(read_all(reader, &on), expected, "{on:?}");
        }
        if let Some(second) = expected.get(1) {
            let on = PageQuery::after(log, view.clone(), second.offset, ALL).with_topics();
            assert_eq!(read_all(reader, &on), expected[2..], "{on:?}");
        }
        expected.reverse();
        for limit in [ALL, PageLimit { events: 2, bytes: 1_000 }] {
            let back =
                PageQuery { start: Start::Before(u64::MAX), limit, ..PageQuery::after(log, view.clone(), 0, ALL) };
            assert_eq!(read_all(reader, &back.with_topics()), expected, "{view:?} back");
        }
    }
}

/// An event of an order may have topics that its order does not say.
fn orders_have_topics_beside_their_own(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    let more = [topic(TopicKind::Channel as usize), Topic::new(TopicKind::Customer, "c_other")];
    let mut topics = Vec::new();
    run(writer, Keys::default(), |mut set, now_ms| {
        let mut writes = Writes::default();
        place(&mut set, &draft("first", "ann", 2), now_ms, &mut writes);
        let order = Arc::clone(&writes.orders.new[0].order);
        let mut second = event(&order, "seen");
        second.topics.add(more[0].clone());
        writes.logs.events.push(second);
        topics = writes.logs.events.iter().map(|event| event.topics.clone()).collect();
        writes
    });
    let all = read_all(reader, &PageQuery::after(Log::Orders, View::All, 0, ALL).with_topics());
    assert!(all.iter().map(|event| &event.topics).eq(&topics));
    for topic in topics[1].iter().chain(&more) {
        let view = View::Topic(topic.clone());
        let expected: Vec<_> = all.iter().filter(|event| view.holds(&event.topics)).cloned().collect();
        assert_eq!(read_all(reader, &PageQuery::after(Log::Orders, view, 0, ALL).with_topics()), expected, "{topic:?}");
    }
}
