//! Opening a data directory: the lock, the pragmas, the two halves.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ordercast_protocol::position::Epoch;
use ordercast_store::StoreError;
use rusqlite::{Connection, OpenFlags};

use crate::readers::SqliteReader;
use crate::schema::migrate;
use crate::writer::SqliteWriter;
use crate::{PAGE_BYTES, failed};

/// The database's file in the data directory.
pub const DATABASE_FILE: &str = "ordercast.db";
/// The file that a running server holds locked.
pub const LOCK_FILE: &str = "ordercast.lock";
/// How long a connection waits for another one's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How a store is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// Where the files are; created when missing.
    pub data_dir: PathBuf,
    /// Connections that read beside the writer.
    pub readers: usize,
    /// The writer's page cache, in KiB.
    pub cache_kib: u32,
    /// New orders after which the index of customers is filled up. Questions by customer look through so many
    /// orders; 8,192 take about a millisecond.
    pub customer_tail: u64,
}

impl SqliteOptions {
    /// The defaults for a data directory: 2 readers, 64 MiB, 8,192 orders.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into(), readers: 2, cache_kib: 64 * 1024, customer_tail: 8_192 }
    }
}

/// Opens a data directory, creating the store if there is none.
///
/// # Errors
/// [`StoreError::InUse`] when another process has it, [`StoreError::Failed`] when it cannot be opened.
pub fn open(options: &SqliteOptions) -> Result<(SqliteWriter, SqliteReader), StoreError> {
    let dir = &options.data_dir;
    std::fs::create_dir_all(dir)
        .map_err(|error| StoreError::Failed(format!("cannot create the data directory {}: {error}", dir.display())))?;
    let lock = Arc::new(lock(dir)?);
    let path = dir.join(DATABASE_FILE);
    let mut connection = Connection::open(&path)
        .map_err(|error| StoreError::Failed(format!("cannot open {}: {error}", path.display())))?;
    prepare_writer(&connection, options).map_err(|error| failed(&error))?;
    settle_wal(&connection)?;
    migrate(&mut connection)?;
    let_go_of_limited(&connection).map_err(|error| failed(&error))?;
    let epoch = Epoch(String::from_utf8_lossy(&meta(&connection, "epoch")?).into());
    let secret = meta(&connection, "secret")?
        .try_into()
        .map_err(|_| StoreError::Damaged("the secret of the store has a wrong length".to_owned()))?;
    let readers = (0..options.readers.max(1)).map(|_| open_reader(&path)).collect::<Result<Vec<_>, _>>()?;
    let reader = SqliteReader::start(readers, epoch.clone(), secret, Arc::clone(&lock))?;
    Ok((SqliteWriter::new(connection, epoch, options.customer_tail, lock)?, reader))
}

/// Puts the orders that limits have parked back into the queue: limits may be others than before. Those that are still
/// held back are parked again as their turns come.
fn let_go_of_limited(connection: &Connection) -> rusqlite::Result<()> {
    let sql = "UPDATE orders SET parked_by = NULL WHERE parked_by >= 'limit:' AND parked_by < 'limit;'";
    connection.execute(sql, [])?;
    Ok(())
}

/// Opens a connection that can only read.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)
        .map_err(|error| StoreError::Failed(format!("cannot open {}: {error}", path.display())))?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(|error| failed(&error))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Locks a data directory for this process.
pub(crate) fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join(LOCK_FILE);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| StoreError::Failed(format!("cannot open {}: {error}", path.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::InUse(format!(
            "another ordercast has the data directory {}; stop it, or use another --data-dir",
            dir.display()
        ))),
        Err(std::fs::TryLockError::Error(error)) => {
            Err(StoreError::Failed(format!("cannot lock {}: {error}", path.display())))
        }
    }
}

fn prepare_writer(connection: &Connection, options: &SqliteOptions) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // The writer is the only one that writes and decides from what it loaded; the references are declared for
    // `verify`, and checking them on every insert would pay for what cannot happen.
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "cache_size", -i64::from(options.cache_kib))?;
    // The writer checkpoints by itself, where a failure is seen.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "temp_store", "MEMORY")
}

/// Copies what the last run left in the WAL into the database and syncs it, before anyone reads it.
///
/// After a failed sync, or a kill between write and sync, the kernel may still show frames that never reached the
/// disk. Whoever was told of them, or whatever was appended behind them, would be lost with the power. Written
/// again and synced they are what they seem.
fn settle_wal(connection: &Connection) -> Result<(), StoreError> {
    let busy: i64 = connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .map_err(|error| failed(&error))?;
    if busy != 0 {
        return Err(StoreError::InUse("another program reads the database; close it and start again".to_owned()));
    }
    Ok(())
}

fn meta(connection: &Connection, key: &str) -> Result<Vec<u8>, StoreError> {
    connection
        .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
        .map_err(|error| failed(&error))
}
