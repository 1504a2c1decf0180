//! Opening a data directory: the lock, the pragmas, the two halves.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ordercast_protocol::position::Epoch;
use ordercast_store::StoreError;
use rusqlite::{Connection, OpenFlags};

use crate::options::SqliteOptions;
use crate::readers::SqliteReader;
use crate::schema::migrate;
use crate::writer::SqliteWriter;
use crate::{PAGE_BYTES, failed, wal};

/// The database's file in the data directory.
pub const DATABASE_FILE: &str = "ordercast.db";
/// The file that a running server holds locked.
pub const LOCK_FILE: &str = "ordercast.lock";
/// How long a connection waits for another one's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

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
    prepare_writer(&connection).map_err(|error| failed(&error))?;
    wal::settle(&connection)?;
    migrate(&mut connection)?;
    let_go_of_limited(&connection).map_err(|error| failed(&error))?;
    let epoch = Epoch(String::from_utf8_lossy(&meta(&connection, "epoch")?).into());
    let secret = meta(&connection, "secret")?
        .try_into()
        .map_err(|_| StoreError::Damaged("the secret of the store has a wrong length".to_owned()))?;
    let readers = (0..options.readers.max(1)).map(|_| open_reader(&path)).collect::<Result<Vec<_>, _>>()?;
    let reader = SqliteReader::start(readers, epoch.clone(), secret, Arc::clone(&lock))?;
    Ok((SqliteWriter::new(connection, epoch, options, lock)?, reader))
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

fn prepare_writer(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // The writer is the only one that writes and decides from what it loaded; the references are declared for
    // `verify`, and checking them on every insert would pay for what cannot happen.
    connection.pragma_update(None, "foreign_keys", false)?;
    // The writer checkpoints by itself, where a failure is seen.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "temp_store", "MEMORY")
}

fn meta(connection: &Connection, key: &str) -> Result<Vec<u8>, StoreError> {
    connection
        .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
        .map_err(|error| failed(&error))
}
