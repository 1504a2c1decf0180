//! The orders that are next to start, and which of them is next in fairness to the customers who wait.
//!
//! Orders start by their key: urgency and age. Among the first [`WINDOW`] of one level a customer who had fewer of the
//! last [`WINDOW`] claims goes before one who had more, so that a burst of one customer does not hold up the others in
//! the window; further back nobody is seen, and a limit by customer is the means. The first order of all decides which
//! level is looked at, so fairness never goes before urgency; and as claims age out, at most [`WINDOW`] others go
//! before it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::ids::CustomerId;
use crate::order::Order;

/// How many of the orders that are next are looked at, and how many claims are remembered.
pub const WINDOW: usize = 64;

/// The orders that are next to start, as they were when the batch began. Shared with the store, which keeps them.
#[derive(Clone, Debug, Default)]
pub struct Window {
    waiting: VecDeque<Arc<Order>>,
    is_whole: bool,
    takes_turns: bool,
}

impl Window {
    /// From now on customers take turns. Without it orders start as they stand, which is right when all of them will.
    pub fn take_turns(&mut self) {
        self.takes_turns = true;
    }

    /// Adds an order behind the others.
    pub fn push(&mut self, order: Arc<Order>) {
        self.waiting.push_back(order);
    }

    /// No order is ready beyond those that were pushed.
    pub fn end(&mut self) {
        self.is_whole = true;
    }

    /// Adds an order where its key belongs; not behind the last one when there are more, for it may be behind them too.
    pub fn insert(&mut self, order: Arc<Order>) {
        let key = |order: &Order| (order.sort_key, order.seq);
        let at = self.waiting.partition_point(|known| key(known) < key(&order));
        if at < self.waiting.len() || self.is_whole {
            self.waiting.insert(at, order);
        }
    }

    /// The orders, the first to start first.
    pub fn orders(&self) -> impl Iterator<Item = &Arc<Order>> {
        self.waiting.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes the next order out.
    pub(super) fn next(&mut self, recent: &RecentClaims) -> Option<Arc<Order>> {
        let at = if self.takes_turns { self.fairest(recent) } else { 0 };
        self.waiting.remove(at)
    }

    fn fairest(&self, recent: &RecentClaims) -> usize {
        let Some(first) = self.waiting.front() else { return 0 };
        let level = first.level();
        let (mut fairest, mut fewest) = (0, recent.of(&first.customer_id));
        // Those of one customer often stand in a row.
        let mut last = (&first.customer_id, fewest);
        for (at, order) in self.waiting.iter().enumerate().take(WINDOW).skip(1) {
            if fewest == 0 {
                break;
            }
            if order.customer_id != *last.0 {
                last = (&order.customer_id, recent.of(&order.customer_id));
            }
            if last.1 < fewest && order.level() == level {
                (fairest, fewest) = (at, last.1);
            }
        }
        fairest
    }
}

/// The customers of the last [`WINDOW`] claims. Kept in memory: after a restart all customers begin alike.
#[derive(Debug, Default)]
pub struct RecentClaims {
    /// Oldest first.
    claims: VecDeque<CustomerId>,
    counts: HashMap<CustomerId, usize>,
    /// What each claim since [`RecentClaims::settle`] pushed out.
    pushed_out: Vec<Option<CustomerId>>,
}

impl RecentClaims {
    /// What was added since is durable.
    pub fn settle(&mut self) {
        self.pushed_out.clear();
    }

    /// Forgets what was added since [`RecentClaims::settle`]: the batch is decided again.
    pub fn rewind(&mut self) {
        while let Some(pushed_out) = self.pushed_out.pop() {
            if let Some(customer_id) = self.claims.pop_back() {
                self.uncount(&customer_id);
            }
            if let Some(customer_id) = pushed_out {
                *self.counts.entry(customer_id.clone()).or_default() += 1;
                self.claims.push_front(customer_id);
            }
        }
    }

    pub(super) fn add(&mut self, customer_id: &CustomerId) {
        self.claims.push_back(customer_id.clone());
        *self.counts.entry(customer_id.clone()).or_default() += 1;
        let pushed_out = if self.claims.len() > WINDOW { self.claims.pop_front() } else { None };
        if let Some(customer_id) = &pushed_out {
            self.uncount(customer_id);
        }
        self.pushed_out.push(pushed_out);
    }

    fn of(&self, customer_id: &str) -> usize {
        self.counts.get(customer_id).copied().unwrap_or(0)
    }

    fn uncount(&mut self, customer_id: &CustomerId) {
        if let Some(count) = self.counts.get_mut(customer_id) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(customer_id);
            }
        }
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
