use ordercast_domain::rules::Priority;
use ordercast_domain::status::Status;
use rusqlite::Connection;

use super::*;
use crate::schema::migrate;

fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    explain.raw_query().mapped(|row| row.get(3)).collect::<rusqlite::Result<_>>().unwrap()
}

/// The tables that are read from end to end.
fn looked_through(steps: &[String]) -> Vec<&String> {
    steps.iter().filter(|step| step.starts_with("SCAN")).collect()
}

/// Whatever else is asked for, the index of customers leads, and rows come in the order of the page: nothing is
/// looked through and nothing sorted.
#[test]
fn lists_by_customer_are_seeks_in_their_order() {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection).unwrap();
    let plain = OrderQuery { customer_id: Some("c".into()), limit: 10, ..OrderQuery::default() };
    for query in [
        plain.clone(),
        OrderQuery { status: Some((Status::Failed, None)), ..plain.clone() },
        OrderQuery { status: Some((Status::Pending, None)), ..plain.clone() },
        OrderQuery { priority: Some(Priority::High), ..plain.clone() },
        OrderQuery { from_ms: Some(1), to_ms: Some(2), ..plain },
    ] {
        let steps = plan(&connection, &sql_of(&query, Source::Index));
        assert_eq!(steps.len(), 4, "{query:?}: {steps:?}");
        assert!(steps[0].starts_with("SEARCH s USING INTEGER PRIMARY KEY"), "{query:?}: {steps:?}");
        assert!(steps[1].starts_with("SEARCH c USING PRIMARY KEY (segment=? AND customer_id=? AND seq"), "{steps:?}");
        assert_eq!(steps[2..], ["o", "d"].map(|table| format!("SEARCH {table} USING INTEGER PRIMARY KEY (rowid=?)")));
        let steps = plan(&connection, &sql_of(&query, Source::Tail));
        assert_eq!(looked_through(&steps), ["SCAN progress"], "{query:?}: {steps:?}");
        assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{query:?}: {steps:?}");
    }
}

/// Fewer than a page looks through, and more.
const ORDERS: u64 = 2 * MAX_LOOKED_THROUGH + 100;

/// Completed orders of one customer, all but the last few of them in the index.
fn many_orders() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection).unwrap();
    let indexed_to = ORDERS - 10;
    let fill = format!(
        "INSERT INTO orders (seq, id, customer_id, status, lane, priority, version, token, attempts, sort_key, amount, \
         rounding, currency, item_count, accepted_at_ms, updated_at_ms, demo, digest) \
         WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {ORDERS}) \
         SELECT x, 'o' || x, 'c', iif(x = 7, 'fulfilled', 'completed'), 0, 2, 3, 1, 1, x, 500, 0, 'USD', 1, 5, 5, 0, \
         zeroblob(16) FROM n; \
         INSERT INTO order_details (seq, customer, address, lines) SELECT seq, 'x', 'y', '[]' FROM orders; \
         INSERT INTO customer_segments VALUES (1), (10001); \
         INSERT INTO customer_orders SELECT iif(seq < 10001, 1, 10001), customer_id, seq FROM orders \
         WHERE seq <= {indexed_to}; UPDATE progress SET customers_indexed_to = {indexed_to};"
    );
    connection.execute_batch(&fill).unwrap();
    connection
}

/// Follows the cursors to the end; gives what was found, and in how many pages.
fn follow(connection: &Connection, query: &OrderQuery) -> (Vec<OrderSeq>, u64) {
    let (mut query, mut found, mut pages) = (query.clone(), Vec::new(), 0);
    loop {
        let (orders, next) = list_orders(connection, &query).unwrap();
        found.extend(orders.iter().map(|(order, _)| order.seq));
        pages += 1;
        match next {
            Some(_) => query.before = next,
            None => return (found, pages),
        }
    }
}

