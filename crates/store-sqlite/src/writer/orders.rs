//! Orders with their lines and idempotency keys: reading what a batch touches, writing what it changed.

use std::sync::Arc;

use ordercast_domain::decide::{ActionRecord, KeyRecord, OrderLines, OrderSet, WorkingSet};
use ordercast_domain::ids::OrderId;
use ordercast_domain::order::OrderSeq;
use ordercast_domain::pause::Parked;
use ordercast_store::write::{OrderKeys, OrderWrites};
use rusqlite::{Connection, OptionalExtension, Row};

use super::catalogue;
use crate::rows::{self, DETAIL_COLUMNS, ORDER_COLUMNS, order_params, queue_of};

/// Loads the orders and keys that are named; `due` are loaded with their lines too.
pub(super) fn load(
    connection: &Connection,
    keys: &OrderKeys,
    due: &[OrderSeq],
    set: &mut WorkingSet,
) -> rusqlite::Result<()> {
    by_id(connection, &keys.ids, &mut set.orders)?;
    by_seq(connection, &keys.seqs, set)?;
    by_id(connection, &keys.acted_on, &mut set.orders)?;
    let acted_on = keys.acted_on.iter().filter_map(|id| set.orders.by_id.get(id).copied());
    let with_lines: Vec<OrderSeq> = keys.lines_of.iter().copied().chain(acted_on).chain(due.iter().copied()).collect();
    lines_of(connection, &with_lines, set)?;
    idempotency(connection, keys, &mut set.orders)
}

fn by_id(connection: &Connection, ids: &[OrderId], set: &mut OrderSet) -> rusqlite::Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let sql = format!("SELECT {ORDER_COLUMNS} FROM orders o WHERE o.id = ?1");
    let mut select = connection.prepare_cached(&sql)?;
    for id in ids {
        if let Some(order) = select.query_row([&**id], rows::order).optional()? {
            set.by_id.insert(id.clone(), order.seq);
            set.by_seq.insert(order.seq, order);
        }
    }
    Ok(())
}

fn by_seq(connection: &Connection, seqs: &[OrderSeq], set: &mut WorkingSet) -> rusqlite::Result<()> {
    if seqs.is_empty() {
        return Ok(());
    }
    let sql = format!("SELECT {ORDER_COLUMNS} FROM orders o WHERE o.seq = ?1");
    let mut select = connection.prepare_cached(&sql)?;
    for seq in seqs {
        if let Some(order) = select.query_row([seq], rows::order).optional()? {
            set.orders.by_seq.insert(order.seq, order);
        }
    }
    Ok(())
}

fn lines_of(connection: &Connection, with_lines: &[OrderSeq], set: &mut WorkingSet) -> rusqlite::Result<()> {
    if with_lines.is_empty() {
        return Ok(());
    }
    by_seq(connection, with_lines, set)?;
    let sql = format!("SELECT {DETAIL_COLUMNS} FROM order_details d WHERE d.seq = ?1");
    let mut select = connection.prepare_cached(&sql)?;
    for &seq in with_lines {
        let Some(details) = select.query_row([seq], |row| rows::details(row, 0)).optional()? else { continue };
        let lines = OrderLines::new(Arc::new(details), &rows::moves_of(connection, seq)?);
        let skus: Vec<_> = lines.reserved_skus().map(str::to_owned).collect();
        catalogue::by_sku(connection, skus.iter().map(String::as_str), &mut set.catalogue)?;
        set.orders.lines.insert(seq, lines);
    }
    Ok(())
}

