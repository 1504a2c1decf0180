//! Accepting orders.

use std::sync::Arc;

use super::pricing::settle;
use super::refusal::Refusal;
use super::set::{KeyRecord, WorkingSet};
use super::stock::reserve;
use crate::draft::Draft;
use crate::ids::OrderId;
use crate::order::{Details, Line, Order, OrderSeq, Timer};
use crate::rules::{Facts, Rules};
use crate::status::Status;

/// What became of an order that was asked for.
#[derive(Clone, Debug)]
pub enum Placement {
    /// It is new.
    Accepted {
        /// Its changing part.
        order: Arc<Order>,
        /// Its lasting part.
        details: Arc<Details>,
        /// Why it is held, if a rule does.
        reason: Option<String>,
    },
    /// It is there already.
    Replayed {
        /// The order's id.
        order_id: OrderId,
        /// The store's number, when it was found by id under a key that is new: the key is then remembered too.
        key_for: Option<OrderSeq>,
    },
}

/// Where a new order begins, and the timer that moves it on from there.
fn first_status(
    set: &WorkingSet,
    draft: &Draft,
    (is_held, hold_ms): (bool, Option<i64>),
    now_ms: i64,
) -> (Status, Option<Timer>) {
    match draft.run_at_ms.filter(|&run_at_ms| run_at_ms > set.wall_ms) {
        // Released, it queues up at once, whatever time it was for: the person who releases it can reschedule it.
        _ if is_held => (Status::Held, hold_ms.map(|hold_ms| Timer::after(hold_ms, now_ms, set.steady_ms))),
        Some(run_at_ms) => (Status::Scheduled, Some(Timer::at(run_at_ms))),
        None => (Status::Pending, None),
    }
}

/// Accepts an order, or finds the one that was accepted for the same request before.
///
/// `new_id` names the order when the client did not. Whether its prices are the catalogue's is decided here, by what the
/// batch has loaded, and only for an order that is new: one that was accepted stays what it was.
///
/// # Errors
/// [`Refusal::Conflict`], [`Refusal::OutOfStock`], [`Refusal::UnknownProducts`], [`Refusal::PriceDiffers`] or
/// [`Refusal::Invalid`].
pub fn place(
    set: &mut WorkingSet,
    draft: &Draft,
    (rules, may_set_prices): (&Rules, bool),
    now_ms: i64,
    new_id: impl FnOnce() -> OrderId,
) -> Result<Placement, Refusal> {
    if let Some(replay) = find_replay(set, draft)? {
        return Ok(replay);
    }
    let mut details = Arc::clone(&draft.details);
    let (amount, rounding) = settle(set, draft, &mut details, (rules, may_set_prices))?;
    let is_counted = |line: &Line| {
        !line.plain && set.catalogue.products.get(line.sku.as_str()).is_some_and(|product| product.stock.is_some())
    };
    if details.lines.iter().any(is_counted) {
        reserve(set, &mut Arc::make_mut(&mut details).lines)?;
    }
    let facts = Facts { amount, currency: draft.currency, priority: draft.priority };
    let judgement = rules.judge(&facts);
    let (status, timer) = first_status(set, draft, (judgement.hold_reason.is_some(), rules.hold_ms), now_ms);
    // A scheduled order queues up when its time comes, not when it was accepted.
    let scheduled = timer.filter(|_| status == Status::Scheduled);
    let queues_up_ms = scheduled.map_or(now_ms, |timer| timer.at_ms);
    let order = Order {
        seq: set.orders.next_seq,
        id: draft.id.clone().unwrap_or_else(new_id),
        customer_id: draft.customer_id.clone(),
        status,
        lane: judgement.lane,
        priority: draft.priority,
        version: 1,
        token: 0,
        attempts: 0,
        sort_key: judgement.sort_key(queues_up_ms),
        amount,
        rounding,
        currency: draft.currency,
        item_count: u32::try_from(details.lines.len()).unwrap_or(u32::MAX),
        accepted_at_ms: now_ms,
        updated_at_ms: now_ms,
        placed_at_ms: draft.placed_at_ms,
        worker: None,
        started_at_ms: None,
        duration_ms: None,
        lease: None,
        due_at_ms: timer.map(|timer| timer.at_ms),
        steady_due_ms: timer.and_then(|timer| timer.steady_ms),
        cancel_requested: false,
        last_error: None,
        parked_by: None,
        refunded: 0,
        demo: draft.demo,
        digest: draft.digest,
    };
    set.orders.next_seq += 1;
    // Another command of the batch can only refer to it by an id or key that the client chose, not by one drawn here.
    if draft.id.is_some() || draft.key.is_some() {
        set.orders.by_id.insert(order.id.clone(), order.seq);
        set.orders.by_seq.insert(order.seq, order.clone());
    }
    if let Some(key) = &draft.key {
        set.orders.keys.insert(Arc::clone(key), KeyRecord { order_id: order.id.clone(), digest: draft.digest });
    }
    Ok(Placement::Accepted { order: Arc::new(order), details, reason: judgement.hold_reason })
}

fn find_replay(set: &mut WorkingSet, draft: &Draft) -> Result<Option<Placement>, Refusal> {
    let by_key = draft.key.as_ref().and_then(|key| set.orders.keys.get(key)).cloned();
    let by_id = || {
        let seq = set.orders.by_id.get(draft.id.as_ref()?)?;
        let order = set.orders.by_seq.get(seq)?;
        Some(KeyRecord { order_id: order.id.clone(), digest: order.digest })
    };
    let is_new_key = draft.key.is_some() && by_key.is_none();
    let Some(record) = by_key.or_else(by_id) else { return Ok(None) };
    if record.digest != draft.digest {
        return Err(Refusal::Conflict { id: Arc::clone(record.order_id.shared()) });
    }
    let key_for = set.orders.by_id.get(&record.order_id).copied().filter(|_| is_new_key);
    let order_id = record.order_id.clone();
    if let (Some(_), Some(key)) = (key_for, &draft.key) {
        set.orders.keys.insert(Arc::clone(key), record);
    }
    Ok(Some(Placement::Replayed { order_id, key_for }))
}

#[cfg(test)]
#[path = "place_tests.rs"]
mod tests;
