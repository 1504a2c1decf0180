//! Deciding commands: state, command and time in; the changed state or a refusal out.
//!
//! A batch loads the [`WorkingSet`] it touches and decides its commands one after the other on it. A refused
//! command changes nothing, so that a bad order cannot sink its neighbours.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::Violation;
use crate::adjustment::Adjustment;
use crate::draft::{Draft, Pricing, check_amount, sum_lines};
use crate::order::{Details, Digest, Line, Order, OrderSeq};
use crate::product::Product;
use crate::rules::Rules;
use crate::status::{Actor, Status, allowed_from, allows};

/// What the store knows of the things a batch touches.
#[derive(Clone, Debug, Default)]
pub struct WorkingSet {
    /// Orders by number.
    pub orders: HashMap<OrderSeq, Order>,
    /// Numbers of the orders whose ids were asked for.
    pub orders_by_id: HashMap<Arc<str>, OrderSeq>,
    /// Orders by the idempotency keys that were asked for.
    pub keys: HashMap<Arc<str>, KeyRecord>,
    /// Products by SKU.
    pub products: HashMap<Arc<str>, Product>,
    /// The adjustments whose ids were asked for.
    pub adjustments: HashMap<Arc<str>, Adjustment>,
    /// The orders that are next to start, in that order; loaded in `orders` too.
    pub ready: VecDeque<OrderSeq>,
    /// The number of the next new order.
    pub next_seq: OrderSeq,
}

/// What an idempotency key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// The order that was accepted under it.
    pub order_id: Arc<str>,
    /// What was asked for then.
    pub digest: Digest,
}

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Fields break rules.
    Invalid(Vec<Violation>),
    /// The id or key was used for another body; names the order that has it.
    Conflict {
        /// The first order's id.
        order_id: Arc<str>,
    },
    /// Less is left than a line asks for.
    OutOfStock {
        /// Which line, from 0.
        line: usize,
        /// Of what.
        sku: String,
        /// What is left.
        left: i64,
    },
    /// The catalogue no longer has the product.
    UnknownProduct {
        /// Of what.
        sku: String,
    },
    /// There is no such order.
    NotFound,
    /// The worker's token is no longer the order's.
    StaleToken,
    /// The status table does not allow the move.
    InvalidTransition {
        /// Where the order is.
        from: Status,
        /// Where it cannot go.
        to: Status,
        /// Where it can.
        allowed: Vec<Status>,
    },
}

/// What became of an order that was asked for.
#[derive(Clone, Debug)]
pub enum Placement {
    /// It is new.
    Accepted {
        /// Its changing part.
        order: Order,
        /// Its lasting part.
        details: Arc<Details>,
    },
    /// It is there already.
    Replayed {
        /// The order's id.
        order_id: Arc<str>,
        /// The store's number, when it was found by id under a key that is new: the key is then remembered too.
        key_for: Option<OrderSeq>,
    },
}

/// One step of an order.
#[derive(Clone, Debug)]
pub struct Step {
    /// The order after it.
    pub order: Order,
    /// The outward status before it.
    pub from: &'static str,
    /// Who made it.
    pub actor: Actor,
    /// Why, where there is a reason to give.
    pub reason: Option<&'static str>,
}

/// Accepts an order, or finds the one that was accepted for the same request before.
///
/// `new_id` names the order when the client did not.
///
/// # Errors
/// [`Refusal::Conflict`], [`Refusal::OutOfStock`], [`Refusal::UnknownProduct`] or [`Refusal::Invalid`].
pub fn place(
    set: &mut WorkingSet,
    draft: &Draft,
    rules: &Rules,
    now_ms: i64,
    new_id: impl FnOnce() -> Arc<str>,
) -> Result<Placement, Refusal> {
    if let Some(replay) = find_replay(set, draft)? {
        return Ok(replay);
    }
    let mut details = Arc::clone(&draft.details);
    let (amount, rounding) = match draft.pricing {
        Pricing::Fixed { amount, rounding } => (amount, rounding),
        Pricing::Catalogue => price_from_catalogue(set, &mut Arc::make_mut(&mut details).lines, draft, rules)?,
    };
    let is_counted =
        |line: &Line| !line.plain && set.products.get(line.sku.as_str()).is_some_and(|product| product.stock.is_some());
    if details.lines.iter().any(is_counted) {
        reserve(set, &mut Arc::make_mut(&mut details).lines)?;
    }
    let order = Order {
        seq: set.next_seq,
        id: draft.id.clone().unwrap_or_else(new_id),
        customer_id: Arc::clone(&draft.customer_id),
        status: Status::Pending,
        lane: rules.lane(amount, draft.currency, draft.priority),
        priority: draft.priority,
        version: 1,
        token: 0,
        attempts: 0,
        sort_key: rules.sort_key(now_ms, amount, draft.currency, draft.priority),
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
        demo: draft.demo,
        digest: draft.digest,
    };
    set.next_seq += 1;
    // Who looks for it in the same batch knows its id or its key; a drawn id nobody knows yet.
    if draft.id.is_some() || draft.key.is_some() {
        set.orders_by_id.insert(Arc::clone(&order.id), order.seq);
        set.orders.insert(order.seq, order.clone());
    }
    if let Some(key) = &draft.key {
        set.keys.insert(Arc::clone(key), KeyRecord { order_id: Arc::clone(&order.id), digest: draft.digest });
    }
    Ok(Placement::Accepted { order, details })
}

