//! An order as the store keeps it: what changes with every step, and what never does.

use std::sync::Arc;

use crate::ids::{CustomerId, LeaseId, OrderId, WorkerName};
use crate::money::Currency;
use crate::pause::Parked;
use crate::rules::Priority;
use crate::status::{Lane, Status};

/// The store's own number of an order, rising with acceptance.
pub type OrderSeq = u64;
/// First 16 bytes of the SHA-256 over what a client asked for; equal bodies have equal digests.
pub type Digest = [u8; 16];

/// The part of an order that its life changes, small enough to be rewritten with every step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The store's number.
    pub seq: OrderSeq,
    /// The id clients know.
    pub id: OrderId,
    /// Opaque id of the customer.
    pub customer_id: CustomerId,
    /// Where it is.
    pub status: Status,
    /// The way it takes through the workers.
    pub lane: Lane,
    /// How urgent the client called it.
    pub priority: Priority,
    /// 1 at first, one more with every change.
    pub version: u32,
    /// One more with every claim; a worker's writes need the latest.
    pub token: u32,
    /// How often it was claimed.
    pub attempts: u32,
    /// The key by which it starts, smallest first, in milliseconds.
    pub sort_key: i64,
    /// Minor units.
    pub amount: i64,
    /// Millionths of the major unit: exact sum of the lines less the amount.
    pub rounding: i64,
    /// The currency of the amount and of all prices.
    pub currency: Currency,
    /// How many lines it has.
    pub item_count: u32,
    /// When it was accepted, in milliseconds since 1970.
    pub accepted_at_ms: i64,
    /// When it last changed, in milliseconds since 1970.
    pub updated_at_ms: i64,
    /// When it was placed elsewhere, in milliseconds since 1970.
    pub placed_at_ms: Option<i64>,
    /// The worker that has it, or had it last.
    pub worker: Option<WorkerName>,
    /// When that worker claimed it.
    pub started_at_ms: Option<i64>,
    /// How long the work took, once done.
    pub duration_ms: Option<i64>,
    /// The lease of the external worker that has it; none while a worker in the process has it.
    pub lease: Option<LeaseId>,
    /// When a timer moves it on, in milliseconds since 1970: it starts, is tried again, or is no longer held.
    pub due_at_ms: Option<i64>,
    /// The same by steady time, for a wait that began some time ago; `None` for a time that somebody named, which the wall
    /// clock decides. Where it is set, `due_at_ms` only says about when that will be.
    pub steady_due_ms: Option<i64>,
    /// Whether its customer has called it off while a worker had it.
    pub cancel_requested: bool,
    /// Why the last attempt failed.
    pub last_error: Option<Arc<str>>,
    /// What keeps it from its turn.
    pub parked_by: Option<Parked>,
    /// Minor units given back so far, at most what was captured.
    pub refunded: i64,
    /// Whether the demo generator made it up.
    pub demo: bool,
    /// What the client asked for.
    pub digest: Digest,
}

/// When a timer moves an order on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    /// In milliseconds since 1970.
    pub at_ms: i64,
    /// By steady time, for a wait; see [`Order::steady_due_ms`].
    pub steady_ms: Option<i64>,
}

impl Timer {
    /// At a time that somebody named.
    pub fn at(at_ms: i64) -> Self {
        Self { at_ms, steady_ms: None }
    }

    /// After a wait from now on; `steady_ms` is steady time now.
    pub fn after(wait_ms: i64, now_ms: i64, steady_ms: i64) -> Self {
        Self { at_ms: now_ms.saturating_add(wait_ms), steady_ms: Some(steady_ms.saturating_add(wait_ms)) }
    }
}

/// Where in the queue an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// It waits for a worker.
    Ready,
    /// A worker has it.
    InWork,
    /// A timer will move it.
    Timed,
    /// It would wait for a worker, were it not for a pause.
    Parked,
    /// It would wait for a worker, had its customer not as many orders in work as is allowed.
    Limited,
}

impl Order {
    /// Where it stands in the queue, if it does.
    pub fn queue(&self) -> Option<Queue> {
        match (self.status, self.due_at_ms, &self.parked_by) {
            (Status::Active, _, _) => Some(Queue::InWork),
            (_, Some(_), _) => Some(Queue::Timed),
            (Status::Pending | Status::Retrying, None, None) => Some(Queue::Ready),
            (Status::Pending | Status::Retrying, None, Some(Parked::Pause(_))) => Some(Queue::Parked),
            (Status::Pending | Status::Retrying, None, Some(Parked::Limit(_))) => Some(Queue::Limited),
            _ => None,
        }
    }

    /// How urgent it is: what the client called it, or high when its amount is large.
    pub fn level(&self) -> Priority {
        if self.lane == Lane::PriorityProcessing { Priority::High } else { self.priority }
    }

