//! Limits on how many orders are in work, and fairness to the customers who wait.
//!
//! 2,000 orders of one customer, or as many as `ORDERCAST_LIMITED_ORDERS` says.

mod support;

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use ordercast_domain::decide::{Action, Request, WorkResult};
use ordercast_domain::draft::{Draft, ItemInput, OrderInput, draft_order};
use ordercast_domain::order::Order;
use ordercast_domain::rules::Concurrency;
use ordercast_engine::Engine;
use ordercast_engine::{Claim, Report};
use ordercast_store::model::ModelStore;
use ordercast_store_sqlite::{SqliteOptions, open, verify::verify};
use support::{Gate, PATIENCE, local, place, start, until};

const ORDERS: usize = 2_000;

fn of(engine: &Engine, customer: &str, id: &str, priority: i64) -> Draft {
    let items = vec![ItemInput { sku: "tea", quantity: 1, price: Some("2.5"), plain: false, untracked: false }];
    let (customer, address) = (Some(customer), Some("1 Road"));
    let priority = Some(priority);
    let input = OrderInput { id: Some(id), items, customer, address, priority, ..OrderInput::default() };
    draft_order(&input, engine.rules(), engine.customers()).expect("a good order")
}

async fn place_all(engine: &Engine, customer: &str, count: usize) {
    for n in 0..count {
        place(engine, of(engine, customer, &format!("{customer}{n}"), 2)).await;
    }
}

async fn claim(engine: &Engine, most: usize, patience: Duration) -> Vec<Order> {
    let claim = Claim { worker: "out".into(), lease: None, most, ttl_ms: 60_000 };
    engine.claim(local(), claim, patience).await.expect("claims are taken").orders
}

/// A claim is answered as soon as it has anything, so it may take several.
async fn claim_so_many(engine: &Engine, count: usize) -> Vec<Order> {
    let mut claimed = Vec::new();
    while claimed.len() < count {
        claimed.extend(claim(engine, count - claimed.len(), PATIENCE).await);
    }
    claimed
}

async fn report(engine: &Engine, order: &Order, result: Option<WorkResult>) {
    let report =
        Report { order_id: order.id.clone(), lease: order.lease.clone().expect("a lease"), token: order.token, result };
    engine.report(local(), report).await.expect("it is the worker's");
}

fn ids(orders: &[Order]) -> Vec<&str> {
    orders.iter().map(|order| &*order.id).collect()
}

