//! What people do to orders.

use std::sync::Arc;

use ordercast_access::{Kind, Principal};

use super::fulfil;
use super::money::{entry, left};
use super::refusal::Refusal;
use super::request::{Action, Request};
use super::set::{ActionRecord, WorkingSet};
use super::step::{Step, advance, refused};
use super::stock::release;
use crate::Violation;
use crate::draft::MAX_REASON_BYTES;
use crate::order::{LedgerKind, Order, OrderSeq, Timer};
use crate::rules::Rules;
use crate::status::Status;
use crate::transition::{MOVES, Move, StockEffect};

/// The latest instant that is taken, in milliseconds: the end of the year 9999.
const MAX_INSTANT_MS: i64 = 253_402_300_799_999;

/// What became of a request.
#[derive(Clone, Debug)]
pub enum Acted {
    /// The order took a step.
    Step {
        /// Which.
        step: Box<Step>,
        /// The key to remember, and what it stands for.
        key: Option<(Arc<str>, ActionRecord)>,
    },
    /// Nothing was to be done.
    Unchanged {
        /// The order as it is.
        order: Box<Order>,
        /// Whether the same was asked for and done before.
        replayed: bool,
    },
}

/// Does to an order what somebody asks for. Its lines and their products must be in the set.
///
/// # Errors
/// [`Refusal::NotFound`], [`Refusal::Conflict`], [`Refusal::StaleVersion`], [`Refusal::InvalidTransition`] or
/// [`Refusal::Invalid`].
pub fn act(
    set: &mut WorkingSet,
    (request, actor): (&Request, &Principal),
    rules: &Rules,
    now_ms: i64,
) -> Result<Acted, Refusal> {
    let seq = *set.orders.by_id.get(&request.order_id).ok_or(Refusal::NotFound)?;
    let order = set.orders.by_seq.get(&seq).ok_or(Refusal::NotFound)?;
    if actor.customer_id().is_some_and(|customer_id| customer_id != order.customer_id.shared()) {
        return Err(Refusal::NotFound);
    }
    if order.status == Status::Active && actor.kind == Kind::Worker {
        // What a worker does to an order in work goes by its token.
        return Err(Refusal::StaleToken);
    }
    let record = |key| (key, ActionRecord { seq, order_id: order.id.clone(), digest: request.digest() });
    let key = request.key.clone().map(record);
    if let Some((key, asked)) = &key
        && let Some(known) = set.orders.actions.get(key)
    {
        // A repeated request finds the order changed: by itself. Its version is not looked at.
        return match known == asked {
            true => Ok(Acted::Unchanged { order: Box::new(order.clone()), replayed: true }),
            false => Err(Refusal::Conflict { id: Arc::clone(known.order_id.shared()) }),
        };
    }
    if request.if_versions.as_ref().is_some_and(|versions| !versions.contains(&order.version)) {
        return Err(Refusal::StaleVersion { current: order.version });
    }
    let asks_again = order.status == Status::Active && order.cancel_requested;
    if asks_again && request.action == Action::Cancel && actor.kind == Kind::Customer {
        return Ok(Acted::Unchanged { order: Box::new(order.clone()), replayed: false });
    }
    let step = take(set, seq, (request, actor), rules, now_ms)?;
    if let Some((key, record)) = &key {
        set.orders.actions.insert(Arc::clone(key), record.clone());
    }
    set.orders.by_seq.insert(seq, step.order.clone());
    Ok(Acted::Step { step: Box::new(step), key })
}

