//! The write half: one call that commits a batch.
//!
//! A batch is committed in four set-wise steps, the same on every store: *keys* (what the batch touches) →
//! *load* (one query a table) → *decide* (pure, in memory, command by command) → *write* (one statement a
//! table, then the counters, then the events). Only then is the commit synced and the outcome known. Drivers
//! know SQL; the rules come in through the [`Decider`].

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use ordercast_domain::decide::WorkingSet;

use crate::StoreError;

mod batches;
mod catalogue;
mod consumers;
mod logs;
mod money;
mod orders;
mod outlook;
mod queue;
mod work;

pub use batches::RecentBatches;
pub use catalogue::{CatalogueKeys, CatalogueWrites};
pub use consumers::{ConsumerKeys, ConsumerWrites};
pub use logs::{EventInsert, LogRange, LogWrites, Trim, Trimmed};
pub use money::{MoneyKeys, MoneyWrites};
pub use orders::{OrderInsert, OrderKeys, OrderWrites};
pub use outlook::{Outlook, OutlookDepth, OutlookFuture, earlier};
pub use queue::{QueueKeys, QueueWrites};
pub use work::{WorkKeys, WorkWrites};

/// What a batch touches. Entries may repeat, and may name what does not exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// Orders and their idempotency keys.
    pub orders: OrderKeys,
    /// The queue and its pauses.
    pub queue: QueueKeys,
    /// Products.
    pub catalogue: CatalogueKeys,
    /// Adjustments.
    pub money: MoneyKeys,
    /// Leases and reports of workers.
    pub work: WorkKeys,
    /// Consumers of logs.
    pub consumers: ConsumerKeys,
    /// Steady time now, in milliseconds, by which waits and leases end.
    pub steady_ms: i64,
    /// How far the outlook of the commit counts.
    pub outlook: OutlookDepth,
}

/// What a batch changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writes {
    /// Orders and their idempotency keys.
    pub orders: OrderWrites,
    /// Pauses.
    pub queue: QueueWrites,
    /// Products.
    pub catalogue: CatalogueWrites,
    /// Refunds and adjustments.
    pub money: MoneyWrites,
    /// Leases and reports of workers.
    pub work: WorkWrites,
    /// Consumers of logs.
    pub consumers: ConsumerWrites,
    /// Events.
    pub logs: LogWrites,
}

impl Writes {
    /// Whether nothing changes, unless events may be removed. Names every aggregate, so that a new one cannot be forgotten
    /// here.
    pub fn is_empty(&self) -> bool {
        let Self { orders, queue, catalogue, money, work, consumers, logs } = self;
        let state = orders.is_empty() && queue.is_empty() && catalogue.is_empty() && money.is_empty();
        state && work.is_empty() && consumers.is_empty() && logs.is_empty()
    }
}

/// The rules' side of a commit. A store may call [`Decider::decide`] again when it has to start over, each
/// time with a freshly loaded set; only the last answer counts.
pub trait Decider: Send {
    /// What the batch touches.
    fn keys(&self) -> Keys;

    /// Decides every command of the batch. `now_ms` is the time of what is stored, in milliseconds since 1970: the store's
    /// clock, which never runs backwards.
    fn decide(&mut self, set: WorkingSet, now_ms: i64) -> Writes;
}

/// The id of a batch, drawn by its writer. A batch that is decided anew after it was barred gets a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub u128);

/// A durable commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Offsets by log, for logs that got events.
    pub logs: Vec<LogRange>,
    /// What was removed, by log.
    pub trimmed: Vec<Trimmed>,
    /// What is to be done next.
    pub outlook: Outlook,
    /// Time spent making it durable, in microseconds; 0 when nothing changed.
    pub sync_us: u64,
    /// Size of what is not yet in its place, such as a write-ahead log, in bytes; 0 for a store without one.
    pub journal_bytes: u64,
    /// Whether something outside keeps that from staying within its bound.
    pub journal_is_over: bool,
}

/// What became of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    /// It is durable.
    Committed(Committed),
    /// Nothing was written, and nothing will be: the store cannot be written to now, and can be tried again.
    Unavailable {
        /// Why.
        reason: String,
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// The connection was lost in the commit: nobody may be answered before [`WriteStore::resolve`] has found out.
    Unknown,
    /// The store can no longer be trusted to write: stop, and recover at the next start. Nothing of the batch
    /// is acknowledged.
    Fatal(StoreError),
}

/// What became of a batch whose outcome was unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// It is durable.
    Committed(Committed),
    /// It was not written and never will be: its id is taken. Its commands may be committed in another batch.
    Barred,
    /// It cannot be found out now.
    Unavailable {
        /// Why.
        reason: String,
        /// When it is worth asking again.
        retry_after: Duration,
    },
    /// It cannot be found out by this store any more.
    Fatal(StoreError),
}

/// The answer of a commit, later.
pub type CommitFuture<'a> = Pin<Box<dyn Future<Output = CommitOutcome> + Send + 'a>>;

/// What became of a batch, later.
pub type ResolveFuture<'a> = Pin<Box<dyn Future<Output = Resolved> + Send + 'a>>;

/// Commits batches, one at a time.
pub trait WriteStore: Send + 'static {
    /// Loads, decides, writes and syncs one batch. All of it happens or none. The batch's id becomes durable with it; a batch
    /// whose id is taken is not written.
    fn commit<'a>(&'a mut self, id: BatchId, batch: &'a mut dyn Decider) -> CommitFuture<'a>;

    /// Finds out what became of a batch. It waits for a transaction that is still open, and bars the id for good if it was
    /// not committed: what it answers stays true.
    fn resolve(&mut self, id: BatchId) -> ResolveFuture<'_>;

    /// What is to be done next, without a commit.
    fn outlook(&mut self, depth: OutlookDepth) -> OutlookFuture<'_>;

    /// Whether no other process can write to the store as long as this one has it open.
    fn is_exclusive(&self) -> bool;
}
