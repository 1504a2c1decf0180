//! The writer: one connection, one batch at a time.
//!
//! Statements run once a row: inside SQLite a prepared statement on one key costs what a row of a set would,
//! and the set-wise form of [`Keys`] and [`Writes`] is kept for stores where it matters.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ordercast_domain::order::OrderSeq;
use ordercast_domain::pause::Parked;
use ordercast_protocol::channel::Log;
use ordercast_protocol::position::Epoch;
use ordercast_store::StoreError;
use ordercast_store::clock::{StampClock, wall_now_ms};
use ordercast_store::write::{
    CommitFuture, CommitOutcome, Committed, Decider, LogRange, Trim, Trimmed, WriteStore, Writes,
};
use rusqlite::Connection;

use crate::cache::PageCache;
use crate::checkpoint::Checkpointer;
use crate::customers::CustomerIndex;
use crate::events::{self, Extents};
use crate::in_work::OrdersInWork;
use crate::life::{self, Life};
use crate::load::{self, Known};
use crate::lock::DatabaseLock;
use crate::options::SqliteOptions;
use crate::ready::ReadyOrders;
use crate::retention;
use crate::rows::{self, order_params, queue_of};
use crate::wal::{self, WalBound};
use crate::{failed, is_busy};

/// Reports of workers are kept for so many tokens of an order, beside the last.
const KEPT_TOKENS: u32 = 16;

/// How often steady time is written.
const CLOCK_INTERVAL: Duration = Duration::from_secs(1);

/// The write half of a SQLite store.
pub struct SqliteWriter {
    connection: Connection,
    epoch: Epoch,
    logs: Extents,
    next_seq: OrderSeq,
    wal: WalBound,
    cache: PageCache,
    has_products: bool,
    customers: CustomerIndex,
    ready: ReadyOrders,
    in_work: OrdersInWork,
    life: Life,
    /// Every token that is handed out is above it.
    token_floor: u32,
    /// The stored times.
    stamps: StampClock,
    /// Steady time of the last batch, and when it was last written.
    steady_ms: i64,
    clock_written_at: Option<Instant>,
    /// Set by the first failed write; nothing is written after it.
    broken: Option<StoreError>,
    /// Keeps other processes away for as long as either half lives.
    _lock: Arc<DatabaseLock>,
}

