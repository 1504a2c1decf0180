//! Rows to values and back.

use std::sync::Arc;

use ordercast_domain::adjustment::{Adjustment, AdjustmentKind, AdjustmentLine};
use ordercast_domain::lease::{Lease, WorkOutcome, WorkReport};
use ordercast_domain::money::Currency;
use ordercast_domain::order::{
    Charge, ChargeKind, Details, Digest, LedgerEntry, LedgerKind, Line, LineMove, LineMoveKind, Order, OrderSeq, Queue,
};
use ordercast_domain::pause::{Parked, Pause, Scope};
use ordercast_domain::product::Product;
use ordercast_domain::rules::Priority;
use ordercast_domain::status::{Lane, Status};
use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Connection, Row, ToSql};

/// The columns of an order, in the order that [`order`] reads and [`order_params`] writes them.
pub(crate) const ORDER_COLUMNS: &str = "o.seq, o.id, o.customer_id, o.status, o.queue, o.lane, o.priority, \
     o.version, o.token, o.attempts, o.sort_key, o.amount, o.rounding, o.currency, o.item_count, \
     o.accepted_at_ms, o.updated_at_ms, o.placed_at_ms, o.worker, o.started_at_ms, o.duration_ms, o.demo, o.digest, \
     o.due_at_ms, o.lease, o.cancel_requested, o.last_error, o.refunded, o.parked_by, o.steady_due_ms";
/// Which of [`ORDER_COLUMNS`] is the lease.
pub(crate) const LEASE_COLUMN: usize = 24;
/// How many columns [`ORDER_COLUMNS`] has; those of a join follow.
pub(crate) const ORDER_COLUMN_COUNT: usize = 30;

/// The columns of an adjustment, in the order that [`adjustment`] reads them.
pub(crate) const ADJUSTMENT_COLUMNS: &str = "id, kind, amount, rounding, currency, customer_id, lines, notes, \
     placed_at_ms, created_at_ms, digest";

/// What the queue column says of an order.
pub(crate) fn queue_of(order: &Order) -> Option<i64> {
    order.queue().map(|queue| match queue {
        Queue::Ready | Queue::Parked | Queue::Limited => 0,
        Queue::InWork => 1,
        Queue::Timed => 2,
    })
}

/// Reads an id.
pub(crate) fn id<T: From<Arc<str>>>(row: &Row<'_>, at: usize) -> rusqlite::Result<T> {
    Ok(row.get::<_, Arc<str>>(at)?.into())
}

