//! Pages of logs and of views, in both directions.

use std::ops::Range;

use bytes::Bytes;
use ordercast_protocol::channel::{Log, View};
use ordercast_protocol::position::Epoch;
use ordercast_protocol::topic::{Topic, Topics};
use ordercast_store::StoreError;
use ordercast_store::log::{LogPage, LogState, PageLimit, PageQuery, Start, StoredEvent};
use rusqlite::{Connection, Row, ToSql};

use crate::customers::ORDERS_OF_CUSTOMER;
use crate::topics::{self, Place};
use crate::{RUN_BITS, log_number, offset_of, position, table};

/// Runs of offsets whose index is looked into for one page, found or not: about a millisecond.
const MAX_RUNS_A_PAGE: u64 = 512;

/// Events that are looked through for those of a customer, rather than asked for by all of his orders: who was away
/// for a moment missed a few, whatever he ordered before.
const FEW_EVENTS: u64 = 256;
/// Events that are looked through for one page of a customer's, found or not: about 10 ms.
const MAX_SCANNED_EVENTS: u64 = 10_000;
/// About how many events an order has.
const EVENTS_AN_ORDER: u64 = 3;

/// A log as the connection sees it now.
pub(crate) fn log_state(connection: &Connection, log: Log, epoch: &Epoch) -> rusqlite::Result<LogState> {
    connection.prepare_cached("SELECT head, floor FROM logs WHERE id = ?1")?.query_row([log_number(log)], |row| {
        Ok(LogState { log, epoch: epoch.clone(), head: row.get(0)?, floor: row.get(1)? })
    })
}

/// Reads a page. The state of the log and its rows are of one instant, so that a page never begins below a floor
/// that it does not tell.
pub(crate) fn read_page(
    connection: &mut Connection,
    epoch: &Epoch,
    query: &PageQuery,
) -> rusqlite::Result<Result<LogPage, StoreError>> {
    let transaction = connection.transaction()?;
    let state = log_state(&transaction, query.log, epoch)?;
    let span = Span::of(&state, query.start);
    let (from, to) = span.positions(query.log);
    let mut page = Page::new(query);
    let read_to = match &query.view {
        View::All => {
            page.read(&transaction, &sql_of_log(query, span), from, to, &[])?;
            None
        }
        View::Topic(Topic { kind, id }) => match topics::place(query.log, *kind) {
            Place::Publication => {
                read_runs(&transaction, &sql_of_channel(query, span), span, &mut page, &[(3, &&**id)])?
            }
            Place::Index => {
                let topic: [(usize, &dyn ToSql); 2] = [(3, &&**id), (6, &kind.name())];
                read_runs(&transaction, &sql_of_topic(query, span), span, &mut page, &topic)?
            }
            Place::OrdersOfCustomer if is_scanned(&transaction, id, query, span)? => {
                let part = span.first(MAX_SCANNED_EVENTS);
                let (from, to) = part.positions(query.log);
                page.read(&transaction, &sql_of_orders(query, Lead::Log, span), from, to, &[(3, &&**id)])?;
                Some(part.end())
            }
            Place::OrdersOfCustomer => {
                page.read(&transaction, &sql_of_orders(query, Lead::Customer, span), from, to, &[(3, &&**id)])?;
                None
            }
            Place::Order => {
                page.read(&transaction, &sql_of_orders(query, Lead::Order, span), from, to, &[(3, &&**id)])?;
                None
            }
        },
    };
    Ok(page.end(state, read_to.unwrap_or(span.end())))
}

/// The offsets that a page may have: above `low`, up to `high`.
#[derive(Clone, Copy)]
struct Span {
    low: u64,
    high: u64,
    newest_first: bool,
}

impl Span {
    fn of(state: &LogState, start: Start) -> Self {
        match start {
            Start::After(after) => Self { low: after.max(state.floor), high: state.head, newest_first: false },
            Start::Before(before) => {
                Self { low: state.floor, high: state.head.min(before.saturating_sub(1)), newest_first: true }
            }
        }
    }

    /// The first of them, up to a number, in the order they are read.
    fn first(self, most: u64) -> Self {
        match self.newest_first {
            true => Self { low: self.low.max(self.high.saturating_sub(most)), ..self },
            false => Self { high: self.high.min(self.low.saturating_add(most)), ..self },
        }
    }

    fn positions(self, log: Log) -> (i64, i64) {
        (position(log, self.low), position(log, self.high))
    }

