//! Opening a data directory: the locks, the pragmas, the two halves; and leaving it behind.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ordercast_domain::lease::ABANDONED;
use ordercast_protocol::position::Epoch;
use ordercast_store::StoreError;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::life::Life;
pub use crate::lock::DATABASE_FILE;
use crate::lock::DatabaseLock;
use crate::options::SqliteOptions;
use crate::readers::SqliteReader;
use crate::schema::migrate;
use crate::writer::SqliteWriter;
use crate::{PAGE_BYTES, failed, wal};

/// How long a connection that reads waits for another one's lock.
const READER_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a start looks whether another program has let go of the database, and how often it says that it waits.
const START_POLL: Duration = Duration::from_millis(50);
const START_SAYS_EVERY: Duration = Duration::from_secs(5);
/// How long the last connections have to close at a stop, until the WAL is left to the next start.
const CLOSE_PATIENCE: Duration = Duration::from_millis(500);
const CLOSE_POLL: Duration = Duration::from_millis(10);

/// Opens a data directory, creating the store if there is none. While another program has the database locked it waits,
/// and says so in the log.
///
/// # Errors
/// [`StoreError::InUse`] when another process has it, [`StoreError::Failed`] when it cannot be opened.
pub fn open(options: &SqliteOptions) -> Result<(SqliteWriter, SqliteReader), StoreError> {
    let dir = &options.data_dir;
    std::fs::create_dir_all(dir)
        .map_err(|error| StoreError::Failed(format!("cannot create the data directory {}: {error}", dir.display())))?;
    let lock = Arc::new(DatabaseLock::take(dir)?);
    let mut connection = Connection::open(&lock.path)
        .map_err(|error| StoreError::Failed(format!("cannot open {}: {error}", lock.path.display())))?;
    connection.busy_handler(Some(wait_at_start())).map_err(|error| failed(&error))?;
    // A transaction that begins by reading could not wait for a lock when it comes to write.
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    prepare_writer(&connection).map_err(|error| failed(&error))?;
    wal::settle(&connection)?;
    migrate(&mut connection)?;
    let_go_of_limited(&connection).map_err(|error| failed(&error))?;
    renew_leases(&connection).map_err(|error| failed(&error))?;
    let mut life = Life::of(&lock.path);
    life.begin(&mut connection, options.new_epoch)?;
    abandon_unleased(&connection).map_err(|error| failed(&error))?;
    let epoch = Epoch(String::from_utf8_lossy(&meta(&connection, "epoch")?).into());
    let secret = meta(&connection, "secret")?
        .try_into()
        .map_err(|_| StoreError::Damaged("the secret of the store has a wrong length".to_owned()))?;
    let readers = (0..options.readers.max(1)).map(|_| open_reader(&lock.path)).collect::<Result<Vec<_>, _>>()?;
    let reader = SqliteReader::start(readers, epoch.clone(), secret, Arc::clone(&lock))?;
    connection.busy_timeout(wal::WRITER_BUSY_TIMEOUT).map_err(|error| failed(&error))?;
    Ok((SqliteWriter::new(connection, (epoch, life), options, lock)?, reader))
}

/// Waits for another program's lock for as long as it takes, and says so now and then.
fn wait_at_start() -> impl FnMut(i32) -> bool + Send + 'static {
    let mut said_at: Option<Instant> = None;
    move |_| {
        if said_at.is_none_or(|said_at| said_at.elapsed() >= START_SAYS_EVERY) {
            tracing::warn!("another program has the database locked; the start waits until it lets go");
            said_at = Some(Instant::now());
        }
        std::thread::sleep(START_POLL);
        true
    }
}

/// Leaves the data directory without a WAL once both halves are dropped, and says whether it has: the last connection that
/// closes takes it away, if it can write.
pub fn leave(data_dir: &Path) -> bool {
    let Ok(path) = data_dir.join(DATABASE_FILE).canonicalize() else { return true };
    let wal = PathBuf::from(format!("{}-wal", path.display()));
    let started = Instant::now();
    // Threads that read may still have their connections for a moment.
    while wal.exists() && started.elapsed() < CLOSE_PATIENCE {
        if let Ok(connection) = Connection::open(&path) {
            let _ = connection.query_row("SELECT count(*) FROM meta", [], |_| Ok(()));
        }
        if wal.exists() {
            std::thread::sleep(CLOSE_POLL);
        }
    }
    !wal.exists()
}

/// Puts the orders that limits have parked back into the queue: limits may be others than before. Those that are still
/// held back are parked again as their turns come.
fn let_go_of_limited(connection: &Connection) -> rusqlite::Result<()> {
    let sql = "UPDATE orders SET parked_by = NULL WHERE parked_by >= 'limit:' AND parked_by < 'limit;'";
    connection.execute(sql, [])?;
    Ok(())
}

/// How long orders that nobody holds wait for the first node to give them back, in milliseconds. After that they are taken like
/// those of any worker that is gone, which charges the attempt.
const ABANDONED_MS: i64 = 6_000;

/// Puts the orders in work that no lease holds under one that nobody has, for the first node to give them back: those of a
/// copy that was restored, and those of a version in which workers in the process had no lease.
fn abandon_unleased(connection: &Connection) -> rusqlite::Result<()> {
    let sql = "UPDATE orders SET lease = ?1 WHERE queue = 1 AND parked_by IS NULL AND status = 'active' \
               AND (lease IS NULL OR lease NOT IN (SELECT id FROM leases))";
    if connection.execute(sql, [ABANDONED])? > 0 {
        let sql = "INSERT OR REPLACE INTO leases SELECT ?1, 'nobody', steady_ms + ?2, ?2 FROM clock";
        connection.execute(sql, (ABANDONED, ABANDONED_MS))?;
    }
    Ok(())
}

/// Gives each lease its whole length again: nobody could be heard while the server was down.
fn renew_leases(connection: &Connection) -> rusqlite::Result<()> {
    let sql = "UPDATE leases SET expires_at_ms = (SELECT steady_ms FROM clock) + ttl_ms";
    connection.execute(sql, [])?;
    Ok(())
}

/// Opens a connection that can only read.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)
        .map_err(|error| StoreError::Failed(format!("cannot open {}: {error}", path.display())))?;
    connection.busy_timeout(READER_BUSY_TIMEOUT).map_err(|error| failed(&error))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn prepare_writer(connection: &Connection) -> rusqlite::Result<()> {
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
