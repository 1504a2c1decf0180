//! Cursors of consumers through the engine's one writer.

mod support;

use std::time::Duration;

use ordercast_consumers::conformance::check;
use ordercast_consumers::{CursorError, CursorFuture, Cursors};
use ordercast_domain::consumer::{Acquire, Acquired, MoveCursor};
use ordercast_domain::decide::Refusal;
use ordercast_engine::{CommandError, Engine};
use ordercast_store_sqlite::{SqliteOptions, open, verify::verify};
use support::{Gate, local, start};

/// As the binary will write them.
struct EngineCursors(Engine);

fn cursor_error(error: CommandError) -> CursorError {
    match error {
        CommandError::Refused(Refusal::StaleToken) => CursorError::Fenced,
        CommandError::Refused(refusal) => CursorError::Refused(format!("{refusal:?}")),
        other => CursorError::Unavailable(format!("{other:?}")),
    }
}

impl Cursors for EngineCursors {
    fn acquire(&self, wish: Acquire) -> CursorFuture<'_, Acquired> {
        Box::pin(async move { self.0.acquire_consumer(local(), wish).await.map_err(cursor_error) })
    }

    fn advance(&self, step: MoveCursor) -> CursorFuture<'_, ()> {
        Box::pin(async move { self.0.move_cursor(local(), step).await.map(|_| ()).map_err(cursor_error) })
    }
}

/// The leases of the suite end by the steady time of the engine, which passes by itself.
#[tokio::test(flavor = "multi_thread")]
async fn the_engine_conforms() {
    let dir = tempfile::tempdir().expect("a folder");
    let (writer, reader) = open(&SqliteOptions::new(dir.path())).expect("a store");
    let started = start(writer, reader, Gate::open(), |_| ()).await;
    let cursors = EngineCursors(started.engine.clone());
    check(&cursors, &cursors, || ()).await;
    assert!(started.announced.lock().expect("no panic holds it").is_empty(), "no event tells of it");
    started.engine.stop(Duration::from_secs(5)).await;
    drop((started, cursors));
    let report = verify(dir.path(), |_| {}).expect("readable");
    assert!(report.is_clean(), "{report}");
}
