//! Limits on how many orders are in work at a time, in all and by customer.
//!
//! An order whose customer has as much in work as is allowed is *parked* when its turn comes, so that it is looked at
//! once and not at every claim. Whenever one of the customer's orders leaves the queue or the workers, one of those
//! parked takes its place in the queue: as long as any is parked, the customer's orders that are ready or in work are at
//! least as many as the limit.

use std::sync::Arc;

use super::in_work::InWork;
use super::set::WorkingSet;
use crate::ids::CustomerId;
use crate::order::{Order, OrderSeq, Queue};
use crate::pause::Parked;
use crate::rules::Concurrency;

/// Whether no further order may be claimed. Without knowing what is in work, none may be.
pub(super) fn is_full(set: &WorkingSet, limits: &Concurrency) -> bool {
    match &set.queue.in_work {
        Some(in_work) => limits.max_active.is_some_and(|most| in_work.all >= most),
        None => limits.is_limited(),
    }
}

/// Parks an order whose turn has come if its customer has as much in work as is allowed. That is no step: no version, no
/// event.
pub(super) fn park(set: &mut WorkingSet, seq: OrderSeq, limits: &Concurrency) -> bool {
    let Some(most) = limits.max_active_per_customer else { return false };
    let Some(order) = set.orders.by_seq.get_mut(&seq) else { return false };
    let has_room = |in_work: &InWork| in_work.of(&order.customer_id) < most;
    if order.queue() != Some(Queue::Ready) || set.queue.in_work.as_ref().is_some_and(has_room) {
        return false;
    }
    order.parked_by = Some(Parked::Limit(order.customer_id.clone()));
    set.queue.parked.push((seq, Queue::Limited));
    // What leaves in this same batch makes room for it.
    set.queue.limited.entry(order.customer_id.clone()).or_default().push_back(seq);
    true
}

/// Follows a step: counts what is in work, and lets a parked order of the customer take the place of one that left.
/// Gives that order, which is ready now.
pub fn follow(set: &mut WorkingSet, was: Option<Queue>, order: &Order) -> Option<OrderSeq> {
    let is = order.queue();
    match (&mut set.queue.in_work, was == Some(Queue::InWork), is == Some(Queue::InWork)) {
        (Some(in_work), false, true) => in_work.add(&order.customer_id),
        (Some(in_work), true, false) => in_work.remove(&order.customer_id),
        _ => {}
    }
    let counts = |queue: Option<Queue>| matches!(queue, Some(Queue::Ready | Queue::InWork));
    if counts(was) && !counts(is) { readmit(set, &order.customer_id) } else { None }
}

/// Puts the next order of a customer that the limit has parked back into the queue.
pub(super) fn readmit(set: &mut WorkingSet, customer_id: &CustomerId) -> Option<OrderSeq> {
    let parked = set.queue.limited.get_mut(customer_id)?;
    while let Some(seq) = parked.pop_front() {
        let Some(order) = set.orders.by_seq.get_mut(&seq) else { continue };
        // It may have been moved in this batch.
        if order.queue() == Some(Queue::Limited) {
            order.parked_by = None;
            // A pause may hold it back when its turn comes, and then the next must be at hand: that is for another batch.
            if set.queue.pauses.is_empty() {
                set.queue.ready.insert(Arc::new(order.clone()));
            }
            return Some(seq);
        }
    }
    None
}
