//! The orders that are next to start, and which of them is next in fairness to the customers who wait.
//!
//! Orders start by their key: urgency and age. Among the first [`WINDOW`] of one level a customer who had fewer of the
//! last [`WINDOW`] claims goes before one who had more, so that one who orders by the thousand holds up nobody for
//! longer than a window. The first order of all decides which level is looked at, so fairness never goes before urgency;
//! and as claims age out, at most [`WINDOW`] others go before it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::order::{Order, OrderSeq};
use crate::rules::Priority;

/// How many of the orders that are next are looked at, and how many claims are remembered.
pub const WINDOW: usize = 64;

#[derive(Clone, Debug)]
struct Waiting {
    seq: OrderSeq,
    sort_key: i64,
    level: Priority,
    customer_id: Arc<str>,
    /// Where its customer stands in [`Window::shares`].
    customer: usize,
}

/// The orders that are next to start.
#[derive(Clone, Debug, Default)]
pub struct Window {
    waiting: VecDeque<Waiting>,
    /// Claims of late, by the place of the customer; empty while nobody has to be fair.
    shares: Vec<u32>,
    places: HashMap<Arc<str>, usize>,
}

impl Window {
    /// Adds an order behind the others.
    pub fn push(&mut self, order: &Order) {
        let waiting = self.waiting_of(order);
        self.waiting.push_back(waiting);
    }

    /// Adds an order where its key belongs.
    pub fn insert(&mut self, order: &Order) {
        let waiting = self.waiting_of(order);
        let key = |waiting: &Waiting| (waiting.sort_key, waiting.seq);
        let at = self.waiting.partition_point(|known| key(known) < key(&waiting));
        self.waiting.insert(at, waiting);
    }

    /// The numbers of the orders, the first to start first.
    pub fn seqs(&self) -> impl Iterator<Item = OrderSeq> {
        self.waiting.iter().map(|waiting| waiting.seq)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// From now on customers get their share, after these claims. Worth while when more orders wait than will be taken.
    pub fn be_fair(&mut self, recent: &RecentClaims) {
        (self.places, self.shares) = (HashMap::with_capacity(self.waiting.len()), Vec::new());
        for waiting in &mut self.waiting {
            waiting.customer = place(&mut self.places, &mut self.shares, &waiting.customer_id);
        }
        for customer_id in &recent.claims {
            if let Some(&place) = self.places.get(customer_id) {
                self.shares[place] += 1;
            }
        }
    }

    /// Takes the next order out.
    pub(super) fn next(&mut self) -> Option<OrderSeq> {
        let at = if self.shares.len() > 1 { self.fairest()? } else { 0 };
        self.waiting.remove(at).map(|waiting| waiting.seq)
    }

    /// Counts a claim.
    pub(super) fn count(&mut self, recent: &mut RecentClaims, customer_id: &Arc<str>) {
        let aged_out = recent.add(customer_id);
        if self.shares.is_empty() {
            return;
        }
        if let Some(&place) = self.places.get(customer_id) {
            self.shares[place] += 1;
        }
        if let Some(&place) = aged_out.and_then(|customer_id| self.places.get(&customer_id)) {
            self.shares[place] = self.shares[place].saturating_sub(1);
        }
    }

    fn fairest(&self) -> Option<usize> {
        let level = self.waiting.front()?.level;
        let mut fairest = (0, u32::MAX);
        for (at, waiting) in self.waiting.iter().take(WINDOW).enumerate() {
            let share = self.shares[waiting.customer];
            if waiting.level == level && share < fairest.1 {
                fairest = (at, share);
                if share == 0 {
                    break;
                }
            }
        }
        Some(fairest.0)
    }

    fn waiting_of(&mut self, order: &Order) -> Waiting {
        let customer_id = Arc::clone(&order.customer_id);
        // Nobody has a place while nobody has to be fair.
        let customer = match self.shares.is_empty() {
            true => 0,
            false => place(&mut self.places, &mut self.shares, &customer_id),
        };
        Waiting { seq: order.seq, sort_key: order.sort_key, level: order.level(), customer_id, customer }
    }
}

fn place(places: &mut HashMap<Arc<str>, usize>, shares: &mut Vec<u32>, customer_id: &Arc<str>) -> usize {
    if let Some(&place) = places.get(customer_id) {
        return place;
    }
    places.insert(Arc::clone(customer_id), shares.len());
    shares.push(0);
    shares.len() - 1
}

/// The customers of the last [`WINDOW`] claims. Kept in memory: after a restart all customers begin alike.
#[derive(Clone, Debug, Default)]
pub struct RecentClaims {
    claims: VecDeque<Arc<str>>,
}

impl RecentClaims {
    /// Adds a claim; gives the one that is too old by now.
    fn add(&mut self, customer_id: &Arc<str>) -> Option<Arc<str>> {
        self.claims.push_back(Arc::clone(customer_id));
        if self.claims.len() > WINDOW { self.claims.pop_front() } else { None }
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
