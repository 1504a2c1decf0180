//! A consumer at work: lease, page, handler, cursor, and again.

use std::sync::Arc;
use std::time::Duration;

use ordercast_domain::consumer::{Acquire, Acquired};
use ordercast_protocol::position::Epoch;
use ordercast_store::StoreError;
use ordercast_store::log::{LogPage, LogState, PageQuery, ReadLogs};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cursors::{CursorError, Cursors};
use crate::handler::{Gap, Handler, HandlerError, HandlerFuture};
use crate::lease::{Lease, Lost};
use crate::settings::{ConsumerSettings, StartAt};

/// Why a consumer has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was stopped.
    Stopped,
    /// The next events could not be handled, or read, as often as it was tried. Another node may try now.
    GaveUp {
        /// Everything up to this offset is handled.
        after: u64,
        /// What the last attempt said.
        error: String,
    },
    /// A consumer of this name reads another log.
    Refused(String),
    /// Its task ended before its time: the handler panicked, or the runtime is gone.
    Failed(String),
}

/// A consumer on this node.
pub struct Consumer {
    settings: ConsumerSettings,
    logs: Arc<dyn ReadLogs>,
    cursors: Arc<dyn Cursors>,
    handler: Box<dyn Handler>,
    stop: watch::Receiver<bool>,
}

/// A consumer that was started. It is stopped when this is dropped.
pub struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<Ended>,
}

impl Running {
    /// Waits until the consumer ends by itself.
    pub async fn ended(&mut self) -> Ended {
        ended((&mut self.task).await)
    }

    /// Ends the consumer: what its handler works on is finished if it can be, and the lease is given back.
    pub async fn stop(self) -> Ended {
        // A consumer that has ended by itself does not listen any more.
        let _ = self.stop.send(true);
        ended(self.task.await)
    }

    /// Ends it at once, as a kill would: nothing more is written, and the lease stays.
    pub fn kill(self) {
        self.task.abort();
    }
}

fn ended(joined: Result<Ended, tokio::task::JoinError>) -> Ended {
    joined.unwrap_or_else(|error| Ended::Failed(error.to_string()))
}

/// What a turn came to.
enum Turn {
    Done,
    Ended(Ended),
}

impl Consumer {
    /// Starts a consumer, which waits until this node may be its owner.
    pub fn start(
        settings: ConsumerSettings,
        logs: Arc<dyn ReadLogs>,
        cursors: Arc<dyn Cursors>,
        handler: Box<dyn Handler>,
        runtime: &Handle,
    ) -> Running {
        let (stop, stopped) = watch::channel(false);
        let consumer = Self { settings, logs, cursors, handler, stop: stopped };
        Running { stop, task: runtime.spawn(consumer.run()) }
    }

    async fn run(mut self) -> Ended {
        while !self.is_stopped() {
            let mut lease = match self.acquire().await {
                Ok(Some(lease)) => lease,
                Ok(None) => continue,
                Err(refused) => return Ended::Refused(refused),
            };
            loop {
                if self.is_stopped() {
                    lease.give_back().await;
                    return Ended::Stopped;
                }
                match self.turn(&mut lease).await {
                    Ok(Turn::Done) => {}
                    Ok(Turn::Ended(ended)) => {
                        lease.give_back().await;
                        return ended;
                    }
                    Err(Lost) => {
                        tracing::info!(consumer = &*self.settings.name, "another node reads for it now");
                        break;
                    }
                }
            }
        }
        Ended::Stopped
    }

    /// Becomes the owner; waits a while and gives `None` when another node is, or nothing can be said now.
    async fn acquire(&mut self) -> Result<Option<Lease>, String> {
        let state = match self.state().await {
            Ok(state) => state,
            Err(error) => {
                self.warn(&error);
                self.rest(self.settings.poll).await;
                return Ok(None);
            }
        };
        let offset = if self.settings.start == StartAt::First { state.floor } else { state.head };
        let wish = Acquire {
            name: Arc::clone(&self.settings.name),
            log: self.settings.log.name().into(),
            owner: Arc::clone(&self.settings.owner),
            ttl_ms: i64::try_from(self.settings.lease.as_millis()).unwrap_or(i64::MAX),
            start: (state.epoch.0, offset),
        };
        match self.cursors.acquire(wish).await {
            Ok(Acquired::Granted(consumer)) => {
                Ok(Some(Lease::new(Arc::clone(&self.cursors), consumer, &self.settings)))
            }
            Ok(Acquired::Held { for_ms, .. }) => {
                let lasts = Duration::from_millis(u64::try_from(for_ms).unwrap_or(0));
                self.rest(lasts.min(self.settings.poll)).await;
                Ok(None)
            }
            Err(CursorError::Refused(reason)) => Err(reason),
            Err(error @ (CursorError::Unavailable(_) | CursorError::Fenced)) => {
                self.warn(&error);
                self.rest(self.settings.poll).await;
                Ok(None)
            }
        }
    }

