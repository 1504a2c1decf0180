//! Whether a database is still the one that was closed here last, or a copy of an earlier day that was put back.
//!
//! A copy has the epoch of what it was copied from, and hands out the same offsets and tokens a second time. Readers
//! would resume in it as if nothing had happened, and two workers would hold one token. So a database remembers who it
//! is: the inode and the birth time of its file, and a counter that is also kept in a small file beside it. The counter
//! rises with every start and every clean stop, and the file beside is a new one each time, whose inode and birth time
//! the database remembers too. While the server runs, the file beside also notes about once a second how many events there
//! are. What does not fit together is a copy: it gets a new epoch, and tokens far above any that were given.
//!
//! The order of the writes makes a crash in between look like what it is: first the next file beside is written under
//! another name and synced, then the database is committed, then the file gets its name.

use std::fs::{File, Metadata};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use ordercast_store::StoreError;
use rusqlite::{Connection, OptionalExtension, Transaction};

use crate::{failed, rows};

/// Added to the highest token for a database that begins a new life: more than any worker of the old one was given since.
const TOKENS_SKIPPED: u32 = 1 << 20;
/// How often the file beside the database notes how many events there are.
const NOTE_INTERVAL: Duration = Duration::from_secs(1);
/// What the file beside the database begins with, for people who find it.
const EXPLANATION: &str =
    "Ordercast tells by this file whether the database beside it was replaced by a copy. Leave it here.\n";

/// Which file something is: where it lies on its file system, and when it was created.
///
/// The number of the device is not part of it: it may change whenever the file system is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileId {
    inode: u64,
    /// Nanoseconds since 1970; `None` where the file system does not keep it.
    born_ns: Option<i64>,
}

impl FileId {
    fn of(metadata: &Metadata) -> Self {
        let since = metadata.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
        let born_ns = since.and_then(|since| i64::try_from(since.as_nanos()).ok());
        Self { inode: metadata.ino(), born_ns }
    }

    fn at(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().map(|metadata| Self::of(&metadata))
    }

    /// A birth time that only one of them has says nothing.
    fn is(self, other: Self) -> bool {
        let is_born_then = self.born_ns.zip(other.born_ns).is_none_or(|(one, other)| one == other);
        self.inode == other.inode && is_born_then
    }

    fn text(self) -> String {
        self.born_ns.map_or_else(|| self.inode.to_string(), |born_ns| format!("{} {born_ns}", self.inode))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let inode = words.next()?.parse().ok()?;
        Some(Self { inode, born_ns: words.next().and_then(|word| word.parse().ok()) })
    }
}

/// What a database remembers of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Memory {
    database: FileId,
    beside: FileId,
    turns: u64,
}

/// The file beside a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Beside {
    id: FileId,
    turns: u64,
    /// Events of all logs that were durable when it was last written.
    events: u64,
}

impl Beside {
    fn read(path: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(path).ok()?;
        let mut words = text.lines().last()?.split_whitespace().map(|word| word.parse::<u64>().ok());
        Some(Self { turns: words.next()??, events: words.next()??, id: FileId::at(path)? })
    }
}

/// The last line of the file beside; always as long, so that it is overwritten in place.
fn figures(turns: u64, events: u64) -> String {
    format!("{turns:>20} {events:>20}\n")
}

/// The life of one database.
pub(crate) struct Life {
    database: PathBuf,
    turns: u64,
    /// The file beside the database, from the first turn on.
    file: Option<File>,
    noted_at: Instant,
}

impl Life {
    /// Of the database at `path`, which is no link.
    pub(crate) fn of(database: &Path) -> Self {
        Self { database: database.to_path_buf(), turns: 0, file: None, noted_at: Instant::now() }
    }

    /// Takes a database over at a start, and begins a new life for one that is a copy, or when `renew` asks for it.
    ///
    /// # Errors
    /// When neither it nor the file beside it can be read or written.
    pub(crate) fn begin(&mut self, connection: &mut Connection, renew: bool) -> Result<(), StoreError> {
        let memory = memory(connection).map_err(|error| failed(&error))?;
        let events = events(connection).map_err(|error| failed(&error))?;
        let doubt = memory.and_then(|memory| self.doubt(memory, events));
        if let Some(doubt) = &doubt {
            tracing::warn!(
                database = %self.database.display(),
                "this database was put back from a copy, or moved as one: {doubt}. It begins a new epoch: clients that \
                 resume are told so, and workers that held orders lose them"
            );
        }
        self.turn(connection, memory.map_or(0, |memory| memory.turns), doubt.is_some() || renew)
    }

    /// Counts a clean stop.
    ///
    /// # Errors
    /// As for [`Life::begin`].
    pub(crate) fn end(&mut self, connection: &mut Connection) -> Result<(), StoreError> {
        self.turn(connection, self.turns, false)
    }

    /// Notes, about once a second, how many events are durable. It is a hint, which costs no sync.
    pub(crate) fn note(&mut self, events: impl FnOnce() -> u64) {
        let Some(file) = self.file.as_ref().filter(|_| self.noted_at.elapsed() >= NOTE_INTERVAL) else { return };
        let line = figures(self.turns, events());
        if let Err(error) = file.write_all_at(line.as_bytes(), EXPLANATION.len() as u64) {
            tracing::debug!(%error, "the file beside the database was not written");
        }
        self.noted_at = Instant::now();
    }