impl SqliteWriter {
    pub(crate) fn new(
        connection: Connection,
        (epoch, life): (Epoch, Life),
        options: &SqliteOptions,
        lock: Arc<DatabaseLock>,
    ) -> Result<Self, StoreError> {
        let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u64>(0)).map_err(|e| failed(&e));
        let next_seq = number("SELECT coalesce(max(seq), 0) + 1 FROM orders")?;
        let has_products = number("SELECT count(*) FROM (SELECT 1 FROM products LIMIT 1)")? > 0;
        let customers = CustomerIndex::read(&connection, options.customer_tail, options.customer_segment);
        let customers = customers.map_err(|e| failed(&e))?;
        let token_floor = life::token_floor(&connection).map_err(|e| failed(&e))?;
        let stamps = StampClock::new(last_stamp_ms(&connection).map_err(|e| failed(&e))?);
        let steady_ms = connection.query_row("SELECT steady_ms FROM clock", [], |row| row.get(0));
        let steady_ms = steady_ms.map_err(|e| failed(&e))?;
        let logs = events::extents(&connection).map_err(|e| failed(&e))?;
        let cache = PageCache::new(&connection, options.cache_kib).map_err(|e| failed(&e))?;
        Ok(Self {
            connection,
            cache,
            epoch,
            logs,
            next_seq,
            wal: WalBound::new(options.wal_kib, Checkpointer::start(&lock.path)?),
            has_products,
            customers,
            ready: ReadyOrders::new(options.ready),
            in_work: OrdersInWork::default(),
            life,
            token_floor,
            stamps,
            steady_ms,
            clock_written_at: None,
            broken: None,
            _lock: lock,
        })
    }

    fn commit_now(&mut self, batch: &mut dyn Decider) -> CommitOutcome {
        if let Some(error) = &self.broken {
            return CommitOutcome::Fatal(error.clone());
        }
        match self.try_commit(batch) {
            Ok(committed) => CommitOutcome::Committed(committed),
            // No transaction had begun: nothing was written, and nothing is unknown.
            Err(error) if is_busy(&error) && self.connection.is_autocommit() => {
                CommitOutcome::Unavailable("another program has the database locked".to_owned())
            }
            Err(error) => {
                // Whether the failed write reached the disk is unknown; what counts is that nothing follows it.
                let error = failed(&error);
                self.broken = Some(error.clone());
                CommitOutcome::Fatal(error)
            }
        }
    }

    fn try_commit(&mut self, batch: &mut dyn Decider) -> rusqlite::Result<Committed> {
        let wal = self.wal.hold(&self.connection)?;
        if wal.has_copied {
            self.cache.fit(&self.connection)?;
        }
        if self.customers.is_due(self.next_seq) {
            self.customers.fill(&mut self.connection, self.next_seq)?;
        }
        let wall_ms = wall_now_ms();
        let now_ms = self.stamps.read(wall_ms, Instant::now());
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let known = Known {
            has_products: self.has_products,
            next_seq: self.next_seq,
            token_floor: self.token_floor,
            wall_ms,
            ready: &mut self.ready,
            in_work: &mut self.in_work,
        };
        let keys = batch.keys();
        let set = load::load(&self.connection, &keys, known)?;
        let writes = batch.decide(set, now_ms);
        let cuts = self.cuts(&writes.trims)?;
        if writes.is_empty() && cuts.is_empty() {
            self.connection.prepare_cached("ROLLBACK")?.execute([])?;
            return Ok(Committed { journal_bytes: wal.bytes, journal_is_over: wal.is_over, ..Committed::default() });
        }
        self.write_orders(&writes)?;
        self.write_products(&writes)?;
        self.write_steps(&writes)?;
        self.write_leases(&writes)?;
        self.write_reports(&writes)?;
        self.write_clock(keys.steady_ms)?;
        self.write_pauses(&writes)?;
        let mut logs = events::append(&self.connection, &self.logs, &writes.events, now_ms)?;
        retention::remove(&self.connection, &cuts, &mut logs)?;
        let started = Instant::now();
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        let sync_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        // In memory only after the commit: a batch that failed has counted nothing.
        let before = std::mem::replace(&mut self.logs, logs);
        self.ready.follow(&writes);
        self.in_work.follow(&writes);
        self.next_seq += writes.new_orders.len() as u64;
        self.has_products |= !writes.products.is_empty();
        let heads = self.logs;
        self.life.note(|| heads.iter().map(|extent| extent.head).sum());
        let range = |log: Log| {
            let (before, head) = (before[log.index()].head, self.logs[log.index()].head);
            let range = LogRange { log, epoch: self.epoch.clone(), first: before + 1, count: head - before };
            (head > before).then_some(range)
        };
        Ok(Committed {
            logs: Log::ALL.into_iter().filter_map(range).collect(),
            trimmed: cuts,
            sync_us,
            journal_bytes: wal.bytes,
            journal_is_over: wal.is_over,
        })
    }

    fn cuts(&self, trims: &[Trim]) -> rusqlite::Result<Vec<Trimmed>> {
        let cut = |trim: &Trim| retention::cut(&self.connection, self.logs[trim.log.index()], trim).transpose();
        trims.iter().filter_map(cut).collect()
    }

    fn write_orders(&self, writes: &Writes) -> rusqlite::Result<()> {
        if !writes.new_orders.is_empty() {
            let connection = &self.connection;
            let mut order = connection.prepare_cached(
                "INSERT INTO orders VALUES \
                 (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24,?25,?26,?27,?28,?29,?30)",
            )?;
            let mut details = connection.prepare_cached("INSERT INTO order_details VALUES (?1,?2,?3,?4,?5,?6,?7)")?;
            for insert in &writes.new_orders {
                order_params(&insert.order, |params| order.execute(params))?;
                let lines = rows::lines_json(&insert.details.lines)?;
                let row = &insert.details;
                let charges = rows::charges_json(&row.charges)?;
                let (customer, address, notes, reason) = (&row.customer, &row.address, &row.notes, &row.price_override);
                details.execute((insert.order.seq, customer, address, notes, &lines, &charges, reason))?;
            }
        }
        if !writes.keys.is_empty() {
            let mut insert = self.connection.prepare_cached("INSERT INTO idempotency VALUES (?1, ?2)")?;
            for (key, seq) in &writes.keys {
                insert.execute((&**key, seq))?;
            }
        }
        if !writes.changed_orders.is_empty() {
            let mut update = self.connection.prepare_cached(
                "UPDATE orders SET status = ?2, queue = ?3, version = ?4, token = ?5, attempts = ?6, sort_key = ?7, \
                 updated_at_ms = ?8, worker = ?9, started_at_ms = ?10, duration_ms = ?11, due_at_ms = ?12, lease = ?13, \
                 cancel_requested = ?14, last_error = ?15, refunded = ?16, parked_by = ?17, steady_due_ms = ?18 WHERE seq = ?1",
            )?;
            for order in &writes.changed_orders {
                update.execute(rusqlite::params![
                    order.seq,
                    order.status.name(),
                    queue_of(order),
                    order.version,
                    order.token,
                    order.attempts,
                    order.sort_key,
                    order.updated_at_ms,
                    order.worker.as_deref(),
                    order.started_at_ms,
                    order.duration_ms,
                    order.due_at_ms,
                    order.lease.as_deref(),
                    order.cancel_requested,
                    order.last_error.as_deref(),
                    order.refunded,
                    order.parked_by.as_ref().map(Parked::name),
                    order.steady_due_ms,
                ])?;
            }
        }
        Ok(())
    }

    fn write_products(&self, writes: &Writes) -> rusqlite::Result<()> {
        if !writes.products.is_empty() {
            let mut upsert = self.connection.prepare_cached(
                "INSERT INTO products VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (sku) DO UPDATE SET \
                 name = ?2, price = ?3, currency = ?4, stock = ?5, reserved = ?6",
            )?;
            for product in &writes.products {
                let (sku, currency) = (&*product.sku, product.currency.code());
                upsert.execute((sku, &product.name, product.price, currency, product.stock, product.reserved))?;
            }
        }
        if !writes.adjustments.is_empty() {
            let mut insert = self.connection.prepare_cached(
                "INSERT INTO adjustments (id, kind, amount, rounding, currency, customer_id, lines, notes, \
                 placed_at_ms, created_at_ms, digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?;
            for row in &writes.adjustments {
                insert.execute(rusqlite::params![
                    &*row.id,
                    row.kind.name(),
                    row.amount,
                    row.rounding,
                    row.currency.code(),
                    row.customer_id.as_deref(),
                    rows::adjustment_lines_json(&row.lines)?,
                    row.notes,
                    row.placed_at_ms,
                    row.created_at_ms,
                    &row.digest[..],
                ])?;
            }
        }
        Ok(())
    }
}

