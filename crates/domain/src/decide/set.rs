//! What the store knows of the things a batch touches, and why a command is refused.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::in_work::InWork;
use super::window::Window;
use crate::Violation;
use crate::adjustment::Adjustment;
use crate::lease::{Lease, WorkOutcome, WorkReport};
use crate::order::{Details, Digest, LineMove, Order, OrderSeq, Progress, Queue};
use crate::pause::{Pause, Scope};
use crate::product::Product;
use crate::status::Status;
use crate::transition::ActionName;

/// What the store knows of the things a batch touches.
#[derive(Clone, Debug, Default)]
pub struct WorkingSet {
    /// Orders by number.
    pub orders: HashMap<OrderSeq, Order>,
    /// Numbers of the orders whose ids were asked for.
    pub orders_by_id: HashMap<Arc<str>, OrderSeq>,
    /// Lines of the orders that may be moved in a way that touches stock; their products are in `products`.
    pub lines: HashMap<OrderSeq, OrderLines>,
    /// Orders by the idempotency keys that were asked for.
    pub keys: HashMap<Arc<str>, KeyRecord>,
    /// Actions by the idempotency keys that were asked for.
    pub actions: HashMap<Arc<str>, ActionRecord>,
    /// Products by SKU.
    pub products: HashMap<Arc<str>, Product>,
    /// Whether the catalogue has any product.
    pub has_products: bool,
    /// The adjustments whose ids were asked for.
    pub adjustments: HashMap<Arc<str>, Adjustment>,
    /// The orders that are next to start, in that order.
    pub ready: Window,
    /// What is in work, in all and of the customers of all orders here; known when it was asked for.
    pub in_work: Option<InWork>,
    /// Orders that limits have parked and that may take the places of orders in the set, by customer, the first to start
    /// first; loaded in `orders` too.
    pub limited: HashMap<Arc<str>, VecDeque<OrderSeq>>,
    /// Those of them that did so without a step of another order.
    pub readmitted: Vec<OrderSeq>,
    /// The orders whose time has come, earliest first; loaded in `orders` and `lines` too.
    pub due: Vec<OrderSeq>,
    /// When the next timer after those in `due` comes, in milliseconds since 1970; known when due ones were asked for.
    pub next_due_ms: Option<i64>,
    /// The same of waits, by steady time.
    pub next_steady_due_ms: Option<i64>,
    /// The leases that were asked for, or have ended; the orders of those are loaded in `orders` too.
    pub leases: HashMap<Arc<str>, Lease>,
    /// What workers outside reported before, by order and token; known of those that were asked for.
    pub reports: HashMap<(OrderSeq, u32), WorkReport>,
    /// Every token of a claim is above it: a store that was put back from a copy has skipped those up to here.
    pub token_floor: u32,
    /// Orders in work that no lease in the store holds; known when they were asked for.
    pub unleased: Vec<OrderSeq>,
    /// When the next lease after those that have ended does; known when ended ones were asked for.
    pub next_lease_end_ms: Option<i64>,
    /// The pauses; known when they were asked for, or orders that are next to start.
    pub pauses: BTreeMap<Scope, Pause>,
    /// Orders that were parked while the batch was decided, and whether by a pause or a limit. They may repeat.
    pub parked: Vec<(OrderSeq, Queue)>,
    /// Orders that pauses had parked which are lifted; loaded in `orders` too.
    pub unparked: Vec<(Scope, OrderSeq)>,
    /// The number of the next new order.
    pub next_seq: OrderSeq,
    /// The present by the wall clock, in milliseconds since 1970, which times that people name go by.
    pub wall_ms: i64,
    /// Steady time, in milliseconds, which waits and leases go by: it stands still while nobody could be heard.
    pub steady_ms: i64,
}

impl WorkingSet {
    /// How many orders that limits have parked this batch may look at, by customer: one for each order that is ready or in
    /// work, whose place it would take, and one for each that is parked itself and may be moved before that. Orders that
    /// are only next to start leave without a claim when a pause holds them back: `may_pause` says that one may begin.
    pub fn leaving(&self, may_pause: bool) -> BTreeMap<Arc<str>, usize> {
        let mut leaving: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        let may_leave = |order: &&Order| matches!(order.queue(), Some(Queue::Ready | Queue::InWork | Queue::Limited));
        let next = self.ready.orders().filter(|_| may_pause || !self.pauses.is_empty());
        let next = next.map(|order| &**order).filter(|order| !self.orders.contains_key(&order.seq));
        for order in self.orders.values().chain(next).filter(may_leave) {
            *leaving.entry(Arc::clone(&order.customer_id)).or_default() += 1;
        }
        leaving
    }
}

/// The lines of an order and how far each is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderLines {
    /// As they were accepted.
    pub details: Arc<Details>,
    /// One for each line.
    pub progress: Vec<Progress>,
}

impl OrderLines {
    /// The lines of an order after these moves.
    pub fn new(details: Arc<Details>, moves: &[LineMove]) -> Self {
        let progress = Progress::of_lines(details.lines.len(), moves);
        Self { details, progress }
    }

    /// SKUs of the lines that hold stock, or did.
    pub fn reserved_skus(&self) -> impl Iterator<Item = &str> {
        self.details.lines.iter().filter(|line| line.reserved > 0).map(|line| line.sku.as_str())
    }
}

/// What an idempotency key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// The order that was accepted under it.
    pub order_id: Arc<str>,
    /// What was asked for then.
    pub digest: Digest,
}

/// What an idempotency key of an action stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionRecord {
    /// The order it was done to.
    pub seq: OrderSeq,
    /// Its id.
    pub order_id: Arc<str>,
    /// What was asked for then.
    pub digest: Digest,
}

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Fields break rules.
    Invalid(Vec<Violation>),
    /// The id or key was used for another body; names the order that has it.
    Conflict {
        /// The first order's id.
        order_id: Arc<str>,
    },
    /// Less is left than a line asks for.
    OutOfStock {
        /// Which line, from 0.
        line: usize,
        /// Of what.
        sku: String,
        /// What is left.
        left: i64,
    },
    /// Lines have SKUs that are not in the catalogue.
    UnknownProducts {
        /// What is wrong with the lines of the order, other prices included.
        violations: Vec<Violation>,
        /// The places of those of unknown SKUs among them, with the SKU.
        unknown: Vec<(usize, String)>,
    },
    /// Prices are not those of the catalogue; each names the price now.
    PriceDiffers(Vec<Violation>),
    /// The catalogue does not have the product.
    UnknownProduct {
        /// Of what.
        sku: String,
    },
    /// There is no such order, or it is not for who asks.
    NotFound,
    /// The order has changed since who asks has seen it.
    StaleVersion {
        /// Its version now.
        current: u32,
    },
    /// The order is not in work under the worker's lease and token.
    StaleToken,
    /// The worker has reported another outcome of the same claim before.
    AlreadyReported {
        /// Which.
        outcome: WorkOutcome,
    },
    /// The lease has ended, or there never was one.
    NoLease,
    /// The transition table does not allow the step.
    InvalidTransition {
        /// Where the order is.
        from: Status,
        /// What cannot be done there by who asks.
        action: ActionName,
        /// What can.
        allowed: Vec<ActionName>,
    },
}