    /// Why the database, with its number of events, cannot be the one that it remembers, in words.
    fn doubt(&self, memory: Memory, events: u64) -> Option<String> {
        let is_same_file = FileId::at(&self.database).is_some_and(|id| id.is(memory.database));
        if !is_same_file {
            return Some("its file is another than the one it was closed in".to_owned());
        }
        // Between the commit and the renaming of a turn that was cut short, the file that counts has its other name.
        let found: Vec<Beside> = [self.beside(), self.next()].iter().filter_map(|path| Beside::read(path)).collect();
        let known = found.iter().find(|beside| beside.turns == memory.turns && beside.id.is(memory.beside));
        let name = self.beside().file_name().unwrap_or_default().to_string_lossy().into_owned();
        match (known, found.first()) {
            (Some(beside), _) if beside.events <= events => None,
            (Some(beside), _) => Some(format!("it has {events} events, and had {} before", beside.events)),
            (None, None) => Some(format!("{name} is missing beside it")),
            (None, Some(beside)) if beside.turns == memory.turns => Some(format!("{name} beside it is a copy")),
            (None, Some(beside)) => {
                Some(format!("it counts {} starts and stops, {name} beside it {}", memory.turns, beside.turns))
            }
        }
    }

    fn turn(&mut self, connection: &mut Connection, turns: u64, renew: bool) -> Result<(), StoreError> {
        let turns = turns + 1;
        let (next, beside) = (self.next(), self.beside());
        let cannot = |path: &Path, error: &std::io::Error| {
            StoreError::Failed(format!("cannot write {}: {error}", path.display()))
        };
        let events = events(connection).map_err(|error| failed(&error))?;
        let (file, id) = write(&next, &figures(turns, events)).map_err(|error| cannot(&next, &error))?;
        let database = FileId::at(&self.database)
            .ok_or_else(|| StoreError::Failed(format!("{} has gone", self.database.display())))?;
        let mut commit = || {
            let transaction = connection.transaction()?;
            if renew {
                renew_epoch(&transaction)?;
            }
            for (key, value) in [
                ("database_file", database.text()),
                ("beside_file", id.text()),
                ("turns", turns.to_string()),
                ("written_by", env!("CARGO_PKG_VERSION").to_owned()),
            ] {
                put(&transaction, key, value.as_bytes())?;
            }
            transaction.commit()
        };
        commit().map_err(|error| failed(&error))?;
        std::fs::rename(&next, &beside).map_err(|error| cannot(&beside, &error))?;
        (self.turns, self.file, self.noted_at) = (turns, Some(file), Instant::now());
        sync_folder(&beside).map_err(|error| cannot(&beside, &error))
    }

    /// The file beside the database.
    fn beside(&self) -> PathBuf {
        self.database.with_extension("life")
    }

    fn next(&self) -> PathBuf {
        self.database.with_extension("life.next")
    }
}

/// The number that every token handed out is above.
pub(crate) fn token_floor(connection: &Connection) -> rusqlite::Result<u32> {
    let Some(text) = text(connection, "token_floor")? else { return Ok(0) };
    text.parse().map_err(|_| rows::unknown(0, &text))
}

fn renew_epoch(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let highest: u32 = transaction.query_row("SELECT coalesce(max(token), 0) FROM orders", [], |row| row.get(0))?;
    let floor = highest.max(token_floor(transaction)?).saturating_add(TOKENS_SKIPPED);
    put(transaction, "token_floor", floor.to_string().as_bytes())?;
    put(transaction, "epoch", &new_epoch())?;
    // What workers elsewhere held is theirs no longer: with their leases gone, the first node that starts gives the orders back.
    transaction.execute("DELETE FROM leases", [])?;
    // The same of consumers, whose old owners must not get through with a fence that is given again.
    transaction.execute("UPDATE consumers SET fence = fence + ?1, lease_end_ms = 0", [TOKENS_SKIPPED])?;
    Ok(())
}

/// An epoch that no other store has.
pub(crate) fn new_epoch() -> Vec<u8> {
    let id = uuid::Uuid::new_v4().simple().to_string();
    id.as_bytes()[..16].to_vec()
}

fn memory(connection: &Connection) -> rusqlite::Result<Option<Memory>> {
    let file = |key: &str| text(connection, key).map(|text| text.and_then(|text| FileId::parse(&text)));
    let turns = text(connection, "turns")?.and_then(|text| text.parse().ok());
    let (database, beside) = (file("database_file")?, file("beside_file")?);
    let known = database.zip(beside).zip(turns);
    Ok(known.map(|((database, beside), turns)| Memory { database, beside, turns }))
}

fn text(connection: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    let select = "SELECT CAST(value AS TEXT) FROM meta WHERE key = ?1";
    connection.query_row(select, [key], |row| row.get(0)).optional()
}

fn put(transaction: &Transaction<'_>, key: &str, value: &[u8]) -> rusqlite::Result<()> {
    let sql = "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2";
    transaction.execute(sql, (key, value)).map(drop)
}

/// Events of all logs, those included that retention has removed.
fn events(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row("SELECT sum(head) FROM logs", [], |row| row.get(0))
}

/// Writes a new file, so that it has a birth of its own, and syncs it.
fn write(path: &Path, figures: &str) -> std::io::Result<(File, FileId)> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::create_new(path)?;
    file.write_all(format!("{EXPLANATION}{figures}").as_bytes())?;
    file.sync_all()?;
    sync_folder(path)?;
    let id = FileId::of(&file.metadata()?);
    Ok((file, id))
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
#[path = "life_tests.rs"]
mod tests;
