//! Other programs at the same database: they are waited for, and a second server is refused by whatever name it comes.

use std::path::Path;

use bytes::Bytes;
use ordercast_domain::decide::WorkingSet;
use ordercast_protocol::channel::Log;
use ordercast_protocol::topic::Topics;
use ordercast_store::StoreError;
use ordercast_store::conformance::{next_batch, wait};
use ordercast_store::log::ReadLogs;
use ordercast_store::write::{CommitOutcome, Decider, EventInsert, Keys, LogWrites, OutlookDepth, WriteStore, Writes};
use ordercast_store_sqlite::open::DATABASE_FILE;
use ordercast_store_sqlite::{SqliteOptions, SqliteWriter, leave, open};
use rusqlite::Connection;

struct OneEvent;

impl Decider for OneEvent {
    fn keys(&self) -> Keys {
        Keys { outlook: OutlookDepth { ready: 5, ..OutlookDepth::default() }, ..Keys::default() }
    }

    fn decide(&mut self, _: WorkingSet, _: i64) -> Writes {
        let body = Bytes::from_static(b"{}");
        let event = EventInsert { log: Log::Products, order: None, topics: Topics::default(), body };
        Writes { logs: LogWrites { events: vec![event], ..LogWrites::default() }, ..Writes::default() }
    }
}

fn commit(writer: &mut SqliteWriter) -> CommitOutcome {
    wait(writer.commit(next_batch(), &mut OneEvent))
}

#[test]
fn a_database_that_another_program_has_locked_can_be_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, _reader) = open(&SqliteOptions::new(dir.path())).unwrap();
    let other = Connection::open(dir.path().join(DATABASE_FILE)).unwrap();
    for _ in 0..2 {
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert!(matches!(commit(&mut writer), CommitOutcome::Unavailable { .. }), "nothing was written");
        other.execute_batch("ROLLBACK").unwrap();
        let CommitOutcome::Committed(committed) = commit(&mut writer) else { panic!("it is free again") };
        assert_eq!(committed.logs[0].count, 1);
    }
}

/// What is read after a commit does not change what became of it: a batch that is durable is never committed again.
#[test]
fn a_commit_stands_when_what_is_to_be_done_cannot_be_read_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, reader) = open(&SqliteOptions::new(dir.path())).unwrap();
    let other = Connection::open(dir.path().join(DATABASE_FILE)).unwrap();
    // An event of a product needs no order; the outlook counts them.
    other.execute_batch("ALTER TABLE orders RENAME TO elsewhere").unwrap();
    assert!(matches!(commit(&mut writer), CommitOutcome::Committed(_)), "it is durable");
    assert!(matches!(commit(&mut writer), CommitOutcome::Fatal(_)), "and nothing follows it");
    let heads = wait(reader.log_states()).unwrap();
    assert_eq!(heads.iter().map(|state| state.head).sum::<u64>(), 1, "once");
}

#[test]
fn a_start_waits_for_a_locked_database() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(&SqliteOptions::new(dir.path())).unwrap());
    let other = Connection::open(dir.path().join(DATABASE_FILE)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let options = SqliteOptions::new(dir.path());
    let starting = std::thread::spawn(move || open(&options).map(drop));
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(!starting.is_finished(), "it waits");
    other.execute_batch("ROLLBACK").unwrap();
    starting.join().unwrap().unwrap();
}

fn is_refused(dir: &Path) -> bool {
    matches!(open(&SqliteOptions::new(dir)), Err(StoreError::InUse(_)))
}

#[test]
fn a_second_server_is_refused_by_whatever_name_it_comes() {
    let root = tempfile::tempdir().unwrap();
    let [data, linked, hard, whole] = ["data", "linked", "hard", "whole"].map(|name| root.path().join(name));
    let (mut writer, _reader) = open(&SqliteOptions::new(&data)).unwrap();
    for dir in [&linked, &hard] {
        std::fs::create_dir(dir).unwrap();
    }
    std::os::unix::fs::symlink(data.join(DATABASE_FILE), linked.join(DATABASE_FILE)).unwrap();
    std::fs::hard_link(data.join(DATABASE_FILE), hard.join(DATABASE_FILE)).unwrap();
    std::os::unix::fs::symlink(&data, &whole).unwrap();
    for dir in [&data, &linked, &hard, &whole] {
        assert!(is_refused(dir), "{}", dir.display());
    }
    std::fs::remove_file(data.join("ordercast.lock")).unwrap();
    for dir in [&data, &linked, &hard, &whole] {
        assert!(is_refused(dir), "{} without the lock file", dir.display());
    }
    assert!(matches!(commit(&mut writer), CommitOutcome::Committed(_)), "the first is untouched");
}

#[test]
fn a_clean_stop_leaves_no_wal() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, reader) = open(&SqliteOptions::new(dir.path())).unwrap();
    assert!(matches!(commit(&mut writer), CommitOutcome::Committed(_)));
    let wal = dir.path().join(format!("{DATABASE_FILE}-wal"));
    assert!(wal.exists());
    drop((writer, reader));
    assert!(leave(dir.path()) && !wal.exists());
}