impl SqliteWriter {
    /// What steps leave behind beside the order's row: keys, units, money.
    fn write_steps(&self, writes: &Writes) -> rusqlite::Result<()> {
        if !writes.action_keys.is_empty() {
            let mut insert = self.connection.prepare_cached("INSERT INTO action_keys VALUES (?1, ?2, ?3)")?;
            for (key, record) in &writes.action_keys {
                insert.execute((&**key, record.seq, &record.digest[..]))?;
            }
        }
        if !writes.moves.is_empty() {
            let sql = "INSERT INTO line_moves VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let mut insert = self.connection.prepare_cached(sql)?;
            for row in &writes.moves {
                insert.execute((row.seq, row.version, row.line, row.kind.name(), row.quantity, row.at_ms))?;
            }
        }
        if !writes.ledger.is_empty() {
            let sql = "INSERT INTO ledger VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let mut insert = self.connection.prepare_cached(sql)?;
            for row in &writes.ledger {
                let (kind, reason) = (row.kind.name(), row.reason.as_deref());
                insert.execute((row.seq, row.version, kind, row.amount, &row.actor, reason, row.at_ms))?;
            }
        }
        Ok(())
    }

    fn write_pauses(&self, writes: &Writes) -> rusqlite::Result<()> {
        for row in &writes.pauses {
            let sql = "INSERT OR REPLACE INTO pauses VALUES (?1, ?2, ?3, ?4, ?5)";
            let (scope, reason) = (row.scope.name(), row.reason.as_deref());
            self.connection.prepare_cached(sql)?.execute((scope, row.since_ms, &row.actor, reason, row.is_ending))?;
        }
        for scope in &writes.ended_pauses {
            self.connection.prepare_cached("DELETE FROM pauses WHERE scope = ?1")?.execute([scope.name()])?;
        }
        Ok(())
    }

