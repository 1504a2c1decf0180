//! Removing bodies of events: the event that is left, and its announcement.

use bytes::Bytes;
use ordercast_protocol::channel::{Log, View};
use ordercast_protocol::redaction::{Redaction, TOMBSTONE};
use ordercast_protocol::topic::TopicKind;

use super::publications::event;
use super::{ALL, read_all, run};
use crate::log::{PageLimit, PageQuery, StoredEvent};
use crate::read::ReadStore;
use crate::write::{Committed, EventInsert, Keys, LogWrites, Trim, WriteStore};

const LOG: Log = Log::Publications;
/// A body that fills several pages of any store.
const LONG_BYTES: usize = 100_000;
/// What the bodies say that are removed: no file of a store has it when the suite has ended.
pub const SECRET: &str = "a word that was never meant to stay";

/// Removes the bodies at these offsets, and tells of it with one more event.
fn redact(writer: &mut dyn WriteStore, offsets: &[u64], trims: &[Trim]) -> Committed {
    let redactions: Vec<_> =
        offsets.iter().map(|offset| Redaction::new(LOG, *offset).expect("the log allows it")).collect();
    run(writer, Keys::default(), |_, _| {
        let events = vec![event("told", "removed")];
        LogWrites { events, redactions: redactions.clone(), trims: trims.to_vec() }.into()
    })
}

fn all(reader: &dyn ReadStore, view: View) -> Vec<StoredEvent> {
    read_all(reader, &PageQuery::after(LOG, view, 0, ALL).with_topics())
}

/// Runs the part of the suite about redactions on an empty store.
///
/// # Panics
/// When the store does not conform.
pub fn check_redaction(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    let texts = ["stays", SECRET, SECRET, "stays", SECRET, SECRET];
    let events: Vec<_> = texts.iter().zip(["a", "b"].iter().cycle()).map(|(text, to)| event(to, text)).collect();
    run(writer, Keys::default(), |_, _| LogWrites { events: events.clone(), ..LogWrites::default() }.into());
    let body = Bytes::from(format!("{{\"data\":\"{}\"}}", SECRET.repeat(LONG_BYTES / SECRET.len())));
    let long = EventInsert { body, ..event("a", "") };
    run(writer, Keys::default(), |_, _| LogWrites { events: vec![long.clone()], ..LogWrites::default() }.into());
    let before = all(reader, View::All);
    // Events that are not there are passed over, and so is the batch's own.
    let committed = redact(writer, &[5, 2, 7, 0, 8, 99], &[]);
    assert_eq!((committed.logs[0].first, committed.logs[0].count), (8, 1));
    let expected = |mut event: StoredEvent| {
        if [2, 5, 7].contains(&event.offset) {
            event.body = Bytes::from_static(TOMBSTONE);
        }
        event
    };
    let mut after = all(reader, View::All);
    assert_ne!(after.pop().expect("the event that tells of it").body, TOMBSTONE, "an offset of the batch itself");
    assert_eq!(after, before.into_iter().map(expected).collect::<Vec<_>>(), "offset, time and topics stay");
    let found = all(reader, View::of(TopicKind::Channel, "a"));
    assert_eq!(found.iter().map(|event| event.offset).collect::<Vec<_>>(), [1, 3, 5, 7]);
    assert_eq!((&found[2].body[..], &found[3].body[..]), (TOMBSTONE, TOMBSTONE));
    let limit = PageLimit { events: 1, bytes: 1 };
    assert_eq!(read_all(reader, &PageQuery::after(LOG, View::All, 0, limit)).len(), 8);
    redacts_what_is_going(writer, reader);
}

fn redacts_what_is_going(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    // Again, which changes nothing.
    redact(writer, &[2], &[]);
    // Nine events: the first five go with the batch that redacts two of them.
    let trim = Trim { log: LOG, max_events: Some(4), before_ms: None, most: u64::MAX };
    let committed = redact(writer, &[3, 6], &[trim]);
    assert_eq!(committed.trimmed[0].floor, 5);
    redact(writer, &[4, 6], &[]);
    let left = all(reader, View::All);
    assert_eq!(left.iter().map(|event| event.offset).collect::<Vec<_>>(), [6, 7, 8, 9, 10, 11]);
    let is_removed: Vec<_> = left.iter().map(|event| event.body == TOMBSTONE).collect();
    assert_eq!(is_removed, [true, true, false, false, false, false]);
    // The rest that says it.
    redact(writer, &(6..=11).collect::<Vec<_>>(), &[]);
    assert!(all(reader, View::All).iter().all(|event| event.body == TOMBSTONE || event.offset == 12));
}