/// What few or none match is not looked for from end to end at once: a page looks through so many and says where the next
/// one goes on.
#[test]
fn a_page_looks_through_a_bounded_number_of_orders() {
    let connection = many_orders();
    let of = |status: Status| OrderQuery { status: Some((status, None)), limit: 10, ..OrderQuery::default() };
    let all = ORDERS.div_ceil(MAX_LOOKED_THROUGH);
    let of_customer = (ORDERS - 10).div_ceil(MAX_OF_CUSTOMER);
    for (query, found, pages) in [
        (of(Status::Pending), vec![], all),
        (of(Status::PartiallyFulfilled), vec![], all),
        (of(Status::Fulfilled), vec![7], all),
        // An index leads to these.
        (of(Status::Failed), vec![], 1),
        (of(Status::Active), vec![], 1),
        (OrderQuery { priority: Some(Priority::High), limit: 10, ..OrderQuery::default() }, vec![], all),
        (OrderQuery { from_ms: Some(6), to_ms: Some(9), limit: 10, ..OrderQuery::default() }, vec![], all),
        (OrderQuery { customer_id: Some("c".into()), ..of(Status::Pending) }, vec![], of_customer),
        (OrderQuery { customer_id: Some("c".into()), ..of(Status::Fulfilled) }, vec![7], of_customer),
        (OrderQuery { customer_id: Some("c".into()), ..of(Status::Failed) }, vec![], of_customer),
    ] {
        assert_eq!(follow(&connection, &query), (found, pages), "{query:?}");
    }
}

/// What an index leads to is found at once, however old; the rest page by page, and nothing twice.
#[test]
fn a_search_finds_by_index_and_by_looking_through() {
    let connection = many_orders();
    connection
        .execute_batch(
            "UPDATE order_details SET customer = 'Anna Smith' WHERE seq = 3; \
             UPDATE order_details SET lines = '[[\"blue-cup\",1,null,0,false]]' WHERE seq = 40000; \
             UPDATE orders SET id = 'Shop-9-XYZ' WHERE seq = 9;",
        )
        .unwrap();
    let search = |text: &str, limit| OrderQuery { search: OrderSearch::new(text), limit, ..OrderQuery::default() };
    let all = ORDERS.div_ceil(MAX_LOOKED_THROUGH);
    for (text, found, pages) in [
        ("anna", vec![3], all),
        ("CUP", vec![40_000], all),
        ("#9", vec![9], all),
        ("Shop-9", vec![9], all),
        ("-xyz", vec![9], all),
        ("o40001", vec![40_001], all),
        ("no such thing", vec![], all),
    ] {
        assert_eq!(follow(&connection, &search(text, 10)), (found, pages), "{text}");
    }
    let (orders, _) = list_orders(&connection, &search("#9", 10)).unwrap();
    assert_eq!(orders.len(), 1, "on the first page, though 40,000 are newer");
    let (found, _) = follow(&connection, &search("o4000", 3));
    let expected: Vec<_> = [4_000, 40_000].into_iter().chain(40_001..=40_009).collect();
    let mut sorted = found.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected, "each once: {found:?}");
    let (found, _) = follow(&connection, &search("o400", 100));
    assert_eq!((found.len(), found[0]), (111, 400), "the whole id goes first, the others by age");
    assert!(found[1..].is_sorted_by(|one, next| one > next), "{found:?}");
    let filtered = OrderQuery { status: Some((Status::Fulfilled, None)), ..search("o7", 10) };
    assert_eq!(follow(&connection, &filtered).0, [7], "the other filters hold too");
}

#[test]
fn orders_in_work_are_found_by_the_queue() {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection).unwrap();
    let query = OrderQuery { status: Some((Status::Active, None)), limit: 10, ..OrderQuery::default() };
    let steps = plan(&connection, &sql_of(&query, Source::InWork));
    assert!(steps[0].starts_with("SEARCH o USING INDEX orders_queue (queue=?"), "{steps:?}");
}
