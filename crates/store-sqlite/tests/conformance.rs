//! The SQLite store against the suite that every store passes, and against what can happen to a file.

use ordercast_protocol::channel::{Log, View};
use ordercast_store::StoreError;
use ordercast_store::conformance::{check, check_reopened, check_retention, wait};
use ordercast_store::log::{PageLimit, PageQuery, ReadLogs};
use ordercast_store_sqlite::{SqliteOptions, open, verify::verify};

fn options(dir: &tempfile::TempDir) -> SqliteOptions {
    SqliteOptions::new(dir.path())
}

#[test]
fn the_sqlite_store_conforms_and_is_the_same_after_opening_again() {
    let dir = tempfile::tempdir().unwrap();
    let epoch = {
        let (mut writer, reader) = open(&options(&dir)).unwrap();
        check(&mut writer, &reader);
        wait(reader.log_states()).unwrap()[0].epoch.clone()
    };
    let (mut writer, reader) = open(&options(&dir)).unwrap();
    check_reopened(&mut writer, &reader, &epoch.0);
}

#[test]
fn the_sqlite_store_removes_events_as_it_should() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, reader) = open(&options(&dir)).unwrap();
    check_retention(&mut writer, &reader);
}

#[test]
fn customers_are_found_wherever_the_index_ends() {
    for customer_tail in 0..5 {
        let dir = tempfile::tempdir().unwrap();
        let options = SqliteOptions { customer_tail, ..options(&dir) };
        {
            let (mut writer, reader) = open(&options).unwrap();
            check(&mut writer, &reader);
        }
        let (mut writer, reader) = open(&options).unwrap();
        let epoch = wait(reader.log_states()).unwrap()[0].epoch.clone();
        check_reopened(&mut writer, &reader, &epoch.0);
    }
}

#[test]
fn a_second_opening_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let _first = open(&options(&dir)).unwrap();
    let Err(StoreError::InUse(message)) = open(&options(&dir)) else { panic!("the second must be refused") };
    assert!(message.contains("--data-dir"), "{message}");
    let Err(StoreError::InUse(_)) = verify(dir.path(), |_| {}) else { panic!("verify must be refused too") };
}

/// Changes the database behind the store's back, then verifies it.
fn verify_after(sql: &str) -> Vec<&'static str> {
    let dir = tempfile::tempdir().expect("a folder");
    {
        let (mut writer, reader) = open(&options(&dir)).expect("a store");
        check(&mut writer, &reader);
    }
    let connection = rusqlite::Connection::open(dir.path().join("ordercast.db")).expect("the database opens");
    connection.pragma_update(None, "foreign_keys", false).expect("a pragma");
    connection.execute_batch(sql).expect("it is damaged");
    drop(connection);
    let report = verify(dir.path(), |_| {}).expect("readable");
    report.findings.iter().filter(|finding| !finding.problems.is_empty()).map(|finding| finding.check).collect()
}

#[test]
fn verify_finds_what_is_wrong() {
    // The suite writes bodies without a status; those of these rows are given one, as the server would.
    let statuses = "UPDATE events SET body = CAST(json_object('status', (SELECT CASE status WHEN 'active' THEN \
        'expedited' ELSE status END FROM orders WHERE seq = order_seq)) AS BLOB) WHERE order_seq IS NOT NULL;";
    let clean_but_for_checksums = ["checksums of events"];
    assert_eq!(verify_after(statuses), clean_but_for_checksums);
    for (sql, checks) in [
        (
            "DELETE FROM events WHERE position & 1023 = 2 AND order_seq IS NOT NULL",
            &["offsets without holes", "one event per version, last status told"][..],
        ),
        ("UPDATE logs SET head = head + 1 WHERE name = 'products'", &["offsets without holes"]),
        ("DELETE FROM order_details WHERE seq = 1", &["references between tables", "reserved stock"]),
        ("UPDATE products SET reserved = reserved + 1", &["reserved stock"]),
        ("UPDATE orders SET amount = amount + 1 WHERE seq = 2", &["amounts of priced orders"]),
        ("UPDATE progress SET customers_indexed_to = 2", &["references between tables"]),
        ("UPDATE orders SET version = 9 WHERE seq = 3", &["one event per version, last status told"]),
        ("UPDATE idempotency SET order_seq = 99 WHERE key = 'key-low'", &["references between tables"]),
    ] {
        let found = verify_after(&format!("{statuses}{sql}"));
        for check in checks {
            assert!(found.contains(check), "{sql}: {found:?}");
        }
        assert_eq!(found.len(), checks.len() + 1, "{sql}: {found:?}");
    }
}

#[test]
fn a_damaged_body_is_told_and_not_served() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, reader) = open(&options(&dir)).unwrap();
    check(&mut writer, &reader);
    drop((writer, reader));
    let connection = rusqlite::Connection::open(dir.path().join("ordercast.db")).unwrap();
    connection.execute("UPDATE events SET body = x'7b7d' WHERE order_seq = 2", []).unwrap();
    drop(connection);
    let (_writer, reader) = open(&options(&dir)).unwrap();
    let page =
        wait(reader.log_page(PageQuery::after(Log::Orders, View::All, 0, PageLimit { events: 10, bytes: 1000 })));
    assert!(matches!(page, Err(StoreError::Damaged(_))), "{page:?}");
}
