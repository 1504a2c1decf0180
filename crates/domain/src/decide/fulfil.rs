//! Goods that leave and come back, and the money for them.

use std::sync::Arc;

use ordercast_access::Principal;

use super::money::{amount_of, entry, left};
use super::refusal::Refusal;
use super::request::LineQuantity;
use super::set::{OrderLines, WorkingSet};
use super::step::{Step, advance, row_of};
use super::stock::{Units, move_units};
use crate::Violation;
use crate::order::{LedgerKind, Line, LineMove, LineMoveKind, Order, Progress};
use crate::status::Status;
use crate::transition::{ActionName, Move};

/// Who does something, and why.
type By = (Principal, Option<Arc<str>>);
/// Units by line, one entry a line.
type LineUnits = Vec<(usize, u32)>;

fn invalid<T>(pointer: impl Into<String>, detail: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Invalid(vec![Violation::new(pointer, detail)]))
}

/// Ships units of lines, and calls the rest off if `closes`.
pub(super) fn ship(
    set: &mut WorkingSet,
    order: &mut Order,
    (lines, closes): (Option<&[LineQuantity]>, bool),
    by: By,
    now_ms: i64,
) -> Result<Step, Refusal> {
    let known = set.orders.lines.get(&order.seq).ok_or(Refusal::NotFound)?.clone();
    let open = |line: &Line, progress: &Progress| line.quantity - progress.shipped - progress.cancelled;
    let shipped = chosen(&known, lines, open)?;
    let mut after = known.progress.clone();
    shipped.iter().for_each(|&(at, quantity)| after[at].count(LineMoveKind::Shipped, quantity));
    if after.iter().all(|line| line.shipped == 0) {
        return invalid("/lines", "ship nothing; cancel the order instead");
    }
    let rest: LineUnits =
        known.details.lines.iter().zip(&after).map(|(line, done)| open(line, done)).enumerate().collect();
    let rest: LineUnits = rest.into_iter().filter(|&(_, quantity)| quantity > 0).collect();
    if shipped.is_empty() && (rest.is_empty() || !closes) {
        return invalid("/lines", "name nothing that is left to ship");
    }
    let is_whole = rest.is_empty() || closes;
    let to = if is_whole { Status::Fulfilled } else { Status::PartiallyFulfilled };
    let row = row_of(order, to, ActionName::Fulfil, &by.0)?;
    let mut step = advance(order, row, by, None, now_ms);
    record(set, &mut step, &known, (LineMoveKind::Shipped, Some(Units::Consumed)), &shipped, now_ms);
    if closes {
        record(set, &mut step, &known, (LineMoveKind::Cancelled, Some(Units::Released)), &rest, now_ms);
    }
    Ok(step)
}

/// Gives money back.
pub(super) fn refund(
    order: &mut Order,
    row: &Move,
    amount: Option<&str>,
    by: By,
    now_ms: i64,
) -> Result<Step, Refusal> {
    let amount = match amount {
        Some(text) => amount_of(order, text)?,
        None if left(order) > 0 => left(order),
        None => return invalid("/amount", "is 0: all that was captured was given back"),
    };
    order.refunded += amount;
    let mut step = advance(order, row, by, None, now_ms);
    step.entry = Some(entry(&step, LedgerKind::Refund, amount, now_ms));
    Ok(step)
}

/// Takes goods back, and gives money back for them if an amount is named.
pub(super) fn take_back(
    set: &mut WorkingSet,
    order: &mut Order,
    row: &Move,
    (lines, restocks): (Option<&[LineQuantity]>, bool),
    amount: Option<&str>,
    by: By,
    now_ms: i64,
) -> Result<Step, Refusal> {
    let known = set.orders.lines.get(&order.seq).ok_or(Refusal::NotFound)?.clone();
    let returned = chosen(&known, lines, |_, progress| progress.shipped - progress.returned)?;
    if returned.is_empty() {
        return invalid("/lines", "name nothing that was shipped and is not back yet");
    }
    let amount = amount.map(|text| amount_of(order, text)).transpose()?;
    order.refunded += amount.unwrap_or(0);
    let mut step = advance(order, row, by, None, now_ms);
    step.entry = amount.map(|amount| entry(&step, LedgerKind::Return, amount, now_ms));
    let units = restocks.then_some(Units::Restocked);
    record(set, &mut step, &known, (LineMoveKind::Returned, units), &returned, now_ms);
    Ok(step)
}

/// The units that are asked for, within what `open` says can be moved: all of that when nothing is named.
fn chosen(
    known: &OrderLines,
    lines: Option<&[LineQuantity]>,
    open: impl Fn(&Line, &Progress) -> u32,
) -> Result<LineUnits, Refusal> {
    let open: Vec<u32> = known.details.lines.iter().zip(&known.progress).map(|(line, done)| open(line, done)).collect();
    let Some(lines) = lines else {
        return Ok(open.into_iter().enumerate().filter(|&(_, quantity)| quantity > 0).collect());
    };
    let mut units = vec![0u32; open.len()];
    for (nth, asked) in lines.iter().enumerate() {
        let at = usize::try_from(asked.line).unwrap_or(usize::MAX);
        let Some(&most) = open.get(at) else {
            return invalid(
                format!("/lines/{nth}/line"),
                format!("must be from 0 to {}", open.len().saturating_sub(1)),
            );
        };
        let left = most - units[at];
        match u32::try_from(asked.quantity) {
            Ok(quantity) if (1..=left).contains(&quantity) => units[at] += quantity,
            _ => {
                let detail = match left {
                    0 => "must be left out: nothing of this line is left for it".to_owned(),
                    left => format!("must be from 1 to {left}"),
                };
                return invalid(format!("/lines/{nth}/quantity"), detail);
            }
        }
    }
    Ok(units.into_iter().enumerate().filter(|&(_, quantity)| quantity > 0).collect())
}

/// Writes moved units into the step, the set and the stock.
fn record(
    set: &mut WorkingSet,
    step: &mut Step,
    known: &OrderLines,
    (kind, units): (LineMoveKind, Option<Units>),
    moved: &[(usize, u32)],
    now_ms: i64,
) {
    for &(at, quantity) in moved {
        let Some(line) = known.details.lines.get(at) else { continue };
        let number = u32::try_from(at).unwrap_or(u32::MAX);
        let (seq, version) = (step.order.seq, step.order.version);
        step.moves.push(LineMove { seq, version, line: number, kind, quantity, at_ms: now_ms });
        step.skus.extend(units.and_then(|units| move_units(set, line, units, quantity)));
        if let Some(progress) = set.orders.lines.get_mut(&seq).and_then(|lines| lines.progress.get_mut(at)) {
            progress.count(kind, quantity);
        }
    }
}
