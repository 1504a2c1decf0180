//! What the store knows of the things a batch touches.

use std::collections::BTreeMap;

use crate::ids::CustomerId;
use crate::order::{Order, Queue};

mod catalogue;
mod consumers;
mod money;
mod orders;
mod queue;
mod work;

pub use catalogue::CatalogueSet;
pub use consumers::ConsumerSet;
pub use money::MoneySet;
pub use orders::{ActionRecord, KeyRecord, OrderLines, OrderSet};
pub use queue::QueueSet;
pub use work::WorkSet;

/// What the store knows of the things a batch touches, by aggregate. Commands change it one after the other.
#[derive(Clone, Debug, Default)]
pub struct WorkingSet {
    /// Orders and their idempotency keys.
    pub orders: OrderSet,
    /// The queue and its pauses.
    pub queue: QueueSet,
    /// Products.
    pub catalogue: CatalogueSet,
    /// Adjustments.
    pub money: MoneySet,
    /// Leases and reports of workers.
    pub work: WorkSet,
    /// Consumers of logs.
    pub consumers: ConsumerSet,
    /// The present by the wall clock, in milliseconds since 1970, which times that people name go by.
    pub wall_ms: i64,
    /// Steady time, in milliseconds, which waits and leases go by: it stands still while nobody could be heard.
    pub steady_ms: i64,
}

impl WorkingSet {
    /// How many orders that limits have parked this batch may look at, by customer: one for each order that is ready or in
    /// work, whose place it would take, and one for each that is parked itself and may be moved before that. Orders that
    /// are only next to start leave without a claim when a pause holds them back: `may_pause` says that one may begin.
    pub fn leaving(&self, may_pause: bool) -> BTreeMap<CustomerId, usize> {
        let mut leaving: BTreeMap<CustomerId, usize> = BTreeMap::new();
        let may_leave = |order: &&Order| matches!(order.queue(), Some(Queue::Ready | Queue::InWork | Queue::Limited));
        let next = self.queue.ready.orders().filter(|_| may_pause || !self.queue.pauses.is_empty());
        let next = next.map(|order| &**order).filter(|order| !self.orders.by_seq.contains_key(&order.seq));
        for order in self.orders.by_seq.values().chain(next).filter(may_leave) {
            *leaving.entry(order.customer_id.clone()).or_default() += 1;
        }
        leaving
    }
}
