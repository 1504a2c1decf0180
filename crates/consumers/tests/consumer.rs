//! Consumers at work: in order, at least once, one node at a time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ordercast_consumers::{
    Consumer, ConsumerSettings, Cursors, Ended, Gap, Handler, HandlerFuture, Retries, Running, StartAt,
};
use ordercast_protocol::channel::{Log, View};
use ordercast_protocol::position::Epoch;
use ordercast_protocol::topic::{Topic, TopicKind};
use ordercast_store::conformance::run;
use ordercast_store::log::{PageLimit, ReadLogs, StoredEvent};
use ordercast_store::model::ModelStore;
use ordercast_store::write::{EventInsert, Keys, LogWrites, Trim, WriteStore};
use ordercast_store_sqlite::{SqliteOptions, open};
use support::{Given, StoreCursors, teller};
use tokio::runtime::Handle;
use tokio::sync::mpsc::Receiver;

/// Leases end when a test says so: they last longer than any test.
const LEASE: Duration = Duration::from_secs(600);
const PERMITS: usize = 1_000;
/// How long anything may take before a test fails.
const DEADLINE: Duration = Duration::from_secs(30);

fn settings(owner: &str) -> ConsumerSettings {
    ConsumerSettings {
        name: "index".into(),
        owner: owner.into(),
        log: Log::Publications,
        view: View::All,
        start: StartAt::First,
        page: PageLimit { events: 3, bytes: 10_000 },
        lease: LEASE,
        poll: Duration::from_millis(1),
        retries: Retries { attempts: 3, first_wait: Duration::from_millis(1), max_wait: Duration::from_millis(2) },
    }
}

/// A store that several nodes share, and the time that it goes by.
#[derive(Clone)]
struct World {
    store: ModelStore,
    steady_ms: Arc<AtomicI64>,
}

impl World {
    fn new() -> Self {
        Self { store: ModelStore::shared(), steady_ms: Arc::default() }
    }

    /// Publishes into `a` and `b` in turn.
    fn publish(&self, count: usize) {
        publish(&mut self.store.clone(), count);
    }

    /// Keeps this number of the newest events.
    fn trim(&self, max_events: u64) {
        let trim = Trim { log: Log::Publications, max_events: Some(max_events), before_ms: None, most: u64::MAX };
        let writes = LogWrites { trims: vec![trim], ..LogWrites::default() };
        run(&mut self.store.clone(), Keys::default(), |_, _| writes.clone().into());
    }

    fn cursors(&self) -> Arc<dyn Cursors> {
        Arc::new(StoreCursors::new(self.store.another(), &self.steady_ms))
    }

    fn start(&self, settings: ConsumerSettings, handler: Box<dyn Handler>) -> Running {
        Consumer::start(settings, Arc::new(self.store.clone()), self.cursors(), handler, &Handle::current())
    }

    /// All leases end.
    fn end_leases(&self) {
        self.steady_ms.fetch_add(2 * LEASE.as_millis() as i64, Relaxed);
    }
}

fn publish(writer: &mut dyn WriteStore, count: usize) {
    let event = |name: &str| EventInsert {
        log: Log::Publications,
        order: None,
        topics: Topic::new(TopicKind::Channel, name).into(),
        body: Bytes::from_static(b"{}"),
    };
    let events: Vec<_> = ["a", "b"].into_iter().cycle().take(count).map(event).collect();
    run(writer, Keys::default(), |_, _| LogWrites { events: events.clone(), ..LogWrites::default() }.into());
}

async fn heard(given: &mut Receiver<Given>) -> Given {
    tokio::time::timeout(DEADLINE, given.recv()).await.expect("nothing was given").expect("the handler is there")
}

/// What is given until an offset is reached, in order.
async fn events_to(given: &mut Receiver<Given>, last: u64) -> Vec<u64> {
    let mut all = Vec::new();
    while all.last() != Some(&last) {
        let Given::Events(offsets) = heard(given).await else { panic!("a gap") };
        assert!(!offsets.is_empty());
        all.extend(offsets);
    }
    all
}

#[tokio::test]
async fn events_come_in_order_and_go_on_after_a_stop() {
    let world = World::new();
    world.publish(8);
    let (handler, mut given, _) = teller(PERMITS, 0);
    let running = world.start(settings("one"), handler);
    assert_eq!(events_to(&mut given, 8).await, (1..=8).collect::<Vec<_>>());
    world.publish(1);
    assert_eq!(events_to(&mut given, 9).await, [9]);
    assert_eq!(running.stop().await, Ended::Stopped);
    world.publish(2);
    let (handler, mut given, _) = teller(PERMITS, 0);
    // The first node gave the lease back, so another need not wait.
    let running = world.start(settings("other"), handler);
    assert_eq!(events_to(&mut given, 11).await, [10, 11]);
    assert_eq!(running.stop().await, Ended::Stopped);
}

