//! Refunds and adjustments: reading what a batch touches, writing what it adds.

use std::sync::Arc;

use ordercast_domain::decide::MoneySet;
use ordercast_store::write::{MoneyKeys, MoneyWrites};
use rusqlite::{Connection, OptionalExtension};

use crate::rows::{self, ADJUSTMENT_COLUMNS};

/// Loads adjustments.
pub(super) fn load(connection: &Connection, keys: &MoneyKeys, set: &mut MoneySet) -> rusqlite::Result<()> {
    if keys.adjustments.is_empty() {
        return Ok(());
    }
    let sql = format!("SELECT {ADJUSTMENT_COLUMNS} FROM adjustments WHERE id = ?1");
    let mut select = connection.prepare_cached(&sql)?;
    for id in &keys.adjustments {
        if let Some(adjustment) = select.query_row([&**id], rows::adjustment).optional()? {
            set.adjustments.insert(Arc::clone(id), adjustment);
        }
    }
    Ok(())
}

/// Writes refunds and adjustments.
pub(super) fn write(connection: &Connection, writes: &MoneyWrites) -> rusqlite::Result<()> {
    if !writes.ledger.is_empty() {
        let sql = "INSERT INTO ledger VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let mut insert = connection.prepare_cached(sql)?;
        for row in &writes.ledger {
            let (kind, reason) = (row.kind.name(), row.reason.as_deref());
            insert.execute((row.seq, row.version, kind, row.amount, &row.actor, reason, row.at_ms))?;
        }
    }
    if !writes.adjustments.is_empty() {
        let mut insert = connection.prepare_cached(
            "INSERT INTO adjustments (id, kind, amount, rounding, currency, customer_id, lines, notes, \
             placed_at_ms, created_at_ms, digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?;
        for row in &writes.adjustments {
            insert.execute(rusqlite::params![
                &*row.id,
                row.kind.name(),
                row.amount,
                row.rounding,
                row.currency.code(),
                row.customer_id.as_deref(),
                rows::adjustment_lines_json(&row.lines)?,
                row.notes,
                row.placed_at_ms,
                row.created_at_ms,
                &row.digest[..],
            ])?;
        }
    }
    Ok(())
}
