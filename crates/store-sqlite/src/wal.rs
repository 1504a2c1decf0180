//! The write-ahead log: settled at the start, kept within bounds while it grows.

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

/// Copies the WAL back into the database each time it has grown by so much. The fewer copies, the more often a page
/// that was written many times is copied once.
///
/// The pages are counted by SQLite. What a commit writes cannot be told from its rows: ids and keys that are drawn at
/// random dirty a page each.
pub(crate) struct WalBound {
    max_pages: i64,
    /// Pages in the WAL when it was last copied, unless it has started over since.
    copied_pages: i64,
}

impl WalBound {
    /// Copies after so many KiB.
    pub(crate) fn new(kib: u32) -> Self {
        Self { max_pages: (i64::from(kib) * 1024 / i64::from(PAGE_BYTES)).max(1), copied_pages: 0 }
    }

    /// Copies if it is time, between two transactions. Readers that never pause keep the WAL from starting over, and
    /// it would grow for ever: at twice the size the writer waits for them, which takes as long as their longest
    /// question. Says whether it has copied.
    pub(crate) fn hold(&mut self, connection: &Connection) -> rusqlite::Result<bool> {
        let pages = checkpoint(connection, "PRAGMA wal_checkpoint(NOOP)")?;
        if pages < self.copied_pages {
            self.copied_pages = 0;
        }
        if pages / self.max_pages == self.copied_pages / self.max_pages {
            return Ok(false);
        }
        self.copied_pages = checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
        if self.copied_pages >= 2 * self.max_pages {
            checkpoint(connection, "PRAGMA wal_checkpoint(RESTART)")?;
        }
        Ok(true)
    }
}

/// The pages in the WAL.
fn checkpoint(connection: &Connection, sql: &str) -> rusqlite::Result<i64> {
    connection.prepare_cached(sql)?.query_row([], |row| row.get(1))
}
