//! What a file is turned into: one request after the other.

use crate::exact::Exact;

/// Why an imported order keeps its prices, whatever the catalogue says today.
pub(super) const PRICE_OVERRIDE: &str = "imported: the price of the day";

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A sale of the online retailer; an order.
    Sale,
    /// Goods given back, without the invoice they were on.
    Cancellation,
    /// Goods lost or damaged; no money moves.
    WriteOff,
    /// A claim given up or restored.
    BadDebt,
    /// An order as it came.
    Order,
}

impl Kind {
    /// The name in reports; that of an adjustment is also the one the API knows.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Cancellation => "cancellation",
            Self::WriteOff => "write_off",
            Self::BadDebt => "bad_debt",
            Self::Order => "order",
        }
    }

    /// Where it is sent.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Sale | Self::Order => "/orders",
            Self::Cancellation | Self::WriteOff | Self::BadDebt => "/adjustments",
        }
    }
}

/// One request, and what its answer must say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parcel {
    pub(super) kind: Kind,
    /// The order's or adjustment's id; for messages only when the body has none.
    pub(super) id: String,
    pub(super) body: Vec<u8>,
    /// For an order without an id: what makes a second run harmless.
    pub(super) idempotency_key: Option<String>,
    /// The exact sum of its lines, where the file says it.
    pub(super) amount: Option<Exact>,
    pub(super) lines: u64,
    /// The month it counts for, such as `2011-05`.
    pub(super) month: Option<String>,
    /// The file's own time, in milliseconds since 1970.
    pub(super) placed_at_ms: Option<i64>,
}
