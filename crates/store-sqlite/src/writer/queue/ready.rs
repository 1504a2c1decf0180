//! The first of the orders that are ready, kept in memory.
//!
//! The writer alone changes them, and sees every change: a claim need not read rows that were written a moment before.
//! What is kept is exactly what a query would give, up to a key; beyond it the rows are read when they come up.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use ordercast_domain::order::{Order, OrderSeq, Queue};
use ordercast_store::write::OrderWrites;
use rusqlite::Connection;

use crate::rows::{self, ORDER_COLUMNS};

/// Where an order stands in the queue.
type Key = (i64, OrderSeq);

/// The first of the orders that are ready.
pub(crate) struct ReadyOrders {
    /// By rising key; all there are up to `known_to`.
    orders: VecDeque<Arc<Order>>,
    sort_keys: HashMap<OrderSeq, i64>,
    /// `None` when no order is ready beyond those that are kept.
    known_to: Option<Key>,
    most: usize,
}

impl ReadyOrders {
    /// Keeps about `most`, and more when more are asked for at once. Nothing is known at first.
    pub(crate) fn new(most: usize) -> Self {
        let known_to = Some((i64::MIN, 0));
        Self { orders: VecDeque::new(), sort_keys: HashMap::new(), known_to, most: most.max(1) }
    }

    /// The first `count`, or all there are.
    pub(crate) fn first(
        &mut self,
        connection: &Connection,
        count: usize,
    ) -> rusqlite::Result<impl Iterator<Item = &Arc<Order>>> {
        self.know(connection, count)?;
        Ok(self.orders.iter().take(count))
    }

    /// Reads on if fewer than `count` are kept, and there may be more.
    fn know(&mut self, connection: &Connection, count: usize) -> rusqlite::Result<()> {
        if self.orders.len() < count
            && let Some(known_to) = self.known_to
        {
            self.read(connection, known_to, count.max(self.most))?;
        }
        Ok(())
    }

    /// How many there are: exact below `most`, otherwise at least that number.
    pub(crate) fn count(&mut self, connection: &Connection, most: usize) -> rusqlite::Result<usize> {
        self.know(connection, most)?;
        Ok(self.orders.len())
    }

    fn read(&mut self, connection: &Connection, (sort_key, seq): Key, most: usize) -> rusqlite::Result<()> {
        let missing = most.saturating_sub(self.orders.len());
        let sql = format!(
            "SELECT {ORDER_COLUMNS} FROM orders o WHERE o.queue = 0 AND o.parked_by IS NULL AND o.sort_key >= ?1 \
             AND (o.sort_key > ?1 OR o.seq > ?2) ORDER BY o.sort_key, o.seq LIMIT ?3"
        );
        let before = self.orders.len();
        for order in connection.prepare_cached(&sql)?.query_map((sort_key, seq, missing), rows::order)? {
            let order = order?;
            self.sort_keys.insert(order.seq, order.sort_key);
            self.orders.push_back(Arc::new(order));
        }
        let is_all = self.orders.len() - before < missing;
        self.known_to = if is_all { None } else { self.orders.back().map(|order| key(order)) };
        Ok(())
    }

    /// Follows what a commit has written.
    pub(crate) fn follow(&mut self, writes: &OrderWrites) {
        for insert in &writes.new {
            if insert.order.queue() == Some(Queue::Ready) {
                self.add(&insert.order, || Arc::clone(&insert.order));
            }
        }
        for order in &writes.changed {
            self.remove(order.seq);
            if order.queue() == Some(Queue::Ready) {
                self.add(order, || Arc::new(order.clone()));
            }
        }
        if self.orders.len() > 2 * self.most {
            for order in self.orders.drain(self.most..) {
                self.sort_keys.remove(&order.seq);
            }
            self.known_to = self.orders.back().map(|order| key(order));
        }
    }

    fn add(&mut self, order: &Order, share: impl FnOnce() -> Arc<Order>) {
        let own = key(order);
        if self.known_to.is_some_and(|known_to| own > known_to) {
            return;
        }
        let at = self.orders.partition_point(|order| key(order) < own);
        self.sort_keys.insert(own.1, own.0);
        self.orders.insert(at, share());
    }

    fn remove(&mut self, seq: OrderSeq) {
        let Some(sort_key) = self.sort_keys.remove(&seq) else { return };
        let at = self.orders.partition_point(|order| key(order) < (sort_key, seq));
        debug_assert_eq!(self.orders[at].seq, seq, "keys and orders go together");
        self.orders.remove(at);
    }
}

fn key(order: &Order) -> Key {
    (order.sort_key, order.seq)
}
