//! Commits and reads of the suite, one after the other on one thread.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};

use ordercast_domain::decide::WorkingSet;

use crate::write::{BatchId, CommitOutcome, Committed, Decider, Keys, WriteStore, Writes};

/// Waits for a future on this thread.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// An id that no batch of this process has had.
pub fn next_batch() -> BatchId {
    static LAST: AtomicU64 = AtomicU64::new(0);
    BatchId(u128::from(LAST.fetch_add(1, Relaxed) + 1))
}

struct Script<F> {
    keys: Keys,
    decide: F,
}

impl<F: FnMut(WorkingSet, i64) -> Writes + Send> Decider for Script<F> {
    fn keys(&self) -> Keys {
        self.keys.clone()
    }

    fn decide(&mut self, set: WorkingSet, now_ms: i64) -> Writes {
        (self.decide)(set, now_ms)
    }
}

/// Commits one batch that `decide` makes of what `keys` loads.
///
/// # Panics
/// When the commit fails.
pub fn run(
    writer: &mut dyn WriteStore,
    keys: impl Into<Keys>,
    decide: impl FnMut(WorkingSet, i64) -> Writes + Send,
) -> Committed {
    let mut script = Script { keys: keys.into(), decide };
    match wait(writer.commit(next_batch(), &mut script)) {
        CommitOutcome::Committed(committed) => committed,
        other => panic!("the commit failed: {other:?}"),
    }
}
