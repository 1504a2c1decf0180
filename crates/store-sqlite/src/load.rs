//! Loading what a batch touches.

use std::sync::Arc;

use ordercast_domain::decide::{ActionRecord, KeyRecord, OrderLines, WorkingSet};
use ordercast_domain::order::{LineMove, OrderSeq};
use ordercast_domain::pause::Parked;
use ordercast_store::write::Keys;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::in_work::OrdersInWork;
use crate::ready::ReadyOrders;
use crate::rows::{self, ADJUSTMENT_COLUMNS, DETAIL_COLUMNS, ORDER_COLUMNS};

/// What the writer knows without looking.
pub(crate) struct Known<'a> {
    /// Without a catalogue no product is looked for.
    pub(crate) has_products: bool,
    pub(crate) next_seq: OrderSeq,
    pub(crate) token_floor: u32,
    /// The present by the wall clock.
    pub(crate) wall_ms: i64,
    pub(crate) ready: &'a mut ReadyOrders,
    pub(crate) in_work: &'a mut OrdersInWork,
}

/// Loads what the keys name.
pub(crate) fn load(connection: &Connection, keys: &Keys, known: Known<'_>) -> rusqlite::Result<WorkingSet> {
    let Known { has_products, next_seq, token_floor, wall_ms, ready, in_work } = known;
    let set = WorkingSet { next_seq, token_floor, wall_ms, steady_ms: keys.steady_ms, ..WorkingSet::default() };
    let mut loader = Loader { connection, set };
    loader.orders(keys)?;
    if keys.ready > 0 {
        ready.first(connection, keys.ready)?.for_each(|order| loader.set.ready.push(Arc::clone(order)));
        if loader.set.ready.len() < keys.ready {
            loader.set.ready.end();
        }
    }
    loader.orders_with_lines(keys)?;
    loader.pauses(keys)?;
    loader.leases(keys)?;
    loader.limits(keys, in_work)?;
    loader.idempotency(keys)?;
    loader.reports(keys)?;
    loader.set.has_products = has_products;
    if has_products {
        loader.products(keys.skus.iter().map(|sku| &**sku))?;
    }
    loader.adjustments(keys)?;
    Ok(loader.set)
}

/// What was moved of an order, oldest first.
pub(crate) fn moves_of(connection: &Connection, seq: OrderSeq) -> rusqlite::Result<Vec<LineMove>> {
    let sql = "SELECT order_seq, version, line, kind, quantity, at_ms FROM line_moves WHERE order_seq = ?1 \
               ORDER BY version, line, kind";
    connection.prepare_cached(sql)?.query_map([seq], rows::line_move)?.collect()
}

struct Loader<'a> {
    connection: &'a Connection,
    set: WorkingSet,
}