fn each(most: usize) -> Concurrency {
    Concurrency { max_active_per_customer: Some(most), ..Concurrency::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_at_its_limit_waits_and_holds_up_nobody() {
    let orders = std::env::var("ORDERCAST_LIMITED_ORDERS").map_or(ORDERS, |text| text.parse().expect("a number"));
    let dir = tempfile::tempdir().expect("a folder");
    let options = SqliteOptions::new(dir.path());
    {
        let (writer, reader) = open(&options).expect("a store");
        let started = start(writer, reader.clone(), Gate::closed(), |config| {
            (config.slots, config.intake_capacity, config.client_capacity) = (0, orders + 100, orders + 100);
            config.rules.concurrency = each(2);
        })
        .await;
        let engine = &started.engine;
        for n in 0..orders {
            let draft = of(engine, "ann", &format!("ann{n}"), 2);
            engine.submit_order(local(), draft, Box::new(|_| ()));
        }
        place_all(engine, "bob", 3).await;
        let begun = Instant::now();
        let claimed = claim_so_many(engine, 4).await;
        println!("four orders behind {orders} of one customer claimed in {:?}", begun.elapsed());
        assert_eq!(ids(&claimed), ["ann0", "ann1", "bob0", "bob1"], "two of each");
        assert!(claim(engine, 4, Duration::ZERO).await.is_empty(), "both have as many as is allowed");
        let stats = engine.stats();
        assert_eq!((stats.ready.load(Relaxed), stats.active.load(Relaxed)), (0, 4));
        assert_eq!(stats.limited.load(Relaxed), orders as u64 - 1, "all but four of them");
        // Whatever ends the work makes room for the next, at once.
        let waiting = tokio::spawn({
            let engine = engine.clone();
            async move { claim(&engine, 4, PATIENCE).await }
        });
        report(engine, &claimed[0], Some(WorkResult::Completed)).await;
        assert_eq!(ids(&waiting.await.expect("no panic")), ["ann2"]);
        // One that is given back takes its own place again.
        report(engine, &claimed[1], None).await;
        assert_eq!(ids(&claim(engine, 4, PATIENCE).await), ["ann1"]);
        started.engine.stop(Duration::from_secs(5)).await;
    }
    {
        // Another limit counts from the start, with what is in work from before.
        let (writer, reader) = open(&options).expect("a store");
        let started = start(writer, reader.clone(), Gate::closed(), |config| {
            config.slots = 0;
            config.rules.concurrency = each(3);
        })
        .await;
        let engine = &started.engine;
        assert_eq!(engine.stats().ready.load(Relaxed), orders as u64 - 2);
        assert_eq!(ids(&claim_so_many(engine, 2).await), ["ann3", "bob2"]);
        assert!(claim(engine, 10, Duration::ZERO).await.is_empty());
        started.engine.stop(Duration::from_secs(5)).await;
    }
    let report = verify(dir.path(), |_| {}).expect("readable");
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_are_in_work_than_is_allowed_in_all() {
    let store = ModelStore::new();
    let gate = Gate::closed();
    let (permits, running) = (gate.permits.clone(), gate.started.clone());
    let started = start(store.clone(), store, gate, |config| {
        config.slots = 8;
        config.rules.concurrency = Concurrency { max_active: Some(3), max_active_per_customer: None };
    })
    .await;
    let engine = &started.engine;
    place_all(engine, "ann", 20).await;
    let stats = engine.stats();
    until("three are in work", || stats.active.load(Relaxed) == 3).await;
    assert!(claim(engine, 1, Duration::ZERO).await.is_empty(), "external workers count too");
    for done in 1..=17 {
        permits.add_permits(1);
        until("one more is done", || stats.completed.load(Relaxed) == done).await;
        until("its place is taken", || running.lock().expect("no panic holds it").len() as u64 == 3 + done).await;
        assert_eq!(stats.active.load(Relaxed), 3);
    }
    permits.add_permits(3);
    until("all are done", || stats.completed.load(Relaxed) == 20).await;
    started.engine.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_orders_by_the_dozen_does_not_hold_up_the_others() {
    let store = ModelStore::new();
    let started = start(store.clone(), store, Gate::closed(), |config| config.slots = 0).await;
    let engine = &started.engine;
    place_all(engine, "ann", 40).await;
    place_all(engine, "bob", 2).await;
    place(engine, of(engine, "cyd", "cyd0", 2)).await;
    place(engine, of(engine, "dan", "dan0", 1)).await;
    let mut begun = Vec::new();
    // One at a time, done before the next: fairness is not a matter of how many are in work.
    for _ in 0..8 {
        let claimed = claim(engine, 1, Duration::ZERO).await;
        report(engine, &claimed[0], Some(WorkResult::Completed)).await;
        begun.extend(claimed);
    }
    let expected = ["dan0", "ann0", "bob0", "cyd0", "ann1", "bob1", "ann2", "ann3"];
    assert_eq!(ids(&begun), expected, "the more urgent one first, then turn by turn");
    started.engine.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_the_queue_of_a_full_server_makes_no_room() {
    let store = ModelStore::new();
    let started = start(store.clone(), store, Gate::closed(), |config| {
        config.slots = 5;
        config.rules.concurrency = Concurrency { max_active: Some(3), max_active_per_customer: Some(1) };
    })
    .await;
    let engine = &started.engine;
    let stats = engine.stats();
    place_all(engine, "ann", 2).await;
    until("the second is parked", || stats.limited.load(Relaxed) == 1).await;
    place_all(engine, "bob", 1).await;
    place_all(engine, "cyd", 1).await;
    until("three are in work", || stats.active.load(Relaxed) == 3).await;
    place(engine, of(engine, "ann", "more", 2)).await;
    let cancel =
        Request { order_id: "more".into(), action: Action::Cancel, reason: None, if_versions: None, key: None };
    engine.act(local(), cancel).await.expect("it waits");
    // Another commit, after which whatever the last one claimed is counted.
    place(engine, of(engine, "ann", "last", 2)).await;
    assert_eq!((stats.active.load(Relaxed), stats.ready.load(Relaxed), stats.limited.load(Relaxed)), (3, 2, 0));
    started.engine.stop(Duration::ZERO).await;
}
