//! What is to be done next, kept in memory: this writer alone changes the store, and sees every change.

use ordercast_domain::decide::WorkingSet;
use ordercast_domain::order::{Order, Queue};
use ordercast_store::write::{Keys, Outlook, Writes, earlier};
use rusqlite::Connection;

/// What a batch has found out about times when it looked at what is due.
#[derive(Clone, Copy, Default)]
pub(super) struct Looked {
    /// The next timer and the next wait.
    due: Option<(Option<i64>, Option<i64>)>,
    /// The next end of a lease.
    lease_end: Option<Option<i64>>,
}

impl Looked {
    pub(super) fn new(keys: &Keys, set: &WorkingSet) -> Self {
        Self {
            due: (keys.queue.due > 0).then_some((set.queue.next_due_ms, set.queue.next_steady_due_ms)),
            lease_end: keys.work.ended.then_some(set.work.next_lease_end_ms),
        }
    }
}

/// The outlook but for what is counted.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Outlook> {
    let first = |sql: &str| connection.query_row(sql, [], |row| row.get(0));
    Ok(Outlook {
        next_due_ms: first("SELECT min(due_at_ms) FROM orders WHERE queue = 2 AND steady_due_ms IS NULL")?,
        next_steady_due_ms: first("SELECT min(steady_due_ms) FROM orders WHERE steady_due_ms IS NOT NULL")?,
        next_lease_end_ms: first("SELECT min(expires_at_ms) FROM leases")?,
        limited: has_limited(connection)?,
        lifted_pauses: has_lifted(connection)?,
        ..Outlook::default()
    })
}

/// Follows what a batch has found and written.
pub(super) fn follow(
    outlook: &mut Outlook,
    connection: &Connection,
    looked: Looked,
    writes: &Writes,
) -> rusqlite::Result<()> {
    if let Some((due_ms, steady_due_ms)) = looked.due {
        (outlook.next_due_ms, outlook.next_steady_due_ms) = (due_ms, steady_due_ms);
    }
    if let Some(lease_end_ms) = looked.lease_end {
        outlook.next_lease_end_ms = lease_end_ms;
    }
    writes.orders.new.iter().for_each(|insert| note_timer(outlook, &insert.order));
    writes.orders.changed.iter().for_each(|order| note_timer(outlook, order));
    for lease in &writes.work.leases {
        outlook.next_lease_end_ms = earlier(outlook.next_lease_end_ms, Some(lease.expires_at_ms));
    }
    let is_limited = |order: &Order| order.queue() == Some(Queue::Limited);
    if writes.orders.changed.iter().any(is_limited) {
        outlook.limited = true;
    } else if outlook.limited && !writes.orders.changed.is_empty() {
        outlook.limited = has_limited(connection)?;
    }
    if !writes.queue.is_empty() {
        outlook.lifted_pauses = has_lifted(connection)?;
    }
    Ok(())
}

fn note_timer(outlook: &mut Outlook, order: &Order) {
    match order.steady_due_ms {
        Some(due_ms) => outlook.next_steady_due_ms = earlier(outlook.next_steady_due_ms, Some(due_ms)),
        None => outlook.next_due_ms = earlier(outlook.next_due_ms, order.due_at_ms),
    }
}

fn has_limited(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM orders WHERE parked_by >= 'limit:' AND parked_by < 'limit;')";
    connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
}

fn has_lifted(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM pauses WHERE ending = 1)";
    connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
}