    async fn state(&mut self) -> Result<LogState, StoreError> {
        let states = self.logs.log_states().await?;
        let state = states.into_iter().find(|state| state.log == self.settings.log);
        state.ok_or_else(|| StoreError::Failed(format!("there is no log {}", self.settings.log.name())))
    }

    /// Reads and handles the next page, or rests when there is none.
    async fn turn(&mut self, lease: &mut Lease) -> Result<Turn, Lost> {
        let (epoch, after) = (Arc::clone(&lease.consumer().epoch), lease.consumer().cursor);
        let ConsumerSettings { log, view, page, poll, .. } = self.settings.clone();
        let logs = Arc::clone(&self.logs);
        let page = match lease.during(logs.log_page(PageQuery::after(log, view, after, page))).await? {
            Ok(page) => page,
            Err(error @ StoreError::DamagedEvent { .. }) => {
                return Ok(Turn::Ended(Ended::GaveUp { after, error: error.to_string() }));
            }
            Err(error) => {
                self.warn(&error);
                lease.during(self.rest(poll)).await?;
                return Ok(Turn::Done);
            }
        };
        let gap = gap(&epoch, after, &page.state);
        if gap.is_none() && page.read_to <= after {
            lease.during(self.rest(poll)).await?;
            return Ok(Turn::Done);
        }
        if let Err(ended) = self.work(lease, gap.as_ref(), &page).await? {
            return Ok(ended.map_or(Turn::Done, Turn::Ended));
        }
        let cursor = if gap.is_some() { page.state.floor } else { page.read_to };
        lease.advance(page.state.epoch.0, cursor).await?;
        Ok(Turn::Done)
    }

    /// Has a gap accepted or a page handled, as often as it takes; the end of the consumer when that is given up, `None` when
    /// the process stops before.
    async fn work(
        &mut self,
        lease: &mut Lease,
        gap: Option<&Gap>,
        page: &LogPage,
    ) -> Result<Result<(), Option<Ended>>, Lost> {
        let mut failures = 0;
        while let Err(error) = lease.during(attempt(&mut *self.handler, gap, page)).await? {
            failures += 1;
            let after = lease.consumer().cursor;
            let Some(wait) = self.settings.retries.wait(failures) else {
                tracing::error!(consumer = &*self.settings.name, after, %error, "it gives up");
                return Ok(Err(Some(Ended::GaveUp { after, error: error.to_string() })));
            };
            tracing::warn!(consumer = &*self.settings.name, after, %error, failures, "it tries again");
            lease.during(self.rest(wait)).await?;
            if self.is_stopped() {
                return Ok(Err(None));
            }
        }
        Ok(Ok(()))
    }

    fn is_stopped(&self) -> bool {
        *self.stop.borrow() || self.stop.has_changed().is_err()
    }

    /// Waits, but no longer than until the consumer is stopped.
    async fn rest(&mut self, time: Duration) {
        // A sender that is gone has stopped it too.
        let stopped = self.stop.wait_for(|is_stopped| *is_stopped);
        let _ = tokio::time::timeout(time, stopped).await;
    }

    fn warn(&self, error: &dyn std::fmt::Display) {
        tracing::warn!(consumer = &*self.settings.name, %error, "it cannot go on now; trying again");
    }
}

/// What is missing between a cursor and the log as it is now.
fn gap(epoch: &Arc<str>, cursor: u64, state: &LogState) -> Option<Gap> {
    // A log that ends before what was handled is another one, whatever its epoch says.
    if *epoch != state.epoch.0 || cursor > state.head {
        return Some(Gap::Replaced { before: Epoch(Arc::clone(epoch)), now: state.epoch.clone() });
    }
    (state.floor > cursor).then_some(Gap::Removed { after: cursor, floor: state.floor })
}

fn attempt<'a>(handler: &'a mut dyn Handler, gap: Option<&'a Gap>, page: &'a LogPage) -> HandlerFuture<'a> {
    match gap {
        Some(gap) => handler.on_gap(gap),
        // A view may have nothing in what was read.
        None if page.events.is_empty() => Box::pin(async { Ok::<(), HandlerError>(()) }),
        None => handler.handle(&page.events),
    }
}
