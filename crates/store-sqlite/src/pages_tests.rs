use super::*;
use crate::schema::migrate;

/// How a view of the orders' log is read of which this span is asked for.
fn plan(view: View, span: Span) -> Vec<String> {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection).unwrap();
    let limit = PageLimit { events: 10, bytes: 1_000 };
    let query = PageQuery::after(Log::Orders, view, 0, limit).with_keys();
    let sql = format!("EXPLAIN QUERY PLAN {}", sql_of_orders(&query, span));
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
        for (view, low, expected) in [
            (View::Customer("c".into()), 0, [by_customer, too_new].concat()),
            (View::Customer("c".into()), 999_900, few.to_vec()),
            (View::Order("o".into()), 0, one.to_vec()),
        ] {
            let steps = plan(view, Span { low, high: 1_000_000, newest_first });
            let reads: Vec<_> =
                steps.iter().filter(|step| step.starts_with("S") && !step.starts_with("SCALAR")).collect();
            let reads: Vec<_> = reads.into_iter().map(|step| step.replace("COVERING INDEX", "INDEX")).collect();
            assert_eq!(reads, expected, "{steps:?}");
        }
    }
}
