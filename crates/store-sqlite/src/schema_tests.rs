use std::path::Path;

use ordercast_domain::lease::ABANDONED;
use ordercast_domain::order::Queue;
use ordercast_domain::status::Status;
use ordercast_protocol::channel::Log;
use ordercast_protocol::topic::{Topic, TopicKind};
use ordercast_store::conformance::{run, wait};
use ordercast_store::log::ReadLogs;
use ordercast_store::read::{OrderQuery, ReadStore};
use ordercast_store::write::{EventInsert, Keys, LogWrites, OrderKeys, QueueKeys, Writes};

use super::*;
use crate::open::{DATABASE_FILE, open};
use crate::options::SqliteOptions;
use crate::position;
use crate::verify::verify;

/// An order of an old version's columns.
const OLD_ORDER: &str = "INSERT INTO orders (seq, id, customer_id, status, queue, lane, priority, version, token, \
    attempts, sort_key, amount, rounding, currency, item_count, accepted_at_ms, updated_at_ms, demo, digest) \
    VALUES (?1, ?2, 'c_1', ?3, ?4, 0, 2, 1, 0, 0, ?1, 500, 0, 'USD', 1, 5, 6, 0, zeroblob(16))";
const DETAILS: &str = "INSERT INTO order_details (seq, customer, address, lines) \
    VALUES (?1, 'ann', '1 Road', '[[\"tea\",2,null,2,false]]')";

/// A database of an old version with an order of each status that it knew to reach.
fn old_database(dir: &Path, version: usize) {
    let mut connection = Connection::open(dir.join(DATABASE_FILE)).unwrap();
    migrate_to(&mut connection, version).unwrap();
    for (seq, status, queue) in
        [(1, "pending", Some(0)), (2, "active", Some(1)), (3, "completed", None), (4, "failed", None)]
    {
        connection.execute(OLD_ORDER, (seq, format!("o{seq}"), status, queue)).unwrap();
        connection.execute(DETAILS, [seq]).unwrap();
        connection
            .execute(
                "INSERT INTO events VALUES ((1048576 << 40) | ?1, ?1, 5, ?3, CAST(?2 AS BLOB))",
                (seq, body(status), crc32fast::hash(body(status).as_bytes())),
            )
            .unwrap();
    }
    connection.execute("UPDATE logs SET head = 4 WHERE name = 'orders'", []).unwrap();
    connection.execute("INSERT INTO products VALUES ('tea', 'Tea', 1, 'USD', 10, 8)", []).unwrap();
    connection.execute("INSERT INTO idempotency VALUES ('k', 3)", []).unwrap();
    // The index of customers lies in segments since version 5.
    let index = match version {
        ..5 => "INSERT INTO customer_orders VALUES ('c_1', 1), ('c_1', 2)",
        _ => {
            "INSERT INTO customer_segments VALUES (1); INSERT INTO customer_orders VALUES (1, 'c_1', 1), (1, 'c_1', 2)"
        }
    };
    connection.execute_batch(index).unwrap();
    connection.execute("UPDATE progress SET customers_indexed_to = 2", []).unwrap();
}

fn body(status: &str) -> String {
    let status = if status == "active" { "processing" } else { status };
    format!("{{\"status\":\"{status}\",\"version\":1}}")
}

#[test]
fn old_databases_are_brought_up_and_lose_nothing() {
    for version in 1..MIGRATIONS.len() {
        let dir = tempfile::tempdir().unwrap();
        old_database(dir.path(), version);
        let (mut writer, reader) = open(&SqliteOptions::new(dir.path())).unwrap();
        let start = wait(reader.start_state()).unwrap();
        assert_eq!((start.ready, start.active), (1, 1));
        let (order, details) = wait(reader.order("o2".into())).unwrap().unwrap();
        assert_eq!((order.status, order.queue(), order.amount), (Status::Active, Some(Queue::InWork), 500));
        assert_eq!(order.lease.as_deref(), Some(ABANDONED), "the first node gives it back");
        assert_eq!((details.lines[0].reserved, details.charges.len()), (2, 0));
        let of_customer = OrderQuery { customer_id: Some("c_1".into()), limit: 9, ..OrderQuery::default() };
        assert_eq!(wait(reader.orders(of_customer)).unwrap().orders.len(), 4);
        let heads: Vec<_> = wait(reader.log_states()).unwrap().iter().map(|state| (state.log, state.head)).collect();
        assert_eq!(heads, [(Log::Orders, 4), (Log::Products, 0), (Log::Adjustments, 0), (Log::Publications, 0)]);
        let topics = Topic::new(TopicKind::Channel, "room:1").into();
        let event = EventInsert { log: Log::Publications, order: None, topics, body: "{}".into() };
        let keys = Keys {
            orders: OrderKeys { keys: vec!["k".into()], ..OrderKeys::default() },
            queue: QueueKeys { ready: 5, ..QueueKeys::default() },
            ..Keys::default()
        };
        let committed = run(&mut writer, keys, |set, _| {
            assert_eq!((&*set.orders.keys["k"].order_id, set.queue.ready.len(), set.orders.next_seq), ("o3", 1, 5));
            Writes { logs: LogWrites { events: vec![event.clone()], ..LogWrites::default() }, ..Writes::default() }
        });
        assert_eq!(committed.logs[0].first, 1);
        drop((writer, reader));
        let report = verify(dir.path(), |_| {}).unwrap();
        assert!(report.is_clean(), "version {version}: {report}");
    }
}

