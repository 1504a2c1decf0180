//! Orders in work: claimed, ended, given back, taken from workers that are gone.

use std::sync::Arc;

use ordercast_access::Principal;

use super::limits;
use super::pause::park;
use super::refusal::Refusal;
use super::set::WorkingSet;
use super::step::{Step, advance, row_of};
use super::stock::release;
use super::window::RecentClaims;
use crate::ids::{LeaseId, WorkerName};
use crate::lease::{WorkOutcome, WorkReport};
use crate::order::{Order, OrderSeq, Queue, Timer};
use crate::rules::{Concurrency, Retries};
use crate::status::Status;
use crate::transition::{ActionName, StockEffect};

/// Longest text of why work failed that is kept, in bytes.
const MAX_ERROR_BYTES: usize = 500;
/// Longest wait of an order whose worker is gone, in milliseconds: the order is seldom at fault, and must be in work again
/// within ten seconds, of which its lease takes six.
const MOST_AFTER_LEASE_MS: i64 = 1_000;
/// Why an order goes back to the queue when its worker does not want it.
const GIVEN_BACK: &str = "given back by its worker";
/// Why work ends with its lease.
const LEASE_ENDED: &str = "the lease of its worker ended";

/// Gives the next ready order to a worker under its lease; `None` when no order is ready, or as
/// many are in work as is allowed. Orders that a pause or a limit holds back are parked on the way; they are in
/// [`WorkingSet::parked`]. The claim is `recent` from then on.
pub fn claim(
    set: &mut WorkingSet,
    (worker, lease): (&WorkerName, &LeaseId),
    (limits, recent): (&Concurrency, &mut RecentClaims),
    now_ms: i64,
) -> Option<Step> {
    let token_floor = set.work.token_floor;
    while !limits::is_full(set, limits) {
        let next = set.queue.ready.next(recent)?;
        let seq = next.seq;
        // What the batch did to it before counts.
        set.orders.by_seq.entry(seq).or_insert_with(|| Order::clone(&next));
        if park(set, seq) || limits::park(set, seq, limits) {
            continue;
        }
        let Some(order) = set.orders.by_seq.get_mut(&seq) else { continue };
        let actor = Principal::worker(Arc::clone(worker.shared()));
        if order.queue() != Some(Queue::Ready) {
            continue;
        }
        let Ok(row) = row_of(order, Status::Active, ActionName::Claim, &actor) else { continue };
        order.token = order.token.max(token_floor);
        order.attempts += 1;
        order.worker = Some(worker.clone());
        order.lease = Some(lease.clone());
        order.started_at_ms = Some(now_ms);
        order.duration_ms = None;
        let step = advance(order, row, (actor, None), None, now_ms);
        recent.add(&step.order.customer_id);
        return Some(step);
    }
    None
}

/// How the work on an order ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkResult {
    /// It is done.
    Completed,
    /// It cannot be done; the order is parked, and its stock stays reserved.
    Failed {
        /// Why, without personal data.
        reason: Arc<str>,
    },
    /// It may be done later; after too many attempts the order is parked.
    Retry {
        /// Why, without personal data.
        reason: Arc<str>,
        /// Shortest wait before the next attempt, in milliseconds.
        after_ms: Option<i64>,
    },
    /// A late rule refuses the order.
    Rejected {
        /// Why, without personal data.
        reason: Arc<str>,
    },
    /// A person must look at it.
    Held {
        /// Why, without personal data.
        reason: Arc<str>,
    },
}

impl WorkResult {
    /// The outcome; `None` gives an order back unworked.
    fn outcome(result: Option<&Self>) -> WorkOutcome {
        match result {
            Some(Self::Completed) => WorkOutcome::Complete,
            Some(Self::Failed { .. }) => WorkOutcome::Fail,
            Some(Self::Retry { .. }) => WorkOutcome::Retry,
            Some(Self::Rejected { .. }) => WorkOutcome::Reject,
            Some(Self::Held { .. }) => WorkOutcome::Hold,
            None => WorkOutcome::Release,
        }
    }
}

/// What became of the report of a worker outside.
#[derive(Clone, Debug)]
pub enum Reported {
    /// The order took a step, and the report is to be remembered.
    Step(Box<Step>, WorkReport),
    /// The same was reported before; the order as it is now.
    Repeated(Box<Order>),
}

/// Ends the work of a worker outside on an order, or gives it back (`None`). The worker proves by lease and token that
/// the order is its own. The same report again changes nothing, also when the order has moved on since.
///
/// # Errors
/// [`Refusal::NotFound`], [`Refusal::StaleToken`], [`Refusal::AlreadyReported`] or those of [`finish`].
pub fn report(
    set: &mut WorkingSet,
    (seq, lease, token): (OrderSeq, &LeaseId, u32),
    result: Option<&WorkResult>,
    (retries, dice): (&Retries, u64),
    now_ms: i64,
) -> Result<Reported, Refusal> {
    let order = set.orders.by_seq.get(&seq).ok_or(Refusal::NotFound)?;
    let outcome = WorkResult::outcome(result);
    if let Some(known) = set.work.reports.get(&(seq, token)).filter(|known| known.lease == *lease) {
        return match known.outcome == outcome {
            true => Ok(Reported::Repeated(Box::new(order.clone()))),
            false => Err(Refusal::AlreadyReported { outcome: known.outcome }),
        };
    }
    if order.status != Status::Active || order.token != token || order.lease.as_ref() != Some(lease) {
        return Err(Refusal::StaleToken);
    }
    let step = match result {
        Some(result) => finish(set, (seq, token), result, (retries, dice), now_ms)?,
        None => requeue(set, seq, Some(token), GIVEN_BACK, now_ms)?,
    };
    let report = WorkReport { seq, token, lease: lease.clone(), outcome };
    set.work.reports.insert((seq, token), report.clone());
    Ok(Reported::Step(Box::new(step), report))
}

