//! Lists of orders, newest first.

use ordercast_domain::order::{Details, Order, OrderSeq};
use ordercast_store::read::OrderQuery;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::rows::{self, DETAIL_COLUMNS, ORDER_COLUMN_COUNT, ORDER_COLUMNS, ORDERS_OF_CUSTOMER};

/// Orders looked through for one page where no index leads to those that are asked for: about 10 ms.
const MAX_LOOKED_THROUGH: u32 = 20_000;
/// How far the clock may have been set back for orders to be found by their time, in milliseconds.
const CLOCK_SLACK_MS: i64 = 3_600_000;

type OrderRows = Vec<(Order, Details)>;

/// An order with its lasting part.
pub(crate) fn order_with_details(row: &Row<'_>) -> rusqlite::Result<(Order, Details)> {
    Ok((rows::order(row)?, rows::details(row, ORDER_COLUMN_COUNT)?))
}

/// The page, and the cursor of the next one.
pub(crate) fn list_orders(
    connection: &Connection,
    query: &OrderQuery,
) -> rusqlite::Result<(OrderRows, Option<OrderSeq>)> {
    // Each condition stands only when it is asked for, so that SQLite picks the index of those that are.
    let mut conditions = String::from("o.seq < ?1");
    if let Some((status, lane)) = query.status {
        // A literal, so that SQLite can see that the partial index of rare statuses holds it.
        conditions.push_str(&format!(" AND o.status = '{}'", status.name()));
        if let Some(lane) = lane {
            conditions.push_str(&format!(" AND o.lane = {}", lane as i64));
        }
    }
    if query.customer_id.is_some() {
        conditions.push_str(&format!(" AND o.seq IN ({ORDERS_OF_CUSTOMER})"));
    }
    if let Some(priority) = query.priority {
        conditions.push_str(&format!(" AND o.priority = {} AND o.seq >= ?4", priority.number()));
    }
    if query.from_ms.is_some() || query.to_ms.is_some() {
        conditions.push_str(" AND o.accepted_at_ms >= ?5 AND o.accepted_at_ms < ?6 AND o.seq >= ?7");
    }
    let sql = format!(
        "SELECT {ORDER_COLUMNS}, {DETAIL_COLUMNS} FROM orders o JOIN order_details d ON d.seq = o.seq \
         WHERE {conditions} AND (?3 IS NULL OR ?4 IS NULL OR ?5 IS NULL OR ?6 IS NULL OR ?7 IS NULL OR 1) \
         ORDER BY o.seq DESC LIMIT ?2"
    );
    let (from_ms, to_ms) = (query.from_ms.unwrap_or(i64::MIN), query.to_ms.unwrap_or(i64::MAX));
    let mut before = query.before.unwrap_or(i64::MAX.unsigned_abs());
    let mut first = 0;
    if query.to_ms.is_some() {
        before = before.min(seq_at(connection, to_ms.saturating_add(CLOCK_SLACK_MS))?);
    }
    if query.from_ms.is_some() {
        first = seq_at(connection, from_ms.saturating_sub(CLOCK_SLACK_MS))?;
    }
    let looked_to = match query.priority {
        Some(_) => looked_to(connection, before)?,
        None => 0,
    };
    let mut select = connection.prepare_cached(&sql)?;
    let customer_id = query.customer_id.as_deref();
    let parameters = (before, query.limit, customer_id, looked_to, from_ms, to_ms, first);
    let orders: rusqlite::Result<Vec<_>> = select.query_map(parameters, order_with_details)?.collect();
    let orders = orders?;
    let next = match orders.last() {
        Some((order, _)) if orders.len() == query.limit => Some(order.seq),
        _ => (looked_to > first.max(1)).then_some(looked_to),
    };
    Ok((orders, next))
}

/// The first order that was accepted at a time or later, found by halving: numbers rise with the time of acceptance,
/// but for a clock that was set back.
fn seq_at(connection: &Connection, at_ms: i64) -> rusqlite::Result<OrderSeq> {
    let last: Option<OrderSeq> = connection.query_row("SELECT max(seq) FROM orders", [], |row| row.get(0))?;
    let (mut low, mut high) = (1, last.unwrap_or(0) + 1);
    let mut select = connection
        .prepare_cached("SELECT seq, accepted_at_ms FROM orders WHERE seq >= ?1 AND seq < ?2 ORDER BY seq LIMIT 1")?;
    while low < high {
        let middle = low + (high - low) / 2;
        let found: Option<(OrderSeq, i64)> =
            select.query_row((middle, high), |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        match found {
            Some((seq, accepted_ms)) if accepted_ms < at_ms => low = seq + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// How far back a page looks that no index leads.
fn looked_to(connection: &Connection, before: OrderSeq) -> rusqlite::Result<OrderSeq> {
    let sql = "SELECT min(seq) FROM (SELECT seq FROM orders WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2)";
    let first: Option<OrderSeq> =
        connection.prepare_cached(sql)?.query_row((before, MAX_LOOKED_THROUGH), |row| row.get(0))?;
    Ok(first.unwrap_or(0))
}
