//! The size of the WAL: bounded by what SQLite writes, whatever the rows are, and whoever reads.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ordercast_protocol::channel::Log;
use ordercast_protocol::topic::Topics;
use ordercast_store::conformance::run;
use ordercast_store::write::{Committed, EventInsert, Keys, LogWrites, OrderWrites, Writes};
use ordercast_store_sqlite::open::DATABASE_FILE;
use ordercast_store_sqlite::{SqliteOptions, SqliteWriter, open};
use rusqlite::Connection;

const WAL_KIB: u32 = 1_024;
/// How long anything may take before a test fails: a reader that a busy machine stops is waited for with growing pauses.
const DEADLINE: Duration = Duration::from_secs(120);
/// What one commit of these tests writes at most, in bytes.
const COMMIT_BYTES: u64 = 1_024 * 1_024;

fn wal_bytes(dir: &Path) -> u64 {
    std::fs::metadata(dir.join(format!("{DATABASE_FILE}-wal"))).expect("there is a WAL").len()
}

/// Bytes of the WAL as the pages in it are counted: a header goes with each.
fn with_headers(bytes: u64) -> u64 {
    bytes + bytes / 100
}

/// Commits 64 keys that lie all over their table, and a little beside.
fn commit(writer: &mut SqliteWriter, round: u64) -> Committed {
    run(writer, Keys::default(), |_, _| {
        // A multiplication by an odd number is a permutation: no two keys are the same.
        let key = |n: u64| format!("{:016x}", (round * 64 + n).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let body = Bytes::from_static(b"{}");
        let event = EventInsert { log: Log::Products, order: None, topics: Topics::default(), body };
        Writes {
            orders: OrderWrites { keys: (0..64).map(|n| (key(n).into(), 1)).collect(), ..OrderWrites::default() },
            logs: LogWrites { events: vec![event], ..LogWrites::default() },
            ..Writes::default()
        }
    })
}

#[test]
fn random_keys_do_not_outgrow_it() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, _reader) = open(&SqliteOptions { wal_kib: WAL_KIB, ..SqliteOptions::new(dir.path()) }).unwrap();
    let mut written = 0;
    for round in 0..400 {
        let before = wal_bytes(dir.path());
        commit(&mut writer, round);
        written += wal_bytes(dir.path()).saturating_sub(before);
        // It is copied beside the commits; at twice the size the writer waits for that, at three times it takes its time.
        let most = with_headers(3 * u64::from(WAL_KIB) * 1_024 + COMMIT_BYTES);
        assert!(wal_bytes(dir.path()) <= most, "round {round}: {} of {most} bytes", wal_bytes(dir.path()));
    }
    assert!(written > u64::from(WAL_KIB) * 1_024 * 3 / 4, "the bound was within reach: {written} bytes");
}

/// Two readers in turn, one of which always holds a state of the database.
fn read_without_pause(dir: &Path, is_over: &AtomicBool) -> u64 {
    let readers = [0, 1].map(|_| Connection::open(dir.join(DATABASE_FILE)).expect("it opens"));
    let begin = |reader: &Connection| {
        reader.execute_batch("BEGIN").expect("it begins");
        reader.query_row("SELECT count(*) FROM logs", [], |_| Ok(())).expect("readable");
    };
    let mut turns = 0;
    begin(&readers[0]);
    while !is_over.load(Ordering::Relaxed) {
        let [one, other] = [&readers[turns % 2], &readers[(turns + 1) % 2]];
        begin(other);
        one.execute_batch("COMMIT").expect("it ends");
        turns += 1;
    }
    turns as u64
}

#[test]
fn readers_that_never_pause_do_not_hold_it_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, _reader) = open(&SqliteOptions { wal_kib: WAL_KIB, ..SqliteOptions::new(dir.path()) }).unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| read_without_pause(dir.path(), &is_over));
        let (started, mut rounds, mut before, mut restarts) = (Instant::now(), 0.., 0, 0);
        while restarts < 3 && started.elapsed() < DEADLINE {
            let bytes = commit(&mut writer, rounds.next().unwrap_or(0)).journal_bytes;
            restarts += u32::from(bytes < before);
            before = bytes;
        }
        // Looked at when the readers have ended: they would read on behind a test that failed.
        is_over.store(true, Ordering::Relaxed);
        assert!(reading.join().expect("it reads to the end") > 0);
        assert_eq!(restarts, 3, "it starts over again and again; it has {before} bytes");
    });
}

/// A program outside that reads one state for long: commits go on, and the WAL starts over once that has ended.
#[test]
fn a_reader_that_stays_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, _reader) = open(&SqliteOptions { wal_kib: WAL_KIB, ..SqliteOptions::new(dir.path()) }).unwrap();
    let other = Connection::open(dir.path().join(DATABASE_FILE)).unwrap();
    other.execute_batch("BEGIN").unwrap();
    other.query_row("SELECT count(*) FROM logs", [], |_| Ok(())).unwrap();
    let mut is_over = false;
    for round in 0..200 {
        is_over |= commit(&mut writer, round).journal_is_over;
    }
    assert!(is_over, "and it is said");
    other.execute_batch("COMMIT").unwrap();
    let mut rounds = 200..2_000;
    let started = std::time::Instant::now();
    while commit(&mut writer, rounds.next().unwrap()).journal_is_over {
        assert!(started.elapsed() < std::time::Duration::from_secs(60), "it starts over");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
