//! Publications into durable application channels: beside orders in one commit, acknowledged when durable, found
//! again after a kill.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use bytes::Bytes;
use ordercast_domain::decide::Refusal;
use ordercast_engine::processor::TimedProcessor;
use ordercast_engine::{CommandError, Engine};
use ordercast_protocol::centrifuge::publication::{PublicationBody, write_publication};
use ordercast_protocol::channel::{Log, View};
use ordercast_protocol::position::Position;
use ordercast_protocol::topic::TopicKind;
use ordercast_store::conformance::wait;
use ordercast_store::log::{PageLimit, PageQuery, ReadLogs, StoredEvent};
use ordercast_store::model::ModelStore;
use ordercast_store_sqlite::{SqliteOptions, open, verify::verify};
use proptest::prelude::*;
use support::{Gate, draft, local, place, start, until};

const LIMIT: PageLimit = PageLimit { events: 10_000, bytes: 100_000_000 };

fn body(text: &str) -> Bytes {
    let data = format!("{{\"text\":\"{text}\"}}");
    let publication = PublicationBody { data: data.as_bytes(), info: None, tags: &BTreeMap::new(), time_ms: 1 };
    let mut body = Vec::new();
    write_publication(&publication, &mut body);
    body.into()
}

async fn publish(engine: &Engine, channel: &str, text: &str) -> Result<Position, CommandError> {
    engine.publish(local(), channel.into(), body(text)).await
}

fn events(reader: &dyn ReadLogs, view: View) -> Vec<StoredEvent> {
    wait(reader.log_page(PageQuery::after(Log::Publications, view, 0, LIMIT))).expect("readable").events
}

/// What a store's files are at this moment, as a kill would leave them.
fn as_after_a_kill(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a folder");
    for name in ["ordercast.db", "ordercast.db-wal"] {
        std::fs::copy(dir.join(name), copy.path().join(name)).expect("the file is copied");
    }
    copy
}

