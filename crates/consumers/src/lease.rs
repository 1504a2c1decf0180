//! Keeping the lease of a consumer while something else is done.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ordercast_domain::consumer::{Consumer, MoveCursor};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::cursors::{CursorError, Cursors};
use crate::settings::ConsumerSettings;

/// Renewals within the length of a lease.
const RENEWALS: u32 = 3;

/// The consumer has another owner by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lost;

/// Where an owner stands in the log, and its right to move on.
pub(crate) struct Lease {
    cursors: Arc<dyn Cursors>,
    consumer: Consumer,
    length: Duration,
    poll: Duration,
    renewed_at: Instant,
}

impl Lease {
    pub(crate) fn new(cursors: Arc<dyn Cursors>, consumer: Consumer, settings: &ConsumerSettings) -> Self {
        let (length, poll) = (settings.lease, settings.poll);
        Self { cursors, consumer, length, poll, renewed_at: Instant::now() }
    }

    /// As it is stored, but for the end of the lease.
    pub(crate) fn consumer(&self) -> &Consumer {
        &self.consumer
    }

    /// Waits for something, and renews the lease meanwhile.
    pub(crate) async fn during<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Lost> {
        let period = (self.length / RENEWALS).max(Duration::from_millis(1));
        let mut renewals = interval_at(self.renewed_at + period, period);
        renewals.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                _ = renewals.tick() => self.renew().await?,
            }
        }
    }

    /// Moves the cursor; tries until the store has answered.
    pub(crate) async fn advance(&mut self, epoch: Arc<str>, cursor: u64) -> Result<(), Lost> {
        (self.consumer.epoch, self.consumer.cursor) = (epoch, cursor);
        while !self.write(self.length).await? {
            tokio::time::sleep(self.poll).await;
        }
        Ok(())
    }

    /// Lets another node take over at once. If that fails it has to wait for the end of the lease.
    pub(crate) async fn give_back(mut self) {
        let _ = self.write(Duration::ZERO).await;
    }

    /// A renewal that fails is left to the next one: the lease may end meanwhile, which the fence then tells.
    async fn renew(&mut self) -> Result<(), Lost> {
        self.write(self.length).await.map(|_| ())
    }

    /// Writes the cursor and how long the lease lasts; false when it cannot be written now.
    async fn write(&mut self, ttl: Duration) -> Result<bool, Lost> {
        let Consumer { name, fence, epoch, cursor, .. } = &self.consumer;
        let ttl_ms = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
        let (name, epoch) = (Arc::clone(name), Arc::clone(epoch));
        let step = MoveCursor { name, fence: *fence, epoch, cursor: *cursor, ttl_ms };
        match self.cursors.advance(step).await {
            Ok(()) => {
                self.renewed_at = Instant::now();
                Ok(true)
            }
            Err(CursorError::Unavailable(reason)) => {
                tracing::warn!(consumer = &*self.consumer.name, reason, "its cursor cannot be written; trying again");
                Ok(false)
            }
            Err(CursorError::Fenced | CursorError::Refused(_)) => Err(Lost),
        }
    }
}