/// Adjustments of before the index of topics are found by their customers; what cannot be read is left out.
#[test]
fn old_adjustments_have_their_customers_as_topics() {
    let mut connection = Connection::open_in_memory().unwrap();
    let before = MIGRATIONS.iter().position(|migration| *migration == TOPICS).unwrap();
    migrate_to(&mut connection, before).unwrap();
    let bodies = [r#"{"customer_id":"c_1"}"#, r#"{"customer_id":null}"#, "{", "{}", r#"{"customer_id":"c_1"}"#];
    for (log, first) in [(Log::Adjustments, 0), (Log::Products, 5)] {
        for (body, offset) in bodies.iter().zip(first + 1..) {
            let insert = "INSERT INTO events VALUES (?1, NULL, 0, 0, ?2)";
            connection.execute(insert, (position(log, offset), body.as_bytes())).unwrap();
        }
    }
    migrate(&mut connection).unwrap();
    let mut select = connection.prepare("SELECT position, kind, id FROM event_topics ORDER BY position").unwrap();
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)));
    let rows: Vec<(i64, String, String)> = rows.unwrap().collect::<rusqlite::Result<_>>().unwrap();
    let of_ann = |offset| (position(Log::Adjustments, offset), "customer".to_owned(), "c_1".to_owned());
    assert_eq!(rows, [of_ann(1), of_ann(5)]);
}

/// Stores whose index of customers ends before, at and after the end of a segment.
#[test]
fn an_old_index_of_customers_is_cut_into_segments() {
    const SEGMENT: u64 = 131_072;
    const TAIL: u64 = 5;
    for (indexed_to, segments) in [
        (0, &[][..]),
        (1, &[1]),
        (SEGMENT, &[1]),
        (SEGMENT + 1, &[1, SEGMENT + 1]),
        (2 * SEGMENT + 3, &[1, SEGMENT + 1, 2 * SEGMENT + 1]),
    ] {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate_to(&mut connection, 4).unwrap();
        let (columns, values) = OLD_ORDER.split_once("VALUES (?1, ?2, 'c_1', ?3, ?4,").unwrap();
        let values = values.replace("?1", "n");
        let insert = format!(
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1) {columns} \
             SELECT n, 'o' || n, 'c_' || (n * 7 % 1000), 'held', NULL, {} FROM numbers",
            values.strip_suffix(')').unwrap()
        );
        connection.execute(&insert, [indexed_to + TAIL]).unwrap();
        let fill = "INSERT INTO customer_orders SELECT customer_id, seq FROM orders WHERE seq <= ?1";
        connection.execute(fill, [indexed_to]).unwrap();
        connection.execute("UPDATE progress SET customers_indexed_to = ?1", [indexed_to]).unwrap();
        migrate(&mut connection).unwrap();
        let mut select = connection.prepare("SELECT first_seq FROM customer_segments ORDER BY first_seq").unwrap();
        let found: Vec<u64> = select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(found, segments, "{indexed_to}");
        let right = "SELECT count(*) FROM customer_orders c JOIN orders o ON o.seq = c.seq \
                     AND o.customer_id = c.customer_id AND c.segment = (c.seq - 1) / 131072 * 131072 + 1";
        for sql in [right, "SELECT count(*) FROM customer_orders"] {
            let count: u64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
            assert_eq!(count, indexed_to, "{sql}");
        }
    }
}

/// The statuses and what the queue column must say of each, as the domain knows them.
#[test]
fn the_database_checks_what_the_domain_says() {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection).unwrap();
    let sql = OLD_ORDER.replace("digest)", "digest, due_at_ms)").replace("zeroblob(16))", "zeroblob(16), ?5)");
    let mut seq = 0;
    let mut insert = |status: &str, queue: Option<i64>, due_at_ms: Option<i64>| {
        seq += 1;
        connection.execute(&sql, (seq, format!("o{seq}"), status, queue, due_at_ms)).is_ok()
    };
    for status in Status::ALL {
        for due_at_ms in [None, Some(7)] {
            // What `Order::queue` says of it, with the number of its column.
            let expected = match (status, due_at_ms) {
                (Status::Active, None) => Some(Some(1)),
                (Status::Pending | Status::Retrying, None) => Some(Some(0)),
                (Status::Pending | Status::Retrying | Status::Scheduled | Status::Held, Some(_)) => Some(Some(2)),
                (_, Some(_)) => None,
                (_, None) => Some(None),
            };
            for queue in [None, Some(0), Some(1), Some(2), Some(3)] {
                let is_taken = insert(status.name(), queue, due_at_ms);
                assert_eq!(is_taken, expected == Some(queue), "{status:?} {queue:?} {due_at_ms:?}");
            }
        }
    }
    assert!(!insert("lost", None, None), "no other status");
}
