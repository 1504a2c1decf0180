//! Money beside the amounts of orders: refunds, and adjustments that belong to no order.

use std::sync::Arc;

use ordercast_domain::adjustment::Adjustment;
use ordercast_domain::order::LedgerEntry;

use super::{Keys, Writes};

/// Which entries a batch touches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MoneyKeys {
    /// Adjustments by id.
    pub adjustments: Vec<Arc<str>>,
}

/// What a batch adds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MoneyWrites {
    /// Money of orders that was given back.
    pub ledger: Vec<LedgerEntry>,
    /// New adjustments.
    pub adjustments: Vec<Adjustment>,
}

impl MoneyWrites {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        let Self { ledger, adjustments } = self;
        ledger.is_empty() && adjustments.is_empty()
    }
}

impl From<MoneyKeys> for Keys {
    fn from(money: MoneyKeys) -> Self {
        Self { money, ..Self::default() }
    }
}

impl From<MoneyWrites> for Writes {
    fn from(money: MoneyWrites) -> Self {
        Self { money, ..Self::default() }
    }
}
