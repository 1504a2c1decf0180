//! What a store holds, for those who want to take it away.

use std::io;
use std::path::{Path, PathBuf};

use ordercast_store::StoreError;

use crate::failed;
use crate::lock::DatabaseLock;
use crate::open::{DATABASE_FILE, open_reader};

/// Orders that are named as examples.
const EXAMPLES: u32 = 3;
/// Files of a store beside the database, whose names end so.
const DATABASE_ENDINGS: [&str; 3] = ["", "-wal", "-shm"];
/// Files of the data directory that belong to the store.
const FILES: [&str; 2] = ["ordercast.life", "ordercast.node"];

/// How much of each there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Orders, those of the demo included.
    pub orders: u64,
    /// Orders that the demo placed.
    pub demo_orders: u64,
    /// Ids of the first orders that it did not place.
    pub other_orders: Vec<String>,
    /// SKUs of all products.
    pub products: Vec<String>,
    /// Adjustments.
    pub adjustments: u64,
    /// Publications into durable channels, those that retention has removed included.
    pub publications: u64,
}

/// A store that no server is using, and that none can begin to use meanwhile.
pub struct UnusedStore {
    census: Census,
    folder: PathBuf,
    _lock: DatabaseLock,
}

/// Counts what the store of a data directory holds.
///
/// # Errors
/// [`StoreError`] when there is no store, a server has it, or it cannot be read.
pub fn take(data_dir: &Path) -> Result<UnusedStore, StoreError> {
    let path = data_dir.join(DATABASE_FILE);
    if !path.exists() {
        return Err(StoreError::Failed(format!("there is no store at {}", path.display())));
    }
    let lock = DatabaseLock::take(data_dir)?;
    let connection = open_reader(&lock.path)?;
    let census = count(&connection).map_err(|error| failed(&error))?;
    Ok(UnusedStore { census, folder: data_dir.to_owned(), _lock: lock })
}

impl UnusedStore {
    /// What it holds.
    pub fn census(&self) -> &Census {
        &self.census
    }

    /// Removes it. Other files of the folder stay.
    ///
    /// # Errors
    /// When a file cannot be removed; the database goes first.
    pub fn remove(self) -> io::Result<()> {
        let database = DATABASE_ENDINGS.iter().map(|ending| format!("{DATABASE_FILE}{ending}"));
        for name in database.chain(FILES.iter().map(|name| (*name).to_owned())) {
            match std::fs::remove_file(self.folder.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

fn count(connection: &rusqlite::Connection) -> rusqlite::Result<Census> {
    let one = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u64>(0));
    let texts = |sql: &str| -> rusqlite::Result<Vec<String>> {
        connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
    };
    Ok(Census {
        orders: one("SELECT count(*) FROM orders")?,
        demo_orders: one("SELECT count(*) FROM orders WHERE demo = 1")?,
        other_orders: texts(&format!("SELECT id FROM orders WHERE demo = 0 ORDER BY seq LIMIT {EXAMPLES}"))?,
        products: texts("SELECT sku FROM products ORDER BY sku")?,
        adjustments: one("SELECT count(*) FROM adjustments")?,
        publications: one("SELECT head FROM logs WHERE name = 'publications'")?,
    })
}
