//! The index of orders by customer: filled in bulk, in segments of the log, and read from the newest segment on.
//!
//! Customers' ids are hashes. In one tree over all orders the rows of a fill would lie on a page each, the more so the
//! larger the store; within a segment they share its few hundred pages, however many segments came before. The price
//! is that a question looks into every segment once, which takes some microseconds each.

use ordercast_domain::order::OrderSeq;
use rusqlite::{Connection, OptionalExtension};

/// Segments looked into for one page of a list, found or not: about 3 ms, and more than 60 million orders.
const MAX_SEGMENTS_A_PAGE: u32 = 512;

/// The numbers of the orders of customer `?3`: those in the index, and those that are too new for it.
pub(crate) const ORDERS_OF_CUSTOMER: &str = "SELECT c.seq FROM customer_segments s CROSS JOIN customer_orders c \
     ON c.segment = s.first_seq AND c.customer_id = ?3 UNION ALL \
     SELECT n.seq FROM orders n WHERE n.seq > (SELECT customers_indexed_to FROM progress) AND n.customer_id = ?3";

/// How far the index reaches, and when it is filled up.
pub(crate) struct CustomerIndex {
    /// Orders above the index after which it is filled up.
    tail: u64,
    /// Orders after which a fill begins a new segment.
    segment_orders: u64,
    indexed_to: OrderSeq,
    /// The first order of the last segment, if there is one.
    segment: Option<OrderSeq>,
}

impl CustomerIndex {
    /// The index as a store has it.
    pub(crate) fn read(connection: &Connection, tail: u64, segment_orders: u64) -> rusqlite::Result<Self> {
        let segment = connection.query_row("SELECT max(first_seq) FROM customer_segments", [], |row| row.get(0))?;
        Ok(Self { tail, segment_orders, indexed_to: indexed_to(connection)?, segment })
    }

    /// Whether enough orders are above the index that it should be filled up.
    pub(crate) fn is_due(&self, next_seq: OrderSeq) -> bool {
        next_seq > self.indexed_to.saturating_add(self.tail)
    }

    /// Fills up the index, in a commit of its own and in the order of the index, so that each of its pages is
    /// written once.
    pub(crate) fn fill(&mut self, connection: &mut Connection, next_seq: OrderSeq) -> rusqlite::Result<()> {
        let to = next_seq - 1;
        let segment = self.segment.filter(|first| self.indexed_to - (first - 1) < self.segment_orders);
        let transaction = connection.transaction()?;
        if segment.is_none() {
            let sql = "INSERT INTO customer_segments VALUES (?1)";
            transaction.prepare_cached(sql)?.execute([self.indexed_to + 1])?;
        }
        let segment = segment.unwrap_or(self.indexed_to + 1);
        transaction
            .prepare_cached(
                // A failure ends the transaction anyway. Without this SQLite would copy every page first, so as to undo
                // the statement alone.
                "INSERT OR ROLLBACK INTO customer_orders SELECT ?3, customer_id, seq FROM orders \
                 WHERE seq > ?1 AND seq <= ?2 ORDER BY customer_id, seq",
            )?
            .execute((self.indexed_to, to, segment))?;
        transaction.prepare_cached("UPDATE progress SET customers_indexed_to = ?1")?.execute([to])?;
        transaction.commit()?;
        self.indexed_to = to;
        self.segment = Some(segment);
        Ok(())
    }
}

/// The last order that the index has.
pub(crate) fn indexed_to(connection: &Connection) -> rusqlite::Result<OrderSeq> {
    connection.prepare_cached("SELECT customers_indexed_to FROM progress")?.query_row([], |row| row.get(0))
}

/// The first order of the last segment that a page looks into which begins below `before`.
pub(crate) fn looked_to(connection: &Connection, before: OrderSeq) -> rusqlite::Result<OrderSeq> {
    let sql = "SELECT first_seq FROM customer_segments WHERE first_seq < ?1 ORDER BY first_seq DESC LIMIT 1 OFFSET ?2";
    let mut select = connection.prepare_cached(sql)?;
    let first = select.query_row((before, MAX_SEGMENTS_A_PAGE - 1), |row| row.get(0)).optional()?;
    Ok(first.unwrap_or(0))
}