/// Ends the work on an order. `dice` is a random number that spreads what is tried again. For an order that may be
/// rejected, its lines must be in the set.
///
/// # Errors
/// [`Refusal::NotFound`], [`Refusal::StaleToken`] when another claim came after this worker's, or
/// [`Refusal::InvalidTransition`].
pub fn finish(
    set: &mut WorkingSet,
    (seq, token): (OrderSeq, u32),
    result: &WorkResult,
    (retries, dice): (&Retries, u64),
    now_ms: i64,
) -> Result<Step, Refusal> {
    let steady_ms = set.steady_ms;
    let order = set.orders.by_seq.get_mut(&seq).ok_or(Refusal::NotFound)?;
    if order.token != token {
        return Err(Refusal::StaleToken);
    }
    let actor = Principal::worker(Arc::clone(order.worker.as_ref().ok_or(Refusal::StaleToken)?.shared()));
    let (to, action, reason) = match result {
        WorkResult::Retry { reason, after_ms } => {
            let spread = (retries, dice, after_ms.unwrap_or(0));
            return give_up_attempt(order, (actor, reason), spread, (now_ms, steady_ms));
        }
        WorkResult::Completed => (Status::Completed, ActionName::Finish, None),
        WorkResult::Failed { reason } => (Status::Failed, ActionName::Fail, Some(reason)),
        WorkResult::Rejected { reason } => (Status::Rejected, ActionName::Reject, Some(reason)),
        WorkResult::Held { reason } => (Status::Held, ActionName::Hold, Some(reason)),
    };
    let row = row_of(order, to, action, &actor)?;
    let reason = reason.map(shortened);
    order.duration_ms = order.started_at_ms.map(|started| (now_ms - started).max(0));
    if reason.is_some() {
        order.last_error.clone_from(&reason);
    }
    let mut step = advance(order, row, (actor, reason), None, now_ms);
    if row.stock == StockEffect::Released {
        step.skus = release(set, seq);
    }
    Ok(step)
}

/// An attempt that came to nothing: the order waits for the next, or is parked when there were too many.
fn give_up_attempt(
    order: &mut Order,
    (actor, reason): (Principal, &Arc<str>),
    (retries, dice, least_ms): (&Retries, u64, i64),
    (now_ms, steady_ms): (i64, i64),
) -> Result<Step, Refusal> {
    let is_last = order.attempts >= retries.max_attempts;
    let (to, action) = match is_last {
        true => (Status::Failed, ActionName::Fail),
        false => (Status::Retrying, ActionName::BackOff),
    };
    let row = row_of(order, to, action, &actor)?;
    let reason = shortened(reason);
    order.last_error = Some(Arc::clone(&reason));
    order.duration_ms = order.started_at_ms.map(|started| (now_ms - started).max(0));
    let delay_ms = retries.delay_ms(order.attempts, dice).max(least_ms);
    // A customer who called it off need not wait for the next attempt.
    let delay_ms = if order.cancel_requested { 0 } else { delay_ms };
    let timer = (!is_last).then(|| Timer::after(delay_ms, now_ms, steady_ms));
    Ok(advance(order, row, (actor, Some(reason)), timer, now_ms))
}

/// Takes an order from a worker whose lease has ended.
///
/// # Errors
/// [`Refusal::NotFound`] or [`Refusal::InvalidTransition`].
pub fn end_lease(
    set: &mut WorkingSet,
    seq: OrderSeq,
    (retries, dice): (&Retries, u64),
    now_ms: i64,
) -> Result<Step, Refusal> {
    let steady_ms = set.steady_ms;
    let order = set.orders.by_seq.get_mut(&seq).ok_or(Refusal::NotFound)?;
    let retries = Retries { most_ms: retries.most_ms.min(MOST_AFTER_LEASE_MS), ..*retries };
    give_up_attempt(order, (Principal::system(), &LEASE_ENDED.into()), (&retries, dice, 0), (now_ms, steady_ms))
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
    reason: &str,
    now_ms: i64,
) -> Result<Step, Refusal> {
    let steady_ms = set.steady_ms;
    let order = set.orders.by_seq.get_mut(&seq).ok_or(Refusal::NotFound)?;
    if token.is_some_and(|token| token != order.token) {
        return Err(Refusal::StaleToken);
    }
    let system = Principal::system();
    let row = row_of(order, Status::Pending, ActionName::GiveBack, &system)?;
    order.attempts = order.attempts.saturating_sub(1);
    order.worker = None;
    order.started_at_ms = None;
    // What its customer asked for meanwhile is a timer's to do, at once.
    let timer = order.cancel_requested.then(|| Timer::after(0, now_ms, steady_ms));
    Ok(advance(order, row, (system, Some(reason.into())), timer, now_ms))
}

fn shortened(reason: &Arc<str>) -> Arc<str> {
    if reason.len() <= MAX_ERROR_BYTES {
        return Arc::clone(reason);
    }
    reason[..reason.floor_char_boundary(MAX_ERROR_BYTES)].into()
}
