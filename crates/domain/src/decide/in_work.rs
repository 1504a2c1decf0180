//! How many orders are in work.

use std::collections::HashMap;

use crate::ids::CustomerId;

/// The orders in work, counted in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InWork {
    /// All of them.
    pub all: usize,
    /// By customer; who is not named has none.
    pub by_customer: HashMap<CustomerId, usize>,
}

impl InWork {
    /// Counts an order.
    pub fn add(&mut self, customer_id: &CustomerId) {
        self.all += 1;
        *self.by_customer.entry(customer_id.clone()).or_default() += 1;
    }

    pub(super) fn remove(&mut self, customer_id: &CustomerId) {
        self.all = self.all.saturating_sub(1);
        if let Some(count) = self.by_customer.get_mut(customer_id) {
            *count = count.saturating_sub(1);
        }
    }

    pub(super) fn of(&self, customer_id: &str) -> usize {
        self.by_customer.get(customer_id).copied().unwrap_or(0)
    }
}
