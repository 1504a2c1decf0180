//! Leases and reports of workers: reading what a batch touches, writing what it changed.

use ordercast_domain::decide::WorkingSet;
use ordercast_store::write::{WorkKeys, WorkWrites};
use rusqlite::{Connection, OptionalExtension};

use crate::rows::{self, LEASE_COLUMN, ORDER_COLUMNS};

/// Reports of workers are kept for this many tokens of an order before the last one.
const KEPT_TOKENS: u32 = 16;

/// Loads leases with the orders that they hold, and reports of orders that are loaded already.
pub(super) fn load(connection: &Connection, keys: &WorkKeys, set: &mut WorkingSet) -> rusqlite::Result<()> {
    leases(connection, keys, set)?;
    reports(connection, keys, set)
}

fn leases(connection: &Connection, keys: &WorkKeys, set: &mut WorkingSet) -> rusqlite::Result<()> {
    if keys.leases.is_empty() && !keys.ended {
        return Ok(());
    }
    let mut select = connection.prepare_cached("SELECT id, worker, expires_at_ms, ttl_ms FROM leases")?;
    for lease in select.query_map([], rows::lease)? {
        let lease = lease?;
        let has_ended = lease.expires_at_ms <= set.steady_ms;
        if keys.ended && !has_ended {
            let (next, end_ms) = (set.work.next_lease_end_ms, lease.expires_at_ms);
            set.work.next_lease_end_ms = Some(next.map_or(end_ms, |next| next.min(end_ms)));
        }
        if keys.leases.contains(&lease.id) || (keys.ended && has_ended) {
            set.work.leases.insert(lease.id.clone(), lease);
        }
    }
    if set.work.leases.is_empty() {
        return Ok(());
    }
    // No more orders are in work than workers have hands: each is looked at, through the index of the queue.
    let sql = format!(
        "SELECT {ORDER_COLUMNS} FROM orders o WHERE o.queue = 1 AND o.parked_by IS NULL AND o.lease IS NOT NULL"
    );
    let mut select = connection.prepare_cached(&sql)?;
    let mut found = select.query([])?;
    while let Some(row) = found.next()? {
        // Most of them are held by other leases: of those only this column is read.
        if set.work.leases.contains_key(row.get_ref(LEASE_COLUMN)?.as_str()?) {
            let order = rows::order(row)?;
            set.orders.by_seq.insert(order.seq, order);
        }
    }
    Ok(())
}

fn reports(connection: &Connection, keys: &WorkKeys, set: &mut WorkingSet) -> rusqlite::Result<()> {
    for (id, token) in &keys.reports {
        let Some(&seq) = set.orders.by_id.get(id) else { continue };
        let sql = "SELECT order_seq, token, lease, outcome FROM reports WHERE order_seq = ?1 AND token = ?2";
        let found = connection.prepare_cached(sql)?.query_row((seq, token), rows::work_report).optional()?;
        set.work.reports.extend(found.map(|report| ((seq, *token), report)));
    }
    Ok(())
}

/// Writes leases and reports.
pub(super) fn write(connection: &Connection, writes: &WorkWrites) -> rusqlite::Result<()> {
    if !writes.leases.is_empty() {
        let mut upsert = connection.prepare_cached(
            "INSERT INTO leases VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO UPDATE SET expires_at_ms = ?3, ttl_ms = ?4",
        )?;
        for lease in &writes.leases {
            upsert.execute((&*lease.id, &*lease.worker, lease.expires_at_ms, lease.ttl_ms))?;
        }
    }
    if !writes.ended.is_empty() {
        let mut delete = connection.prepare_cached("DELETE FROM leases WHERE id = ?1")?;
        for id in &writes.ended {
            delete.execute([&**id])?;
        }
    }
    for report in &writes.reports {
        let insert = "INSERT OR REPLACE INTO reports VALUES (?1, ?2, ?3, ?4)";
        let (seq, token) = (report.seq, report.token);
        let row = (seq, token, &*report.lease, report.outcome.name());
        connection.prepare_cached(insert)?.execute(row)?;
        let delete = "DELETE FROM reports WHERE order_seq = ?1 AND token <= ?2";
        connection.prepare_cached(delete)?.execute((seq, token.saturating_sub(KEPT_TOKENS)))?;
    }
    Ok(())
}
