//! What retention does to the file.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use bytes::Bytes;
use ordercast_protocol::channel::Log;
use ordercast_protocol::topic::{Topic, TopicKind};
use ordercast_store::conformance::run;
use ordercast_store::write::{EventInsert, Keys, LogWrites, Trim, Writes};
use ordercast_store_sqlite::open::DATABASE_FILE;
use ordercast_store_sqlite::{SqliteOptions, SqliteWriter, open, verify::verify};

const BATCH: usize = 500;
const KEPT: u64 = 4_000;

/// Publishes `batches` batches into a hundred channels; with `is_trimmed` each removes as many as it adds once
/// enough are there.
fn publish(writer: &mut SqliteWriter, batches: usize, is_trimmed: bool) {
    for batch in 0..batches {
        run(writer, Keys::default(), |_, _| {
            let event = |n: usize| EventInsert {
                log: Log::Publications,
                order: None,
                topics: Topic::new(TopicKind::Channel, format!("room:{}", (n * 37 + batch) % 100)).into(),
                body: Bytes::from(vec![b'x'; 100 + (n * 53) % 400]),
            };
            let trim = Trim { log: Log::Publications, max_events: Some(KEPT), before_ms: None, most: 2 * BATCH as u64 };
            let trims = is_trimmed.then_some(trim).into_iter().collect();
            Writes {
                logs: LogWrites { events: (0..BATCH).map(event).collect(), trims, ..LogWrites::default() },
                ..Writes::default()
            }
        });
    }
}

/// The pages of the database, and those of them that are free.
fn pages(dir: &std::path::Path) -> (u64, u64) {
    let connection = rusqlite::Connection::open(dir.join(DATABASE_FILE)).unwrap();
    let number = |pragma: &str| connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)).unwrap();
    (number("page_count"), number("freelist_count"))
}

#[test]
fn a_log_that_loses_what_it_gets_stops_growing() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, _reader) = open(&SqliteOptions::new(dir.path())).unwrap();
    publish(&mut writer, 20, true);
    let (early, _) = pages(dir.path());
    publish(&mut writer, 80, true);
    let (late, free) = pages(dir.path());
    // 40,000 publications later; those kept take some 175 pages.
    println!("{early} pages after 20 batches, {late} after 100, {free} of them free");
    assert!(late <= early + early / 10, "{early} pages became {late}");
    publish(&mut writer, 20, false);
    let (untrimmed, _) = pages(dir.path());
    assert!(untrimmed > late + late / 2, "without removing it grows: {late} pages became {untrimmed}");
    publish(&mut writer, 40, true);
    let (after, _) = pages(dir.path());
    assert!(after <= untrimmed + untrimmed / 10, "freed pages are used again: {untrimmed} pages became {after}");
    drop((writer, _reader));
    let report = verify(dir.path(), |_| {}).unwrap();
    assert!(report.is_clean(), "{report}");
}