impl Loader<'_> {
    fn orders(&mut self, keys: &Keys) -> rusqlite::Result<()> {
        if !keys.order_ids.is_empty() {
            self.orders_by_id(&keys.order_ids)?;
        }
        if !keys.order_seqs.is_empty() {
            self.orders_by_seq(&keys.order_seqs)?;
        }
        if keys.unleased {
            let sql = format!(
                "SELECT {ORDER_COLUMNS} FROM orders o WHERE o.queue = 1 AND o.parked_by IS NULL \
                 AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.id = o.lease)"
            );
            for order in self.connection.prepare_cached(&sql)?.query_map([], rows::order)? {
                let order = order?;
                self.set.unleased.push(order.seq);
                self.set.orders.insert(order.seq, order);
            }
        }
        Ok(())
    }

    fn orders_by_id(&mut self, ids: &[Arc<str>]) -> rusqlite::Result<()> {
        let sql = format!("SELECT {ORDER_COLUMNS} FROM orders o WHERE o.id = ?1");
        let mut select = self.connection.prepare_cached(&sql)?;
        for id in ids {
            if let Some(order) = select.query_row([&**id], rows::order).optional()? {
                self.set.orders_by_id.insert(Arc::clone(id), order.seq);
                self.set.orders.insert(order.seq, order);
            }
        }
        Ok(())
    }

    fn orders_by_seq(&mut self, seqs: &[OrderSeq]) -> rusqlite::Result<()> {
        let sql = format!("SELECT {ORDER_COLUMNS} FROM orders o WHERE o.seq = ?1");
        let mut select = self.connection.prepare_cached(&sql)?;
        for seq in seqs {
            if let Some(order) = select.query_row([seq], rows::order).optional()? {
                self.set.orders.insert(order.seq, order);
            }
        }
        Ok(())
    }

    fn orders_with_lines(&mut self, keys: &Keys) -> rusqlite::Result<()> {
        let mut with_lines = keys.lines_of.clone();
        if !keys.acted_on.is_empty() {
            self.orders_by_id(&keys.acted_on)?;
            with_lines.extend(keys.acted_on.iter().filter_map(|id| self.set.orders_by_id.get(id)));
        }
        if keys.due > 0 {
            let waits = "SELECT seq, steady_due_ms FROM orders WHERE steady_due_ms IS NOT NULL \
                         ORDER BY steady_due_ms, seq LIMIT ?1 + 1";
            self.set.next_steady_due_ms = self.due(waits, keys.due, keys.steady_ms)?;
            let times = "SELECT seq, due_at_ms FROM orders WHERE queue = 2 AND steady_due_ms IS NULL \
                         ORDER BY due_at_ms, seq LIMIT ?1 + 1";
            self.set.next_due_ms = self.due(times, keys.due - self.set.due.len(), self.set.wall_ms)?;
            with_lines.extend(&self.set.due);
        }
        if with_lines.is_empty() {
            return Ok(());
        }
        self.orders_by_seq(&with_lines)?;
        let sql = format!("SELECT {DETAIL_COLUMNS} FROM order_details d WHERE d.seq = ?1");
        let mut select = self.connection.prepare_cached(&sql)?;
        for seq in with_lines {
            let Some(details) = select.query_row([seq], |row| rows::details(row, 0)).optional()? else { continue };
            let lines = OrderLines::new(Arc::new(details), &moves_of(self.connection, seq)?);
            let skus: Vec<_> = lines.reserved_skus().map(str::to_owned).collect();
            self.products(skus.iter().map(String::as_str))?;
            self.set.lines.insert(seq, lines);
        }
        Ok(())
    }

    /// The first timers that have come, at most so many; gives when the next one does, which `sql` has to find too.
    fn due(&mut self, sql: &str, most: usize, now_ms: i64) -> rusqlite::Result<Option<i64>> {
        let mut select = self.connection.prepare_cached(sql)?;
        let read = |row: &Row<'_>| Ok((row.get::<_, OrderSeq>(0)?, row.get::<_, i64>(1)?));
        for (found, timer) in select.query_map([most], read)?.enumerate() {
            let (seq, due_ms) = timer?;
            if due_ms > now_ms || found == most {
                return Ok(Some(due_ms));
            }
            self.set.due.push(seq);
        }
        Ok(None)
    }

    fn pauses(&mut self, keys: &Keys) -> rusqlite::Result<()> {
        if keys.ready == 0 && !keys.pauses && keys.unparked == 0 {
            return Ok(());
        }
        let sql = "SELECT scope, since_ms, actor, reason, ending FROM pauses";
        for pause in self.connection.prepare_cached(sql)?.query_map([], rows::pause)? {
            let pause = pause?;
            self.set.pauses.insert(pause.scope.clone(), pause);
        }
        if keys.unparked == 0 || self.set.pauses.is_empty() {
            return Ok(());
        }
        let sql =
            format!("SELECT {ORDER_COLUMNS} FROM orders o WHERE o.parked_by = ?1 ORDER BY o.sort_key, o.seq LIMIT ?2");
        let mut select = self.connection.prepare_cached(&sql)?;
        for pause in self.set.pauses.values().filter(|pause| pause.is_ending) {
            for order in select.query_map((pause.scope.name(), keys.unparked), rows::order)? {
                let order = order?;
                self.set.unparked.push((pause.scope.clone(), order.seq));
                self.set.orders.insert(order.seq, order);
            }
        }
        Ok(())
    }

    /// After all orders that commands name: they are what may make room.
    fn limits(&mut self, keys: &Keys, in_work: &mut OrdersInWork) -> rusqlite::Result<()> {
        if keys.in_work {
            let next = self.set.ready.orders().map(|order| &**order);
            self.set.in_work = Some(in_work.of(self.connection, self.set.orders.values().chain(next))?);
        }
        if !keys.limited {
            return Ok(());
        }
        let sql =
            format!("SELECT {ORDER_COLUMNS} FROM orders o WHERE o.parked_by = ?1 ORDER BY o.sort_key, o.seq LIMIT ?2");
        let mut select = self.connection.prepare_cached(&sql)?;
        for (customer_id, count) in self.set.leaving(keys.pauses) {
            let limit = Parked::Limit(Arc::clone(&customer_id)).name();
            for order in select.query_map((limit, count), rows::order)? {
                let order = order?;
                self.set.limited.entry(Arc::clone(&customer_id)).or_default().push_back(order.seq);
                self.set.orders.insert(order.seq, order);
            }
        }
        Ok(())
    }

    fn leases(&mut self, keys: &Keys) -> rusqlite::Result<()> {
        if keys.leases.is_empty() && !keys.ended_leases {
            return Ok(());
        }
        let mut select = self.connection.prepare_cached("SELECT id, worker, expires_at_ms, ttl_ms FROM leases")?;
        for lease in select.query_map([], rows::lease)? {
            let lease = lease?;
            let has_ended = lease.expires_at_ms <= keys.steady_ms;
            if keys.ended_leases && !has_ended {
                let (next, end_ms) = (self.set.next_lease_end_ms, lease.expires_at_ms);
                self.set.next_lease_end_ms = Some(next.map_or(end_ms, |next| next.min(end_ms)));
            }
            if keys.leases.contains(&lease.id) || (keys.ended_leases && has_ended) {
                self.set.leases.insert(Arc::clone(&lease.id), lease);
            }
        }
        if self.set.leases.is_empty() {
            return Ok(());
        }
        // No more orders are in work than workers have hands: each is looked at, through the index of the queue.
        let sql = format!(
            "SELECT {ORDER_COLUMNS} FROM orders o WHERE o.queue = 1 AND o.parked_by IS NULL AND o.lease IS NOT NULL"
        );
        for order in self.connection.prepare_cached(&sql)?.query_map([], rows::order)? {
            let order = order?;
            if order.lease.as_ref().is_some_and(|lease| self.set.leases.contains_key(lease)) {
                self.set.orders.insert(order.seq, order);
            }
        }
        Ok(())
    }

    fn idempotency(&mut self, keys: &Keys) -> rusqlite::Result<()> {
        if !keys.idempotency.is_empty() {
            let mut select = self.connection.prepare_cached(
                "SELECT o.id, o.digest FROM idempotency i JOIN orders o ON o.seq = i.order_seq WHERE i.key = ?1",
            )?;
            for key in &keys.idempotency {
                let record = |row: &Row<'_>| Ok(KeyRecord { order_id: row.get(0)?, digest: row.get(1)? });
                if let Some(record) = select.query_row([&**key], record).optional()? {
                    self.set.keys.insert(Arc::clone(key), record);
                }
            }
        }
        if !keys.action_keys.is_empty() {
            let sql = "SELECT a.order_seq, a.digest, o.id FROM action_keys a JOIN orders o ON o.seq = a.order_seq \
                       WHERE a.key = ?1";
            let mut select = self.connection.prepare_cached(sql)?;
            for key in &keys.action_keys {
                let record =
                    |row: &Row<'_>| Ok(ActionRecord { seq: row.get(0)?, digest: row.get(1)?, order_id: row.get(2)? });
                if let Some(record) = select.query_row([&**key], record).optional()? {
                    self.set.actions.insert(Arc::clone(key), record);
                }
            }
        }
        Ok(())
    }

    /// After the orders that they are of.
    fn reports(&mut self, keys: &Keys) -> rusqlite::Result<()> {
        for (id, token) in &keys.reports {
            let Some(&seq) = self.set.orders_by_id.get(id) else { continue };
            let sql = "SELECT order_seq, token, lease, outcome FROM reports WHERE order_seq = ?1 AND token = ?2";
            let found = self.connection.prepare_cached(sql)?.query_row((seq, token), rows::work_report).optional()?;
            self.set.reports.extend(found.map(|report| ((seq, *token), report)));
        }
        Ok(())
    }

    fn products<'k>(&mut self, mut skus: impl Iterator<Item = &'k str>) -> rusqlite::Result<()> {
        let Some(first) = skus.next() else { return Ok(()) };
        let mut select = self
            .connection
            .prepare_cached("SELECT sku, name, price, currency, stock, reserved FROM products WHERE sku = ?1")?;
        for sku in std::iter::once(first).chain(skus) {
            if self.set.products.contains_key(sku) {
                continue;
            }
            if let Some(product) = select.query_row([sku], rows::product).optional()? {
                self.set.products.insert(Arc::clone(&product.sku), product);
            }
        }
        Ok(())
    }

    fn adjustments(&mut self, keys: &Keys) -> rusqlite::Result<()> {
        if keys.adjustments.is_empty() {
            return Ok(());
        }
        let sql = format!("SELECT {ADJUSTMENT_COLUMNS} FROM adjustments WHERE id = ?1");
        let mut select = self.connection.prepare_cached(&sql)?;
        for id in &keys.adjustments {
            if let Some(adjustment) = select.query_row([&**id], rows::adjustment).optional()? {
                self.set.adjustments.insert(Arc::clone(id), adjustment);
            }
        }
        Ok(())
    }
}
