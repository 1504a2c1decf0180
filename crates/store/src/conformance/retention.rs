//! Removing the oldest events: what goes, what stays, and what readers see while it goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ordercast_protocol::channel::{Log, View};
use ordercast_protocol::topic::TopicKind;

use super::publications::publish;
use super::{ALL, draft, event, place, read_all, run, wait};
use crate::clock::wall_now_ms;
use crate::log::{LogPage, LogState, PageLimit, PageQuery, StoredEvent};
use crate::read::ReadStore;
use crate::write::{Committed, Keys, LogWrites, OrderKeys, Trim, Trimmed, WriteStore, Writes};

const LOG: Log = Log::Publications;
/// Rounds of [`trims_under_readers`].
const ROUNDS: u64 = 100;

/// Everything that no bound lets stay.
const ANY: Trim = Trim { log: LOG, max_events: None, before_ms: None, most: u64::MAX };

fn trim(writer: &mut dyn WriteStore, trim: Trim) -> Committed {
    let committed = run(writer, Keys::default(), |_, _| Writes {
        logs: LogWrites { trims: vec![trim], ..LogWrites::default() },
        ..Writes::default()
    });
    // How large a write-ahead log is differs from store to store.
    Committed { journal_bytes: 0, ..committed }
}

fn state(reader: &dyn ReadStore, log: Log) -> LogState {
    let states = wait(reader.log_states()).expect("states are readable");
    states.into_iter().find(|state| state.log == log).expect("every log has a state")
}

fn page(reader: &dyn ReadStore, query: PageQuery) -> LogPage {
    wait(reader.log_page(query)).expect("a page is readable")
}

fn offsets(events: &[StoredEvent]) -> Vec<u64> {
    events.iter().map(|event| event.offset).collect()
}

/// Runs the part of the suite on an empty store that removes events.
///
/// # Panics
/// When the store does not conform.
pub fn check_retention(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    trims_by_count(writer, reader);
    reads_above_the_floor(reader);
    trims_by_age(writer, reader);
    leaves_the_batch_itself(writer, reader);
    empties_a_log(writer, reader);
    leaves_orders_alone(writer, reader);
    trims_under_readers(writer, reader);
}

fn trims_by_count(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    publish(writer, &["a", "b", "a", "b", "a", "b", "a", "b", "a", "b"], "x");
    // At most 6 stay, at most 3 go at once.
    let order = Trim { max_events: Some(6), most: 3, ..ANY };
    for (floor, count) in [(3, 3), (4, 1)] {
        let committed = trim(writer, order);
        assert_eq!(committed.trimmed, [Trimmed { log: LOG, floor, count }]);
        assert!(committed.logs.is_empty(), "nothing was appended");
        let LogState { head, floor: told, .. } = state(reader, LOG);
        assert_eq!((head, told), (10, floor), "the floor rises, the head stays");
    }
    assert_eq!(trim(writer, order), Committed::default(), "enough is gone");
    assert_eq!(trim(writer, ANY), Committed::default(), "without a bound nothing goes");
    assert!(wait(reader.log_states()).expect("readable").iter().all(|state| state.log == LOG || state.floor == 0));
}

fn reads_above_the_floor(reader: &dyn ReadStore) {
    let (all, a) = (View::All, View::of(TopicKind::Channel, "a"));
    for (query, expected, read_to) in [
        (PageQuery::after(LOG, all.clone(), 4, ALL), &[5, 6, 7, 8, 9, 10][..], 10),
        (PageQuery::after(LOG, a.clone(), 4, ALL), &[5, 7, 9], 10),
        (PageQuery::after(LOG, all.clone(), 0, ALL), &[5, 6, 7, 8, 9, 10], 10),
        (PageQuery::after(LOG, all.clone(), 10, ALL), &[], 10),
        (PageQuery::before(LOG, all.clone(), u64::MAX, PageLimit { events: 4, ..ALL }), &[10, 9, 8, 7], 7),
        (PageQuery::before(LOG, all.clone(), 7, ALL), &[6, 5], 5),
        (PageQuery::before(LOG, a, 9, ALL), &[7, 5], 5),
        (PageQuery::before(LOG, all, 5, ALL), &[], 5),
    ] {
        let page = page(reader, query.clone());
        assert_eq!((offsets(&page.events).as_slice(), page.read_to), (expected, read_to), "{query:?}");
        assert_eq!((page.state.floor, page.state.head), (4, 10), "whoever asks from below is told: {query:?}");
    }
}

fn trims_by_age(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    let last = |reader| page(reader, PageQuery::before(LOG, View::All, u64::MAX, ALL)).events[0].at_ms;
    let old_ms = last(reader);
    while wall_now_ms() <= old_ms {
        std::thread::yield_now();
    }
    publish(writer, &["a", "b"], "young");
    let young_ms = last(reader);
    let order = Trim { before_ms: Some(young_ms), most: 4, ..ANY };
    assert_eq!(trim(writer, order).trimmed, [Trimmed { log: LOG, floor: 8, count: 4 }], "no more than may go");
    assert_eq!(trim(writer, order).trimmed, [Trimmed { log: LOG, floor: 10, count: 2 }], "the young stay");
    assert_eq!(trim(writer, order), Committed::default());
    let either = Trim { max_events: Some(1), ..order };
    assert_eq!(trim(writer, either).trimmed, [Trimmed { log: LOG, floor: 11, count: 1 }], "any bound will do");
}

