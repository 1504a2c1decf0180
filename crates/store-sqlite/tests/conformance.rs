//! The SQLite store against the suite that every store passes, and against what can happen to a file.

use ordercast_protocol::channel::{Log, View};
use ordercast_store::StoreError;
use ordercast_store::conformance::{
    SECRET, check, check_consumers, check_contract, check_outlook, check_redaction, check_reopened, check_retention,
    check_steps, check_topics, run, wait,
};
use ordercast_store::log::{PageLimit, PageQuery, ReadLogs, Start};
use ordercast_store::write::{Keys, LogWrites, Trim, Writes};
use ordercast_store_sqlite::{SqliteOptions, open, verify::verify};

const LIMIT: PageLimit = PageLimit { events: 1_000, bytes: 1_000_000 };

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
fn the_sqlite_store_serves_steps_as_it_should() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, reader) = open(&options(&dir)).unwrap();
    check_steps(&mut writer, &reader);
}

#[test]
fn the_sqlite_store_says_what_is_to_be_done() {
    for ready in [1, 2, 1_024] {
        let dir = tempfile::tempdir().unwrap();
        let (mut writer, _reader) = open(&SqliteOptions { ready, ..options(&dir) }).unwrap();
        check_outlook(&mut writer);
    }
}

#[test]
fn the_sqlite_store_keeps_the_contract_of_a_commit() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, _reader) = open(&options(&dir)).unwrap();
    check_contract(&mut writer);
}

#[test]
fn the_sqlite_store_finds_events_by_their_topics() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, reader) = open(&options(&dir)).unwrap();
    check_topics(&mut writer, &reader);
    drop((writer, reader));
    let report = verify(dir.path(), |_| {}).unwrap();
    let damaged = report.findings.iter().find(|finding| !finding.problems.is_empty());
    // The suite writes bodies of orders without a status.
    assert_eq!(damaged.map(|finding| finding.check), Some("one event per version, last status told"), "{report}");
}

#[test]
fn the_sqlite_store_keeps_consumers() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, reader) = open(&options(&dir)).unwrap();
    check_consumers(&mut writer);
    drop((writer, reader));
    // Their cursors belong to other lives of the log.
    assert!(verify(dir.path(), |_| {}).unwrap().is_clean());
}

/// What was removed is in no file any more, which is as it should be for `verify`; other damage shows all the same.
#[test]
fn the_sqlite_store_removes_bodies() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, reader) = open(&options(&dir)).unwrap();
    check_redaction(&mut writer, &reader);
    let events = wait(reader.log_page(PageQuery::after(Log::Publications, View::All, 0, LIMIT))).unwrap().events;
    drop((writer, reader));
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let is_there = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        assert!(!is_there, "{} has what was removed", path.display());
    }
    assert!(verify(dir.path(), |_| {}).unwrap().is_clean());
    let (writer, reader) = open(&options(&dir)).unwrap();
    let again = wait(reader.log_page(PageQuery::after(Log::Publications, View::All, 0, LIMIT))).unwrap().events;
    assert_eq!(again, events);
    drop((writer, reader));
    let connection = rusqlite::Connection::open(dir.path().join("ordercast.db")).unwrap();
    let swap = "UPDATE publications SET body = CAST(replace(CAST(body AS TEXT), 'v\":1', 'v\":2') AS BLOB) \
                WHERE position = 7";
    connection.execute(swap, []).unwrap();
    drop(connection);
    let report = verify(dir.path(), |_| {}).unwrap();
    let problems: Vec<_> = report.findings.iter().flat_map(|finding| &finding.problems).collect();
    assert_eq!(problems, ["publications: the body of event 7 is not what was written"]);
}