fn find_replay(set: &mut WorkingSet, draft: &Draft) -> Result<Option<Placement>, Refusal> {
    let by_key = draft.key.as_ref().and_then(|key| set.keys.get(key)).cloned();
    let by_id = || {
        let seq = set.orders_by_id.get(draft.id.as_ref()?)?;
        let order = set.orders.get(seq)?;
        Some(KeyRecord { order_id: Arc::clone(&order.id), digest: order.digest })
    };
    let is_new_key = draft.key.is_some() && by_key.is_none();
    let Some(record) = by_key.or_else(by_id) else { return Ok(None) };
    if record.digest != draft.digest {
        return Err(Refusal::Conflict { order_id: record.order_id });
    }
    let key_for = set.orders_by_id.get(&record.order_id).copied().filter(|_| is_new_key);
    let order_id = Arc::clone(&record.order_id);
    if let (Some(_), Some(key)) = (key_for, &draft.key) {
        set.keys.insert(Arc::clone(key), record);
    }
    Ok(Some(Placement::Replayed { order_id, key_for }))
}

fn price_from_catalogue(
    set: &WorkingSet,
    lines: &mut [Line],
    draft: &Draft,
    rules: &Rules,
) -> Result<(i64, i64), Refusal> {
    for line in lines.iter_mut() {
        let product = set.products.get(line.sku.as_str());
        let product = product.filter(|product| product.currency == draft.currency);
        line.price = Some(product.ok_or_else(|| Refusal::UnknownProduct { sku: line.sku.clone() })?.price);
    }
    let (amount, rounding) = sum_lines(lines, draft.currency)
        .ok_or_else(|| Refusal::Invalid(vec![Violation::new("/quantity", "adds up to more than can be stored")]))?;
    match check_amount(amount, draft.currency, rules) {
        Some(violation) => Err(Refusal::Invalid(vec![violation])),
        None => Ok((amount, rounding)),
    }
}

/// Reserves stock for every line whose product is counted: all of them or none.
fn reserve(set: &mut WorkingSet, lines: &mut [Line]) -> Result<(), Refusal> {
    for at in 0..lines.len() {
        let line = &mut lines[at];
        if line.plain {
            continue;
        }
        let Some(product) = set.products.get_mut(line.sku.as_str()) else { continue };
        let Some(left) = product.available() else { continue };
        if left < i64::from(line.quantity) {
            let refusal = Refusal::OutOfStock { line: at, sku: line.sku.clone(), left };
            release(set, &mut lines[..at]);
            return Err(refusal);
        }
        product.reserved += i64::from(line.quantity);
        line.reserved = line.quantity;
    }
    Ok(())
}

fn release(set: &mut WorkingSet, lines: &mut [Line]) {
    for line in lines.iter_mut().filter(|line| line.reserved > 0) {
        if let Some(product) = set.products.get_mut(line.sku.as_str()) {
            product.reserved -= i64::from(line.reserved);
        }
        line.reserved = 0;
    }
}

/// Gives the next ready order to a worker; `None` when no order is ready.
pub fn claim(set: &mut WorkingSet, worker: &Arc<str>, now_ms: i64) -> Option<Step> {
    loop {
        let seq = set.ready.pop_front()?;
        let Some(order) = set.orders.get_mut(&seq) else { continue };
        let actor = Actor::Worker(Arc::clone(worker));
        let from = order.outward_status();
        if advance(order, Status::Active, &actor, now_ms).is_err() {
            continue;
        }
        order.token += 1;
        order.attempts += 1;
        order.worker = Some(Arc::clone(worker));
        order.started_at_ms = Some(now_ms);
        order.duration_ms = None;
        return Some(Step { order: order.clone(), from, actor, reason: None });
    }
}

