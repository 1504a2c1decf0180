//! Lists of orders, newest first.

use ordercast_domain::order::{Details, Order, OrderSeq};
use ordercast_store::read::OrderQuery;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::customers;
use crate::rows::{self, DETAIL_COLUMNS, ORDER_COLUMN_COUNT, ORDER_COLUMNS};

/// Orders looked through for one page where no index leads to those that are asked for: about 10 ms.
const MAX_LOOKED_THROUGH: u32 = 20_000;
/// How far the clock may have been set back for orders to be found by their time, in milliseconds.
const CLOCK_SLACK_MS: i64 = 3_600_000;

type OrderRows = Vec<(Order, Details)>;

/// An order with its lasting part.
pub(crate) fn order_with_details(row: &Row<'_>) -> rusqlite::Result<(Order, Details)> {
    Ok((rows::order(row)?, rows::details(row, ORDER_COLUMN_COUNT)?))
}

/// Where orders are looked for.
#[derive(Clone, Copy)]
enum Source {
    /// All of them.
    All,
    /// Those above the index of customers.
    Tail,
    /// The index of customers, from its newest segment on.
    Index,
}

impl Source {
    /// The tables, joined in this order, and what leads into them. `CROSS JOIN` keeps SQLite to it: through the index
    /// rows come in the order of the page, and it ends with the last row that is wanted.
    fn sql(self) -> (&'static str, &'static str) {
        match self {
            Self::All => ("orders o CROSS JOIN order_details d", "o.seq < ?1"),
            Self::Tail => (
                "orders o CROSS JOIN order_details d",
                "o.seq < ?1 AND o.customer_id = ?3 AND o.seq > (SELECT customers_indexed_to FROM progress)",
            ),
            Self::Index => (
                "customer_segments s CROSS JOIN customer_orders c CROSS JOIN orders o CROSS JOIN order_details d",
                "s.first_seq < ?1 AND s.first_seq >= ?8 AND c.segment = s.first_seq AND c.customer_id = ?3 \
                 AND c.seq < ?1 AND o.seq = c.seq",
            ),
        }
    }

    fn order(self) -> &'static str {
        match self {
            Self::All | Self::Tail => "o.seq DESC",
            Self::Index => "s.first_seq DESC, c.seq DESC",
        }
    }
}

/// What bounds a page beside its query.
struct Bounds {
    before: OrderSeq,
    /// The first order that may be young enough.
    first: OrderSeq,
    /// How far back the page looks where no index leads.
    looked_to: OrderSeq,
    /// The first segment of the index of customers that it looks into.
    first_segment: OrderSeq,
}

impl Bounds {
    fn of(connection: &Connection, query: &OrderQuery) -> rusqlite::Result<Self> {
        let mut before = query.before.unwrap_or(i64::MAX.unsigned_abs());
        if let Some(to_ms) = query.to_ms {
            before = before.min(seq_at(connection, to_ms.saturating_add(CLOCK_SLACK_MS))?);
        }
        let first = match query.from_ms {
            Some(from_ms) => seq_at(connection, from_ms.saturating_sub(CLOCK_SLACK_MS))?,
            None => 0,
        };
        let looked_to =
            if query.priority.is_some() && query.customer_id.is_none() { looked_to(connection, before)? } else { 0 };
        let first_segment = if query.customer_id.is_some() { customers::looked_to(connection, before)? } else { 0 };
        Ok(Self { before, first, looked_to, first_segment })
    }

    /// The cursor after a page that has found everything within its bounds, if there may be more beyond them.
    fn next(&self) -> Option<OrderSeq> {
        let looked_to = self.looked_to.max(self.first_segment);
        (looked_to > self.first.max(1)).then_some(looked_to)
    }
}

/// The page, and the cursor of the next one.
pub(crate) fn list_orders(
    connection: &Connection,
    query: &OrderQuery,
) -> rusqlite::Result<(OrderRows, Option<OrderSeq>)> {
    let bounds = Bounds::of(connection, query)?;
    let sources = if query.customer_id.is_some() { &[Source::Tail, Source::Index][..] } else { &[Source::All] };
    let mut orders = Vec::new();
    for source in sources {
        let left = query.limit - orders.len();
        if left > 0 {
            read_orders(connection, query, &bounds, &sql_of(query, *source), left, &mut orders)?;
        }
    }
    let next = match orders.last() {
        Some((order, _)) if orders.len() == query.limit => Some(order.seq),
        _ => bounds.next(),
    };
    Ok((orders, next))
}

fn read_orders(
    connection: &Connection,
    query: &OrderQuery,
    bounds: &Bounds,
    sql: &str,
    limit: usize,
    orders: &mut OrderRows,
) -> rusqlite::Result<()> {
    let (from_ms, to_ms) = (query.from_ms.unwrap_or(i64::MIN), query.to_ms.unwrap_or(i64::MAX));
    let Bounds { before, first, looked_to, first_segment } = bounds;
    let customer_id = query.customer_id.as_deref();
    let parameters = (before, limit, customer_id, looked_to, from_ms, to_ms, first, first_segment);
    let mut select = connection.prepare_cached(sql)?;
    for row in select.query_map(parameters, order_with_details)? {
        orders.push(row?);
    }
    Ok(())
}

fn sql_of(query: &OrderQuery, source: Source) -> String {
    // Each condition stands only when it is asked for, so that SQLite picks the index of those that are.
    let (tables, lead) = source.sql();
    let mut conditions = String::from(lead);
    if let Some((status, lane)) = query.status {
        // A literal, so that SQLite can see that the partial index of rare statuses holds it.
        conditions.push_str(&format!(" AND o.status = '{}'", status.name()));
        if let Some(lane) = lane {
            conditions.push_str(&format!(" AND o.lane = {}", lane as i64));
        }
    }
    if let Some(priority) = query.priority {
        conditions.push_str(&format!(" AND o.priority = {} AND o.seq >= ?4", priority.number()));
    }
    if query.from_ms.is_some() || query.to_ms.is_some() {
        conditions.push_str(" AND o.accepted_at_ms >= ?5 AND o.accepted_at_ms < ?6 AND o.seq >= ?7");
    }
    format!(
        "SELECT {ORDER_COLUMNS}, {DETAIL_COLUMNS} FROM {tables} WHERE {conditions} AND d.seq = o.seq \
         AND (?2 IS NULL OR ?3 IS NULL OR ?4 IS NULL OR ?5 IS NULL OR ?6 IS NULL OR ?7 IS NULL OR ?8 IS NULL OR 1) \
         ORDER BY {} LIMIT ?2",
        source.order()
    )
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

#[cfg(test)]
#[path = "lists_tests.rs"]
mod tests;
