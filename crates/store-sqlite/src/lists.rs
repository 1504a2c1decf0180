//! Lists of orders, newest first.

use ordercast_domain::order::{Details, Order, OrderSeq};
use ordercast_domain::status::Status;
use ordercast_store::read::{OrderQuery, OrderSum};
use ordercast_store::search::{MAX_DIRECT, OrderSearch};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::customers;
use crate::rows::{self, DETAIL_COLUMNS, LINES_COLUMN, ORDER_COLUMN_COUNT, ORDER_COLUMNS};

/// Orders looked through for one page where no index leads to those that are asked for: about 10 ms.
const MAX_LOOKED_THROUGH: u64 = 20_000;
/// Orders of a customer looked through for one page that wants only some of them: about 10 ms.
const MAX_OF_CUSTOMER: u64 = 4_096;
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
    /// Those in work: no more than workers have hands.
    InWork,
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
            Self::InWork => (
                "orders o INDEXED BY orders_queue CROSS JOIN order_details d",
                "o.seq < ?1 AND o.queue = 1 AND o.parked_by IS NULL",
            ),
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
            Self::All | Self::InWork | Self::Tail => "o.seq DESC",
            Self::Index => "s.first_seq DESC, c.seq DESC",
        }
    }
}

/// What bounds a page beside its query.
struct Bounds {
    before: OrderSeq,
    /// The first order that may be young enough.
    first: OrderSeq,
    /// How far back the page looks where no index leads to what it wants.
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
        let looked_to = match &query.customer_id {
            Some(customer_id) if is_partial(query) => looked_to_of_customer(connection, customer_id, before)?,
            None if !is_led(query) => looked_to(connection, before)?,
            _ => 0,
        };
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
    let sources = match (&query.customer_id, query.status) {
        (Some(_), _) => &[Source::Tail, Source::Index][..],
        (None, Some((Status::Active, _))) => &[Source::InWork],
        _ => &[Source::All],
    };
    let direct = match &query.search {
        Some(search) => direct_hits(connection, search, query.limit)?,
        None => Vec::new(),
    };
    let mut orders = Vec::new();
    if query.before.is_none() {
        read_direct(connection, query, &direct, &mut orders)?;
    }
    let direct_count = orders.len();
    let page = Page { query, bounds: &bounds, direct: &direct };
    for source in sources {
        let left = query.limit - orders.len();
        if left > 0 {
            page.read(connection, &sql_of(query, *source), left, &mut orders)?;
        }
    }
    let next = match orders.get(direct_count..).and_then(<[_]>::last) {
        Some((order, _)) if orders.len() == query.limit => Some(order.seq),
        // Nothing was looked for beside those that the number and the id lead to.
        None if direct_count > 0 && direct_count == query.limit => Some(bounds.before.min(end(connection)?)),
        _ => bounds.next(),
    };
    Ok((orders, next))
}

/// The orders that the number, the id and its beginning lead to, by rising number. When more ids than a page or than
/// [`MAX_DIRECT`] begin so, only the number and the whole id count, and the others are listed by age.
fn direct_hits(connection: &Connection, search: &OrderSearch, limit: usize) -> rusqlite::Result<Vec<OrderSeq>> {
    let most = MAX_DIRECT.min(limit);
    let mut named = Vec::new();
    if let Some(number) = search.number().filter(|&number| i64::try_from(number).is_ok()) {
        let mut select = connection.prepare_cached("SELECT seq FROM orders WHERE seq = ?1")?;
        named.extend(select.query_row([number], |row| row.get::<_, OrderSeq>(0)).optional()?);
    }
    let mut begun = Vec::new();
    if let Some(prefix) = search.id_prefix() {
        let mut select = connection.prepare_cached("SELECT seq FROM orders WHERE id = ?1")?;
        named.extend(select.query_row([prefix], |row| row.get::<_, OrderSeq>(0)).optional()?);
        // Ids are ASCII, so that nothing which begins so is above the prefix with a letter beyond ASCII.
        let mut select =
            connection.prepare_cached("SELECT seq FROM orders WHERE id >= ?1 AND id < ?1 || '\u{10ffff}' LIMIT ?2")?;
        for seq in select.query_map(params![prefix, most + 1], |row| row.get(0))? {
            begun.push(seq?);
        }
    }
    let by_age = |mut found: Vec<OrderSeq>| {
        found.sort_unstable();
        found.dedup();
        found
    };
    let all = by_age([named.clone(), begun].concat());
    let fitting = [all, by_age(named)].into_iter().find(|found| found.len() <= most);
    Ok(fitting.unwrap_or_default())
}

fn read_direct(
    connection: &Connection,
    query: &OrderQuery,
    direct: &[OrderSeq],
    orders: &mut OrderRows,
) -> rusqlite::Result<()> {
    let sql = format!(
        "SELECT {ORDER_COLUMNS}, {DETAIL_COLUMNS} FROM orders o JOIN order_details d ON d.seq = o.seq WHERE o.seq = ?1"
    );
    let mut select = connection.prepare_cached(&sql)?;
    for seq in direct.iter().rev() {
        let row = select.query_row([seq], order_with_details)?;
        if query.matches(&row.0) {
            orders.push(row);
        }
    }
    Ok(())
}

/// What a page looks for.
struct Page<'a> {
    query: &'a OrderQuery,
    bounds: &'a Bounds,
    /// What the first page lists before all others.
    direct: &'a [OrderSeq],
}