fn leaves_the_batch_itself(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    let order = Trim { max_events: Some(0), before_ms: Some(i64::MAX), ..ANY };
    let committed = run(writer, Keys::default(), |_, _| {
        let events = (0..3).map(|n| super::publications::event("a", &n.to_string())).collect();
        Writes { logs: LogWrites { events, trims: vec![order], ..LogWrites::default() }, ..Writes::default() }
    });
    assert_eq!((committed.logs[0].first, committed.logs[0].count), (13, 3));
    assert_eq!(committed.trimmed, [Trimmed { log: LOG, floor: 12, count: 1 }]);
    assert_eq!(offsets(&read_all(reader, &PageQuery::after(LOG, View::All, 12, ALL))), [13, 14, 15]);
}

fn empties_a_log(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    let order = Trim { max_events: Some(0), ..ANY };
    assert_eq!(trim(writer, order).trimmed, [Trimmed { log: LOG, floor: 15, count: 3 }]);
    assert_eq!(trim(writer, order), Committed::default());
    for query in [PageQuery::after(LOG, View::All, 15, ALL), PageQuery::before(LOG, View::All, u64::MAX, ALL)] {
        let page = page(reader, query.clone());
        assert!(page.events.is_empty() && page.is_last(query.start), "{query:?}");
    }
    assert_eq!(publish(writer, &["a"], "next").logs[0].first, 16, "offsets go on");
    assert_eq!(offsets(&read_all(reader, &PageQuery::after(LOG, View::of(TopicKind::Channel, "a"), 15, ALL))), [16]);
}

fn leaves_orders_alone(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    for id in ["first", "second"] {
        run(writer, OrderKeys { ids: vec![id.into()], ..OrderKeys::default() }, |mut set, now_ms| {
            let mut writes = Writes::default();
            place(&mut set, &draft(id, "ann", 2), now_ms, &mut writes);
            writes
        });
    }
    let before = wait(reader.order("first".into())).expect("readable").expect("it is there");
    let committed = trim(writer, Trim { log: Log::Orders, max_events: Some(1), ..ANY });
    assert_eq!(committed.trimmed, [Trimmed { log: Log::Orders, floor: 1, count: 1 }]);
    assert_eq!(wait(reader.order("first".into())).expect("readable"), Some(before), "its event is gone, it is not");
    let customer = wait(reader.order("second".into())).expect("readable").expect("it is there").0.customer_id;
    for (view, expected) in [
        (View::of(TopicKind::Order, "first"), &[][..]),
        (View::of(TopicKind::Order, "second"), &[2]),
        (View::of(TopicKind::Customer, customer), &[2]),
    ] {
        let query = PageQuery::after(Log::Orders, view, 1, ALL);
        assert_eq!(offsets(&read_all(reader, &query)), expected, "{query:?}");
    }
    let keys = Keys {
        orders: OrderKeys { ids: vec!["first".into()], keys: vec!["key-first".into()], ..OrderKeys::default() },
        ..Keys::default()
    };
    let committed = run(writer, keys, |set, _| {
        assert_eq!(&*set.orders.keys["key-first"].order_id, "first", "keys live as long as the order");
        let order = &set.orders.by_seq[&set.orders.by_id["first"]];
        Writes { logs: LogWrites { events: vec![event(order, "again")], ..LogWrites::default() }, ..Writes::default() }
    });
    assert_eq!(committed.logs[0].first, 3);
}

/// Pages that are read while events go: each begins where its own floor says, without a hole.
fn trims_under_readers(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    let stop = AtomicBool::new(false);
    let is_whole = |after: u64, page: &LogPage, channel: Option<&str>| {
        let first = after.max(page.state.floor) + 1;
        let expected = first..=page.read_to;
        match channel {
            None => page.events.iter().map(|event| event.offset).eq(expected),
            // Channels take turns: even offsets are in one, odd ones in the other.
            Some(channel) => {
                let parity = u64::from(channel == "odd");
                page.events.iter().map(|event| event.offset).eq(expected.filter(|offset| offset % 2 == parity))
            }
        }
    };
    let first = state(reader, LOG).head + 1;
    let channels = if first % 2 == 1 { ["odd", "even"] } else { ["even", "odd"] };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let floor = state(reader, LOG).floor;
                for channel in [None, Some("even"), Some("odd")] {
                    let view = channel.map_or(View::All, |name| View::of(TopicKind::Channel, name));
                    let after = floor.max(first - 1);
                    let page = page(reader, PageQuery::after(LOG, view, after, PageLimit { events: 7, ..ALL }));
                    assert!(is_whole(after, &page, channel), "after {after}, {channel:?}: {page:?}");
                }
            }
        });
        for round in 0..ROUNDS {
            publish(writer, &channels, &round.to_string());
            trim(writer, Trim { max_events: Some(20), ..ANY });
        }
        stop.store(true, Ordering::Relaxed);
    });
    let LogState { head, floor, .. } = state(reader, LOG);
    assert_eq!((head, floor), (first + 2 * ROUNDS - 1, head - 20));
    let tail: Arc<str> = channels[1].into();
    assert_eq!(read_all(reader, &PageQuery::after(LOG, View::of(TopicKind::Channel, tail), floor, ALL)).len(), 10);
}
