//! Money facts that are no orders: cancellations that name no order, write-offs, bad debt.
//!
//! They are kept as they came, signed, beside the orders, and change none.

use std::sync::Arc;

use crate::ids::CustomerId;
use crate::money::Currency;
use crate::order::Digest;

/// What an adjustment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdjustmentKind {
    /// Goods given back or called off, without the order they came from.
    Cancellation,
    /// Goods lost, damaged or found; no money moves.
    WriteOff,
    /// A claim given up or restored.
    BadDebt,
}

impl AdjustmentKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Cancellation, Self::WriteOff, Self::BadDebt];

    /// The outward name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cancellation => "cancellation",
            Self::WriteOff => "write_off",
            Self::BadDebt => "bad_debt",
        }
    }

    /// The kind of an outward name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A signed line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdjustmentLine {
    /// SKU or text.
    pub sku: String,
    /// How many, signed.
    pub quantity: i64,
    /// Millionths of the major unit for one, signed.
    pub price: i64,
}

/// An adjustment as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjustment {
    /// Its id, unique among adjustments.
    pub id: Arc<str>,
    /// What it is.
    pub kind: AdjustmentKind,
    /// Minor units, signed.
    pub amount: i64,
    /// Millionths: exact sum of the lines less the amount.
    pub rounding: i64,
    /// The currency.
    pub currency: Currency,
    /// Opaque id of the customer, if one is named.
    pub customer_id: Option<CustomerId>,
    /// All lines.
    pub lines: Vec<AdjustmentLine>,
    /// Free text.
    pub notes: Option<String>,
    /// When it happened, in milliseconds since 1970; always known once it is stored.
    pub placed_at_ms: Option<i64>,
    /// When it was stored, in milliseconds since 1970; 0 until it is.
    pub created_at_ms: i64,
    /// What the client asked for.
    pub digest: Digest,
}
