//! The engine on real stores: what it acknowledges, processes, recovers and refuses.

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use ordercast_domain::status::Status;
use ordercast_engine::CommandError;
use ordercast_engine::Placed;
use ordercast_engine::processor::{Processor, TimedProcessor, Work};
use ordercast_store::StoreError;
use ordercast_store::model::ModelStore;
use ordercast_store::read::ReadStore;
use ordercast_store::write::{
    BatchId, CommitFuture, CommitOutcome, Decider, OutlookDepth, OutlookFuture, ResolveFuture, WriteStore,
};
use ordercast_store_sqlite::{SqliteOptions, open, verify::verify};
use support::{Gate, draft, local, place, start, until};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_goes_from_pending_to_completed_and_every_step_is_told_once() {
    let store = ModelStore::new();
    let started = start(store.clone(), store.clone(), TimedProcessor::default(), |_| {}).await;
    for n in 0..500 {
        place(&started.engine, draft(&started.engine, &format!("o{n}"), 2)).await;
    }
    let stats = started.engine.stats();
    until("all orders are completed", || stats.completed.load(Relaxed) == 500).await;
    started.engine.stop(Duration::from_secs(5)).await;
    let (order, _) = store.order("o7".into()).await.expect("readable").expect("there");
    assert_eq!((order.status, order.version, order.attempts), (Status::Completed, 3, 1));
    let announced = started.announced.lock().expect("no panic holds it");
    let mut next = 1;
    for announcement in announced.iter() {
        assert_eq!(announcement.first, next, "announced in the order of offsets, without a hole");
        next += announcement.events.len() as u64;
    }
    assert_eq!(next - 1, 1_500, "three events an order");
    assert_eq!((stats.ready.load(Relaxed), stats.active.load(Relaxed), stats.waiting.load(Relaxed)), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_in_work_are_back_in_the_queue_after_a_crash() {
    let store = ModelStore::new();
    // The first engine is never stopped: to the second it looks as if its process had died.
    let crashed = start(store.clone(), store.clone(), Gate::closed(), |config| config.slots = 3).await;
    for n in 0..5 {
        place(&crashed.engine, draft(&crashed.engine, &format!("o{n}"), 2)).await;
    }
    until("three are in work", || crashed.engine.stats().active.load(Relaxed) == 3).await;
    let second = start(store.clone(), store.clone(), Gate::open(), |_| {}).await;
    until("all are completed", || second.engine.stats().completed.load(Relaxed) == 5).await;
    {
        let announced = second.announced.lock().expect("no panic holds it");
        let first: Vec<_> = announced[0].events.iter().map(|event| String::from_utf8_lossy(&event.body)).collect();
        let recovered = first.iter().filter(|body| body.contains("recovered after a restart")).count();
        assert_eq!(recovered, 3, "the first transaction recovers: {first:?}");
    }
    let (order, _) = store.order("o0".into()).await.expect("readable").expect("there");
    assert_eq!((order.attempts, order.token), (1, 3), "the lost attempt is not charged, and its worker is fenced");
    second.engine.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_gives_unfinished_orders_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let (writer, reader) = open(&SqliteOptions::new(dir.path())).expect("a store");
    let started = start(writer, reader, Gate::closed(), |config| config.slots = 2).await;
    for n in 0..4 {
        place(&started.engine, draft(&started.engine, &format!("o{n}"), 2)).await;
    }
    until("two are in work", || started.engine.stats().active.load(Relaxed) == 2).await;
    started.engine.stop(Duration::from_millis(50)).await;
    let after = started.engine.place(local(), draft(&started.engine, "late", 2)).await;
    assert_eq!(after.expect_err("it is stopped"), CommandError::Stopping);
    drop(started);
    let report = verify(dir.path(), |_| {}).expect("readable");
    assert!(report.is_clean(), "{report}");
    let (_, reader) = open(&SqliteOptions::new(dir.path())).expect("a store");
    let start = reader.start_state().await.expect("readable");
    assert_eq!((start.ready, start.active), (4, 0));
}

/// A hundred thousand low orders (or as many as `ORDERCAST_LOW_ORDERS` says) wait and a high one comes: it starts with the next claim. A low one that has
/// aged past the bonus is not overtaken.
#[tokio::test(flavor = "multi_thread")]
async fn a_high_order_overtakes_all_low_ones_that_have_not_aged_past_it() {
    const IN_FLIGHT: usize = 50_000;
    let low = std::env::var("ORDERCAST_LOW_ORDERS").map_or(100_000, |text| text.parse().expect("a number"));
    let dir = tempfile::tempdir().expect("a folder");
    store_an_aged_order(dir.path()).await;
    let (writer, reader) = open(&SqliteOptions::new(dir.path())).expect("a store");
    let gate = Gate::closed();
    let (permits, begun) = (Arc::clone(&gate.permits), Arc::clone(&gate.started));
    let started = start(writer, reader, gate, |config| {
        config.slots = 1;
        config.intake_capacity = IN_FLIGHT + 10;
        config.client_capacity = IN_FLIGHT + 10;
    })
    .await;
    let engine = &started.engine;
    until("the aged order keeps the only worker busy", || engine.stats().active.load(Relaxed) == 1).await;
    let (answers, answered) = sync_channel(10_000);
    for n in 0..low {
        if n >= IN_FLIGHT {
            assert_eq!(answered.recv(), Ok(true));
        }
        let answers = answers.clone();
        let reply = Box::new(move |outcome: Result<Placed, _>| {
            // The test has ended otherwise.
            let _ = answers.send(outcome.is_ok());
        });
        engine.submit_order(local(), draft(engine, &format!("low{n}"), 3), reply);
    }
    assert!((0..low.min(IN_FLIGHT)).all(|_| answered.recv() == Ok(true)), "all of them are durable");
    until("all low ones wait", || engine.stats().ready.load(Relaxed) == low as u64 + 1).await;
    place(engine, draft(engine, "high", 1)).await;
    let (commits, released) = (engine.stats().commits.load(Relaxed), std::time::Instant::now());
    permits.add_permits(1);
    until("the young one has started", || begun.lock().expect("no panic holds it").len() == 2).await;
    permits.add_permits(1);
    until("the next one has started", || begun.lock().expect("no panic holds it").len() == 3).await;
    let (passed, waited) = (engine.stats().commits.load(Relaxed) - commits, released.elapsed());
    assert_eq!(*begun.lock().expect("no panic holds it"), ["aged", "young", "high"]);
    assert!(passed <= 3, "it took {passed} commits");
    println!(
        "the high order overtook {low} low ones and started {passed} commits and {waited:?} after\
              \n a worker was first free, with one order before it that had waited longer"
    );
    engine.stop(Duration::ZERO).await;
}

/// Leaves a low order in the store that has waited a millisecond longer than a high one's head start, and a high
/// one that was accepted after it.
async fn store_an_aged_order(dir: &std::path::Path) {
    let (writer, reader) = open(&SqliteOptions::new(dir)).expect("a store");
    let started = start(writer, reader, Gate::open(), |config| config.slots = 0).await;
    for (id, priority) in [("aged", 3), ("young", 1)] {
        place(&started.engine, draft(&started.engine, id, priority)).await;
    }
    let bonus_ms = started.engine.rules().bonus_ms[0];
    started.engine.stop(Duration::ZERO).await;
    drop(started);
    let database = rusqlite::Connection::open(dir.join("ordercast.db")).expect("the database opens");
    let age = "UPDATE orders SET sort_key = sort_key - ?1 WHERE id = 'aged'";
    database.execute(age, [bonus_ms + 1]).expect("the order ages");
}

struct Broken {
    inner: ModelStore,
    good_commits: usize,
}

impl WriteStore for Broken {
    fn commit<'a>(&'a mut self, id: BatchId, batch: &'a mut dyn Decider) -> CommitFuture<'a> {
        if self.good_commits == 0 {
            return Box::pin(async { CommitOutcome::Fatal(StoreError::Failed("the disk is gone".to_owned())) });
        }
        self.good_commits -= 1;
        self.inner.commit(id, batch)
    }

    fn resolve(&mut self, id: BatchId) -> ResolveFuture<'_> {
        self.inner.resolve(id)
    }

    fn outlook(&mut self, depth: OutlookDepth) -> OutlookFuture<'_> {
        self.inner.outlook(depth)
    }

    fn is_exclusive(&self) -> bool {
        self.inner.is_exclusive()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_store_stops_intake_and_acknowledges_nothing_more() {
    let store = ModelStore::new();
    let broken = Broken { inner: store.clone(), good_commits: 1 };
    let started = start(broken, store.clone(), Gate::open(), |config| config.slots = 0).await;
    let engine = &started.engine;
    place(engine, draft(engine, "good", 2)).await;
    let lost = engine.place(local(), draft(engine, "lost", 2)).await;
    assert_eq!(lost.expect_err("not durable"), CommandError::StoreFailed);
    assert!(engine.failed().await.contains("the disk is gone"));
    let refused = engine.place(local(), draft(engine, "later", 2)).await;
    assert_eq!(refused.expect_err("intake is closed"), CommandError::StoreFailed);
    assert!(store.order("good".into()).await.expect("readable").is_some());
    assert!(store.order("lost".into()).await.expect("readable").is_none());
    assert_eq!(started.announced.lock().expect("no panic holds it").len(), 1, "what is not durable is not told");
    engine.stop(Duration::ZERO).await;
}

struct Panics;

impl Processor for Panics {
    fn process(&self, _: &ordercast_domain::order::Order) -> Work {
        Box::pin(async { panic!("a defect in somebody's processor") })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_fails_the_order_and_not_the_server() {
    let store = ModelStore::new();
    let started = start(store.clone(), store.clone(), Panics, |config| config.slots = 1).await;
    for id in ["a", "b"] {
        place(&started.engine, draft(&started.engine, id, 2)).await;
    }
    until("both have failed", || started.engine.stats().failed.load(Relaxed) == 2).await;
    let (order, _) = store.order("b".into()).await.expect("readable").expect("there");
    assert_eq!(order.status, Status::Failed);
    started.engine.stop(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_on_the_writers_thread_is_told_and_not_hidden() {
    let store = ModelStore::new();
    let started = start(store.clone(), store, Gate::open(), |_| {}).await;
    let engine = &started.engine;
    let reply = Box::new(|_: Result<Placed, _>| panic!("a defect in somebody's reply"));
    engine.submit_order(local(), draft(engine, "a", 2), reply);
    assert!(engine.failed().await.contains("panicked"));
    let refused = engine.place(local(), draft(engine, "b", 2)).await;
    assert_eq!(refused.expect_err("nobody would answer"), CommandError::StoreFailed);
}
