//! The writer: one connection, one batch at a time.
//!
//! Each aggregate of [`Keys`] and [`Writes`] has its file in `writer/`, with what it loads and what it writes; events are
//! appended by [`events`] and removed by [`retention`].
//!
//! Statements run once a row: inside SQLite a prepared statement on one key costs what a row of a set would,
//! and the set-wise form of [`Keys`] and [`Writes`] is kept for stores where it matters.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ordercast_domain::decide::WorkingSet;
use ordercast_domain::order::OrderSeq;
use ordercast_protocol::channel::Log;
use ordercast_protocol::position::Epoch;
use ordercast_store::StoreError;
use ordercast_store::clock::{StampClock, wall_now_ms};
use ordercast_store::write::{
    BatchId, CommitFuture, CommitOutcome, Committed, Decider, Keys, LogRange, Outlook, OutlookDepth, OutlookFuture,
    RecentBatches, ResolveFuture, Trim, Trimmed, WriteStore, Writes,
};
use rusqlite::Connection;

use crate::cache::PageCache;
use crate::checkpoint::Checkpointer;
use crate::customers::CustomerIndex;
use crate::events::{self, Extents};
use crate::life::{self, Life};
use crate::lock::DatabaseLock;
use crate::options::SqliteOptions;
use crate::wal::{self, WalBound};
use crate::{failed, is_busy};
use crate::{redaction, retention};

mod catalogue;
mod consumers;
mod money;
mod orders;
mod outlook;
mod queue;
mod work;

use outlook::Looked;
use queue::Queue;