    fn direction(self) -> &'static str {
        if self.newest_first { "DESC" } else { "ASC" }
    }

    /// How far a page got that has found everything.
    fn end(self) -> u64 {
        if self.newest_first { self.low + 1 } else { self.high }
    }

    /// The runs of offsets it touches, in the order they are to be read.
    fn runs(self) -> impl Iterator<Item = u64> {
        let range: Range<u64> =
            if self.low < self.high { (self.low + 1) >> RUN_BITS..(self.high >> RUN_BITS) + 1 } else { 0..0 };
        let count = range.end - range.start;
        (0..count).map(move |step| if self.newest_first { range.end - 1 - step } else { range.start + step })
    }
}

fn sql_of_log(query: &PageQuery, span: Span) -> String {
    let (table, direction) = (table(query.log), span.direction());
    let (topics, join) = if query.with_topics { topics::columns(query.log) } else { ("", "") };
    format!(
        "SELECT e.position, e.at_ms, e.checksum, e.body{topics} FROM {table} e{join} \
         WHERE e.position > ?1 AND e.position <= ?2 ORDER BY e.position {direction} LIMIT ?4"
    )
}

/// Whether a page of a customer's events is found by looking through the log, or through all orders of the customer.
///
/// Each page that goes through the orders looks at all of them, so a reader of the whole view takes as many steps as the
/// square of their number by the events of a page; one that looks through the log takes as many as it has events. The
/// smaller is chosen for what is left to read, so that reading a view never takes longer than reading its log.
fn is_scanned(connection: &Connection, customer_id: &str, query: &PageQuery, span: Span) -> rusqlite::Result<bool> {
    let left = span.high.saturating_sub(span.low);
    if left <= FEW_EVENTS {
        return Ok(true);
    }
    let most = (left.saturating_mul(query.limit.events.max(1) as u64) / EVENTS_AN_ORDER).isqrt();
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM ({ORDERS_OF_CUSTOMER}) LIMIT ?1 + 1)");
    let mut select = connection.prepare_cached(&sql)?;
    select.raw_bind_parameter(1, most)?;
    select.raw_bind_parameter(3, customer_id)?;
    let mut rows = select.raw_query();
    let orders: u64 = rows.next()?.map_or(Ok(0), |row| row.get(0))?;
    Ok(orders > most)
}

/// What leads to the events of orders.
#[derive(Clone, Copy)]
enum Lead {
    /// The log, which is looked through for the orders of a customer.
    Log,
    /// The index of the customer's orders.
    Customer,
    /// The id of the order.
    Order,
}

fn sql_of_orders(query: &PageQuery, lead: Lead, span: Span) -> String {
    let direction = span.direction();
    let topics = if query.with_topics { topics::ORDER_COLUMNS } else { "" };
    // CROSS JOIN keeps SQLite to this order. By itself it would look through all events, as they are in their order.
    let (tables, condition) = match lead {
        Lead::Log => ("events e CROSS JOIN orders o ON o.seq = e.order_seq".to_owned(), "o.customer_id = ?3 AND"),
        Lead::Customer => (
            format!(
                "({ORDERS_OF_CUSTOMER}) c CROSS JOIN orders o ON o.seq = c.seq CROSS JOIN events e ON e.order_seq = o.seq"
            ),
            "",
        ),
        Lead::Order => ("orders o CROSS JOIN events e ON e.order_seq = o.seq".to_owned(), "o.id = ?3 AND"),
    };
    format!(
        "SELECT e.position, e.at_ms, e.checksum, e.body{topics} FROM {tables} \
         WHERE {condition} e.position > ?1 AND e.position <= ?2 ORDER BY e.position {direction} LIMIT ?4"
    )
}

/// The publications into a channel of one run.
fn sql_of_channel(query: &PageQuery, span: Span) -> String {
    let topics = if query.with_topics { topics::columns(Log::Publications).0 } else { "" };
    format!(
        "SELECT e.position, e.at_ms, e.checksum, e.body{topics} FROM publications e \
         WHERE e.position >> {RUN_BITS} = ?5 AND e.channel = ?3 AND e.position > ?1 AND e.position <= ?2 \
         ORDER BY e.position {} LIMIT ?4",
        span.direction()
    )
}

/// The events of one run that the index of topics finds.
fn sql_of_topic(query: &PageQuery, span: Span) -> String {
    let (topics, join) = if query.with_topics { topics::columns(query.log) } else { ("", "") };
    format!(
        "SELECT e.position, e.at_ms, e.checksum, e.body{topics} \
         FROM event_topics t CROSS JOIN {} e ON e.position = t.position{join} \
         WHERE t.position >> {RUN_BITS} = ?5 AND t.kind = ?6 AND t.id = ?3 AND t.position > ?1 AND t.position <= ?2 \
         ORDER BY t.position {} LIMIT ?4",
        table(query.log),
        span.direction()
    )
}