    /// Minor units that were captured: an order is paid for when its work is done.
    pub fn captured(&self) -> i64 {
        let is_done = matches!(self.status, Status::Completed | Status::PartiallyFulfilled | Status::Fulfilled);
        // What was captured of an order that was called off since has all been given back.
        if is_done { self.amount } else { self.refunded }
    }

    /// The status as clients see it.
    pub fn outward_status(&self) -> &'static str {
        self.status.outward(self.lane)
    }
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// SKU, or the text of a plain item.
    pub sku: String,
    /// How many, at least 1.
    pub quantity: u32,
    /// Millionths of the major unit for one; `None` when only the order has an amount.
    pub price: Option<i64>,
    /// How many of them stock is reserved for.
    pub reserved: u32,
    /// Whether it came as a plain string: no SKU, so no stock, and it goes back as it came.
    pub plain: bool,
}

/// What became of the units of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LineMoveKind {
    /// They were sent.
    Shipped,
    /// They were called off after others were sent.
    Cancelled,
    /// They came back.
    Returned,
}

impl LineMoveKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Shipped, Self::Cancelled, Self::Returned];

    /// The name it is stored under.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shipped => "shipped",
            Self::Cancelled => "cancelled",
            Self::Returned => "returned",
        }
    }
}

/// Units of one line that one step moved. Kept for ever, never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineMove {
    /// The order.
    pub seq: OrderSeq,
    /// The version of the step.
    pub version: u32,
    /// Which line, from 0.
    pub line: u32,
    /// What became of them.
    pub kind: LineMoveKind,
    /// How many, at least 1.
    pub quantity: u32,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

/// Why money went back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedgerKind {
    /// A refund.
    Refund,
    /// With goods that came back.
    Return,
    /// The order was called off after it was paid.
    Void,
}

impl LedgerKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Refund, Self::Return, Self::Void];

    /// The name it is stored under.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refund => "refund",
            Self::Return => "return",
            Self::Void => "void",
        }
    }
}

/// Money that one step gave back. Kept for ever, never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// The order.
    pub seq: OrderSeq,
    /// The version of the step.
    pub version: u32,
    /// Why.
    pub kind: LedgerKind,
    /// Minor units, more than 0.
    pub amount: i64,
    /// Who did it, as in the step's event.
    pub actor: String,
    /// In the words of who did it.
    pub reason: Option<Arc<str>>,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

/// How far a line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Units sent.
    pub shipped: u32,
    /// Units called off after others were sent.
    pub cancelled: u32,
    /// Units that came back, of those sent.
    pub returned: u32,
}

impl Progress {
    /// Counts a move.
    pub fn count(&mut self, kind: LineMoveKind, quantity: u32) {
        let counter = match kind {
            LineMoveKind::Shipped => &mut self.shipped,
            LineMoveKind::Cancelled => &mut self.cancelled,
            LineMoveKind::Returned => &mut self.returned,
        };
        *counter = counter.saturating_add(quantity);
    }

    /// How far each of `lines` lines is after these moves.
    pub fn of_lines(lines: usize, moves: &[LineMove]) -> Vec<Self> {
        let mut progress = vec![Self::default(); lines];
        for moved in moves {
            if let Some(line) = usize::try_from(moved.line).ok().and_then(|line| progress.get_mut(line)) {
                line.count(moved.kind, moved.quantity);
            }
        }
        progress
    }
}

/// What was sent, returned and given back of an order, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fulfilment {
    /// Units, step by step.
    pub moves: Vec<LineMove>,
    /// Money, step by step.
    pub ledger: Vec<LedgerEntry>,
}

/// What an amount beside the lines is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChargeKind {
    /// Taken off; not above 0.
    Discount,
    /// Not below 0.
    Tax,
    /// Not below 0.
    Shipping,
}

impl ChargeKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Discount, Self::Tax, Self::Shipping];

    /// The outward name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Discount => "discount",
            Self::Tax => "tax",
            Self::Shipping => "shipping",
        }
    }

    /// The kind of an outward name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// An amount beside the lines. Lines and charges add up to the order's amount and its rounding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// What it is for.
    pub kind: ChargeKind,
    /// In words, such as a tax rate or a voucher.
    pub name: Option<String>,
    /// Signed millionths of the major unit.
    pub amount: i64,
}

/// The part of an order that stays as it was accepted, personal data included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// All lines.
    pub lines: Vec<Line>,
    /// Discounts, taxes, shipping.
    pub charges: Vec<Charge>,
    /// Who ordered.
    pub customer: String,
    /// Where it goes.
    pub address: String,
    /// What the customer added.
    pub notes: Option<String>,
    /// Why a price of it is not the catalogue's; `None` when none differs.
    pub price_override: Option<String>,
}
