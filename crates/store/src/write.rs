//! The write half: one call that commits a batch.
//!
//! A batch is committed in four set-wise steps, the same on every store: *keys* (what the batch touches) →
//! *load* (one query a table) → *decide* (pure, in memory, command by command) → *write* (one statement a
//! table, then the counters, then the events). Only then is the commit synced and the outcome known. Drivers
//! know SQL; the rules come in through the [`Decider`].

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use ordercast_domain::adjustment::Adjustment;
use ordercast_domain::decide::{ActionRecord, WorkingSet};
use ordercast_domain::lease::{Lease, WorkReport};
use ordercast_domain::order::{Details, LedgerEntry, LineMove, Order, OrderSeq};
use ordercast_domain::pause::{Pause, Scope};
use ordercast_domain::product::Product;
use ordercast_protocol::channel::Log;
use ordercast_protocol::position::Epoch;

use crate::StoreError;

/// What a batch touches. Entries may repeat, and may name what does not exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// Orders by the ids clients know.
    pub order_ids: Vec<Arc<str>>,
    /// Orders by number.
    pub order_seqs: Vec<OrderSeq>,
    /// Orders by the ids clients know, with their lines and the products of the lines that hold stock.
    pub acted_on: Vec<Arc<str>>,
    /// Orders by number, likewise.
    pub lines_of: Vec<OrderSeq>,
    /// At most so many of the orders whose time has come, by the wall clock or by steady time, likewise; and when the next
    /// one's does.
    pub due: usize,
    /// Steady time now, in milliseconds, by which waits and leases end.
    pub steady_ms: i64,
    /// Idempotency keys.
    pub idempotency: Vec<Arc<str>>,
    /// Idempotency keys of actions.
    pub action_keys: Vec<Arc<str>>,
    /// Leases by id, with the orders they hold.
    pub leases: Vec<Arc<str>>,
    /// What workers outside reported, by the order's id and the token; the orders are named elsewhere too.
    pub reports: Vec<(Arc<str>, u32)>,
    /// Whether the leases that have ended are loaded, likewise; and when the next one does.
    pub ended_leases: bool,
    /// Products.
    pub skus: Vec<Arc<str>>,
    /// Adjustments by id.
    pub adjustments: Vec<Arc<str>>,
    /// How many of the orders that are next to start; the pauses come with them.
    pub ready: usize,
    /// Whether what is in work is counted, by customer.
    pub in_work: bool,
    /// Whether the orders are loaded that limits have parked and that may take the places of those that are loaded: as
    /// many as [`WorkingSet::leaving`] says, the first to start first.
    pub limited: bool,
    /// Whether the pauses are loaded in any case.
    pub pauses: bool,
    /// At most so many of the orders that each lifted pause has parked.
    pub unparked: usize,
    /// Whether every order in work is loaded that no lease holds, for recovery: those of workers in the process, and those
    /// whose lease is not in the store.
    pub unleased: bool,
}

/// A new order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderInsert {
    /// Its changing part.
    pub order: Arc<Order>,
    /// Its lasting part.
    pub details: Arc<Details>,
}

/// An event to append. Offsets are given in the order of [`Writes::events`], per log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventInsert {
    /// Which log.
    pub log: Log,
    /// The order it is about.
    pub order: Option<(OrderSeq, Arc<str>)>,
    /// The customer it is about.
    pub customer_id: Option<Arc<str>>,
    /// The durable application channel it was published into: for every event of [`Log::Publications`], and
    /// for no other.
    pub channel: Option<Arc<str>>,
    /// The encoded body.
    pub body: Bytes,
}

/// The oldest events of a log, to be removed for good. What they told of stays: orders, lines, keys.
///
/// An event goes when any bound is passed, the oldest first; those of the batch itself are not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// Which log.
    pub log: Log,
    /// Only so many of the newest stay.
    pub max_events: Option<u64>,
    /// Those that were committed before this time go, in milliseconds since 1970; looking ends at the first that
    /// was not.
    pub before_ms: Option<i64>,
    /// At most so many go, so that no commit becomes long.
    pub most: u64,
}

