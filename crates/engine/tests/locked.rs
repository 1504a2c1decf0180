//! A database that another program has locked: commands wait, it is said, and nothing is lost or unknown.

mod support;

use std::sync::Arc;
use std::time::Duration;

use ordercast_domain::status::Status;
use ordercast_engine::Placed;
use ordercast_engine::{CommandError, Engine, EngineConfig, EngineParts};
use ordercast_store::read::ReadStore;
use ordercast_store_sqlite::open::DATABASE_FILE;
use ordercast_store_sqlite::{SqliteOptions, open};
use rusqlite::Connection;
use support::{Gate, PATIENCE, draft, local, rules, until};

struct Locked {
    engine: Engine,
    store: Arc<dyn ReadStore>,
    other: Connection,
    _dir: tempfile::TempDir,
}

/// An engine on a database that another program has locked.
async fn locked() -> Locked {
    let dir = tempfile::tempdir().expect("a folder");
    let (writer, reader) = open(&SqliteOptions::new(dir.path())).expect("a store");
    let store: Arc<dyn ReadStore> = Arc::new(reader);
    let parts = EngineParts {
        writer: Box::new(writer),
        reader: Arc::clone(&store),
        broker: Arc::new(ordercast_broker::InProcessBroker::new()),
        processor: Arc::new(Gate::open()),
    };
    let engine = Engine::start(EngineConfig::new(rules()), parts).await.expect("it starts");
    let other = Connection::open(dir.path().join(DATABASE_FILE)).expect("it opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
    Locked { engine, store, other, _dir: dir }
}

fn place(engine: &Engine, id: &str) -> tokio::task::JoinHandle<Result<Placed, CommandError>> {
    let (engine, draft) = (engine.clone(), draft(engine, id, 2));
    tokio::spawn(async move { engine.place(local(), draft).await })
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_wait_until_it_is_free_again() {
    let Locked { engine, store, other, _dir } = locked().await;
    let placed = place(&engine, "o1");
    until("it is said", || engine.trouble().is_some()).await;
    assert!(engine.trouble().is_some_and(|trouble| trouble.contains("locked")));
    assert!(engine.failure().is_none() && !placed.is_finished(), "it waits");
    other.execute_batch("ROLLBACK").expect("it ends");
    assert!(matches!(placed.await.expect("no panic"), Ok(Placed::Accepted { .. })));
    until("it is over", || engine.trouble().is_none()).await;
    // The workers in the process are still there.
    let started = std::time::Instant::now();
    loop {
        let order = store.order("o1".into()).await.expect("readable").expect("it is there").0;
        if order.status == Status::Completed {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "{order:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    engine.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_waited_for_long_is_refused_and_may_try_again() {
    let Locked { engine, other, _dir, .. } = locked().await;
    let refused = place(&engine, "o1").await.expect("no panic");
    assert!(matches!(refused, Err(CommandError::Unavailable)), "{refused:?}");
    let refused = place(&engine, "o1").await.expect("no panic");
    assert!(matches!(refused, Err(CommandError::Unavailable)), "at once from then on: {refused:?}");
    other.execute_batch("ROLLBACK").expect("it ends");
    until("it is over", || engine.trouble().is_none()).await;
    let placed = place(&engine, "o1").await.expect("no panic");
    assert!(matches!(placed, Ok(Placed::Accepted { .. })), "nothing was stored before: {placed:?}");
    engine.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_it() {
    let Locked { engine, other, _dir, .. } = locked().await;
    let placed = place(&engine, "o1");
    until("it is said", || engine.trouble().is_some()).await;
    engine.stop(Duration::from_millis(100)).await;
    let refused = placed.await.expect("no panic");
    assert!(matches!(refused, Err(CommandError::Stopping)), "{refused:?}");
    drop(other);
}
