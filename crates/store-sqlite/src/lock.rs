//! Keeping other servers away from a database, by whatever name they come to it.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use ordercast_store::StoreError;

/// The database's file in the data directory.
pub const DATABASE_FILE: &str = "ordercast.db";
/// The file that a running server holds locked; people who look into the folder find it.
pub(crate) const LOCK_FILE: &str = "ordercast.lock";

/// A database that is this process's alone, for as long as this lives.
///
/// Two locks: of the file in the folder, which a person may remove, and of the database itself, which is the same
/// through every link. SQLite's own locks are of another kind (`fcntl`) and do not meet these (`flock`); but the kernel
/// drops them when the process closes any handle of the database, so this must live longer than every connection.
#[derive(Debug)]
pub(crate) struct DatabaseLock {
    /// Where the database is, links resolved: its WAL lies there too.
    pub(crate) path: PathBuf,
    _folder: File,
    _database: File,
}

impl DatabaseLock {
    /// Locks the database of a folder, which is created when it is missing.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another process has it.
    pub(crate) fn take(folder: &Path) -> Result<Self, StoreError> {
        let locked = locked(&folder.join(LOCK_FILE), folder)?;
        let named = folder.join(DATABASE_FILE);
        let database = locked_database(&named, folder)?;
        let path = named
            .canonicalize()
            .map_err(|error| StoreError::Failed(format!("cannot find {}: {error}", named.display())))?;
        Ok(Self { path, _folder: locked, _database: database })
    }
}

fn locked_database(path: &Path, folder: &Path) -> Result<File, StoreError> {
    locked(path, folder).map_err(|error| match error {
        StoreError::InUse(_) => StoreError::InUse(format!(
            "another ordercast has the database {}, perhaps through a link; stop it, or use another --data-dir",
            path.display()
        )),
        other => other,
    })
}

fn locked(path: &Path, folder: &Path) -> Result<File, StoreError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
        .map_err(|error| StoreError::Failed(format!("cannot open {}: {error}", path.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(format!(
            "another ordercast has the data directory {}; stop it, or use another --data-dir",
            folder.display()
        ))),
        Err(TryLockError::Error(error)) => Err(StoreError::Failed(format!("cannot lock {}: {error}", path.display()))),
    }
}
