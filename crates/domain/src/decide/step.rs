//! One step of an order along the transition table.

use std::sync::Arc;

use ordercast_access::Principal;

use super::refusal::Refusal;
use crate::ids::Sku;
use crate::order::{LedgerEntry, LineMove, Order, Queue, Timer};
use crate::status::Status;
use crate::transition::{ActionName, Move, actions_from, find};

/// One step of an order.
#[derive(Clone, Debug)]
pub struct Step {
    /// The order after it.
    pub order: Order,
    /// The outward status before it.
    pub from: &'static str,
    /// Where it stood in the queue before.
    pub was: Option<Queue>,
    /// What was done.
    pub action: ActionName,
    /// Who did it.
    pub actor: Principal,
    /// Why, where there is a reason to give.
    pub reason: Option<Arc<str>>,
    /// Units it moved.
    pub moves: Vec<LineMove>,
    /// Money it gave back.
    pub entry: Option<LedgerEntry>,
    /// Products whose stock it changed; they may repeat.
    pub skus: Vec<Sku>,
}

/// The row of the table for a step of `order`.
pub(super) fn row_of(
    order: &Order,
    to: Status,
    action: ActionName,
    actor: &Principal,
) -> Result<&'static Move, Refusal> {
    find(order.status, to, action, actor).ok_or_else(|| refused(order, action, actor))
}

pub(super) fn refused(order: &Order, action: ActionName, actor: &Principal) -> Refusal {
    Refusal::InvalidTransition { from: order.status, action, allowed: actions_from(order.status, actor) }
}

/// What holds of every order after every step. A violation is a defect: the writer stops before anything of the batch is
/// written.
fn check(order: &Order) {
    let (is_active, lease) = (order.status == Status::Active, &order.lease);
    assert_eq!(is_active, lease.is_some(), "order {} is in work if and only if a lease holds it", order.seq);
    assert!((0..=order.amount).contains(&order.refunded), "order {}: at most its amount goes back", order.seq);
    assert!(order.steady_due_ms.is_none() || order.due_at_ms.is_some(), "order {}: a wait has a time", order.seq);
}

/// Takes a step: everything that each step does, and what its row says of status and token; `timer` may move the order
/// on. Stock is the caller's to move, by the row.
pub(super) fn advance(
    order: &mut Order,
    row: &Move,
    (actor, reason): (Principal, Option<Arc<str>>),
    timer: Option<Timer>,
    now_ms: i64,
) -> Step {
    let (from, was) = (order.outward_status(), order.queue());
    if row.from == Status::Active && row.to != Status::Active {
        order.lease = None;
    }
    order.status = row.to;
    order.version += 1;
    order.token += u32::from(row.fences);
    order.due_at_ms = timer.map(|timer| timer.at_ms);
    order.steady_due_ms = timer.and_then(|timer| timer.steady_ms);
    order.parked_by = None;
    // A clock that was set back must not make a change look older than the one before.
    order.updated_at_ms = now_ms.max(order.updated_at_ms);
    check(order);
    Step {
        order: order.clone(),
        from,
        was,
        action: row.action,
        actor,
        reason,
        moves: Vec::new(),
        entry: None,
        skus: Vec::new(),
    }
}