fn idempotency(connection: &Connection, keys: &OrderKeys, set: &mut OrderSet) -> rusqlite::Result<()> {
    if !keys.keys.is_empty() {
        let mut select = connection.prepare_cached(
            "SELECT o.id, o.digest FROM idempotency i JOIN orders o ON o.seq = i.order_seq WHERE i.key = ?1",
        )?;
        for key in &keys.keys {
            let record = |row: &Row<'_>| Ok(KeyRecord { order_id: rows::id(row, 0)?, digest: row.get(1)? });
            if let Some(record) = select.query_row([&**key], record).optional()? {
                set.keys.insert(Arc::clone(key), record);
            }
        }
    }
    if !keys.action_keys.is_empty() {
        let sql = "SELECT a.order_seq, a.digest, o.id FROM action_keys a JOIN orders o ON o.seq = a.order_seq \
                   WHERE a.key = ?1";
        let mut select = connection.prepare_cached(sql)?;
        for key in &keys.action_keys {
            let record =
                |row: &Row<'_>| Ok(ActionRecord { seq: row.get(0)?, digest: row.get(1)?, order_id: rows::id(row, 2)? });
            if let Some(record) = select.query_row([&**key], record).optional()? {
                set.actions.insert(Arc::clone(key), record);
            }
        }
    }
    Ok(())
}

/// Writes new and changed orders.
pub(super) fn write(connection: &Connection, writes: &OrderWrites) -> rusqlite::Result<()> {
    if !writes.new.is_empty() {
        let mut order = connection.prepare_cached(
            "INSERT INTO orders VALUES \
             (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24,?25,?26,?27,?28,?29,?30)",
        )?;
        let mut details = connection.prepare_cached("INSERT INTO order_details VALUES (?1,?2,?3,?4,?5,?6,?7)")?;
        for insert in &writes.new {
            order_params(&insert.order, |params| order.execute(params))?;
            let lines = rows::lines_json(&insert.details.lines)?;
            let row = &insert.details;
            let charges = rows::charges_json(&row.charges)?;
            let (customer, address, notes, reason) = (&row.customer, &row.address, &row.notes, &row.price_override);
            details.execute((insert.order.seq, customer, address, notes, &lines, &charges, reason))?;
        }
    }
    if !writes.keys.is_empty() {
        let mut insert = connection.prepare_cached("INSERT INTO idempotency VALUES (?1, ?2)")?;
        for (key, seq) in &writes.keys {
            insert.execute((&**key, seq))?;
        }
    }
    if !writes.changed.is_empty() {
        let mut update = connection.prepare_cached(
            "UPDATE orders SET status = ?2, queue = ?3, version = ?4, token = ?5, attempts = ?6, sort_key = ?7, \
             updated_at_ms = ?8, worker = ?9, started_at_ms = ?10, duration_ms = ?11, due_at_ms = ?12, lease = ?13, \
             cancel_requested = ?14, last_error = ?15, refunded = ?16, parked_by = ?17, steady_due_ms = ?18 WHERE seq = ?1",
        )?;
        for order in &writes.changed {
            update.execute(rusqlite::params![
                order.seq,
                order.status.name(),
                queue_of(order),
                order.version,
                order.token,
                order.attempts,
                order.sort_key,
                order.updated_at_ms,
                order.worker.as_deref(),
                order.started_at_ms,
                order.duration_ms,
                order.due_at_ms,
                order.lease.as_deref(),
                order.cancel_requested,
                order.last_error.as_deref(),
                order.refunded,
                order.parked_by.as_ref().map(Parked::name),
                order.steady_due_ms,
            ])?;
        }
    }
    write_steps(connection, writes)
}

/// Writes what steps leave behind beside the order's row.
fn write_steps(connection: &Connection, writes: &OrderWrites) -> rusqlite::Result<()> {
    if !writes.action_keys.is_empty() {
        let mut insert = connection.prepare_cached("INSERT INTO action_keys VALUES (?1, ?2, ?3)")?;
        for (key, record) in &writes.action_keys {
            insert.execute((&**key, record.seq, &record.digest[..]))?;
        }
    }
    if !writes.moves.is_empty() {
        let sql = "INSERT INTO line_moves VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let mut insert = connection.prepare_cached(sql)?;
        for row in &writes.moves {
            insert.execute((row.seq, row.version, row.line, row.kind.name(), row.quantity, row.at_ms))?;
        }
    }
    Ok(())
}
