//! Retention by the engine: along with commits, and in its idle time.

mod support;

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use ordercast_engine::retention::LogRetention;
use ordercast_engine::{Engine, EngineConfig};
use ordercast_protocol::channel::{Log, View};
use ordercast_store::conformance::wait;
use ordercast_store::log::{LogState, PageLimit, PageQuery, ReadLogs};
use ordercast_store::read::ReadStore;
use ordercast_store_sqlite::{SqliteOptions, open, verify::verify};
use support::{Gate, draft, local, place, start, until};

const BODY: Bytes = Bytes::from_static(b"{\"type\":\"publication\",\"data\":1}");

fn state(reader: &dyn ReadLogs, log: Log) -> LogState {
    let states = wait(reader.log_states()).expect("readable");
    states.into_iter().find(|state| state.log == log).expect("every log has a state")
}

/// Publishes and waits for the last.
async fn publish(engine: &Engine, count: u64) {
    for _ in 1..count {
        engine.submit_publication(local(), "room:1".into(), BODY, Box::new(|_| ()));
    }
    engine.publish(local(), "room:1".into(), BODY).await.expect("it is taken");
}

fn keep(config: &mut EngineConfig, log: Log, retention: LogRetention) {
    config.retention[log.index()] = retention;
    (config.intake_capacity, config.client_capacity, config.batch_commands) = (10_000, 10_000, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_goes_with_commits_and_the_rest_when_idle() {
    let dir = tempfile::tempdir().expect("a folder");
    let (writer, reader) = open(&SqliteOptions::new(dir.path())).expect("a store");
    let bound = LogRetention { max_events: Some(1_000), max_age: None };
    let started = start(writer, reader.clone(), Gate::open(), |config| keep(config, Log::Publications, bound)).await;
    let engine = &started.engine;
    publish(engine, 5_000).await;
    let LogState { head, floor, .. } = state(&reader, Log::Publications);
    assert_eq!(head, 5_000);
    // Looked at every 256 events: under load no more is left over than came meanwhile.
    assert!((3_400..=4_000).contains(&floor), "the floor is at {floor}");
    until("the rest goes when nothing comes", || state(&reader, Log::Publications).floor == 4_000).await;
    let query = PageQuery::after(Log::Publications, View::All, 4_000, PageLimit { events: 10_000, bytes: 1_000_000 });
    assert_eq!(reader.log_page(query).await.expect("readable").events.len(), 1_000, "never fewer than are to stay");
    assert_eq!(engine.stats().trimmed.load(Relaxed), 4_000);
    engine.stop(Duration::from_secs(5)).await;
    drop((started, reader));
    let report = verify(dir.path(), |_| {}).expect("readable");
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_events_of_orders_go_and_orders_stay() {
    let dir = tempfile::tempdir().expect("a folder");
    let (writer, reader) = open(&SqliteOptions::new(dir.path())).expect("a store");
    let young = LogRetention { max_events: None, max_age: Some(Duration::from_millis(1)) };
    let started = start(writer, reader.clone(), Gate::open(), |config| keep(config, Log::Orders, young)).await;
    let engine = &started.engine;
    for n in 0..300 {
        place(engine, draft(engine, &format!("o{n}"), 2)).await;
    }
    until("all orders are completed", || engine.stats().completed.load(Relaxed) == 300).await;
    until("every event has grown old and gone", || state(&reader, Log::Orders).floor == 900).await;
    assert_eq!(state(&reader, Log::Orders).head, 900);
    assert_eq!(state(&reader, Log::Products).floor, 0);
    let (order, _) = reader.order("o0".into()).await.expect("readable").expect("it is there");
    assert_eq!(order.version, 3);
    place(engine, draft(engine, "o0", 2)).await;
    assert_eq!(engine.stats().replayed.load(Relaxed), 1, "a repeated order is known");
    engine.stop(Duration::from_secs(5)).await;
    drop((started, reader));
    let report = verify(dir.path(), |_| {}).expect("readable");
    assert!(report.is_clean(), "{report}");
}
