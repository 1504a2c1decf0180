//! Durable application channels: views of the log of publications.

use bytes::Bytes;
use ordercast_protocol::channel::{Log, View};
use ordercast_protocol::topic::{Topic, TopicKind};

use super::{ALL, read_all, run, wait};
use crate::log::{PageLimit, PageQuery, StoredEvent};
use crate::read::ReadStore;
use crate::write::{Committed, EventInsert, Keys, LogWrites, WriteStore, Writes};

/// What [`check`] publishes, by channel, one batch a row.
const BATCHES: [&[&str]; 3] = [&["room:1", "room:2", "room:1"], &["r\u{f6}\u{f6}m:3"], &["room:2", "room:1"]];

/// Publishes one text into each of the channels, in one batch.
pub(super) fn publish(writer: &mut dyn WriteStore, channels: &[&str], text: &str) -> Committed {
    run(writer, Keys::default(), |_, _| Writes {
        logs: LogWrites {
            events: channels.iter().map(|channel| event(channel, text)).collect(),
            ..LogWrites::default()
        },
        ..Writes::default()
    })
}

pub(super) fn event(channel: &str, text: &str) -> EventInsert {
    EventInsert {
        log: Log::Publications,
        order: None,
        topics: Topic::new(TopicKind::Channel, channel).into(),
        body: Bytes::from(format!("{{\"type\":\"publication\",\"data\":\"{text} {channel}\"}}")),
    }
}

fn query(view: View, limit: PageLimit) -> PageQuery {
    PageQuery::after(Log::Publications, view, 0, limit).with_topics()
}

fn channel_of(event: &StoredEvent) -> Option<&str> {
    event.topics.id_of(TopicKind::Channel).map(|id| &**id)
}

fn offsets(events: &[StoredEvent]) -> Vec<u64> {
    events.iter().map(|event| event.offset).collect()
}

pub(super) fn check(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    let mut next = 1;
    for channels in BATCHES {
        let committed = publish(writer, channels, "hello");
        let range = &committed.logs[0];
        assert_eq!((committed.logs.len(), range.log, range.first), (1, Log::Publications, next));
        assert_eq!(range.count, channels.len() as u64);
        next += range.count;
    }
    let all = read_all(reader, &query(View::All, ALL));
    assert_eq!(offsets(&all), [1, 2, 3, 4, 5, 6]);
    let names: Vec<_> = all.iter().filter_map(channel_of).collect();
    assert_eq!(names, BATCHES.concat(), "each names its channel");
    assert_eq!(&*all[1].body, b"{\"type\":\"publication\",\"data\":\"hello room:2\"}");
    for (channel, expected) in
        [("room:1", &[1, 3, 6][..]), ("room:2", &[2, 5]), ("r\u{f6}\u{f6}m:3", &[4]), ("room:", &[]), ("", &[])]
    {
        let view = View::of(TopicKind::Channel, channel);
        for limit in [ALL, PageLimit { events: 1, bytes: 1_000 }, PageLimit { events: 2, bytes: 1 }] {
            let events = read_all(reader, &query(view.clone(), limit));
            assert_eq!(offsets(&events), expected, "{channel}, {limit:?}");
            assert!(events.iter().all(|event| channel_of(event) == Some(channel)));
            let back = PageQuery::before(Log::Publications, view.clone(), u64::MAX, limit);
            let newest_first: Vec<_> = expected.iter().rev().copied().collect();
            assert_eq!(offsets(&read_all(reader, &back)), newest_first, "{channel} back, {limit:?}");
        }
    }
    for (query, expected) in [
        (PageQuery::after(Log::Publications, View::of(TopicKind::Channel, "room:1"), 1, ALL), &[3, 6][..]),
        (PageQuery::after(Log::Publications, View::of(TopicKind::Channel, "room:1"), 6, ALL), &[]),
        (PageQuery::after(Log::Publications, View::All, 99, ALL), &[]),
        (PageQuery::before(Log::Publications, View::of(TopicKind::Channel, "room:1"), 6, ALL), &[3, 1]),
        (PageQuery::before(Log::Publications, View::All, 1, ALL), &[]),
        (PageQuery::before(Log::Publications, View::All, 0, ALL), &[]),
        (PageQuery::after(Log::Publications, View::of(TopicKind::Order, "high"), 0, ALL), &[]),
        (PageQuery::after(Log::Publications, View::of(TopicKind::Customer, "c_1"), 0, ALL), &[]),
        (PageQuery::after(Log::Products, View::of(TopicKind::Channel, "room:1"), 0, ALL), &[]),
    ] {
        let page = wait(reader.log_page(query.clone())).expect("a page is readable");
        assert_eq!(offsets(&page.events), expected, "{query:?}");
        assert!(page.is_last(query.start), "{query:?}");
    }
}

/// What [`check`] published is still there, and the next publication follows.
pub(super) fn check_reopened(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    let before = read_all(reader, &query(View::of(TopicKind::Channel, "room:1"), ALL));
    assert_eq!(offsets(&before), [1, 3, 6]);
    assert_eq!(publish(writer, &["room:1"], "again").logs[0].first, 7);
    let after = read_all(reader, &query(View::of(TopicKind::Channel, "room:1"), ALL));
    assert_eq!(after[..3], before, "what lies there stays as it is");
    assert_eq!(offsets(&after), [1, 3, 6, 7]);
}
