//! Orders whose time has come.

use ordercast_access::Principal;

use super::set::WorkingSet;
use super::step::{Step, advance, row_of};
use super::stock::release;
use crate::order::OrderSeq;
use crate::status::Status;
use crate::transition::{ActionName, StockEffect};

/// Why a scheduled order starts.
const TIME_CAME: &str = "its time has come";
/// Why a held order is rejected.
const HOLD_ENDED: &str = "the time it was held for has passed";
/// Why an order is called off when its worker lets go of it.
const ASKED_FOR: &str = "its customer called it off while it was in work";

/// What became of an order whose time has come.
#[derive(Clone, Debug)]
pub enum Due {
    /// It took a step.
    Step(Box<Step>),
    /// It may be claimed again; that is no change of its own.
    Ready(OrderSeq),
}

/// Moves an order whose time has come; `None` when it has been moved since. Its lines must be in the set.
pub fn come_due(set: &mut WorkingSet, seq: OrderSeq, now_ms: i64) -> Option<Due> {
    let (wall_ms, steady_ms) = (set.wall_ms, set.steady_ms);
    let order = set.orders.by_seq.get_mut(&seq)?;
    let is_due = match order.steady_due_ms {
        Some(due_ms) => due_ms <= steady_ms,
        None => order.due_at_ms.is_some_and(|due_at_ms| due_at_ms <= wall_ms),
    };
    if !is_due {
        return None;
    }
    let (to, action, actor, reason) = match order.status {
        Status::Pending | Status::Retrying if order.cancel_requested => {
            let customer = Principal::customer(order.customer_id.clone().into());
            (Status::Cancelled, ActionName::Cancel, customer, ASKED_FOR)
        }
        Status::Scheduled => (Status::Pending, ActionName::Start, Principal::system(), TIME_CAME),
        Status::Held => (Status::Rejected, ActionName::Reject, Principal::system(), HOLD_ENDED),
        _ => {
            (order.due_at_ms, order.steady_due_ms) = (None, None);
            return Some(Due::Ready(seq));
        }
    };
    let row = row_of(order, to, action, &actor).ok()?;
    let mut step = advance(order, row, (actor, Some(reason.into())), None, now_ms);
    if row.stock == StockEffect::Released {
        step.skus = release(set, seq);
    }
    Some(Due::Step(Box::new(step)))
}