fn take(
    set: &mut WorkingSet,
    seq: OrderSeq,
    (request, actor): (&Request, &Principal),
    rules: &Rules,
    now_ms: i64,
) -> Result<Step, Refusal> {
    let mut order = set.orders.by_seq.get(&seq).ok_or(Refusal::NotFound)?.clone();
    let action = request.action.name();
    let is_open = |row: &&Move| row.from == order.status && row.action == action && row.is_open_to(actor);
    let row = MOVES.iter().find(is_open).ok_or_else(|| refused(&order, action, actor))?;
    check_reason(request, row.needs_reason)?;
    let by = (actor.clone(), request.reason.clone());
    match &request.action {
        Action::Fulfil { lines, closes } => {
            return fulfil::ship(set, &mut order, (lines.as_deref(), *closes), by, now_ms);
        }
        Action::Refund { amount } => return fulfil::refund(&mut order, row, amount.as_deref(), by, now_ms),
        Action::Return { lines, amount, restocks } => {
            let goods = (lines.as_deref(), *restocks);
            return fulfil::take_back(set, &mut order, row, goods, amount.as_deref(), by, now_ms);
        }
        Action::Cancel | Action::Reject | Action::Complete | Action::Start => {}
        Action::Hold { .. } | Action::Release | Action::Retry | Action::Reschedule { .. } => {}
    }
    let mut timer = None;
    match &request.action {
        Action::Cancel => order.cancel_requested |= row.to == Status::Active,
        Action::Hold { until_ms } => {
            timer = match until_ms {
                Some(until_ms) => Some(Timer::at(check_future("/until", *until_ms, set.wall_ms)?)),
                None => rules.hold_ms.map(|hold_ms| Timer::after(hold_ms, now_ms, set.steady_ms)),
            };
        }
        Action::Reschedule { at_ms } => {
            let at_ms = check_instant("/run_at", *at_ms)?;
            order.sort_key += at_ms - order.due_at_ms.unwrap_or(at_ms);
            timer = Some(Timer::at(at_ms));
        }
        Action::Start => order.sort_key += now_ms - order.due_at_ms.unwrap_or(now_ms),
        // A person who releases it has decided against the cancellation that its customer asked for.
        Action::Release => order.cancel_requested = false,
        Action::Retry => (order.attempts, order.cancel_requested) = (0, false),
        Action::Reject | Action::Complete => {}
        Action::Fulfil { .. } | Action::Refund { .. } | Action::Return { .. } => {}
    }
    if order.status == Status::Scheduled && matches!(request.action, Action::Hold { .. }) {
        // When it is released, it queues up by the present time and not by a scheduled time that may be far away.
        order.sort_key += now_ms - order.due_at_ms.unwrap_or(now_ms);
    }
    let given_back = if row.from == Status::Completed && row.to == Status::Cancelled { left(&order) } else { 0 };
    order.refunded += given_back;
    let mut step = advance(&mut order, row, by, timer, now_ms);
    if given_back > 0 {
        step.entry = Some(entry(&step, LedgerKind::Void, given_back, now_ms));
    }
    if row.stock == StockEffect::Released {
        step.skus = release(set, seq);
    }
    Ok(step)
}

fn check_reason(request: &Request, is_needed: bool) -> Result<(), Refusal> {
    let reason = request.reason.as_deref().filter(|reason| !reason.trim().is_empty());
    let length = reason.map_or(0, str::len);
    let detail = match length {
        0 if is_needed => "is required: say why".to_owned(),
        0..=MAX_REASON_BYTES => return Ok(()),
        _ => format!("has {length} bytes; at most {MAX_REASON_BYTES} are allowed"),
    };
    Err(Refusal::Invalid(vec![Violation::new("/reason", detail)]))
}

fn check_instant(pointer: &str, at_ms: i64) -> Result<i64, Refusal> {
    match (0..=MAX_INSTANT_MS).contains(&at_ms) {
        true => Ok(at_ms),
        false => Err(Refusal::Invalid(vec![Violation::new(pointer, "must lie between 1970 and 9999")])),
    }
}

/// An order that is held until a time that has passed would be rejected at once: nobody means that.
fn check_future(pointer: &str, at_ms: i64, now_ms: i64) -> Result<i64, Refusal> {
    match check_instant(pointer, at_ms)? {
        at_ms if at_ms > now_ms => Ok(at_ms),
        _ => Err(Refusal::Invalid(vec![Violation::new(pointer, "has passed; name a time to come, or leave it out")])),
    }
}

#[cfg(test)]
#[path = "act_tests.rs"]
mod tests;
