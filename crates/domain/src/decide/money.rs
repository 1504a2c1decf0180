//! Money that goes back.

use super::refusal::Refusal;
use super::step::Step;
use crate::Violation;
use crate::money::NumberError;
use crate::order::{LedgerEntry, LedgerKind, Order};

/// Minor units that were captured and not given back.
pub(super) fn left(order: &Order) -> i64 {
    order.captured() - order.refunded
}

pub(super) fn entry(step: &Step, kind: LedgerKind, amount: i64, now_ms: i64) -> LedgerEntry {
    LedgerEntry {
        seq: step.order.seq,
        version: step.order.version,
        kind,
        amount,
        actor: step.actor.to_string(),
        reason: step.reason.clone(),
        at_ms: now_ms,
    }
}

/// Reads an amount to give back, within what is left.
pub(super) fn amount_of(order: &Order, text: &str) -> Result<i64, Refusal> {
    let (currency, left) = (order.currency, left(order));
    let detail = match currency.parse_amount(text) {
        Ok(amount) if amount > 0 && amount <= left => return Ok(amount),
        Ok(amount) if amount <= 0 => "must be greater than 0".to_owned(),
        Ok(_) | Err(NumberError::TooLarge) => {
            let unit = currency.minor_per_major();
            let digits = usize::from(currency.digits());
            let (whole, rest) = (left / unit, left % unit);
            let left = if digits == 0 { whole.to_string() } else { format!("{whole}.{rest:0digits$}") };
            format!("must be at most {left} {}: what was captured and not given back", currency.code())
        }
        Err(NumberError::Malformed) => "must be a number".to_owned(),
        Err(NumberError::TooPrecise) => {
            format!("must have at most {} digits after the point in {}", currency.digits(), currency.code())
        }
    };
    Err(Refusal::Invalid(vec![Violation::new("/amount", detail)]))
}
