//! Starting engines on a store, with processors that do as they are told.
#![allow(dead_code, reason = "each test uses its part")]

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ordercast_access::{Origin, Principal};
use ordercast_broker::{Announcement, Broker, InProcessBroker, Message};
use ordercast_domain::decide::WorkResult;
use ordercast_domain::draft::{Draft, ItemInput, OrderInput, draft_order};
use ordercast_domain::money::Currency;
use ordercast_domain::order::Order;
use ordercast_domain::rules::Rules;
use ordercast_engine::Placed;
use ordercast_engine::processor::{Processor, Work};
use ordercast_engine::{Engine, EngineConfig, EngineParts};
use ordercast_store::read::ReadStore;
use ordercast_store::write::WriteStore;
use tokio::sync::Semaphore;

/// Where the commands of the tests come from.
pub(crate) fn local() -> Origin {
    Origin::new(Principal::local(), Ipv4Addr::LOCALHOST.into())
}

/// Long enough for a slow machine; only a defect waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn rules() -> Rules {
    Rules::standard(Currency::parse("USD").expect("a currency"))
}

/// Finishes an order for each permit it is given, and remembers who started when.
pub(crate) struct Gate {
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) started: Arc<Mutex<Vec<String>>>,
}

impl Gate {
    pub(crate) fn closed() -> Self {
        Self { permits: Arc::new(Semaphore::new(0)), started: Arc::default() }
    }

    pub(crate) fn open() -> Self {
        let gate = Self::closed();
        gate.permits.close();
        gate
    }
}

impl Processor for Gate {
    fn process(&self, order: &Order) -> Work {
        self.started.lock().expect("no panic holds it").push(order.id.to_string());
        let permits = Arc::clone(&self.permits);
        Box::pin(async move {
            // A closed semaphore lets everyone pass.
            if let Ok(permit) = permits.acquire().await {
                permit.forget();
            }
            WorkResult::Completed
        })
    }
}

pub(crate) struct Started {
    pub(crate) engine: Engine,
    pub(crate) announced: Arc<Mutex<Vec<Arc<Announcement>>>>,
}

pub(crate) async fn start(
    writer: impl WriteStore,
    reader: impl ReadStore,
    processor: impl Processor,
    change: impl FnOnce(&mut EngineConfig),
) -> Started {
    let broker = InProcessBroker::new();
    let announced: Arc<Mutex<Vec<Arc<Announcement>>>> = Arc::default();
    let heard = Arc::clone(&announced);
    let listener = move |message: &Message| {
        if let Message::Commit(announcement) = message {
            heard.lock().expect("no panic holds it").push(Arc::clone(announcement));
        }
    };
    broker.start(Box::new(listener)).expect("the broker starts");
    let mut config = EngineConfig::new(rules());
    change(&mut config);
    let parts = EngineParts {
        writer: Box::new(writer),
        reader: Arc::new(reader),
        broker: Arc::new(broker),
        processor: Arc::new(processor),
    };
    let engine = Engine::start(config, parts).await.expect("the engine starts");
    Started { engine, announced }
}

pub(crate) fn draft(engine: &Engine, id: &str, priority: i64) -> Draft {
    let items = vec![ItemInput { sku: "tea", quantity: 1, price: Some("2.5"), plain: false, untracked: false }];
    let input = OrderInput {
        id: Some(id),
        items,
        customer: Some("ann"),
        address: Some("1 Road"),
        priority: Some(priority),
        ..OrderInput::default()
    };
    draft_order(&input, engine.rules(), engine.customers()).expect("a good order")
}

pub(crate) async fn place(engine: &Engine, draft: Draft) -> Placed {
    engine.place(local(), draft).await.expect("the order is taken")
}

/// Waits until `holds` does.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
