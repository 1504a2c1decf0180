//! Who has how many orders in work, kept in memory as soon as somebody asks: the writer sees every change.

use std::collections::HashMap;

use ordercast_domain::decide::InWork;
use ordercast_domain::ids::CustomerId;
use ordercast_domain::order::{Order, OrderSeq};
use ordercast_domain::status::Status;
use ordercast_store::write::OrderWrites;
use rusqlite::Connection;

use crate::rows;

/// The orders in work. Empty until [`OrdersInWork::of`] is asked.
#[derive(Default)]
pub(crate) struct OrdersInWork {
    customers: HashMap<OrderSeq, CustomerId>,
    counts: HashMap<CustomerId, usize>,
    is_known: bool,
}

impl OrdersInWork {
    /// How many are in work, in all and of the customers of these orders.
    pub(crate) fn of<'a>(
        &mut self,
        connection: &Connection,
        orders: impl Iterator<Item = &'a Order>,
    ) -> rusqlite::Result<InWork> {
        self.know(connection)?;
        let mut in_work = InWork { all: self.customers.len(), by_customer: HashMap::new() };
        for order in orders {
            if let Some((customer_id, &count)) = self.counts.get_key_value(&order.customer_id) {
                in_work.by_customer.insert(customer_id.clone(), count);
            }
        }
        Ok(in_work)
    }

    /// How many are in work in all.
    pub(crate) fn count(&mut self, connection: &Connection) -> rusqlite::Result<usize> {
        self.know(connection)?;
        Ok(self.customers.len())
    }

    fn know(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if !self.is_known {
            let sql = "SELECT seq, customer_id FROM orders WHERE queue = 1 AND parked_by IS NULL";
            for row in connection.prepare(sql)?.query_map([], |row| Ok((row.get(0)?, rows::id(row, 1)?)))? {
                let (seq, customer_id) = row?;
                self.add(seq, customer_id);
            }
            self.is_known = true;
        }
        Ok(())
    }

    /// Follows what a commit has written.
    pub(crate) fn follow(&mut self, writes: &OrderWrites) {
        if !self.is_known {
            return;
        }
        for order in &writes.changed {
            match order.status {
                Status::Active => self.add(order.seq, order.customer_id.clone()),
                _ => self.remove(order.seq),
            }
        }
    }

    fn add(&mut self, seq: OrderSeq, customer_id: CustomerId) {
        if self.customers.insert(seq, customer_id.clone()).is_none() {
            *self.counts.entry(customer_id).or_default() += 1;
        }
    }

    fn remove(&mut self, seq: OrderSeq) {
        let Some(customer_id) = self.customers.remove(&seq) else { return };
        if let Some(count) = self.counts.get_mut(&customer_id) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&customer_id);
            }
        }
    }
}
