//! Cursors that are written straight into a store, by a clock that tests set, and a handler that says what it got.

#![allow(dead_code, reason = "every test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use ordercast_consumers::{CursorError, CursorFuture, Cursors, Gap, Handler, HandlerError, HandlerFuture};
use ordercast_domain::consumer::{Acquire, Acquired, MoveCursor};
use ordercast_domain::decide::{self, Refusal, WorkingSet};
use ordercast_store::conformance::run;
use ordercast_store::log::StoredEvent;
use ordercast_store::write::{ConsumerKeys, ConsumerWrites, Keys, WriteStore, Writes};
use tokio::sync::{Semaphore, mpsc};

/// More than any handler of a test is given before the test looks.
const MAX_GIVEN: usize = 1_000;

/// A node's way to a store.
pub(crate) struct StoreCursors {
    writer: Mutex<Box<dyn WriteStore>>,
    steady_ms: Arc<AtomicI64>,
}

impl StoreCursors {
    pub(crate) fn new(writer: impl WriteStore, steady_ms: &Arc<AtomicI64>) -> Self {
        Self { writer: Mutex::new(Box::new(writer)), steady_ms: Arc::clone(steady_ms) }
    }

    fn commit<T>(
        &self,
        name: &Arc<str>,
        mut decide: impl FnMut(&mut WorkingSet) -> Result<T, Refusal> + Send,
    ) -> Result<T, CursorError>
    where
        T: Send,
    {
        let consumers = ConsumerKeys { names: vec![Arc::clone(name)] };
        let keys = Keys { consumers, steady_ms: self.steady_ms.load(Relaxed), ..Keys::default() };
        let mut decided = None;
        run(&mut **self.writer.lock().unwrap(), keys, |mut set, _| {
            decided = Some(decide(&mut set));
            match decided {
                Some(Ok(_)) => ConsumerWrites { changed: set.consumers.by_name.into_values().collect() }.into(),
                _ => Writes::default(),
            }
        });
        decided.unwrap().map_err(|refusal| match refusal {
            Refusal::StaleToken => CursorError::Fenced,
            refusal => CursorError::Refused(format!("{refusal:?}")),
        })
    }
}

impl Cursors for StoreCursors {
    fn acquire(&self, wish: Acquire) -> CursorFuture<'_, Acquired> {
        Box::pin(async move { self.commit(&wish.name, |set| decide::acquire(set, &wish)) })
    }

    fn advance(&self, step: MoveCursor) -> CursorFuture<'_, ()> {
        Box::pin(async move { self.commit(&step.name, |set| decide::move_cursor(set, &step).map(|_| ())) })
    }
}

/// What a handler was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    Events(Vec<u64>),
    Gap(Gap),
}

/// Says what it is given, and then waits for a permit; fails as often as the test asks for.
pub(crate) struct Teller {
    pub(crate) given: mpsc::Sender<Given>,
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) failures: usize,
}

/// A handler, what it says, and what lets it go on.
pub(crate) fn teller(permits: usize, failures: usize) -> (Box<Teller>, mpsc::Receiver<Given>, Arc<Semaphore>) {
    let (given, heard) = mpsc::channel(MAX_GIVEN);
    let permits = Arc::new(Semaphore::new(permits));
    (Box::new(Teller { given, permits: Arc::clone(&permits), failures }), heard, permits)
}

impl Teller {
    fn tell(&mut self, given: Given) -> HandlerFuture<'_> {
        Box::pin(async move {
            self.given.try_send(given).expect("the test listens");
            self.permits.acquire().await.unwrap().forget();
            if self.failures > 0 {
                self.failures -= 1;
                return Err(HandlerError("as the test wants".to_owned()));
            }
            Ok(())
        })
    }
}

impl Handler for Teller {
    fn handle<'a>(&'a mut self, events: &'a [StoredEvent]) -> HandlerFuture<'a> {
        self.tell(Given::Events(events.iter().map(|event| event.offset).collect()))
    }

    fn on_gap<'a>(&'a mut self, gap: &'a Gap) -> HandlerFuture<'a> {
        self.tell(Given::Gap(gap.clone()))
    }
}
