use ordercast_protocol::topic::TopicKind;

use super::*;
use crate::OFFSET_BITS;
use crate::schema::migrate;

/// How a view of the orders' log is read of which this span is asked for.
fn plan(view: View, lead: Lead, span: Span) -> Vec<String> {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection).unwrap();
    let limit = PageLimit { events: 10, bytes: 1_000 };
    let query = PageQuery::after(Log::Orders, view, 0, limit).with_topics();
    let sql = format!("EXPLAIN QUERY PLAN {}", sql_of_orders(&query, lead, span));
    let mut explain = connection.prepare(&sql).unwrap();
    explain.raw_query().mapped(|row| row.get(3)).collect::<rusqlite::Result<_>>().unwrap()
}

/// Events are found by their orders, never by looking through all of them.
#[test]
fn views_of_orders_are_seeks() {
    let by_order = "SEARCH e USING INDEX events_by_order (order_seq=? AND rowid>? AND rowid<?)";
    let by_customer = [
        "SCAN s",
        "SEARCH c USING PRIMARY KEY (segment=? AND customer_id=?)",
        "SEARCH o USING INTEGER PRIMARY KEY (rowid=?)",
        by_order,
    ];
    let too_new = [
        "SEARCH n USING INTEGER PRIMARY KEY (rowid>?)",
        "SCAN progress",
        "SEARCH o USING INTEGER PRIMARY KEY (rowid=?)",
        by_order,
    ];
    let few =
        ["SEARCH e USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)", "SEARCH o USING INTEGER PRIMARY KEY (rowid=?)"];
    let one = ["SEARCH o USING INDEX sqlite_autoindex_orders_1 (id=?)", by_order];
    for newest_first in [false, true] {
        for (kind, lead, low, expected) in [
            (TopicKind::Customer, Lead::Customer, 0, [by_customer, too_new].concat()),
            (TopicKind::Customer, Lead::Log, 999_900, few.to_vec()),
            (TopicKind::Order, Lead::Order, 0, one.to_vec()),
        ] {
            let steps = plan(View::of(kind, "c"), lead, Span { low, high: 1_000_000, newest_first });
            let reads: Vec<_> =
                steps.iter().filter(|step| step.starts_with("S") && !step.starts_with("SCALAR")).collect();
            let reads: Vec<_> = reads.into_iter().map(|step| step.replace("COVERING INDEX", "INDEX")).collect();
            assert_eq!(reads, expected, "{steps:?}");
        }
    }
}

/// The index of topics is looked into once for each run, and its events are found by their places.
#[test]
fn views_by_the_index_of_topics_are_seeks() {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection).unwrap();
    for newest_first in [false, true] {
        let span = Span { low: 0, high: 1_000_000, newest_first };
        let limit = PageLimit { events: 10, bytes: 1_000 };
        let query = PageQuery::after(Log::Adjustments, View::of(TopicKind::Customer, "c"), 0, limit).with_topics();
        let sql = format!("EXPLAIN QUERY PLAN {}", sql_of_topic(&query, span));
        let mut explain = connection.prepare(&sql).unwrap();
        let steps: Vec<String> = explain.raw_query().mapped(|row| row.get(3)).collect::<rusqlite::Result<_>>().unwrap();
        let expected = [
            "SEARCH t USING COVERING INDEX event_topics_by_topic (<expr>=? AND kind=? AND id=? AND position>? AND position<?)",
            "SEARCH e USING INTEGER PRIMARY KEY (rowid=?)",
            "SEARCH o USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN",
        ];
        assert_eq!(steps, expected);
    }
}

const ORDERS: u64 = 3_000;

/// A log with three events of each order; those of every order but the last are of one customer.
fn busy_customer() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection).unwrap();
    let fill = format!(
        "INSERT INTO orders (seq, id, customer_id, status, lane, priority, version, token, attempts, sort_key, amount, \
         rounding, currency, item_count, accepted_at_ms, updated_at_ms, demo, digest) \
         WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {ORDERS}) \
         SELECT x, 'o' || x, iif(x < {ORDERS}, 'busy', 'rare'), 'completed', 0, 2, 3, 1, 1, x, 500, 0, 'USD', 1, x, x, 0, \
         zeroblob(16) FROM n; \
         INSERT INTO events SELECT ({} << {OFFSET_BITS}) | ((e.value - 1) * {ORDERS} + o.seq), o.seq, 0, {}, '{{}}' \
         FROM orders o, json_each('[1,2,3]') e; \
         UPDATE logs SET head = {} WHERE name = 'orders';",
        log_number(Log::Orders),
        crc32fast::hash(b"{}"),
        3 * ORDERS
    );
    // The bodies are bytes, not text.
    connection.execute_batch(&fill.replace("'{}'", "CAST('{}' AS BLOB)")).unwrap();
    connection
}

fn read_all(connection: &mut Connection, customer: &str, events: usize, newest_first: bool) -> (Vec<u64>, usize) {
    let (mut offsets, mut pages) = (Vec::new(), 0);
    let mut start = if newest_first { Start::Before(u64::MAX) } else { Start::After(0) };
    loop {
        let limit = PageLimit { events, bytes: 1_000_000 };
        let query =
            PageQuery { start, ..PageQuery::after(Log::Orders, View::of(TopicKind::Customer, customer), 0, limit) };
        let page = read_page(connection, &Epoch("e".into()), &query).unwrap().unwrap();
        pages += 1;
        offsets.extend(page.events.iter().map(|event| event.offset));
        if page.is_last(start) {
            return (offsets, pages);
        }
        start = if newest_first { Start::Before(page.read_to) } else { Start::After(page.read_to) };
    }
}

/// The log is looked through for a customer who has most of it, and the orders of one who has few; what is found is the
/// same, in a number of pages that does not depend on how.
#[test]
fn a_customer_who_has_most_of_the_log_is_found_in_it() {
    let mut connection = busy_customer();
    let query = PageQuery::after(Log::Orders, View::All, 0, PageLimit { events: 10, bytes: 1_000 });
    let span = Span { low: 0, high: 3 * ORDERS, newest_first: false };
    assert!(is_scanned(&connection, "busy", &query, span).unwrap());
    assert!(!is_scanned(&connection, "rare", &query, span).unwrap());
    assert!(is_scanned(&connection, "rare", &query, Span { low: 3 * ORDERS - FEW_EVENTS, ..span }).unwrap());
    let busy: Vec<u64> = (1..=3 * ORDERS).filter(|offset| offset % ORDERS != 0).collect();
    for newest_first in [false, true] {
        let (mut offsets, pages) = read_all(&mut connection, "busy", 100, newest_first);
        if newest_first {
            offsets.reverse();
        }
        assert_eq!(offsets, busy);
        assert!(pages <= busy.len() / 100 + 2, "{pages}");
        let (rare, _) = read_all(&mut connection, "rare", 100, newest_first);
        assert_eq!(rare.len(), 3);
    }
}
