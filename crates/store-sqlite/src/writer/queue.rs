//! The queue: reading what may start, what is due and what is held back; writing pauses. Where an order stands in the queue
//! is part of its own row.

use std::sync::Arc;

use ordercast_domain::decide::WorkingSet;
use ordercast_domain::order::OrderSeq;
use ordercast_domain::pause::Parked;
use ordercast_store::write::{Keys, OutlookDepth, QueueKeys, QueueWrites, Writes};
use rusqlite::{Connection, Row};

use crate::rows::{self, ORDER_COLUMNS};

mod in_work;
mod ready;

use in_work::OrdersInWork;
use ready::ReadyOrders;

/// What the writer keeps of the queue in memory, exact after every commit.
pub(super) struct Queue {
    ready: ReadyOrders,
    in_work: OrdersInWork,
    most_ready: usize,
}

impl Queue {
    /// Keeps about `ready` of the orders that are next to start.
    pub(super) fn new(ready: usize) -> Self {
        Self { ready: ReadyOrders::new(ready), in_work: OrdersInWork::default(), most_ready: ready }
    }

    /// Loads the orders that are next to start, and the pauses.
    pub(super) fn load(
        &mut self,
        connection: &Connection,
        keys: &QueueKeys,
        set: &mut WorkingSet,
    ) -> rusqlite::Result<()> {
        if keys.ready > 0 {
            let next = self.ready.first(connection, keys.ready)?;
            next.for_each(|order| set.queue.ready.push(Arc::clone(order)));
            if set.queue.ready.len() < keys.ready {
                set.queue.ready.end();
            }
        }
        pauses(connection, keys, set)
    }

    /// Loads what limits go by: after all orders that commands name, for they are what may make room.
    pub(super) fn load_limits(
        &mut self,
        connection: &Connection,
        keys: &QueueKeys,
        set: &mut WorkingSet,
    ) -> rusqlite::Result<()> {
        if keys.in_work {
            let next = set.queue.ready.orders().map(|order| &**order);
            set.queue.in_work = Some(self.in_work.of(connection, set.orders.by_seq.values().chain(next))?);
        }
        if !keys.limited {
            return Ok(());
        }
        let sql =
            format!("SELECT {ORDER_COLUMNS} FROM orders o WHERE o.parked_by = ?1 ORDER BY o.sort_key, o.seq LIMIT ?2");
        let mut select = connection.prepare_cached(&sql)?;
        for (customer_id, count) in set.leaving(keys.pauses) {
            let limit = Parked::Limit(customer_id.clone()).name();
            for order in select.query_map((limit, count), rows::order)? {
                let order = order?;
                set.queue.limited.entry(customer_id.clone()).or_default().push_back(order.seq);
                set.orders.by_seq.insert(order.seq, order);
            }
        }
        Ok(())
    }

    /// How many orders are ready and in work, as far as the outlook counts.
    pub(super) fn count(&mut self, connection: &Connection, depth: OutlookDepth) -> rusqlite::Result<(usize, usize)> {
        let active = if depth.active > 0 { self.in_work.count(connection)? } else { 0 };
        Ok((self.ready.count(connection, depth.ready)?, active))
    }

    /// Forgets everything, after a read that failed half-way: it is read again when it is needed.
    pub(super) fn forget(&mut self) {
        *self = Self::new(self.most_ready);
    }

    /// Follows what a commit has written.
    pub(super) fn follow(&mut self, writes: &Writes) {
        self.ready.follow(&writes.orders);
        self.in_work.follow(&writes.orders);
    }
}

/// Finds the orders whose time has come, and when the next one's comes.
pub(super) fn load_due(connection: &Connection, keys: &Keys, set: &mut WorkingSet) -> rusqlite::Result<()> {
    let most = keys.queue.due;
    if most == 0 {
        return Ok(());
    }
    let (wall_ms, queue) = (set.wall_ms, &mut set.queue);
    let waits = "SELECT seq, steady_due_ms FROM orders WHERE steady_due_ms IS NOT NULL \
                 ORDER BY steady_due_ms, seq LIMIT ?1 + 1";
    queue.next_steady_due_ms = due(connection, waits, (most, keys.steady_ms), &mut queue.due)?;
    let times = "SELECT seq, due_at_ms FROM orders WHERE queue = 2 AND steady_due_ms IS NULL \
                 ORDER BY due_at_ms, seq LIMIT ?1 + 1";
    let left = most - queue.due.len();
    queue.next_due_ms = due(connection, times, (left, wall_ms), &mut queue.due)?;
    Ok(())
}

/// Adds the first timers that have come, at most `most`, to `due`; gives when the next one does, which `sql` has to find too.
fn due(
    connection: &Connection,
    sql: &str,
    (most, now_ms): (usize, i64),
    due: &mut Vec<OrderSeq>,
) -> rusqlite::Result<Option<i64>> {
    let mut select = connection.prepare_cached(sql)?;
    let read = |row: &Row<'_>| Ok((row.get::<_, OrderSeq>(0)?, row.get::<_, i64>(1)?));
    for (found, timer) in select.query_map([most], read)?.enumerate() {
        let (seq, due_ms) = timer?;
        if due_ms > now_ms || found == most {
            return Ok(Some(due_ms));
        }
        due.push(seq);
    }
    Ok(None)
}

fn pauses(connection: &Connection, keys: &QueueKeys, set: &mut WorkingSet) -> rusqlite::Result<()> {
    if keys.ready == 0 && !keys.pauses && keys.unparked == 0 {
        return Ok(());
    }
    let sql = "SELECT scope, since_ms, actor, reason, ending FROM pauses";
    for pause in connection.prepare_cached(sql)?.query_map([], rows::pause)? {
        let pause = pause?;
        set.queue.pauses.insert(pause.scope.clone(), pause);
    }
    if keys.unparked == 0 || set.queue.pauses.is_empty() {
        return Ok(());
    }
    let sql =
        format!("SELECT {ORDER_COLUMNS} FROM orders o WHERE o.parked_by = ?1 ORDER BY o.sort_key, o.seq LIMIT ?2");
    let mut select = connection.prepare_cached(&sql)?;
    for pause in set.queue.pauses.values().filter(|pause| pause.is_ending) {
        for order in select.query_map((pause.scope.name(), keys.unparked), rows::order)? {
            let order = order?;
            set.queue.unparked.push((pause.scope.clone(), order.seq));
            set.orders.by_seq.insert(order.seq, order);
        }
    }
    Ok(())
}

/// Writes pauses.
pub(super) fn write(connection: &Connection, writes: &QueueWrites) -> rusqlite::Result<()> {
    for row in &writes.pauses {
        let sql = "INSERT OR REPLACE INTO pauses VALUES (?1, ?2, ?3, ?4, ?5)";
        let (scope, reason) = (row.scope.name(), row.reason.as_deref());
        connection.prepare_cached(sql)?.execute((scope, row.since_ms, &row.actor, reason, row.is_ending))?;
    }
    for scope in &writes.ended_pauses {
        connection.prepare_cached("DELETE FROM pauses WHERE scope = ?1")?.execute([scope.name()])?;
    }
    Ok(())
}