impl Page<'_> {
    fn read(&self, connection: &Connection, sql: &str, limit: usize, orders: &mut OrderRows) -> rusqlite::Result<()> {
        let Self { query, bounds: Bounds { before, first, looked_to, first_segment }, .. } = self;
        let (from_ms, to_ms) = (query.from_ms.unwrap_or(i64::MIN), query.to_ms.unwrap_or(i64::MAX));
        let customer_id = query.customer_id.as_deref();
        // SQLite does not know what a search finds.
        let most_rows = if query.search.is_some() { i64::MAX } else { i64::try_from(limit).unwrap_or(i64::MAX) };
        let parameters = (before, most_rows, customer_id, looked_to, from_ms, to_ms, first, first_segment);
        let mut select = connection.prepare_cached(sql)?;
        let mut rows = select.query(parameters)?;
        let enough = orders.len() + limit;
        while let Some(row) = rows.next()? {
            if self.may_be_found(row)? {
                let found = order_with_details(row)?;
                if self.is_found(&found) {
                    orders.push(found);
                }
            }
            if orders.len() == enough {
                break;
            }
        }
        Ok(())
    }

    /// The quick look, by a few columns.
    fn may_be_found(&self, row: &Row<'_>) -> rusqlite::Result<bool> {
        let Some(search) = &self.query.search else { return Ok(true) };
        let text = |at: usize| Ok::<_, rusqlite::Error>(row.get_ref(at)?.as_str()?);
        Ok(search.may_find(row.get(0)?, text(1)?, text(ORDER_COLUMN_COUNT)?, text(ORDER_COLUMN_COUNT + LINES_COLUMN)?))
    }

    fn is_found(&self, (order, details): &(Order, Details)) -> bool {
        let Some(search) = &self.query.search else { return true };
        self.direct.binary_search(&order.seq).is_err() && search.finds(order, details)
    }
}

/// Whether only some of the orders are wanted to which the customer leads.
fn is_partial(query: &OrderQuery) -> bool {
    query.status.is_some()
        || query.priority.is_some()
        || query.from_ms.is_some()
        || query.to_ms.is_some()
        || query.search.is_some()
}

/// Whether each order that is looked at is wanted, or few are looked at: without a filter, by the index of the statuses
/// that few orders are in, or among those in work.
fn is_led(query: &OrderQuery) -> bool {
    use Status::{Completed, Fulfilled, PartiallyFulfilled, Pending};
    let is_active = query.status.is_some_and(|(status, _)| status == Status::Active);
    let is_frequent =
        query.status.is_some_and(|(status, _)| matches!(status, Pending | Completed | PartiallyFulfilled | Fulfilled));
    let has_more =
        query.priority.is_some() || query.from_ms.is_some() || query.to_ms.is_some() || query.search.is_some();
    is_active || !(is_frequent || has_more)
}

/// Whether a page looks back only so far.
fn is_bounded(query: &OrderQuery) -> bool {
    if query.customer_id.is_some() { is_partial(query) } else { !is_led(query) }
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
        conditions.push_str(&format!(" AND o.priority = {}", priority.number()));
    }
    if is_bounded(query) {
        // Through the index of customers it must end where the index is read, not where the order is.
        let bound = if matches!(source, Source::Index) { "c.seq" } else { "o.seq" };
        conditions.push_str(&format!(" AND {bound} >= ?4"));
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

/// What was accepted at a time or later, up to a number, by rising currency.
pub(crate) fn sum_orders(connection: &Connection, from_ms: i64, last: OrderSeq) -> rusqlite::Result<Vec<OrderSum>> {
    let first = seq_at(connection, from_ms.saturating_sub(CLOCK_SLACK_MS))?;
    let sql = "SELECT currency, count(*), sum(amount) FROM orders \
               WHERE seq >= ?1 AND seq <= ?2 AND accepted_at_ms >= ?3 GROUP BY currency";
    let sum =
        |row: &Row<'_>| Ok(OrderSum { currency: rows::currency(row, 0)?, orders: row.get(1)?, amount: row.get(2)? });
    let mut sums: Vec<OrderSum> =
        connection.prepare_cached(sql)?.query_map((first, last, from_ms), sum)?.collect::<rusqlite::Result<_>>()?;
    sums.sort_unstable_by_key(|sum| sum.currency);
    Ok(sums)
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

/// How far back a page looks that no index leads. Numbers have few gaps.
fn looked_to(connection: &Connection, before: OrderSeq) -> rusqlite::Result<OrderSeq> {
    Ok(before.min(end(connection)?).saturating_sub(MAX_LOOKED_THROUGH))
}

/// The number after the last one.
fn end(connection: &Connection) -> rusqlite::Result<OrderSeq> {
    let last: Option<OrderSeq> =
        connection.prepare_cached("SELECT max(seq) FROM orders")?.query_row([], |row| row.get(0))?;
    Ok(last.unwrap_or(0) + 1)
}

/// How far back a page looks into the orders of a customer that are in the index.
fn looked_to_of_customer(connection: &Connection, customer_id: &str, before: OrderSeq) -> rusqlite::Result<OrderSeq> {
    let sql = "SELECT c.seq FROM customer_segments s CROSS JOIN customer_orders c ON c.segment = s.first_seq \
               WHERE s.first_seq < ?1 AND c.customer_id = ?2 AND c.seq < ?1 \
               ORDER BY s.first_seq DESC, c.seq DESC LIMIT 1 OFFSET ?3";
    let mut select = connection.prepare_cached(sql)?;
    let last = select.query_row((before, customer_id, MAX_OF_CUSTOMER - 1), |row| row.get(0)).optional()?;
    Ok(last.unwrap_or(0))
}

#[cfg(test)]
#[path = "lists_tests.rs"]
mod tests;
