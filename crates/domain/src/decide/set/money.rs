//! Adjustments that a batch touches.

use std::collections::HashMap;
use std::sync::Arc;

use crate::adjustment::Adjustment;

/// What the store knows of money beside the amounts of orders.
#[derive(Clone, Debug, Default)]
pub struct MoneySet {
    /// The adjustments whose ids were asked for.
    pub adjustments: HashMap<Arc<str>, Adjustment>,
}
