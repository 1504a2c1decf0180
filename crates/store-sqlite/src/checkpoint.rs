//! The thread that copies the WAL back into the database, so that the writer need not: it reads and writes at the same
//! time as commits are made, and a sync of the database costs no commit its time.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ordercast_store::StoreError;
use rusqlite::Connection;

use crate::failed;

/// What the writer and the thread know of each other.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_asked: bool,
    is_over: bool,
    /// A copy that failed: what it left in the database is unknown, so nothing may follow it.
    failure: Option<rusqlite::Error>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Copies the WAL when it is asked to. It ends when it is dropped.
pub(crate) struct Checkpointer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// With a connection of its own to the database at `path`.
    pub(crate) fn start(path: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open(path).map_err(|error| failed(&error))?;
        let prepare = || {
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "wal_autocheckpoint", 0)
        };
        prepare().map_err(|error| failed(&error))?;
        let shared = Arc::new(Shared::default());
        let works = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("checkpoint".to_owned())
            .spawn(move || run(&connection, &works))
            .map_err(|error| StoreError::Failed(format!("cannot start the thread of checkpoints: {error}")))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Asks for a copy, if none is under way.
    ///
    /// # Errors
    /// When the last one failed.
    pub(crate) fn ask(&self) -> rusqlite::Result<()> {
        let mut state = self.shared.state();
        if let Some(error) = state.failure.take() {
            return Err(error);
        }
        state.is_asked = true;
        self.shared.changed.notify_all();
        Ok(())
    }

    /// Waits until the copy that was asked for is made, no longer than `patience`; says whether it is.
    pub(crate) fn wait(&self, patience: Duration) -> bool {
        let state = self.shared.state();
        let waited = self.shared.changed.wait_timeout_while(state, patience, |state| state.is_asked);
        !waited.unwrap_or_else(PoisonError::into_inner).0.is_asked
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.shared.state().is_over = true;
        self.shared.changed.notify_all();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of checkpoints panicked");
        }
    }
}

fn run(connection: &Connection, shared: &Shared) {
    let mut state = shared.state();
    while !state.is_over {
        if !state.is_asked {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        drop(state);
        let copied = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        state = shared.state();
        state.is_asked = false;
        state.failure = copied.err().filter(|error| !crate::is_busy(error));
        shared.changed.notify_all();
    }
}