#[tokio::test(flavor = "multi_thread")]
async fn publications_and_orders_share_a_commit_and_survive_a_kill() {
    const COUNT: usize = 60;
    let dir = tempfile::tempdir().expect("a folder");
    let (writer, reader) = open(&SqliteOptions::new(dir.path())).expect("a store");
    let started = start(writer, reader.clone(), TimedProcessor::default(), |config| config.slots = 0).await;
    let engine = &started.engine;
    // The answer to the first holds the writer until the others wait: they are one batch.
    let (release, held) = sync_channel::<()>(1);
    let reply = Box::new(move |_: Result<Position, _>| held.recv().expect("it is released"));
    engine.submit_publication(local(), "room:0".into(), body("first"), reply);
    until("the answer holds the writer", || engine.stats().waiting.load(Relaxed) == 0).await;
    let (answers, answered) = sync_channel(10_000);
    for n in 0..COUNT {
        let (answers, channel) = (answers.clone(), format!("room:{}", n % 3));
        let reply = Box::new(move |outcome| answers.send((n, outcome)).expect("the test listens"));
        engine.submit_publication(local(), channel.into(), body(&n.to_string()), reply);
        if n % 2 == 0 {
            let order = draft(engine, &format!("o{n}"), 2);
            engine.submit_order(local(), order, Box::new(|outcome| drop(outcome.expect("placed"))));
        }
    }
    release.send(()).expect("the writer waits");
    for expected in 0..COUNT {
        let (n, outcome) = answered.recv().expect("everyone is answered");
        assert_eq!((n, outcome.expect("it is taken").offset), (expected, expected as u64 + 2));
    }
    until("all are counted", || engine.stats().published.load(Relaxed) == COUNT as u64 + 1).await;
    until("both logs are announced", || started.announced.lock().expect("no panic holds it").len() == 3).await;
    assert_eq!(engine.stats().commits.load(Relaxed), 2, "the first alone, then all that waited");
    let told: Vec<_> = {
        let announced = started.announced.lock().expect("no panic holds it");
        let logs: Vec<_> = announced.iter().map(|announcement| (announcement.log, announcement.first)).collect();
        assert_eq!(logs, [(Log::Publications, 1), (Log::Orders, 1), (Log::Publications, 2)]);
        let told = announced.iter().filter(|announcement| announcement.log == Log::Publications);
        told.flat_map(|announcement| announcement.events.clone()).collect()
    };
    let killed = as_after_a_kill(dir.path());
    let stored = events(&reader, View::All);
    assert!(told.iter().map(|event| &event.body).eq(stored.iter().map(|event| &event.body)), "the same bytes");
    assert_eq!(told[4].topics.id_of(TopicKind::Channel).map(|id| &**id), Some("room:0"));
    assert!(told.iter().all(|event| event.topics.iter().all(|topic| topic.kind == TopicKind::Channel)));

    let report = verify(killed.path(), |_| {}).expect("readable");
    assert!(report.is_clean(), "{report}");
    let (writer, reader) = open(&SqliteOptions::new(killed.path())).expect("the store opens again");
    assert_eq!(events(&reader, View::All), stored);
    let room: Vec<_> =
        events(&reader, View::of(TopicKind::Channel, "room:1")).iter().map(|event| event.offset).collect();
    assert_eq!(room, (3..=COUNT as u64 + 1).step_by(3).collect::<Vec<_>>());
    let second = start(writer, reader, TimedProcessor::default(), |config| config.slots = 0).await;
    assert_eq!(publish(&second.engine, "room:1", "next").await.expect("it is taken").offset, COUNT as u64 + 2);
    place(&second.engine, draft(&second.engine, "after", 2)).await;
    second.engine.stop(Duration::from_secs(5)).await;
    started.engine.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_have_a_length_and_clients_a_bound() {
    let store = ModelStore::new();
    let started = start(store.clone(), store, Gate::open(), |config| config.client_capacity = 2).await;
    let engine = &started.engine;
    for name in [String::new(), "x".repeat(256)] {
        let refused = publish(engine, &name, "x").await.expect_err("it is refused");
        assert!(matches!(refused, CommandError::Refused(Refusal::Invalid(_))), "{refused:?}");
    }
    assert_eq!(publish(engine, &"x".repeat(255), "x").await.expect("it is taken").offset, 1);
    let (release, held) = sync_channel::<()>(1);
    let hold = Box::new(move |_: Result<Position, _>| held.recv().expect("it is released"));
    engine.submit_publication(local(), "a".into(), body("hold"), hold);
    until("the answer holds the writer", || engine.stats().waiting.load(Relaxed) == 0).await;
    let (answers, answered) = sync_channel(10_000);
    for _ in 0..3 {
        let answers = answers.clone();
        let reply = Box::new(move |outcome| answers.send(outcome).expect("the test listens"));
        engine.submit_publication(local(), "a".into(), body("x"), reply);
    }
    assert_eq!(answered.recv(), Ok(Err(CommandError::ClientFull)), "the third, at once");
    release.send(()).expect("the writer waits");
    let offsets: Vec<_> = (0..2).map(|_| answered.recv().expect("answered").expect("taken").offset).collect();
    assert_eq!(offsets, [3, 4]);
    engine.stop(Duration::from_secs(5)).await;
}

/// What one of several threads submits, one after the other.
#[derive(Clone, Debug)]
enum Step {
    Order,
    Publish { channel: u8, bytes: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let publish = (0..4u8, 0..300usize).prop_map(|(channel, bytes)| Step::Publish { channel, bytes });
    prop::collection::vec(prop_oneof![1 => Just(Step::Order), 3 => publish], 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever is submitted by whom: offsets have no gap, each is acknowledged once, and each channel has exactly
    /// what was published into it.
    #[test]
    fn offsets_have_no_gap_and_channels_are_complete(threads in prop::collection::vec(steps(), 1..4)) {
        let dir = tempfile::tempdir().expect("a folder");
        let (writer, reader) = open(&SqliteOptions::new(dir.path())).expect("a store");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let started = runtime.block_on(start(writer, reader.clone(), Gate::open(), |config| {
            (config.slots, config.batch_commands) = (0, 7);
        }));
        let engine = &started.engine;
        let (answers, answered) = sync_channel(10_000);
        std::thread::scope(|scope| {
            for (thread, steps) in threads.iter().enumerate() {
                let answers = answers.clone();
                scope.spawn(move || submit(engine, thread, steps, &answers));
            }
        });
        drop(answers);
        let mut expected: BTreeMap<u64, (String, Bytes)> = BTreeMap::new();
        for (channel, body, outcome) in answered {
            prop_assert!(expected.insert(outcome.expect("it is taken").offset, (channel, body)).is_none());
        }
        prop_assert!(expected.keys().copied().eq(1..=expected.len() as u64), "gapless: {:?}", expected.keys());
        for channel in 0..5u8 {
            let name = format!("room:{channel}");
            let stored = events(&reader, View::of(TopicKind::Channel, name.as_str()));
            let stored: Vec<_> = stored.into_iter().map(|event| (event.offset, event.body)).collect();
            let of_channel = expected.iter().filter(|(_, (channel, _))| *channel == name);
            let of_channel: Vec<_> = of_channel.map(|(offset, (_, body))| (*offset, body.clone())).collect();
            prop_assert_eq!(stored, of_channel, "{}", name);
        }
        runtime.block_on(engine.stop(Duration::from_secs(5)));
    }
}

type Answer = (String, Bytes, Result<Position, CommandError>);

fn submit(engine: &Engine, thread: usize, steps: &[Step], answers: &std::sync::mpsc::SyncSender<Answer>) {
    for (n, step) in steps.iter().enumerate() {
        match step {
            Step::Order => {
                let order = draft(engine, &format!("o{thread}-{n}"), 2);
                engine.submit_order(local(), order, Box::new(|_| ()));
            }
            Step::Publish { channel, bytes } => {
                let (name, answers) = (format!("room:{channel}"), answers.clone());
                let body = body(&format!("{thread} {n} {}", "x".repeat(*bytes)));
                let (channel, stored) = (Arc::from(name.as_str()), body.clone());
                let reply = Box::new(move |outcome| answers.send((name, body, outcome)).expect("the test listens"));
                engine.submit_publication(local(), channel, stored, reply);
            }
        }
    }
}
