//! The write-ahead log: settled at the start, kept within bounds while it grows.

use std::time::{Duration, Instant};

use ordercast_store::StoreError;
use rusqlite::Connection;

use crate::checkpoint::Checkpointer;
use crate::{PAGE_BYTES, failed};

/// Copies what the last run left in the WAL into the database and syncs it, before anyone reads it.
///
/// After a failed sync, or a kill between write and sync, the kernel may still show frames that never reached the
/// disk. Commits that were acknowledged, or that were appended behind them, would be lost with the power. Written
/// again and synced they are what they seem.
pub(crate) fn settle(connection: &Connection) -> Result<(), StoreError> {
    let busy: i64 = connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .map_err(|error| failed(&error))?;
    if busy != 0 {
        return Err(StoreError::InUse("another program reads the database; close it and start again".to_owned()));
    }
    Ok(())
}

/// How long one commit waits for another program's lock before it says so, and is tried again.
pub(crate) const WRITER_BUSY_TIMEOUT: Duration = Duration::from_millis(250);
/// How long the writer waits for readers when the WAL is to start over.
const RESTART_PATIENCE: Duration = Duration::from_millis(200);
/// How often it tries, first and after many attempts in vain: a reader that holds one state for minutes is not waited for
/// again and again.
const FIRST_INTERVAL: Duration = Duration::from_secs(1);
const MAX_INTERVAL: Duration = Duration::from_secs(32);
/// How long the writer waits for a copy that is under way when the WAL is to start over; and beyond three times the size,
/// where the disk takes commits faster than copies.
const COPY_PATIENCE: Duration = Duration::from_millis(50);
const SLOW_PATIENCE: Duration = Duration::from_secs(1);
/// What is left when a copy ends is this part of the bound or less: the writer copies it itself.
const REST: i64 = 16;
/// The WAL starts over at twice the size after which it is copied; beyond four times something keeps it from that.
const RESTART_AT: i64 = 2;
const SLOW_AT: i64 = 3;
const OVER_AT: i64 = 4;

/// The WAL after it was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WalState {
    /// Its size, in bytes of pages.
    pub(crate) bytes: u64,
    /// Whether it has outgrown its bound: a reader outside holds an old state of the database, and nothing behind that may
    /// be overwritten.
    pub(crate) is_over: bool,
    /// Whether it was copied just now.
    pub(crate) has_copied: bool,
}

/// Has the WAL copied back into the database each time it has grown by so much, by a thread of its own, and lets it start
/// over. The fewer copies, the more often a page that was written many times is copied once.
///
/// The pages are counted by SQLite. The rows of a commit do not show how much it writes: ids and keys that are drawn at
/// random dirty a page each.
pub(crate) struct WalBound {
    max_pages: i64,
    checkpointer: Checkpointer,
    /// When a copy was last asked for, and how many pages there were then.
    asked: Option<(Instant, i64)>,
    /// When it was last tried to let it start over, and how long until the next attempt.
    tried_at: Option<Instant>,
    interval: Duration,
    was_over: bool,
}

impl WalBound {
    /// The size after which the WAL is copied, in KiB.
    pub(crate) fn new(kib: u32, checkpointer: Checkpointer) -> Self {
        let max_pages = (i64::from(kib) * 1024 / i64::from(PAGE_BYTES)).max(1);
        Self { max_pages, checkpointer, asked: None, tried_at: None, interval: FIRST_INTERVAL, was_over: false }
    }

    /// Looks at it between two transactions. The copy is made beside the commits; when little is left of it the writer
    /// does the rest, for only a WAL that is copied whole starts over, with the next write. Readers that never pause keep
    /// it from that, and it would grow for ever: at twice the size the writer waits a moment for them. One that holds the
    /// same state for minutes is not waited for: commits go on, the WAL grows, and that is said.
    pub(crate) fn hold(&mut self, connection: &Connection) -> rusqlite::Result<WalState> {
        let (mut pages, mut left) = checkpoint(connection, "PRAGMA wal_checkpoint(NOOP)")?;
        let (mut has_copied, mut is_copying) = (false, false);
        let rest = (self.max_pages / REST).max(1);
        if pages >= self.max_pages && left > rest {
            if self.is_worth_asking(pages) {
                self.checkpointer.ask()?;
            }
            if pages >= RESTART_AT * self.max_pages && self.may_restart() {
                let patience = if pages >= SLOW_AT * self.max_pages { SLOW_PATIENCE } else { COPY_PATIENCE };
                is_copying = !self.checkpointer.wait(patience);
                (pages, left) = checkpoint(connection, "PRAGMA wal_checkpoint(NOOP)")?;
            }
        }
        if pages >= self.max_pages && (1..=rest).contains(&left) {
            (pages, left) = checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
            has_copied = true;
        }
        if pages >= RESTART_AT * self.max_pages && !is_copying && self.may_restart() {
            left = self.restart(connection)?;
            has_copied = true;
        }
        if left == 0 && pages < RESTART_AT * self.max_pages {
            self.interval = FIRST_INTERVAL;
        }
        let bytes = u64::try_from(pages).unwrap_or(0) * u64::from(PAGE_BYTES);
        let is_over = pages >= OVER_AT * self.max_pages;
        if is_over != self.was_over {
            match is_over {
                true => tracing::warn!(
                    bytes,
                    "the WAL cannot start over: another program has been reading the database for long; it grows until \
                     that ends"
                ),
                false => tracing::info!(bytes, "the WAL is within its bound again"),
            }
        }
        self.was_over = is_over;
        Ok(WalState { bytes, is_over, has_copied })
    }
}

impl WalBound {
    /// Not for every commit: while a reader holds an old state there is nothing to copy, and looking for it costs time.
    fn is_worth_asking(&mut self, pages: i64) -> bool {
        let is_worth = self.asked.is_none_or(|(asked_at, before)| {
            pages < before || pages - before >= self.max_pages / REST || asked_at.elapsed() >= FIRST_INTERVAL
        });
        if is_worth {
            self.asked = Some((Instant::now(), pages));
        }
        is_worth
    }

    fn may_restart(&self) -> bool {
        self.tried_at.is_none_or(|tried_at| tried_at.elapsed() >= self.interval)
    }

    /// Waits a moment for readers; gives the pages that are left to copy, none when the next write starts over.
    fn restart(&mut self, connection: &Connection) -> rusqlite::Result<i64> {
        connection.busy_timeout(RESTART_PATIENCE)?;
        let restarted: rusqlite::Result<(i64, i64)> = connection
            .prepare_cached("PRAGMA wal_checkpoint(RESTART)")?
            .query_row([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? - row.get::<_, i64>(2)?)));
        connection.busy_timeout(WRITER_BUSY_TIMEOUT)?;
        let (busy, left) = restarted?;
        self.tried_at = (busy != 0).then(Instant::now);
        self.interval = if busy != 0 { (2 * self.interval).min(MAX_INTERVAL) } else { FIRST_INTERVAL };
        Ok(left)
    }
}

/// The pages in the WAL, and how many of them are not yet copied. A checkpoint that another one, or a reader, keeps from its end has done what it could.
fn checkpoint(connection: &Connection, sql: &str) -> rusqlite::Result<(i64, i64)> {
    connection.prepare_cached(sql)?.query_row([], |row| {
        let (pages, copied): (i64, i64) = (row.get(1)?, row.get(2)?);
        Ok((pages, pages - copied))
    })
}