/// Reads an id from a column that may be empty.
fn optional_id<T: From<Arc<str>>>(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<T>> {
    Ok(row.get::<_, Option<Arc<str>>>(at)?.map(T::from))
}

pub(crate) fn order(row: &Row<'_>) -> rusqlite::Result<Order> {
    let status: &str = row.get_ref(3)?.as_str()?;
    let lane: usize = row.get(5)?;
    Ok(Order {
        seq: row.get(0)?,
        id: id(row, 1)?,
        customer_id: id(row, 2)?,
        status: Status::ALL.into_iter().find(|known| known.name() == status).ok_or_else(|| unknown(3, status))?,
        lane: *Lane::ALL.get(lane).ok_or_else(|| unknown(5, "lane"))?,
        priority: Priority::from_number(row.get(6)?).ok_or_else(|| unknown(6, "priority"))?,
        version: row.get(7)?,
        token: row.get(8)?,
        attempts: row.get(9)?,
        sort_key: row.get(10)?,
        amount: row.get(11)?,
        rounding: row.get(12)?,
        currency: currency(row, 13)?,
        item_count: row.get(14)?,
        accepted_at_ms: row.get(15)?,
        updated_at_ms: row.get(16)?,
        placed_at_ms: row.get(17)?,
        worker: optional_id(row, 18)?,
        started_at_ms: row.get(19)?,
        duration_ms: row.get(20)?,
        demo: row.get(21)?,
        digest: row.get::<_, Digest>(22)?,
        due_at_ms: row.get(23)?,
        lease: optional_id(row, LEASE_COLUMN)?,
        cancel_requested: row.get(25)?,
        last_error: row.get(26)?,
        refunded: row.get(27)?,
        parked_by: named(row, 28, Parked::from_name)?,
        steady_due_ms: row.get(29)?,
    })
}

fn named<T>(row: &Row<'_>, at: usize, from_name: fn(&str) -> Option<T>) -> rusqlite::Result<Option<T>> {
    let Some(name) = row.get_ref(at)?.as_str_or_null()? else { return Ok(None) };
    from_name(name).map(Some).ok_or_else(|| unknown(at, name))
}

/// Reads a pause from the columns scope, since_ms, actor, reason, ending.
pub(crate) fn pause(row: &Row<'_>) -> rusqlite::Result<Pause> {
    let scope = named(row, 0, Scope::from_name)?.ok_or_else(|| unknown(0, "scope"))?;
    let (since_ms, actor, reason, is_ending) = (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
    Ok(Pause { scope, since_ms, actor, reason, is_ending })
}

/// Binds an order's columns to a statement's parameters 1 to [`ORDER_COLUMN_COUNT`].
pub(crate) fn order_params<R>(order: &Order, run: impl FnOnce(&[&dyn ToSql]) -> R) -> R {
    run(&[
        &order.seq,
        &&*order.id,
        &&*order.customer_id,
        &order.status.name(),
        &queue_of(order),
        &(order.lane as i64),
        &order.priority.number(),
        &order.version,
        &order.token,
        &order.attempts,
        &order.sort_key,
        &order.amount,
        &order.rounding,
        &order.currency.code(),
        &order.item_count,
        &order.accepted_at_ms,
        &order.updated_at_ms,
        &order.placed_at_ms,
        &order.worker.as_deref(),
        &order.started_at_ms,
        &order.duration_ms,
        &order.demo,
        &&order.digest[..],
        &order.due_at_ms,
        &order.lease.as_deref(),
        &order.cancel_requested,
        &order.last_error.as_deref(),
        &order.refunded,
        &order.parked_by.as_ref().map(Parked::name),
        &order.steady_due_ms,
    ])
}

/// The columns of details, in the order that [`details`] reads them.
pub(crate) const DETAIL_COLUMNS: &str = "d.customer, d.address, d.notes, d.lines, d.charges, d.price_override";
/// Which of [`DETAIL_COLUMNS`] has the lines, as JSON text.
pub(crate) const LINES_COLUMN: usize = 3;

/// Reads details from [`DETAIL_COLUMNS`], from column `at` on.
pub(crate) fn details(row: &Row<'_>, at: usize) -> rusqlite::Result<Details> {
    Ok(Details {
        customer: row.get(at)?,
        address: row.get(at + 1)?,
        notes: row.get(at + 2)?,
        lines: lines(row.get_ref(at + 3)?.as_str()?).map_err(|error| broken(at + 3, error))?,
        charges: charges(row, at + 4)?,
        price_override: row.get(at + 5)?,
    })
}

pub(crate) fn lines(json: &str) -> serde_json::Result<Vec<Line>> {
    let rows: Vec<(String, u32, Option<i64>, u32, bool)> = serde_json::from_str(json)?;
    let line = |(sku, quantity, price, reserved, plain)| Line { sku, quantity, price, reserved, plain };
    Ok(rows.into_iter().map(line).collect())
}

pub(crate) fn lines_json(lines: &[Line]) -> rusqlite::Result<String> {
    use ordercast_protocol::json::JsonWriter;
    let mut out = Vec::with_capacity(lines.len() * 32 + 2);
    let mut json = JsonWriter::new(&mut out);
    json.begin_array();
    for line in lines {
        json.begin_array().string(&line.sku).integer(line.quantity);
        match line.price {
            Some(price) => json.integer(price),
            None => json.raw("null"),
        };
        json.integer(line.reserved).boolean(line.plain).end_array();
    }
    json.end_array();
    String::from_utf8(out).map_err(unwritable)
}

fn charges(row: &Row<'_>, at: usize) -> rusqlite::Result<Vec<Charge>> {
    let Some(json) = row.get_ref(at)?.as_str_or_null()? else { return Ok(Vec::new()) };
    let rows: Vec<(String, Option<String>, i64)> = serde_json::from_str(json).map_err(|error| broken(at, error))?;
    let charge = |(kind, name, amount): (String, _, _)| {
        Ok(Charge { kind: ChargeKind::from_name(&kind).ok_or_else(|| unknown(at, &kind))?, name, amount })
    };
    rows.into_iter().map(charge).collect()
}

/// `None` for no charges.
pub(crate) fn charges_json(charges: &[Charge]) -> rusqlite::Result<Option<String>> {
    if charges.is_empty() {
        return Ok(None);
    }
    let rows: Vec<_> = charges.iter().map(|charge| (charge.kind.name(), &charge.name, charge.amount)).collect();
    serde_json::to_string(&rows).map(Some).map_err(unwritable)
}

pub(crate) fn line_move(row: &Row<'_>) -> rusqlite::Result<LineMove> {
    let kind = row.get_ref(3)?.as_str()?;
    Ok(LineMove {
        seq: row.get(0)?,
        version: row.get(1)?,
        line: row.get(2)?,
        kind: LineMoveKind::ALL.into_iter().find(|known| known.name() == kind).ok_or_else(|| unknown(3, kind))?,
        quantity: row.get(4)?,
        at_ms: row.get(5)?,
    })
}

pub(crate) fn ledger_entry(row: &Row<'_>) -> rusqlite::Result<LedgerEntry> {
    let kind = row.get_ref(2)?.as_str()?;
    Ok(LedgerEntry {
        seq: row.get(0)?,
        version: row.get(1)?,
        kind: LedgerKind::ALL.into_iter().find(|known| known.name() == kind).ok_or_else(|| unknown(2, kind))?,
        amount: row.get(3)?,
        actor: row.get(4)?,
        reason: row.get(5)?,
        at_ms: row.get(6)?,
    })
}

pub(crate) fn lease(row: &Row<'_>) -> rusqlite::Result<Lease> {
    Ok(Lease { id: id(row, 0)?, worker: id(row, 1)?, expires_at_ms: row.get(2)?, ttl_ms: row.get(3)? })
}

pub(crate) fn work_report(row: &Row<'_>) -> rusqlite::Result<WorkReport> {
    let name = row.get_ref(3)?.as_str()?;
    let outcome =
        WorkOutcome::ALL.into_iter().find(|outcome| outcome.name() == name).ok_or_else(|| unknown(3, name))?;
    Ok(WorkReport { seq: row.get(0)?, token: row.get(1)?, lease: id(row, 2)?, outcome })
}

pub(crate) fn product(row: &Row<'_>) -> rusqlite::Result<Product> {
    Ok(Product {
        sku: id(row, 0)?,
        name: row.get(1)?,
        price: row.get(2)?,
        currency: currency(row, 3)?,
        stock: row.get(4)?,
        reserved: row.get(5)?,
    })
}

pub(crate) fn adjustment(row: &Row<'_>) -> rusqlite::Result<Adjustment> {
    let lines: Vec<(String, i64, i64)> =
        serde_json::from_str(row.get_ref(6)?.as_str()?).map_err(|error| broken(6, error))?;
    let line = |(sku, quantity, price)| AdjustmentLine { sku, quantity, price };
    let kind = row.get_ref(1)?.as_str()?;
    Ok(Adjustment {
        id: row.get(0)?,
        kind: AdjustmentKind::from_name(kind).ok_or_else(|| unknown(1, kind))?,
        amount: row.get(2)?,
        rounding: row.get(3)?,
        currency: currency(row, 4)?,
        customer_id: optional_id(row, 5)?,
        lines: lines.into_iter().map(line).collect(),
        notes: row.get(7)?,
        placed_at_ms: row.get(8)?,
        created_at_ms: row.get(9)?,
        digest: row.get(10)?,
    })
}

pub(crate) fn adjustment_lines_json(lines: &[AdjustmentLine]) -> rusqlite::Result<String> {
    let rows: Vec<_> = lines.iter().map(|line| (&line.sku, line.quantity, line.price)).collect();
    serde_json::to_string(&rows).map_err(unwritable)
}

pub(crate) fn currency(row: &Row<'_>, at: usize) -> rusqlite::Result<Currency> {
    let code = row.get_ref(at)?.as_str()?;
    Currency::parse(code).ok_or_else(|| unknown(at, code))
}

/// A value that has no encoding fails the commit: an empty column in its place would be read as "there is none".
pub(crate) fn unwritable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.into())
}

pub(crate) fn unknown(column: usize, value: &str) -> rusqlite::Error {
    let error = FromSqlError::Other(format!("unknown value {value:?}").into());
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

fn broken(column: usize, error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

/// What was moved of an order, oldest first.
pub(crate) fn moves_of(connection: &Connection, seq: OrderSeq) -> rusqlite::Result<Vec<LineMove>> {
    let sql = "SELECT order_seq, version, line, kind, quantity, at_ms FROM line_moves WHERE order_seq = ?1 \
               ORDER BY version, line, kind";
    connection.prepare_cached(sql)?.query_map([seq], line_move)?.collect()
}