/// When a locked database is worth trying again.
const RETRY_AFTER: Duration = Duration::from_millis(100);

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
    /// What is to be done next, but for what is counted.
    outlook: Outlook,
    /// Whether the outlook could not be read after the last batch.
    is_outlook_stale: bool,
    batches: RecentBatches,
    customers: CustomerIndex,
    queue: Queue,
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
        let outlook = outlook::read(&connection).map_err(|e| failed(&e))?;
        let outlook = Outlook { has_products, ..outlook };
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
            outlook,
            is_outlook_stale: false,
            batches: RecentBatches::default(),
            customers,
            queue: Queue::new(options.ready),
            life,
            token_floor,
            stamps,
            steady_ms,
            clock_written_at: None,
            broken: None,
            _lock: lock,
        })
    }

    fn commit_now(&mut self, id: BatchId, batch: &mut dyn Decider) -> CommitOutcome {
        if let Some(error) = &self.broken {
            return CommitOutcome::Fatal(error.clone());
        }
        if self.batches.is_taken(id) {
            let reason = "the batch was barred, or committed before".to_owned();
            return CommitOutcome::Unavailable { reason, retry_after: RETRY_AFTER };
        }
        match self.try_commit(batch) {
            Ok(committed) => {
                self.batches.note(id, &committed);
                CommitOutcome::Committed(committed)
            }
            // No transaction had begun: nothing was written, and nothing is unknown.
            Err(error) if is_busy(&error) && self.connection.is_autocommit() => {
                let reason = "another program has the database locked".to_owned();
                CommitOutcome::Unavailable { reason, retry_after: RETRY_AFTER }
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
        let keys = batch.keys();
        let set = self.load(&keys, wall_ms)?;
        let looked = Looked::new(&keys, &set);
        let writes = batch.decide(set, now_ms);
        let cuts = self.cuts(&writes.logs.trims)?;
        if writes.is_empty() && cuts.is_empty() {
            self.connection.prepare_cached("ROLLBACK")?.execute([])?;
            let outlook = self.follow(looked, &writes, keys.outlook);
            let (journal_bytes, journal_is_over) = (wal.bytes, wal.is_over);
            return Ok(Committed { outlook, journal_bytes, journal_is_over, ..Committed::default() });
        }
        writes.logs.check();
        self.write(&writes)?;
        redaction::redact(&self.connection, &self.logs, &writes.logs.redactions)?;
        self.write_clock(keys.steady_ms)?;
        let mut logs = events::append(&self.connection, &self.logs, &writes.logs.events, now_ms)?;
        retention::remove(&self.connection, &cuts, &mut logs)?;
        let started = Instant::now();
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        let sync_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        // In memory only after the commit: a batch that failed has counted nothing.
        let before = std::mem::replace(&mut self.logs, logs);
        self.next_seq += writes.orders.new.len() as u64;
        let outlook = self.follow(looked, &writes, keys.outlook);
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
            outlook,
            sync_us,
            journal_bytes: wal.bytes,
            journal_is_over: wal.is_over,
        })
    }

    /// Follows what a batch has found and written; gives the outlook after it. The batch is durable by now, so a failure here
    /// must not look like one of the commit: the batch would be committed a second time.
    fn follow(&mut self, looked: Looked, writes: &Writes, depth: OutlookDepth) -> Outlook {
        self.queue.follow(writes);
        self.outlook.has_products |= !writes.catalogue.products.is_empty();
        let read = self.read_outlook(looked, writes, depth);
        self.is_outlook_stale = read.is_err();
        read.unwrap_or_else(|error| {
            tracing::warn!(%error, "the outlook could not be read after a commit");
            self.queue.forget();
            if !is_busy(&error) {
                // What was committed stands; nothing is written after it.
                self.broken = Some(failed(&error));
            }
            // The next batch looks again, at once.
            Outlook { ready: 1, lifted_pauses: true, ..self.outlook }
        })
    }

    fn read_outlook(&mut self, looked: Looked, writes: &Writes, depth: OutlookDepth) -> rusqlite::Result<Outlook> {
        outlook::follow(&mut self.outlook, &self.connection, looked, writes)?;
        if self.is_outlook_stale {
            let has_products = self.outlook.has_products;
            self.outlook = Outlook { has_products, ..outlook::read(&self.connection)? };
        }
        self.look(depth)
    }

    fn look(&mut self, depth: OutlookDepth) -> rusqlite::Result<Outlook> {
        let (ready, active) = self.queue.count(&self.connection, depth)?;
        Ok(Outlook { ready, active, limited: depth.limited && self.outlook.limited, ..self.outlook })
    }

    /// Loads what the keys name.
    fn load(&mut self, keys: &Keys, wall_ms: i64) -> rusqlite::Result<WorkingSet> {
        let connection = &self.connection;
        let mut set = WorkingSet { wall_ms, steady_ms: keys.steady_ms, ..WorkingSet::default() };
        (set.orders.next_seq, set.work.token_floor) = (self.next_seq, self.token_floor);
        set.catalogue.has_products = self.outlook.has_products;
        queue::load_due(connection, keys, &mut set)?;
        let due = set.queue.due.clone();
        orders::load(connection, &keys.orders, &due, &mut set)?;
        self.queue.load(connection, &keys.queue, &mut set)?;
        work::load(connection, &keys.work, &mut set)?;
        self.queue.load_limits(connection, &keys.queue, &mut set)?;
        catalogue::by_sku(connection, keys.catalogue.skus.iter().map(|sku| &**sku), &mut set.catalogue)?;
        money::load(connection, &keys.money, &mut set.money)?;
        consumers::load(connection, &keys.consumers, &mut set.consumers)?;
        Ok(set)
    }

    /// Writes everything but the events. Names every aggregate, so that a new one cannot be forgotten here.
    fn write(&self, writes: &Writes) -> rusqlite::Result<()> {
        let Writes { orders, queue, catalogue, money, work, consumers, logs: _ } = writes;
        let connection = &self.connection;
        orders::write(connection, orders)?;
        catalogue::write(connection, catalogue)?;
        money::write(connection, money)?;
        work::write(connection, work)?;
        consumers::write(connection, consumers)?;
        queue::write(connection, queue)
    }

    fn cuts(&self, trims: &[Trim]) -> rusqlite::Result<Vec<Trimmed>> {
        let cut = |trim: &Trim| retention::cut(&self.connection, self.logs[trim.log.index()], trim).transpose();
        trims.iter().filter_map(cut).collect()
    }

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
}

impl WriteStore for SqliteWriter {
    fn commit<'a>(&'a mut self, id: BatchId, batch: &'a mut dyn Decider) -> CommitFuture<'a> {
        Box::pin(async move { self.commit_now(id, batch) })
    }

    /// No commit of this store has an unknown outcome: a failed one is fatal, and the next start finds out.
    fn resolve(&mut self, id: BatchId) -> ResolveFuture<'_> {
        Box::pin(async move { self.batches.resolve(id) })
    }

    fn outlook(&mut self, depth: OutlookDepth) -> OutlookFuture<'_> {
        Box::pin(async move { self.look(depth).map_err(|error| failed(&error)) })
    }

    /// The lock of the data directory sees to it.
    fn is_exclusive(&self) -> bool {
        true
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