#[tokio::test]
async fn a_view_has_its_own_and_moves_over_the_rest() {
    let world = World::new();
    world.publish(9);
    let view = View::of(TopicKind::Channel, "b");
    let (handler, mut given, _) = teller(PERMITS, 0);
    let running = world.start(ConsumerSettings { view, ..settings("one") }, handler);
    assert_eq!(events_to(&mut given, 8).await, [2, 4, 6, 8]);
    running.stop().await;
    let (handler, mut given, _) = teller(PERMITS, 0);
    let late = ConsumerSettings { name: "late".into(), start: StartAt::Next, ..settings("one") };
    let running = world.start(late, handler);
    // It begins where the log ends when it first becomes the owner, which nobody outside sees: events are published
    // until one comes.
    let first = loop {
        world.publish(1);
        if let Ok(Some(Given::Events(offsets))) = tokio::time::timeout(Duration::from_millis(5), given.recv()).await {
            break offsets[0];
        }
    };
    assert!(first > 9, "{first}");
    running.stop().await;
}

/// The owner dies after it has handled events and before its cursor has moved.
#[tokio::test]
async fn what_a_dead_node_had_not_finished_comes_again() {
    let world = World::new();
    world.publish(6);
    let (handler, mut given, _) = teller(1, 0);
    let running = world.start(settings("one"), handler);
    assert_eq!(heard(&mut given).await, Given::Events(vec![1, 2, 3]));
    assert_eq!(heard(&mut given).await, Given::Events(vec![4, 5, 6]), "the first page is done");
    running.kill();
    let (handler, mut given, _) = teller(PERMITS, 0);
    let running = world.start(settings("other"), handler);
    world.end_leases();
    assert_eq!(events_to(&mut given, 6).await, [4, 5, 6], "and not those before");
    running.stop().await;
}

/// An owner that stood still while another one took over changes nothing when it goes on.
#[tokio::test]
async fn a_late_owner_is_fenced() {
    let world = World::new();
    world.publish(3);
    let (handler, mut slow, permits) = teller(0, 0);
    let late = world.start(settings("late"), handler);
    assert_eq!(heard(&mut slow).await, Given::Events(vec![1, 2, 3]));
    world.end_leases();
    let (handler, mut given, _) = teller(PERMITS, 0);
    let running = world.start(settings("other"), handler);
    world.publish(3);
    assert_eq!(events_to(&mut given, 6).await, (1..=6).collect::<Vec<_>>());
    permits.add_permits(PERMITS);
    // It waits for its turn, and goes on where the other one is.
    assert_eq!(running.stop().await, Ended::Stopped);
    world.publish(1);
    assert_eq!(events_to(&mut slow, 7).await, [7]);
    assert_eq!(late.stop().await, Ended::Stopped);
}

#[tokio::test]
async fn many_nodes_share_the_work_and_miss_nothing() {
    const NODES: usize = 4;
    const EVENTS: u64 = 60;
    let (world, end) = (World::new(), Instant::now() + DEADLINE);
    let mut seen = 0;
    let mut nodes: Vec<_> = (0..NODES)
        .map(|node| {
            let (handler, given, _) = teller(PERMITS, 0);
            (world.start(settings(&format!("node-{node}")), handler), given)
        })
        .collect();
    for round in 0..EVENTS {
        world.publish(1);
        // The node that has the lease gets it; after a change of the lease another one may get it once more.
        while seen <= round {
            assert!(Instant::now() < end, "the event {} does not come", round + 1);
            for (_, given) in &mut nodes {
                if let Ok(Given::Events(offsets)) = given.try_recv() {
                    assert!(offsets.is_sorted() && offsets[0] <= seen + 1, "{offsets:?} after {seen}");
                    seen = seen.max(offsets[offsets.len() - 1]);
                }
            }
            tokio::task::yield_now().await;
        }
        if round % 7 == 0 {
            world.end_leases();
        }
    }
    for (running, _) in nodes {
        assert_eq!(running.stop().await, Ended::Stopped);
    }
}

#[tokio::test]
async fn what_retention_took_away_is_told() {
    let world = World::new();
    world.publish(4);
    let (handler, mut given, _) = teller(PERMITS, 0);
    let running = world.start(settings("one"), handler);
    assert_eq!(events_to(&mut given, 4).await, [1, 2, 3, 4]);
    running.stop().await;
    world.publish(6);
    world.trim(2);
    // The gap is delivered again until the handler has accepted it.
    let (handler, mut given, _) = teller(PERMITS, 1);
    let running = world.start(settings("one"), handler);
    let gap = Given::Gap(Gap::Removed { after: 4, floor: 8 });
    assert_eq!([heard(&mut given).await, heard(&mut given).await], [gap.clone(), gap]);
    assert_eq!(events_to(&mut given, 10).await, [9, 10]);
    running.stop().await;
}