    fn write_leases(&self, writes: &Writes) -> rusqlite::Result<()> {
        if !writes.leases.is_empty() {
            let mut upsert = self.connection.prepare_cached(
                "INSERT INTO leases VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO UPDATE SET expires_at_ms = ?3, ttl_ms = ?4",
            )?;
            for lease in &writes.leases {
                upsert.execute((&*lease.id, &*lease.worker, lease.expires_at_ms, lease.ttl_ms))?;
            }
        }
        if !writes.ended_leases.is_empty() {
            let mut delete = self.connection.prepare_cached("DELETE FROM leases WHERE id = ?1")?;
            for id in &writes.ended_leases {
                delete.execute([&**id])?;
            }
        }
        Ok(())
    }
}

impl SqliteWriter {
    /// Steady time goes along with a commit now and then: what passes between the last time and the end of the process
    /// passes once more, which makes waits longer and never shorter.
    fn write_clock(&mut self, steady_ms: i64) -> rusqlite::Result<()> {
        self.steady_ms = self.steady_ms.max(steady_ms);
        if self.clock_written_at.is_none_or(|written_at| written_at.elapsed() >= CLOCK_INTERVAL) {
            self.connection.prepare_cached("UPDATE clock SET steady_ms = ?1")?.execute([self.steady_ms])?;
            self.clock_written_at = Some(Instant::now());
        }
        Ok(())
    }

    fn write_reports(&self, writes: &Writes) -> rusqlite::Result<()> {
        for report in &writes.reports {
            let insert = "INSERT OR REPLACE INTO reports VALUES (?1, ?2, ?3, ?4)";
            let (seq, token) = (report.seq, report.token);
            let row = (seq, token, &*report.lease, report.outcome.name());
            self.connection.prepare_cached(insert)?.execute(row)?;
            let delete = "DELETE FROM reports WHERE order_seq = ?1 AND token <= ?2";
            self.connection.prepare_cached(delete)?.execute((seq, token.saturating_sub(KEPT_TOKENS)))?;
        }
        Ok(())
    }
}

impl WriteStore for SqliteWriter {
    fn commit<'a>(&'a mut self, batch: &'a mut dyn Decider) -> CommitFuture<'a> {
        Box::pin(async move { self.commit_now(batch) })
    }
}

/// The latest stored time.
fn last_stamp_ms(connection: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT max(coalesce((SELECT accepted_at_ms FROM orders ORDER BY seq DESC LIMIT 1), 0), \
               coalesce((SELECT at_ms FROM events ORDER BY position DESC LIMIT 1), 0))";
    connection.query_row(sql, [], |row| row.get(0))
}

/// A clean stop is counted, and leaves an empty WAL; [`leave`](crate::leave) takes its file away.
impl Drop for SqliteWriter {
    fn drop(&mut self) {
        if self.broken.is_some() {
            return;
        }
        // Of no consequence when it fails: waits are longer then.
        let _ = self.connection.execute("UPDATE clock SET steady_ms = ?1", [self.steady_ms]);
        if let Err(error) = self.life.end(&mut self.connection).and_then(|()| wal::settle(&self.connection)) {
            tracing::warn!(%error, "the database was not left tidily; the next start does it");
        }
    }
}