/// What a batch changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writes {
    /// New orders, by rising number.
    pub new_orders: Vec<OrderInsert>,
    /// New idempotency keys, and the orders they stand for.
    pub keys: Vec<(Arc<str>, OrderSeq)>,
    /// New idempotency keys of actions, and what they stand for.
    pub action_keys: Vec<(Arc<str>, ActionRecord)>,
    /// Orders that changed, each once, as they are after the batch; they may be new in it.
    pub changed_orders: Vec<Order>,
    /// Units that were moved.
    pub moves: Vec<LineMove>,
    /// Money that went back.
    pub ledger: Vec<LedgerEntry>,
    /// Leases, new or renewed, each once.
    pub leases: Vec<Lease>,
    /// Reports of workers outside, to be remembered; a store may forget an order's older ones.
    pub reports: Vec<WorkReport>,
    /// Leases that are no more.
    pub ended_leases: Vec<Arc<str>>,
    /// Pauses, new or lifted, each once.
    pub pauses: Vec<Pause>,
    /// Pauses that are over.
    pub ended_pauses: Vec<Scope>,
    /// Products, new or changed, each once.
    pub products: Vec<Product>,
    /// New adjustments.
    pub adjustments: Vec<Adjustment>,
    /// Events.
    pub events: Vec<EventInsert>,
    /// What may be removed, at most one for a log.
    pub trims: Vec<Trim>,
}

impl Writes {
    /// Whether nothing changes, unless there is something to be removed: [`Writes::trims`] are limits, and whether any event
    /// passes one is the store's to find out. Names every field, so that a new one cannot be forgotten here.
    pub fn is_empty(&self) -> bool {
        let Self {
            new_orders,
            keys,
            action_keys,
            changed_orders,
            moves,
            ledger,
            leases,
            reports,
            ended_leases,
            pauses,
            ended_pauses,
            products,
            adjustments,
            events,
            trims: _,
        } = self;
        let orders = new_orders.is_empty() && keys.is_empty() && action_keys.is_empty() && changed_orders.is_empty();
        let goods = moves.is_empty() && ledger.is_empty() && products.is_empty() && adjustments.is_empty();
        let work = leases.is_empty() && reports.is_empty() && ended_leases.is_empty();
        orders && goods && work && pauses.is_empty() && ended_pauses.is_empty() && events.is_empty()
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

/// The offsets that a commit gave to its events in one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRange {
    /// Which log.
    pub log: Log,
    /// The log's life.
    pub epoch: Epoch,
    /// The offset of the first event.
    pub first: u64,
    /// How many events.
    pub count: u64,
}

/// The events that a commit removed from one log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trimmed {
    /// Which log.
    pub log: Log,
    /// Its floor now: the offset of the last of them.
    pub floor: u64,
    /// How many.
    pub count: u64,
}

/// A durable commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Offsets by log, for logs that got events.
    pub logs: Vec<LogRange>,
    /// What was removed, by log.
    pub trimmed: Vec<Trimmed>,
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
    /// Nothing was written: the store cannot be written to now, and can be tried again. Says why.
    Unavailable(String),
    /// The connection was lost in the commit: nobody may be answered before the batch was looked up.
    Unknown,
    /// The store can no longer be trusted to write: stop, and recover at the next start. Nothing of the batch
    /// is acknowledged.
    Fatal(StoreError),
}

/// The answer of a commit, later.
pub type CommitFuture<'a> = Pin<Box<dyn Future<Output = CommitOutcome> + Send + 'a>>;

/// Commits batches, one at a time.
pub trait WriteStore: Send + 'static {
    /// Loads, decides, writes and syncs one batch. All of it happens or none.
    fn commit<'a>(&'a mut self, batch: &'a mut dyn Decider) -> CommitFuture<'a>;
}
