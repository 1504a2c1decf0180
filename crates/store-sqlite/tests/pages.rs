//! Pages of the SQLite store: the same as the model's whatever is committed, removed and asked for, and right where
//! the index of channels begins a new run.

use bytes::Bytes;
use ordercast_protocol::channel::{Log, View};
use ordercast_protocol::position::Epoch;
use ordercast_protocol::topic::{Topic, TopicKind, Topics};
use ordercast_store::conformance::{run, wait};
use ordercast_store::log::{LogPage, LogState, PageLimit, PageQuery, ReadLogs, Start};
use ordercast_store::model::ModelStore;
use ordercast_store::write::{EventInsert, Keys, LogWrites, Trim, WriteStore, Writes};
use ordercast_store_sqlite::open::DATABASE_FILE;
use ordercast_store_sqlite::{SqliteOptions, open, verify::verify};
use proptest::collection::vec;
use proptest::prelude::*;

/// As in the store: publications are indexed in runs of so many offsets.
const RUN: u64 = 1 << 14;
const LOGS: [Log; 2] = [Log::Products, Log::Publications];

fn publication(channel: &str, bytes: usize) -> EventInsert {
    let topics = Topic::new(TopicKind::Channel, channel).into();
    EventInsert { log: Log::Publications, order: None, topics, body: Bytes::from(vec![b'x'; bytes]) }
}

fn commit(writer: &mut dyn WriteStore, events: &[EventInsert], trims: &[Trim]) {
    run(writer, Keys::default(), |_, _| Writes {
        logs: LogWrites { events: events.to_vec(), trims: trims.to_vec(), ..LogWrites::default() },
        ..Writes::default()
    });
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<EventInsert>, Vec<Trim>),
    Read(PageQuery),
    Reopen,
}

fn any_log() -> impl Strategy<Value = Log> {
    prop::sample::select(LOGS.to_vec())
}

fn any_channel() -> impl Strategy<Value = String> {
    (0..3u8).prop_map(|channel| format!("room:{channel}"))
}

fn any_event() -> impl Strategy<Value = EventInsert> {
    let product = |(channel, bytes): (Option<String>, usize)| {
        let topics = channel.map(|channel| Topic::new(TopicKind::Channel, channel)).into_iter().collect::<Topics>();
        EventInsert { log: Log::Products, topics, ..publication("", bytes) }
    };
    prop_oneof![
        3 => (any_channel(), 0..40usize).prop_map(|(channel, bytes)| publication(&channel, bytes)),
        2 => (prop::option::of(any_channel()), 0..40usize).prop_map(product),
    ]
}

fn any_trim() -> impl Strategy<Value = Trim> {
    (any_log(), prop::option::of(0..30u64), prop::bool::weighted(0.1), 1..20u64).prop_map(
        |(log, max_events, old, most)| {
            // All are older than the end of time; what is young enough by the clock differs between two stores.
            Trim { log, max_events, before_ms: old.then_some(i64::MAX), most }
        },
    )
}

