//! The store in one SQLite file.
//!
//! One connection writes ([`writer`]), by group commit with `synchronous=FULL`; a few others read beside it
//! ([`readers`]), which the WAL lets them do without waiting. [`open`] makes both and keeps a second process
//! away. [`verify`] checks a whole store.

mod cache;
pub mod census;
mod checkpoint;
mod customers;
mod events;
mod life;
mod lists;
mod lock;
pub mod open;
mod options;
mod pages;
pub mod questions;
mod readers;
mod redaction;
mod retention;
mod rows;
mod schema;
mod topics;
pub mod verify;
mod wal;
pub mod writer;

pub use open::{leave, open};
pub use options::SqliteOptions;
pub use readers::SqliteReader;
pub use writer::SqliteWriter;

use ordercast_protocol::channel::Log;

/// Page size of a new database. A commit writes whole pages, each with two system calls; appending orders and
/// events fills twice as many rows into half as many pages of 8 KiB, which saves about 1.5 µs of CPU an order.
const PAGE_BYTES: u32 = 8192;
/// Bits of an event's position that hold the offset; the log's number stands above them.
const OFFSET_BITS: u32 = 40;
/// Publications are indexed by channel within runs of 2^14 consecutive offsets. One index over all of them would
/// be written all over: with a thousand channels in turn a commit of 512 dirties 3.8 MiB of it. Within a run it is
/// some 60 pages at the right edge, and a commit dirties 0.5 MiB at most; retention takes whole runs away. A reader
/// looks into the index once a run.
const RUN_BITS: u32 = 14;

/// A log's number in positions.
///
/// The busiest log of a table has the largest number: its events lie at the right edge, where SQLite appends
/// without splitting pages. Orders are that in `events`. Publications may be as busy, so they have a table of
/// their own, in which a position is an offset.
fn log_number(log: Log) -> i64 {
    match log {
        Log::Publications => 0,
        Log::Adjustments => 1,
        Log::Products => 2,
        Log::Orders => 1 << 20,
    }
}

/// The table that has the events of a log.
fn table(log: Log) -> &'static str {
    match log {
        Log::Publications => "publications",
        Log::Adjustments | Log::Products | Log::Orders => "events",
    }
}

/// Where an event lies in its table.
fn position(log: Log, offset: u64) -> i64 {
    let offset = offset.min((1 << OFFSET_BITS) - 1);
    (log_number(log) << OFFSET_BITS) | i64::try_from(offset).unwrap_or(i64::MAX)
}

/// The offset in a position.
fn offset_of(position: i64) -> u64 {
    (position & ((1 << OFFSET_BITS) - 1)).unsigned_abs()
}

/// Whether another program's lock is the reason: nothing is wrong, and later it may go.
fn is_busy(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, FileLockingProtocolFailed};
    let code = error.sqlite_error_code();
    matches!(code, Some(DatabaseBusy | DatabaseLocked | FileLockingProtocolFailed))
}

fn failed(error: &rusqlite::Error) -> ordercast_store::StoreError {
    ordercast_store::StoreError::Failed(error.to_string())
}