#[test]
fn customers_are_found_wherever_the_index_ends() {
    for (customer_tail, customer_segment) in (0..5).flat_map(|tail| (1..4).map(move |segment| (tail, segment))) {
        let dir = tempfile::tempdir().unwrap();
        let options = SqliteOptions { customer_tail, customer_segment, ..options(&dir) };
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

/// Changes the database behind the store's back, then verifies it. Of each log only `max_events` are left before.
fn verify_after(max_events: Option<u64>, sql: &str) -> Vec<&'static str> {
    let dir = tempfile::tempdir().expect("a folder");
    {
        let (mut writer, reader) = open(&options(&dir)).expect("a store");
        check(&mut writer, &reader);
        let trim = |log| Trim { log, max_events, before_ms: None, most: u64::MAX };
        let trims = [Log::Orders, Log::Publications].map(trim).to_vec();
        run(&mut writer, Keys::default(), |_, _| Writes {
            logs: LogWrites { trims: trims.clone(), ..LogWrites::default() },
            ..Writes::default()
        });
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
    assert_eq!(verify_after(None, statuses), clean_but_for_checksums);
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
        (
            "INSERT INTO customer_segments VALUES (1); UPDATE progress SET customers_indexed_to = 1; \
             INSERT INTO customer_orders SELECT 1, customer_id, seq FROM orders WHERE seq <= 2",
            &["references between tables"],
        ),
        ("INSERT INTO customer_orders VALUES (1, 'c', 1)", &["references between tables"]),
        ("UPDATE orders SET version = 9 WHERE seq = 3", &["one event per version, last status told"]),
        ("UPDATE idempotency SET order_seq = 99 WHERE key = 'key-low'", &["references between tables"]),
        ("DELETE FROM publications WHERE position = 2", &["offsets without holes"]),
        ("INSERT INTO event_topics VALUES (7, 'customer', 'c')", &["references between tables"]),
        ("INSERT INTO event_topics VALUES (1, 'colour', 'red')", &["references between tables"]),
        (
            "INSERT INTO consumers SELECT 'index', 'orders', CAST(value AS TEXT), 99, 'n', 1, 0 FROM meta WHERE key = 'epoch'",
            &["cursors of consumers"],
        ),
        ("UPDATE logs SET floor = 1 WHERE name = 'products'", &["offsets without holes"]),
        ("UPDATE orders SET refunded = 5 WHERE seq = 2", &["money given back"]),
        ("UPDATE orders SET lease = 'gone' WHERE queue = 1", &["orders in work and their leases"]),
        ("INSERT INTO line_moves VALUES (1, 2, 0, 'shipped', 1, 0)", &["reserved stock"]),
    ] {
        let found = verify_after(None, &format!("{statuses}{sql}"));
        for check in checks {
            assert!(found.contains(check), "{sql}: {found:?}");
        }
        assert_eq!(found.len(), checks.len() + 1, "{sql}: {found:?}");
    }
}

/// What retention removed is no damage; what is damaged shows all the same.
#[test]
fn verify_accepts_floors_and_no_more() {
    // Of the orders' five events the last two are left: the only one of the last order, and the second of another.
    let bodies = "UPDATE events SET body = CAST((SELECT json_object('status', CASE status WHEN 'active' THEN \
        'expedited' ELSE status END, 'version', version) FROM orders WHERE seq = order_seq) AS BLOB) \
        WHERE order_seq IS NOT NULL;";
    for (sql, checks) in [
        ("", &[][..]),
        ("UPDATE logs SET floor = floor - 1 WHERE name = 'orders'", &["offsets without holes"]),
        ("UPDATE logs SET floor = floor + 1 WHERE name = 'orders'", &["offsets without holes"]),
        ("UPDATE logs SET floor = floor + 1 WHERE name = 'publications'", &["offsets without holes"]),
        ("DELETE FROM events WHERE position & 1023 = 5", &["offsets without holes"]),
        ("DELETE FROM publications WHERE position = 6", &["offsets without holes"]),
        // An event that was given to another order, which says something else.
        ("UPDATE events SET order_seq = 3 WHERE order_seq = 2", &["one event per version, last status told"]),
        ("UPDATE orders SET version = 3 WHERE seq = 2", &["one event per version, last status told"]),
    ] {
        let found = verify_after(Some(2), &format!("{bodies}{sql}"));
        for check in checks {
            assert!(found.contains(check), "{sql}: {found:?}");
        }
        // The bodies were changed, so their checksums are wrong.
        assert_eq!(found.len(), checks.len() + 1, "{sql}: {found:?}");
    }
}

#[test]
fn verify_follows_an_order_from_event_to_event() {
    // The second order has two events; a lie in the second is found.
    let body = |from: &str, version: u32| {
        format!(
            "UPDATE events SET body = CAST(json_object('status', CASE WHEN position & 1023 = 5 THEN 'expedited' ELSE \
             'pending' END, 'version', CASE WHEN position & 1023 = 5 THEN {version} ELSE 1 END, 'from', CASE WHEN \
             position & 1023 = 5 THEN '{from}' END) AS BLOB) WHERE order_seq IS NOT NULL"
        )
    };
    let check = "each event begins where the last one ended";
    for (from, version, is_found) in [("pending", 2, false), ("held", 2, true), ("pending", 3, true)] {
        assert_eq!(verify_after(None, &body(from, version)).contains(&check), is_found, "{from} {version}");
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
    let page = |start: Start| {
        let limit = PageLimit { events: 10, bytes: 1_000 };
        wait(reader.log_page(PageQuery { start, ..PageQuery::after(Log::Orders, View::All, 0, limit) }))
    };
    let before = page(Start::After(0)).unwrap();
    assert_eq!((before.events.len(), before.read_to), (1, 1), "what is before it is served");
    assert!(matches!(page(Start::After(1)), Err(StoreError::DamagedEvent { offset: 2, .. })));
    let behind = page(Start::After(2)).unwrap();
    assert!(behind.events[0].offset == 3, "and what is behind it, to whoever begins there");
    assert!(matches!(page(Start::Before(3)), Err(StoreError::DamagedEvent { offset: 2, .. })));
}
