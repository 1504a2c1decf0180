//! Orders that are held back by queue or customer: accepted, passed over, kept over a restart, let go again.
//!
//! 5,000 orders, or as many as `ORDERCAST_PAUSED_ORDERS` says.

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use ordercast_domain::draft::{Draft, ItemInput, OrderInput, draft_order};
use ordercast_domain::pause::{Pause, Scope};
use ordercast_engine::Engine;
use ordercast_engine::{Claim, Claimed};
use ordercast_store::read::ReadStore;
use ordercast_store_sqlite::{SqliteOptions, open, verify::verify};
use support::{Gate, PATIENCE, local, place, start, until};

const ORDERS: usize = 5_000;

fn of(engine: &Engine, customer: &str, id: &str) -> Draft {
    let items = vec![ItemInput { sku: "tea", quantity: 1, price: Some("2.5"), plain: false, untracked: false }];
    let (customer, address) = (Some(customer), Some("1 Road"));
    let input = OrderInput { id: Some(id), items, customer, address, ..OrderInput::default() };
    draft_order(&input, engine.rules(), engine.customers()).expect("a good order")
}

fn pause_of(scope: Scope) -> Pause {
    Pause { scope, since_ms: 0, actor: "admin".into(), reason: Some("checked by hand".into()), is_ending: false }
}

async fn claim(engine: &Engine, most: usize, patience: Duration) -> Claimed {
    let claim = Claim { worker: "out".into(), lease: None, most, ttl_ms: 60_000 };
    engine.claim(local(), claim, patience).await.expect("claims are taken")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_orders_of_a_paused_customer_wait_and_hold_up_nobody() {
    let orders = std::env::var("ORDERCAST_PAUSED_ORDERS").map_or(ORDERS, |text| text.parse().expect("a number"));
    let dir = tempfile::tempdir().expect("a folder");
    let options = SqliteOptions::new(dir.path());
    let scope;
    {
        let (writer, reader) = open(&options).expect("a store");
        let started = start(writer, reader.clone(), Gate::closed(), |config| {
            (config.slots, config.intake_capacity, config.client_capacity) = (0, orders + 100, orders + 100);
        })
        .await;
        let engine = &started.engine;
        scope = Scope::Customer(engine.customers().opaque("ann"));
        for n in 0..orders {
            let draft = of(engine, "ann", &format!("ann{n}"));
            engine.submit_order(local(), draft, Box::new(|_| ()));
        }
        assert_eq!(engine.pause(local(), pause_of(scope.clone())).await, Ok(true));
        assert_eq!(engine.pause(local(), pause_of(scope.clone())).await, Ok(false), "it is paused already");
        for round in 0..3 {
            for n in 0..10 {
                place(engine, of(engine, "bob", &format!("bob{round}-{n}"))).await;
            }
            let begun = Instant::now();
            let claimed = claim(engine, 10, Duration::ZERO).await;
            println!("round {round}: ten orders behind {orders} of a paused customer claimed in {:?}", begun.elapsed());
            assert_eq!(claimed.orders.len(), 10, "the others' do not wait");
            assert!(claimed.orders.iter().all(|order| order.id.starts_with("bob")));
        }
        assert_eq!(engine.stats().ready.load(Relaxed), 0, "who is held back is not ready");
        let cancelled = ordercast_domain::decide::Request {
            order_id: "ann0".into(),
            action: ordercast_domain::decide::Action::Cancel,
            reason: None,
            if_versions: Some(vec![1]),
            key: None,
        };
        assert!(engine.act(local(), cancelled).await.is_ok(), "being held back is no change of the order");
        let pauses = reader.pauses().await.expect("readable");
        assert_eq!(pauses.len(), 1);
        assert_eq!((&pauses[0].0.scope, pauses[0].1), (&scope, orders as u64 - 1));
        started.engine.stop(Duration::from_secs(5)).await;
    }
    {
        let (writer, reader) = open(&options).expect("a store");
        let started = start(writer, reader.clone(), Gate::closed(), |config| config.slots = 0).await;
        let engine = &started.engine;
        assert!(claim(engine, 1, Duration::ZERO).await.orders.is_empty(), "the pause outlives the server");
        assert_eq!(engine.resume(local(), scope.clone()).await, Ok(true));
        assert_eq!(engine.resume(local(), scope).await, Ok(false));
        let claimed = claim(engine, 1, PATIENCE).await;
        assert_eq!(&*claimed.orders[0].id, "ann1", "the first of those that are left");
        let stats = engine.stats();
        until("all have been let go", || stats.ready.load(Relaxed) == orders as u64 - 2).await;
        let reader: Arc<dyn ReadStore> = Arc::new(reader);
        let deadline = Instant::now() + PATIENCE;
        while !reader.pauses().await.expect("readable").is_empty() {
            assert!(Instant::now() < deadline, "the pause is never over");
            tokio::task::yield_now().await;
        }
        started.engine.stop(Duration::from_secs(5)).await;
    }
    let report = verify(dir.path(), |_| {}).expect("readable");
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_in_the_process_pass_over_a_paused_lane() {
    let store = ordercast_store::model::ModelStore::new();
    let started = start(store.clone(), store, Gate::open(), |_| {}).await;
    let engine = &started.engine;
    for scope in [Scope::All, Scope::Lane(ordercast_domain::status::Lane::Processing)] {
        let before = engine.stats().completed.load(Relaxed);
        assert_eq!(engine.pause(local(), pause_of(scope.clone())).await, Ok(true));
        for n in 0..3 {
            place(engine, of(engine, "ann", &format!("{}{n}", before + 1))).await;
        }
        until("they are parked", || engine.stats().ready.load(Relaxed) == 0).await;
        assert_eq!(engine.stats().completed.load(Relaxed), before, "none was claimed");
        assert_eq!(engine.resume(local(), scope).await, Ok(true));
        until("they are done", || engine.stats().completed.load(Relaxed) == before + 3).await;
    }
    started.engine.stop(Duration::from_secs(5)).await;
}
