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
