//! Holding back the orders of a queue or a customer, and letting them go on.

use super::limits::readmit;
use super::refusal::Refusal;
use super::set::WorkingSet;
use crate::Violation;
use crate::draft::MAX_REASON_BYTES;
use crate::order::{Order, OrderSeq, Queue};
use crate::pause::{Parked, Pause, Scope};

/// Most pauses at a time: all of them are looked at with each claim.
pub const MAX_PAUSES: usize = 1_000;

/// Begins a pause; `false` when there is one already, which stays as it is.
///
/// # Errors
/// [`Refusal::Invalid`].
pub fn pause(set: &mut WorkingSet, pause: &Pause) -> Result<bool, Refusal> {
    let length = pause.reason.as_deref().map_or(0, str::len);
    if length > MAX_REASON_BYTES {
        let detail = format!("has {length} bytes; at most {MAX_REASON_BYTES} are allowed");
        return Err(Refusal::Invalid(vec![Violation::new("/reason", detail)]));
    }
    match set.queue.pauses.get(&pause.scope) {
        Some(known) if !known.is_ending => return Ok(false),
        None if set.queue.pauses.len() >= MAX_PAUSES => {
            let detail = format!("there are {MAX_PAUSES} pauses already; lift some");
            return Err(Refusal::Invalid(vec![Violation::new("", detail)]));
        }
        _ => {}
    }
    set.queue.pauses.insert(pause.scope.clone(), pause.clone());
    Ok(true)
}

/// Lifts a pause: it holds nothing back from now on, and the orders that it parked are released. `false` when there is none.
pub fn resume(set: &mut WorkingSet, scope: &Scope) -> bool {
    match set.queue.pauses.get_mut(scope) {
        Some(pause) if !pause.is_ending => {
            pause.is_ending = true;
            true
        }
        _ => false,
    }
}

/// Parks an order whose turn has come if a pause holds it back. That is no step: no version, no event.
pub(super) fn park(set: &mut WorkingSet, seq: OrderSeq) -> bool {
    if set.queue.pauses.is_empty() {
        return false;
    }
    let Some(order) = set.orders.by_seq.get_mut(&seq) else { return false };
    if order.queue() != Some(Queue::Ready) {
        // It was ready when the batch began.
        return false;
    }
    let holds = |scope: &Scope| set.queue.pauses.get(scope).is_some_and(|pause| !pause.is_ending);
    let Some(scope) = scopes_of(order).into_iter().find(holds) else { return false };
    order.parked_by = Some(Parked::Pause(scope));
    let customer_id = order.customer_id.clone();
    set.queue.parked.push((seq, Queue::Parked));
    // What it held a place for need not wait for the end of the pause.
    let readmitted = readmit(set, &customer_id);
    set.queue.readmitted.extend(readmitted);
    true
}

/// Every scope that an order is in, the widest first.
fn scopes_of(order: &Order) -> [Scope; 3] {
    [Scope::All, Scope::Lane(order.lane), Scope::Customer(order.customer_id.clone())]
}

/// Puts orders back into the queue that a pause had parked which is lifted; `None` when it holds none any more, and
/// is over.
pub fn unpark(set: &mut WorkingSet, scope: &Scope) -> Option<Vec<OrderSeq>> {
    let seqs: Vec<OrderSeq> = set.queue.unparked.iter().filter(|(of, _)| of == scope).map(|&(_, seq)| seq).collect();
    for seq in &seqs {
        if let Some(order) = set.orders.by_seq.get_mut(seq)
            && matches!(&order.parked_by, Some(Parked::Pause(by)) if by == scope)
        {
            order.parked_by = None;
        }
    }
    if seqs.is_empty() {
        set.queue.pauses.remove(scope);
        return None;
    }
    Some(seqs)
}
