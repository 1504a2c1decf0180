//! The engine under measurement.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use ordercast_access::{Origin, Principal};
use ordercast_broker::InProcessBroker;
use ordercast_domain::draft::{CustomerKey, Draft, ItemInput, OrderInput, draft_order};
use ordercast_domain::money::Currency;
use ordercast_domain::rules::Rules;
use ordercast_engine::processor::TimedProcessor;
use ordercast_engine::{Engine, EngineConfig, EngineParts};
use ordercast_store::model::ModelStore;
use ordercast_store::read::ReadStore;
use ordercast_store::write::WriteStore;
use ordercast_store_sqlite::open::DATABASE_FILE;
use ordercast_store_sqlite::{SqliteOptions, open};

use crate::flight::{IN_FLIGHT, Spent, fly};
use crate::log_store::LogStore;

/// Customers that order; their ids are hashes, so the index of customers is written all over.
const CUSTOMERS: usize = 10_000;
/// Room beyond what is in flight, so that nothing is ever refused.
const CAPACITY: usize = 2 * IN_FLIGHT;

/// Who chooses the orders' ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ids {
    /// The engine: they rise, and need no look at the store.
    Server,
    /// The client: each is looked for before it is taken.
    Client,
}

/// What the engine writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    /// The store it ships with.
    Sqlite,
    /// An append-only file.
    Append {
        /// Bytes per order.
        record_bytes: usize,
    },
}

/// One measurement of the engine.
pub(crate) struct Run {
    pub(crate) spent: Spent,
    /// Mean orders per commit.
    pub(crate) batch: usize,
    /// Mean bytes an order takes in the store.
    pub(crate) stored_bytes: usize,
    /// The share of the time that the writer spent in COMMIT, where the sync is.
    pub(crate) sync_share: f64,
}

fn rules() -> Rules {
    Rules::standard(Currency::parse("USD").expect("a currency"))
}

/// As `POST /orders` would draft the order of the documentation: about 280 bytes of JSON.
fn draft(number: usize, rules: &Rules, customers: &CustomerKey) -> Draft {
    let line = |sku, price| ItemInput { sku, quantity: 2, price: Some(price), plain: false, untracked: false };
    let mut items = vec![line("blend-of-the-house", "12.50")];
    if number % 2 == 1 {
        items.push(line("teapot-cast-iron-1l", "24.95"));
    }
    let customer = format!("john.doe.{number}@example.com");
    let input = OrderInput {
        items,
        customer: Some(&customer),
        address: Some("123 Main Street, Springfield, 12345"),
        priority: Some(1 + (number % 3) as i64),
        notes: Some("please ring twice"),
        ..OrderInput::default()
    };
    draft_order(&input, rules, customers).expect("a good order")
}

/// CPU time of drafting one order, in microseconds.
pub(crate) fn draft_cost_us() -> f64 {
    let (rules, customers) = (rules(), CustomerKey::new([7; 32]));
    let started = Instant::now();
    for number in 0..CUSTOMERS {
        black_box(draft(number, &rules, &customers));
    }
    started.elapsed().as_secs_f64() * 1e6 / CUSTOMERS as f64
}

/// Runs an engine without workers on a new store in `place`.
pub(crate) fn measure(place: &Path, store: Store, ids: Ids, duration: Duration) -> Run {
    let dir = tempfile::tempdir_in(place).expect("a temporary folder");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let mut config = EngineConfig::new(rules());
    (config.slots, config.intake_capacity, config.client_capacity) = (0, CAPACITY, CAPACITY);
    let (writer, reader) = halves(dir.path(), store);
    let parts = EngineParts {
        writer,
        reader,
        broker: Arc::new(InProcessBroker::new()),
        processor: Arc::new(TimedProcessor::default()),
    };
    let engine = runtime.block_on(Engine::start(config, parts)).expect("the engine starts");
    let drafts: Vec<_> = (0..CUSTOMERS).map(|number| draft(number, engine.rules(), engine.customers())).collect();
    let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let spent = fly(duration, |number, window| {
        let mut draft = drafts[number as usize % CUSTOMERS].clone();
        if ids == Ids::Client {
            draft.id = Some(format!("order-{number:09}").into());
        }
        let reply = Box::new(move |outcome: Result<_, _>| {
            outcome.expect("the order is taken");
            window.answer();
        });
        engine.submit_order(Origin::new(Principal::local(), client), draft, reply);
    });
    let stats = engine.stats();
    assert_eq!(stats.accepted.load(Relaxed), spent.orders, "everything submitted was accepted");
    let commits = stats.commits.load(Relaxed).max(1);
    let sync_share = stats.sync_us.snapshot().1 as f64 / 1e6 / spent.wall.as_secs_f64();
    runtime.block_on(engine.stop(Duration::from_secs(5)));
    drop(engine);
    drop(runtime);
    let stored_bytes = if store == Store::Sqlite { stored_bytes(dir.path()) / spent.orders.max(1) } else { 0 };
    let batch = (spent.orders / commits).max(1) as usize;
    Run { spent, batch, stored_bytes: stored_bytes as usize, sync_share }
}

fn halves(dir: &Path, store: Store) -> (Box<dyn WriteStore>, Arc<dyn ReadStore>) {
    match store {
        Store::Sqlite => {
            let (writer, reader) = open(&SqliteOptions::new(dir)).expect("a new store");
            (Box::new(writer), Arc::new(reader))
        }
        // The engine reads only where it starts from: an empty store.
        Store::Append { record_bytes } => (Box::new(LogStore::create(dir, record_bytes)), Arc::new(ModelStore::new())),
    }
}

/// The size of the store with everything in its one file.
fn stored_bytes(dir: &Path) -> u64 {
    let path = dir.join(DATABASE_FILE);
    let connection = rusqlite::Connection::open(&path).expect("the store opens");
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("a checkpoint");
    std::fs::metadata(&path).expect("the store's file").len()
}
