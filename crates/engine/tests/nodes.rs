//! Several nodes on one store: each order is taken once and worked once, whatever becomes of a commit, and the orders of a
//! node that is gone are worked by another.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use ordercast_broker::InProcessBroker;
use ordercast_domain::status::Status;
use ordercast_engine::{Engine, EngineConfig, EngineParts, Placed};
use ordercast_protocol::channel::{Log, View};
use ordercast_store::StoreError;
use ordercast_store::log::{PageLimit, PageQuery, ReadLogs};
use ordercast_store::model::{Fault, ModelStore};
use ordercast_store::read::ReadStore;
use support::{Gate, Started, draft, local, rules, start, until};

const ORDERS: usize = 200;

async fn node(store: &ModelStore, name: &str, gate: Gate) -> Started {
    start(store.clone(), store.clone(), gate, |config| config.node = name.into()).await
}

/// How often each order was completed, by the log, whose offsets have no gap.
async fn completions(store: &ModelStore) -> BTreeMap<String, usize> {
    let limit = PageLimit { events: 100_000, bytes: usize::MAX };
    let page = store.log_page(PageQuery::after(Log::Orders, View::All, 0, limit)).await.expect("readable");
    assert!(page.events.iter().map(|event| event.offset).eq(1..=page.events.len() as u64), "offsets have no gap");
    let mut completions = BTreeMap::new();
    for event in page.events {
        let event: serde_json::Value = serde_json::from_slice(&event.body).expect("JSON");
        let count = completions.entry(event["order_id"].as_str().expect("an id").to_owned()).or_default();
        *count += usize::from(event["status"] == "completed");
    }
    completions
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_take_and_work_each_order_once_whatever_becomes_of_their_commits() {
    let stores = [ModelStore::shared()];
    let stores = [stores[0].clone(), stores[0].another()];
    let nodes = [node(&stores[0], "a", Gate::open()).await, node(&stores[1], "b", Gate::open()).await];
    for store in &stores {
        let faults = [Fault::LostAfter, Fault::Conflict, Fault::LostBefore, Fault::Unavailable];
        (0..10).for_each(|_| store.faults().add(&faults));
    }
    let place = |nth: usize| {
        // Every fifth order is sent to both nodes, and to both at once.
        let engines = nodes.iter().enumerate().filter(move |(of, _)| nth.is_multiple_of(5) || nth % 2 == *of);
        let engines: Vec<Engine> = engines.map(|(_, node)| node.engine.clone()).collect();
        engines.into_iter().map(move |engine| {
            let draft = draft(&engine, &format!("o{nth}"), 2);
            tokio::spawn(async move { engine.place(local(), draft).await })
        })
    };
    let mut accepted = 0;
    for placed in (0..ORDERS).flat_map(place).collect::<Vec<_>>() {
        let placed = placed.await.expect("no panic").expect("the store comes back in time");
        accepted += usize::from(matches!(placed, Placed::Accepted { .. }));
    }
    assert_eq!(accepted, ORDERS, "each is accepted once");
    let completed = || nodes.iter().map(|node| node.engine.stats().completed.load(Relaxed)).sum::<u64>();
    until("all are completed", || completed() == ORDERS as u64).await;
    let completions = completions(&stores[0]).await;
    assert!(completions.len() == ORDERS && completions.values().all(|&count| count == 1), "{completions:?}");
    assert!(stores.iter().all(|store| store.faults().len() < 40), "each node has met some");
    for node in &nodes {
        node.engine.stop(Duration::from_secs(5)).await;
    }
}

/// The node stands still: its worker has an order, and its lease is renewed no more.
#[tokio::test(flavor = "multi_thread")]
async fn orders_of_a_node_that_is_gone_are_worked_by_another() {
    let store = ModelStore::shared();
    let gone = node(&store, "a", Gate::closed()).await;
    support::place(&gone.engine, draft(&gone.engine, "o1", 2)).await;
    until("it is in work", || gone.engine.stats().active.load(Relaxed) == 1).await;
    store.faults().add(&[Fault::Frozen]);
    until("it stands still", || store.faults().is_empty()).await;
    let other = node(&store.another(), "b", Gate::open()).await;
    until("another completes it", || other.engine.stats().completed.load(Relaxed) == 1).await;
    let (order, _) = store.order("o1".into()).await.expect("readable").expect("there");
    assert_eq!((order.status, order.token, order.lease), (Status::Completed, 3, None), "the first claim is fenced");
    other.engine.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_node_of_a_living_name_is_refused_and_one_of_a_name_that_is_gone_is_not() {
    let store = ModelStore::shared();
    let first = node(&store, "a", Gate::open()).await;
    let lease = || async { store.lease("node:a".into()).await.expect("readable") };
    while lease().await.is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let another = store.another();
    let parts = || EngineParts {
        writer: Box::new(another.clone()),
        reader: Arc::new(another.clone()),
        broker: Arc::new(InProcessBroker::new()),
        processor: Arc::new(Gate::open()),
    };
    let config = || EngineConfig { node: "a".into(), ..EngineConfig::new(rules()) };
    let Err(StoreError::InUse(why)) = Engine::start(config(), parts()).await else { panic!("the first one lives") };
    assert!(why.contains("a node named a"), "{why}");
    first.engine.stop(Duration::from_secs(5)).await;
    Engine::start(config(), parts()).await.expect("it is gone").stop(Duration::from_secs(5)).await;
}
