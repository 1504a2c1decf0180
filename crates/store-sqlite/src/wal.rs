//! The write-ahead log: settled at the start, kept within bounds while it grows.

use std::time::{Duration, Instant};

use ordercast_store::StoreError;
use rusqlite::Connection;

use crate::{PAGE_BYTES, failed};

/// Copies what the last run left in the WAL into the database and syncs it, before anyone reads it.
///
/// After a failed sync, or a kill between write and sync, the kernel may still show frames that never reached the
/// disk. Whoever was told of them, or whatever was appended behind them, would be lost with the power. Written
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
/// How long the writer waits for readers when the WAL is to start over, and how often it tries.
const RESTART_PATIENCE: Duration = Duration::from_millis(200);
const RESTART_INTERVAL: Duration = Duration::from_secs(1);
/// The WAL starts over at twice the size after which it is copied; beyond four times something keeps it from that.
const RESTART_AT: i64 = 2;
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

/// Copies the WAL back into the database each time it has grown by so much. The fewer copies, the more often a page
/// that was written many times is copied once.
///
/// The pages are counted by SQLite. What a commit writes cannot be told from its rows: ids and keys that are drawn at
/// random dirty a page each.
pub(crate) struct WalBound {
    max_pages: i64,
    /// Pages in the WAL when it was last copied, unless it has started over since.
    copied_pages: i64,
    /// When it was last tried to let it start over.
    tried_at: Option<Instant>,
    was_over: bool,
}

impl WalBound {
    /// Copies after so many KiB.
    pub(crate) fn new(kib: u32) -> Self {
        let max_pages = (i64::from(kib) * 1024 / i64::from(PAGE_BYTES)).max(1);
        Self { max_pages, copied_pages: 0, tried_at: None, was_over: false }
    }

    /// Copies if it is time, between two transactions. Readers that never pause keep the WAL from starting over, and
    /// it would grow for ever: at twice the size the writer waits a moment for them. One that holds the same state for
    /// minutes is not waited for: commits go on, the WAL grows, and that is said.
    pub(crate) fn hold(&mut self, connection: &Connection) -> rusqlite::Result<WalState> {
        let mut pages = checkpoint(connection, "PRAGMA wal_checkpoint(NOOP)")?;
        if pages < self.copied_pages {
            self.copied_pages = 0;
        }
        let mut has_copied = false;
        if pages / self.max_pages != self.copied_pages / self.max_pages {
            self.copied_pages = checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
            has_copied = true;
        }
        let may_try = self.tried_at.is_none_or(|tried_at| tried_at.elapsed() >= RESTART_INTERVAL);
        if pages >= RESTART_AT * self.max_pages && (may_try || has_copied) {
            connection.busy_timeout(RESTART_PATIENCE)?;
            let restarted = checkpoint(connection, "PRAGMA wal_checkpoint(RESTART)");
            connection.busy_timeout(WRITER_BUSY_TIMEOUT)?;
            pages = restarted?;
            self.tried_at = Some(Instant::now());
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

/// The pages in the WAL. A checkpoint that another one, or a reader, keeps from its end has done what it could.
fn checkpoint(connection: &Connection, sql: &str) -> rusqlite::Result<i64> {
    connection.prepare_cached(sql)?.query_row([], |row| row.get(1))
}
