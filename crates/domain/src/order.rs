//! An order as the store keeps it: what changes with every step, and what never does.

use std::sync::Arc;

use crate::money::Currency;
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
    pub id: Arc<str>,
    /// Opaque id of the customer.
    pub customer_id: Arc<str>,
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
    /// When it last changed, likewise.
    pub updated_at_ms: i64,
    /// When it was placed elsewhere, likewise.
    pub placed_at_ms: Option<i64>,
    /// The worker that has it, or had it last.
    pub worker: Option<Arc<str>>,
    /// When that worker claimed it.
    pub started_at_ms: Option<i64>,
    /// How long the work took, once done.
    pub duration_ms: Option<i64>,
    /// Whether the demo generator made it up.
    pub demo: bool,
    /// What the client asked for.
    pub digest: Digest,
}

impl Order {
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

/// The part of an order that stays as it was accepted, personal data included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// All lines.
    pub lines: Vec<Line>,
    /// Who ordered.
    pub customer: String,
    /// Where it goes.
    pub address: String,
    /// What the customer added.
    pub notes: Option<String>,
}