/// How the work on an order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkResult {
    /// It is done.
    Completed,
    /// It cannot be done; the order is parked, and its stock stays reserved.
    Failed {
        /// Why, without personal data.
        reason: &'static str,
    },
}

/// Ends the work on an order.
///
/// # Errors
/// [`Refusal::NotFound`], [`Refusal::StaleToken`] when another claim came after this worker's, or
/// [`Refusal::InvalidTransition`].
pub fn finish(
    set: &mut WorkingSet,
    seq: OrderSeq,
    token: u32,
    result: WorkResult,
    now_ms: i64,
) -> Result<Step, Refusal> {
    let order = set.orders.get_mut(&seq).ok_or(Refusal::NotFound)?;
    if order.token != token {
        return Err(Refusal::StaleToken);
    }
    let actor = Actor::Worker(order.worker.clone().ok_or(Refusal::StaleToken)?);
    let from = order.outward_status();
    let (to, reason) = match result {
        WorkResult::Completed => (Status::Completed, None),
        WorkResult::Failed { reason } => (Status::Failed, Some(reason)),
    };
    advance(order, to, &actor, now_ms)?;
    order.duration_ms = order.started_at_ms.map(|started| (now_ms - started).max(0));
    Ok(Step { order: order.clone(), from, actor, reason })
}

/// Puts an order back into the queue, without charging the attempt: its worker gives it back, and proves by the
/// token that it still has it, or recovery does, which needs none.
///
/// # Errors
/// [`Refusal::NotFound`], [`Refusal::StaleToken`] or [`Refusal::InvalidTransition`].
pub fn requeue(
    set: &mut WorkingSet,
    seq: OrderSeq,
    token: Option<u32>,
    reason: &'static str,
    now_ms: i64,
) -> Result<Step, Refusal> {
    let order = set.orders.get_mut(&seq).ok_or(Refusal::NotFound)?;
    if token.is_some_and(|token| token != order.token) {
        return Err(Refusal::StaleToken);
    }
    let from = order.outward_status();
    advance(order, Status::Pending, &Actor::System, now_ms)?;
    // A higher token fences the worker, should it still live.
    order.token += 1;
    order.attempts = order.attempts.saturating_sub(1);
    order.worker = None;
    order.started_at_ms = None;
    Ok(Step { order: order.clone(), from, actor: Actor::System, reason: Some(reason) })
}

fn advance(order: &mut Order, to: Status, actor: &Actor, now_ms: i64) -> Result<(), Refusal> {
    if !allows(order.status, to, actor) {
        let allowed = allowed_from(order.status, actor);
        return Err(Refusal::InvalidTransition { from: order.status, to, allowed });
    }
    order.status = to;
    order.version += 1;
    // A clock that was set back must not make a change look older than the one before.
    order.updated_at_ms = now_ms.max(order.updated_at_ms);
    Ok(())
}

/// Stores a product, or changes its name, price and stock. Returns whether anything changed.
///
/// # Errors
/// [`Refusal::Invalid`] when orders hold more than the new stock.
pub fn put_product(set: &mut WorkingSet, product: &Product) -> Result<bool, Refusal> {
    let Some(known) = set.products.get_mut(&product.sku) else {
        set.products.insert(Arc::clone(&product.sku), product.clone());
        return Ok(true);
    };
    if product.stock.is_some_and(|stock| stock < known.reserved) {
        let detail = format!("must be at least {}, which accepted orders of {} hold", known.reserved, known.sku);
        return Err(Refusal::Invalid(vec![Violation::new("/stock", detail)]));
    }
    let changed = Product { reserved: known.reserved, ..product.clone() };
    if *known == changed {
        return Ok(false);
    }
    *known = changed;
    Ok(true)
}

/// Stores an adjustment, or finds the same one. Returns it as it is stored, and whether it is new.
///
/// # Errors
/// [`Refusal::Conflict`] when its id has another content.
pub fn adjust(set: &mut WorkingSet, adjustment: &Adjustment, now_ms: i64) -> Result<(Adjustment, bool), Refusal> {
    match set.adjustments.get(&adjustment.id) {
        Some(known) if known.digest == adjustment.digest => Ok((known.clone(), false)),
        Some(_) => Err(Refusal::Conflict { order_id: Arc::clone(&adjustment.id) }),
        None => {
            let placed_at_ms = Some(adjustment.placed_at_ms.unwrap_or(now_ms));
            let stored = Adjustment { placed_at_ms, created_at_ms: now_ms, ..adjustment.clone() };
            set.adjustments.insert(Arc::clone(&stored.id), stored.clone());
            Ok((stored, true))
        }
    }
}

#[cfg(test)]
mod tests;