#[tokio::test]
async fn a_handler_that_fails_is_tried_again_and_then_given_up() {
    let world = World::new();
    world.publish(2);
    let (handler, mut given, _) = teller(PERMITS, 2);
    let running = world.start(settings("one"), handler);
    assert_eq!(events_to(&mut given, 2).await, [1, 2]);
    for _ in 0..2 {
        assert_eq!(heard(&mut given).await, Given::Events(vec![1, 2]), "again");
    }
    world.publish(1);
    assert_eq!(events_to(&mut given, 3).await, [3], "the third attempt was good");
    running.stop().await;
    world.publish(1);
    let (handler, mut given, _) = teller(PERMITS, 3);
    let mut running = world.start(settings("one"), handler);
    assert_eq!(running.ended().await, Ended::GaveUp { after: 3, error: "as the test wants".to_owned() });
    for _ in 0..3 {
        assert_eq!(heard(&mut given).await, Given::Events(vec![4]));
    }
    // Its lease was given back.
    let (handler, mut given, _) = teller(PERMITS, 0);
    let running = world.start(settings("other"), handler);
    assert_eq!(events_to(&mut given, 4).await, [4]);
    running.stop().await;
}

#[tokio::test]
async fn a_stop_waits_for_the_handler_and_not_for_its_retries() {
    let world = World::new();
    world.publish(1);
    let (handler, mut given, permits) = teller(0, 1);
    let long = Retries { attempts: 9, first_wait: LEASE, max_wait: LEASE };
    let running = world.start(ConsumerSettings { retries: long, ..settings("one") }, handler);
    assert_eq!(heard(&mut given).await, Given::Events(vec![1]));
    let stopped = tokio::spawn(running.stop());
    permits.add_permits(PERMITS);
    assert_eq!(tokio::time::timeout(DEADLINE, stopped).await.expect("it ends").unwrap(), Ended::Stopped);
}

#[tokio::test]
async fn a_name_reads_one_log() {
    let world = World::new();
    world.publish(1);
    let (handler, mut given, _) = teller(PERMITS, 0);
    let running = world.start(settings("one"), handler);
    assert_eq!(events_to(&mut given, 1).await, [1]);
    let (handler, _, _) = teller(PERMITS, 0);
    let mut other = world.start(ConsumerSettings { log: Log::Products, ..settings("two") }, handler);
    assert!(matches!(other.ended().await, Ended::Refused(_)));
    running.stop().await;
}

/// A handler that has a defect.
struct Panics;

impl Handler for Panics {
    fn handle<'a>(&'a mut self, _: &'a [StoredEvent]) -> HandlerFuture<'a> {
        panic!("as the test wants");
    }

    fn on_gap<'a>(&'a mut self, _: &'a Gap) -> HandlerFuture<'a> {
        panic!("there is none");
    }
}

#[tokio::test]
async fn a_panic_is_said() {
    let world = World::new();
    world.publish(1);
    let mut running = world.start(settings("one"), Box::new(Panics));
    assert!(matches!(running.ended().await, Ended::Failed(error) if error.contains("panic")));
}

/// The cursor outlives the process; a store that begins a new life shows as a gap.
#[tokio::test]
async fn the_cursor_is_in_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let steady_ms = Arc::new(AtomicI64::new(0));
    let mut epochs: Vec<Epoch> = Vec::new();
    for (new_epoch, expected) in [(false, vec![1, 2]), (false, vec![3, 4]), (true, vec![1, 2, 3, 4, 5, 6])] {
        let (mut writer, reader) = open(&SqliteOptions { new_epoch, ..SqliteOptions::new(dir.path()) }).unwrap();
        publish(&mut writer, 2);
        epochs.push(reader.log_states().await.unwrap()[0].epoch.clone());
        let cursors = Arc::new(StoreCursors::new(writer, &steady_ms));
        let (handler, mut given, _) = teller(PERMITS, 0);
        let running = Consumer::start(settings("one"), Arc::new(reader), cursors, handler, &Handle::current());
        if new_epoch {
            let gap = Gap::Replaced { before: epochs[1].clone(), now: epochs[2].clone() };
            assert_eq!(heard(&mut given).await, Given::Gap(gap));
        }
        assert_eq!(events_to(&mut given, *expected.last().unwrap()).await, expected);
        assert_eq!(running.stop().await, Ended::Stopped);
    }
    assert!(epochs[0] == epochs[1] && epochs[1] != epochs[2]);
}