/// Reads run after run until the page is full; gives how far it got when that is not all. What is looked up in each run is
/// in `more`.
fn read_runs(
    connection: &Connection,
    sql: &str,
    span: Span,
    page: &mut Page<'_>,
    more: &[(usize, &dyn ToSql)],
) -> rusqlite::Result<Option<u64>> {
    let (from, to) = span.positions(page.query.log);
    let first_run = position(page.query.log, 0) >> RUN_BITS;
    for (run, looked_into) in span.runs().zip(1..) {
        let number = first_run | run.cast_signed();
        page.read(connection, sql, from, to, &[more, &[(5, &number)]].concat())?;
        if page.is_full {
            return Ok(None);
        }
        if looked_into == MAX_RUNS_A_PAGE {
            let first = run << RUN_BITS;
            let last = first + (1 << RUN_BITS) - 1;
            return Ok(Some(if span.newest_first { first.max(span.low + 1) } else { last.min(span.high) }));
        }
    }
    Ok(None)
}

/// A page while it is read. All bodies lie in one buffer.
struct Page<'a> {
    query: &'a PageQuery,
    events: Vec<(StoredEvent, Range<usize>)>,
    bodies: Vec<u8>,
    is_full: bool,
    damage: Option<StoreError>,
}

impl<'a> Page<'a> {
    fn new(query: &'a PageQuery) -> Self {
        Self { query, events: Vec::new(), bodies: Vec::new(), is_full: false, damage: None }
    }

    /// Adds the rows of a statement until the page is full. Its parameters are the span (1, 2), `more` and the
    /// most rows (4).
    fn read(
        &mut self,
        connection: &Connection,
        sql: &str,
        from: i64,
        to: i64,
        more: &[(usize, &dyn ToSql)],
    ) -> rusqlite::Result<()> {
        let PageLimit { events, bytes } = self.query.limit;
        let events = events.max(1);
        let mut select = connection.prepare_cached(sql)?;
        select.raw_bind_parameter(1, from)?;
        select.raw_bind_parameter(2, to)?;
        // One more, to see whether there is more.
        select.raw_bind_parameter(4, events - self.events.len() + 1)?;
        for (index, value) in more {
            select.raw_bind_parameter(*index, value)?;
        }
        let mut rows = select.raw_query();
        while let Some(row) = rows.next()?
            && self.damage.is_none()
        {
            let body = row.get_ref(3)?.as_bytes()?;
            self.is_full = self.events.len() >= events || self.bodies.len() + body.len() > bytes;
            if self.is_full && !self.events.is_empty() {
                return Ok(());
            }
            self.is_full = false;
            self.add(connection, row, body)?;
        }
        Ok(())
    }

    fn add(&mut self, connection: &Connection, row: &Row<'_>, body: &[u8]) -> rusqlite::Result<()> {
        let position = row.get(0)?;
        let offset = offset_of(position);
        if crc32fast::hash(body) != row.get::<_, u32>(2)? {
            self.damage = Some(StoreError::DamagedEvent { log: self.query.log.name(), offset });
            // What was found before it is a page that ends there.
            self.is_full = true;
            return Ok(());
        }
        let from = self.bodies.len();
        self.bodies.extend_from_slice(body);
        let topics = match self.query.with_topics {
            true => topics::read(connection, row, 4, (self.query.log, position))?,
            false => Topics::default(),
        };
        let event = StoredEvent { offset, at_ms: row.get(1)?, body: Bytes::new(), topics };
        self.events.push((event, from..self.bodies.len()));
        Ok(())
    }

    /// The page, which ends at its last event when it is full and at `end` when it is not.
    fn end(self, state: LogState, end: u64) -> Result<LogPage, StoreError> {
        if let Some(damage) = self.damage.filter(|_| self.events.is_empty()) {
            return Err(damage);
        }
        let last = self.events.last().map(|(event, _)| event.offset);
        let bodies = Bytes::from(self.bodies);
        let whole = |(event, body): (StoredEvent, Range<usize>)| StoredEvent { body: bodies.slice(body), ..event };
        let events = self.events.into_iter().map(whole).collect();
        Ok(LogPage { events, read_to: last.filter(|_| self.is_full).unwrap_or(end), state })
    }
}

#[cfg(test)]
#[path = "pages_tests.rs"]
mod tests;