fn any_read() -> impl Strategy<Value = PageQuery> {
    let view = prop_oneof![
        1 => Just(View::All),
        3 => any_channel().prop_map(|channel| View::of(TopicKind::Channel, channel)),
        1 => Just(View::of(TopicKind::Order, "none")),
    ];
    let offset = prop_oneof![9 => 0..80u64, 1 => Just(u64::MAX)];
    let start = (prop::bool::ANY, offset).prop_map(|(on, at)| if on { Start::After(at) } else { Start::Before(at) });
    let limit = (0..12usize, 0..400usize).prop_map(|(events, bytes)| PageLimit { events, bytes });
    (any_log(), view, start, limit, prop::bool::ANY).prop_map(|(log, view, start, limit, with_topics)| PageQuery {
        log,
        view,
        start,
        limit,
        with_topics,
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (vec(any_event(), 0..12), prop::option::of(any_trim()))
            .prop_map(|(events, trim)| Step::Commit(events, trim.into_iter().collect())),
        16 => any_read().prop_map(Step::Read),
        1 => Just(Step::Reopen),
    ]
}

/// A page without what two stores cannot have in common.
fn read(reader: &dyn ReadLogs, query: &PageQuery) -> LogPage {
    let mut page = wait(reader.log_page(query.clone())).expect("readable");
    page.state.epoch = Epoch("any".into());
    page.events.iter_mut().for_each(|event| event.at_ms = 0);
    page
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn pages_are_those_of_the_model(steps in vec(any_step(), 1..60)) {
        let dir = tempfile::tempdir().expect("a folder");
        let model = ModelStore::new();
        let mut store = Some(open(&SqliteOptions::new(dir.path())).expect("a store"));
        for step in steps {
            let (writer, reader) = store.as_mut().expect("it is open");
            match step {
                Step::Commit(events, trims) => {
                    commit(&mut model.clone(), &events, &trims);
                    commit(writer, &events, &trims);
                }
                Step::Read(query) => prop_assert_eq!(read(reader, &query), read(&model, &query), "{:?}", query),
                Step::Reopen => {
                    drop(store.take());
                    store = Some(open(&SqliteOptions::new(dir.path())).expect("it opens again"));
                }
            }
        }
        drop(store);
        let report = verify(dir.path(), |_| {}).expect("readable");
        prop_assert!(report.is_clean(), "{}", report);
    }
}

/// The offsets of a view, in pages, in the order they come.
fn all_offsets(reader: &dyn ReadLogs, view: &View, start: Start, events: usize) -> Vec<u64> {
    let limit = PageLimit { events, bytes: usize::MAX };
    let mut query = PageQuery { start, ..PageQuery::after(Log::Publications, view.clone(), 0, limit) };
    let mut offsets = Vec::new();
    loop {
        let page = read(reader, &query);
        offsets.extend(page.events.iter().map(|event| event.offset));
        if page.is_last(query.start) {
            return offsets;
        }
        query.start = match query.start {
            Start::After(_) => Start::After(page.read_to),
            Start::Before(_) => Start::Before(page.read_to),
        };
    }
}

#[test]
fn channels_go_on_from_run_to_run() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, reader) = open(&SqliteOptions::new(dir.path())).unwrap();
    let head = 2 * RUN + 2_000;
    // Every third offset is of one channel, a single one in the middle run of another.
    let channel = |offset: u64| match offset {
        _ if offset == RUN + 7 => "rare",
        _ if offset.is_multiple_of(3) => "third",
        _ => "rest",
    };
    let offsets: Vec<u64> = (1..=head).collect();
    for offsets in offsets.chunks(3_000) {
        let events: Vec<_> = offsets.iter().map(|&offset| publication(channel(offset), 4)).collect();
        commit(&mut writer, &events, &[]);
    }
    let check = |floor: u64| {
        for name in ["third", "rare", "none"] {
            let view = View::of(TopicKind::Channel, name);
            let mut expected: Vec<_> = (floor + 1..=head).filter(|&offset| channel(offset) == name).collect();
            for events in [100, 1_000_000] {
                assert_eq!(all_offsets(&reader, &view, Start::After(0), events), expected, "{name}, floor {floor}");
            }
            expected.reverse();
            assert_eq!(all_offsets(&reader, &view, Start::Before(u64::MAX), 1_000), expected, "{name}, floor {floor}");
        }
    };
    check(0);
    for floor in [10, RUN - 1, RUN, RUN + 6, RUN + 7, 2 * RUN + 1] {
        let order = Trim { log: Log::Publications, max_events: Some(head - floor), before_ms: None, most: u64::MAX };
        commit(&mut writer, &[], &[order]);
        check(floor);
    }
}

/// A channel that was silent for long is left after so many runs, and found from there on.
#[test]
fn a_long_silence_takes_several_pages() {
    const RUNS: u64 = 1_300;
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, reader) = open(&SqliteOptions::new(dir.path())).unwrap();
    commit(&mut writer, &[publication("a", 4)], &[]);
    drop((writer, reader));
    // As if others had published, without the time that it would take.
    let connection = rusqlite::Connection::open(dir.path().join(DATABASE_FILE)).unwrap();
    connection.execute("UPDATE logs SET head = ?1 WHERE name = 'publications'", [RUNS * RUN]).unwrap();
    drop(connection);
    let (mut writer, reader) = open(&SqliteOptions::new(dir.path())).unwrap();
    commit(&mut writer, &[publication("a", 4)], &[]);
    let view = View::of(TopicKind::Channel, "a");
    let last = RUNS * RUN + 1;
    let limit = PageLimit { events: 10, bytes: 1_000 };
    let first = read(&reader, &PageQuery::after(Log::Publications, view.clone(), 1, limit));
    assert!(first.events.is_empty() && first.read_to > RUN && !first.is_last(Start::After(1)), "{first:?}");
    assert_eq!(all_offsets(&reader, &view, Start::After(0), 10), [1, last]);
    assert_eq!(all_offsets(&reader, &view, Start::Before(u64::MAX), 10), [last, 1]);
    let LogState { head, .. } = wait(reader.log_states()).unwrap().pop().unwrap();
    assert_eq!(head, last);
}
