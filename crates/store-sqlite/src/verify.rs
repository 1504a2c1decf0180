//! Checking a whole store: what must hold of every row, whatever happened before.

use std::collections::BTreeMap;
use std::path::Path;

use ordercast_domain::order::Progress;
use ordercast_protocol::channel::Log;
use ordercast_protocol::redaction::TOMBSTONE;
use ordercast_protocol::topic::TopicKind;
use ordercast_store::StoreError;
use ordercast_store::verify::{Finding, MAX_PROBLEMS, VerifyReport};
use rusqlite::Connection;

use crate::lock::DatabaseLock;
use crate::open::{DATABASE_FILE, open_reader};
use crate::rows::moves_of;
use crate::{failed, log_number, offset_of, position, rows, table};

/// Checks the store of a data directory that no server is using. `progress` hears the name of each check.
///
/// # Errors
/// [`StoreError`] when there is no store, a server has it, or it cannot be read at all. What is wrong *in* a
/// readable store is in the report.
pub fn verify(data_dir: &Path, mut progress: impl FnMut(&'static str)) -> Result<VerifyReport, StoreError> {
    let path = data_dir.join(DATABASE_FILE);
    if !path.exists() {
        return Err(StoreError::Failed(format!("there is no store at {}", path.display())));
    }
    let lock = DatabaseLock::take(data_dir)?;
    let connection = open_reader(&lock.path)?;
    let checks: [(&'static str, Check); 11] = [
        ("database pages", database_pages),
        ("offsets without holes", offsets),
        ("checksums of events", checksums),
        ("references between tables", references),
        ("cursors of consumers", cursors),
        ("one event per version, last status told", versions),
        ("each event begins where the last one ended", folds),
        ("reserved stock", reserved_stock),
        ("amounts of priced orders", amounts),
        ("money given back", refunds),
        ("orders in work and their leases", leases),
    ];
    let mut report = VerifyReport::default();
    for (check, run) in checks {
        progress(check);
        let mut finding = Finding { check, looked_at: 0, problems: Vec::new() };
        run(&connection, &mut finding).map_err(|error| failed(&error))?;
        report.findings.push(finding);
    }
    Ok(report)
}

type Check = fn(&Connection, &mut Finding) -> rusqlite::Result<()>;

fn note(finding: &mut Finding, problem: String) {
    if finding.problems.len() < MAX_PROBLEMS {
        finding.problems.push(problem);
    }
}

fn database_pages(connection: &Connection, finding: &mut Finding) -> rusqlite::Result<()> {
    finding.looked_at = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    let mut check = connection.prepare("PRAGMA integrity_check(20)")?;
    for line in check.query_map([], |row| row.get::<_, String>(0))? {
        let line = line?;
        if line != "ok" {
            note(finding, line);
        }
    }
    Ok(())
}

fn offsets(connection: &Connection, finding: &mut Finding) -> rusqlite::Result<()> {
    for log in Log::ALL {
        let (head, floor): (u64, u64) =
            connection.query_row("SELECT head, floor FROM logs WHERE id = ?1", [log_number(log)], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        let mut expected = floor + 1;
        let sql = format!("SELECT position FROM {} WHERE position BETWEEN ?1 AND ?2 ORDER BY position", table(log));
        let mut select = connection.prepare(&sql)?;
        for found in select.query_map((position(log, 0), position(log, u64::MAX)), |row| row.get(0))? {
            let offset = offset_of(found?);
            finding.looked_at += 1;
            if offset <= floor {
                note(finding, format!("{}: event {offset} is still there, but the floor is at {floor}", log.name()));
                continue;
            }
            if offset != expected {
                note(finding, format!("{}: event {expected} is missing before {offset}", log.name()));
            }
            expected = offset + 1;
        }
        if expected != head + 1 {
            note(finding, format!("{}: the counter is at {head}, the last event at {}", log.name(), expected - 1));
        }
    }
    Ok(())
}

/// Bodies are what was written, and only those of logs that allow it were removed.
fn checksums(connection: &Connection, finding: &mut Finding) -> rusqlite::Result<()> {
    for log in Log::ALL {
        let sql = format!("SELECT position, checksum, body FROM {} WHERE position BETWEEN ?1 AND ?2", table(log));
        let mut select = connection.prepare(&sql)?;
        let mut rows = select.query((position(log, 0), position(log, u64::MAX)))?;
        while let Some(row) = rows.next()? {
            finding.looked_at += 1;
            let (offset, body) = (offset_of(row.get(0)?), row.get_ref(2)?.as_bytes()?);
            if crc32fast::hash(body) != row.get::<_, u32>(1)? {
                note(finding, format!("{}: the body of event {offset} is not what was written", log.name()));
            } else if body == TOMBSTONE && !log.is_redactable() {
                note(finding, format!("{}: the body of event {offset} was removed, which the log forbids", log.name()));
            }
        }
    }
    Ok(())
}

fn references(connection: &Connection, finding: &mut Finding) -> rusqlite::Result<()> {
    let mut check = connection.prepare("PRAGMA foreign_key_check")?;
    for row in check.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(2)?)))? {
        let (table, parent) = row?;
        note(finding, format!("a row of {table} refers to a row of {parent} that is not there"));
    }
    let sql = "SELECT o.id FROM orders o LEFT JOIN order_details d ON d.seq = o.seq WHERE d.seq IS NULL LIMIT 20";
    for id in connection.prepare(sql)?.query_map([], |row| row.get::<_, String>(0))? {
        note(finding, format!("order {} has no details", id?));
    }
    customers(connection, finding)?;
    topics(connection, finding)?;
    finding.looked_at = connection.query_row("SELECT count(*) FROM orders", [], |row| row.get(0))?;
    Ok(())
}

/// The index of customers has each order that it reaches, in its segment, and nothing else.
fn customers(connection: &Connection, finding: &mut Finding) -> rusqlite::Result<()> {
    let sql = "SELECT o.id FROM orders o LEFT JOIN customer_orders c ON c.segment = \
               (SELECT max(first_seq) FROM customer_segments WHERE first_seq <= o.seq) \
               AND c.customer_id = o.customer_id AND c.seq = o.seq \
               WHERE o.seq <= (SELECT customers_indexed_to FROM progress) AND c.seq IS NULL LIMIT 20";
    for id in connection.prepare(sql)?.query_map([], |row| row.get::<_, String>(0))? {
        note(finding, format!("order {} is not in the index of its customer", id?));
    }
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u64>(0));
    let indexed = count("SELECT count(*) FROM customer_orders")?;
    let orders = count("SELECT count(*) FROM orders WHERE seq <= (SELECT customers_indexed_to FROM progress)")?;
    if indexed != orders {
        note(finding, format!("the index of customers has {indexed} rows for {orders} orders"));
    }
    Ok(())
}

/// A consumer is not further than its log, in the life that the log has now.
fn cursors(connection: &Connection, finding: &mut Finding) -> rusqlite::Result<()> {
    let sql = "SELECT c.name, c.cursor, l.name, l.head, c.epoch = (SELECT CAST(value AS TEXT) FROM meta WHERE key = 'epoch') \
               FROM consumers c JOIN logs l ON l.name = c.log ORDER BY c.name";
    let mut select = connection.prepare(sql)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        finding.looked_at += 1;
        let (name, cursor, log): (String, u64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (head, is_current): (u64, bool) = (row.get(3)?, row.get(4)?);
        if is_current && cursor > head {
            note(finding, format!("the consumer {name} is at {cursor}, the log {log} ends at {head}"));
        }
    }
    Ok(())
}

/// The index of topics refers to events, and names kinds that exist.
fn topics(connection: &Connection, finding: &mut Finding) -> rusqlite::Result<()> {
    let sql = "SELECT t.position FROM event_topics t WHERE \
               NOT EXISTS (SELECT 1 FROM events e WHERE e.position = t.position) AND \
               NOT EXISTS (SELECT 1 FROM publications p WHERE p.position = t.position) LIMIT 20";
    for position in connection.prepare(sql)?.query_map([], |row| row.get(0))? {
        note(finding, format!("the index of topics refers to event {}, which is not there", offset_of(position?)));
    }
    for kind in connection.prepare("SELECT DISTINCT kind FROM event_topics")?.query_map([], |row| row.get(0))? {
        let kind: String = kind?;
        if TopicKind::from_name(&kind).is_none() {
            note(finding, format!("the index of topics names the unknown kind {kind:?}"));
        }
    }
    Ok(())
}

/// An order has an event for each of its versions, but for its oldest that retention may have removed: those that
/// are left are then the last of it, and say so.
fn versions(connection: &Connection, finding: &mut Finding) -> rusqlite::Result<()> {
    let sql = "SELECT floor FROM logs WHERE name = 'orders'";
    let is_trimmed = connection.query_row(sql, [], |row| Ok(row.get::<_, u64>(0)? > 0))?;
    let sql = "SELECT o.id, o.version, (SELECT count(*) FROM events e WHERE e.order_seq = o.seq), \
               CASE WHEN o.status = 'active' THEN CASE o.lane WHEN 0 THEN 'processing' WHEN 1 THEN 'expedited' \
               ELSE 'priority_processing' END ELSE o.status END, \
               (SELECT json_extract(CAST(e.body AS TEXT), '$.status') FROM events e WHERE e.order_seq = o.seq \
                ORDER BY e.position DESC LIMIT 1), \
               (SELECT json_extract(CAST(e.body AS TEXT), '$.version') FROM events e WHERE e.order_seq = o.seq \
                ORDER BY e.position LIMIT 1) FROM orders o";
    let mut select = connection.prepare(sql)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        finding.looked_at += 1;
        let (id, version, events): (String, u64, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if events == 0 && is_trimmed {
            continue;
        }
        let first: Option<u64> = row.get(5)?;
        let is_whole = match is_trimmed && events < version {
            true => first.is_none_or(|first| first + events == version + 1),
            false => events == version,
        };
        if !is_whole {
            let first = first.map(|first| format!(", the first of version {first}")).unwrap_or_default();
            note(finding, format!("order {id} has version {version} and {events} events{first}"));
        }
        let (status, told): (String, Option<String>) = (row.get(3)?, row.get(4)?);
        if told.as_deref() != Some(&*status) {
            note(finding, format!("order {id} is {status}, its last event says {}", told.unwrap_or_default()));
        }
    }
    Ok(())
}

/// The status of an order is the fold of its events: each names the status and the version before it.
fn folds(connection: &Connection, finding: &mut Finding) -> rusqlite::Result<()> {
    let sql = "SELECT order_seq, json_extract(CAST(body AS TEXT), '$.version'), \
               json_extract(CAST(body AS TEXT), '$.from'), json_extract(CAST(body AS TEXT), '$.status') \
               FROM events WHERE order_seq IS NOT NULL ORDER BY order_seq, position";
    let mut select = connection.prepare(sql)?;
    let mut rows = select.query([])?;
    let mut last: Option<(u64, u64, String)> = None;
    while let Some(row) = rows.next()? {
        finding.looked_at += 1;
        let (seq, version): (u64, Option<u64>) = (row.get(0)?, row.get(1)?);
        let (from, status): (Option<String>, Option<String>) = (row.get(2)?, row.get(3)?);
        if let (Some((last_seq, last_version, last_status)), Some(version), Some(from)) = (&last, version, &from)
            && *last_seq == seq
            && (*last_version + 1, last_status) != (version, from)
        {
            let found = format!("version {version} from {from} follows version {last_version}, {last_status}");
            note(finding, format!("order number {seq}: {found}"));
        }
        last = version.zip(status).map(|(version, status)| (seq, version, status));
    }
    Ok(())
}

fn reserved_stock(connection: &Connection, finding: &mut Finding) -> rusqlite::Result<()> {
    let mut units: BTreeMap<String, i64> = BTreeMap::new();
    let sql = "SELECT d.lines, o.seq, o.id FROM orders o JOIN order_details d ON d.seq = o.seq \
               WHERE o.status NOT IN ('fulfilled', 'rejected', 'cancelled')";
    let mut select = connection.prepare(sql)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let lines = match rows::lines(row.get_ref(0)?.as_str()?) {
            Ok(lines) => lines,
            Err(error) => {
                note(finding, format!("an order's lines cannot be read: {error}"));
                continue;
            }
        };
        let progress = Progress::of_lines(lines.len(), &moves_of(connection, row.get(1)?)?);
        for (line, done) in lines.into_iter().zip(progress).filter(|(line, _)| line.reserved > 0) {
            let held = i64::from(line.reserved) - i64::from(done.shipped) - i64::from(done.cancelled);
            if held < 0 || done.returned > done.shipped {
                note(
                    finding,
                    format!("order {}: more of {} was moved than ordered", row.get::<_, String>(2)?, line.sku),
                );
            }
            *units.entry(line.sku).or_default() += held;
        }
    }
    let mut select = connection.prepare("SELECT sku, reserved, stock FROM products")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        finding.looked_at += 1;
        let (sku, reserved, stock): (String, i64, Option<i64>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let expected = units.remove(&sku).unwrap_or(0);
        if reserved != expected {
            note(finding, format!("{sku}: {reserved} are reserved, open orders hold {expected}"));
        }
        if stock.is_some_and(|stock| stock < reserved) {
            note(finding, format!("{sku}: {reserved} are reserved of a stock of {}", stock.unwrap_or(0)));
        }
    }
    for (sku, held) in units.into_iter().filter(|(_, held)| *held != 0) {
        note(finding, format!("{sku}: open orders hold {held}, but there is no such product"));
    }
    Ok(())
}

fn amounts(connection: &Connection, finding: &mut Finding) -> rusqlite::Result<()> {
    let sql = format!(
        "SELECT {}, {} FROM orders o JOIN order_details d ON d.seq = o.seq",
        rows::ORDER_COLUMNS,
        rows::DETAIL_COLUMNS
    );
    let mut select = connection.prepare(&sql)?;
    let mut orders = select.query([])?;
    while let Some(row) = orders.next()? {
        let (order, details) = (rows::order(row)?, rows::details(row, rows::ORDER_COLUMN_COUNT)?);
        finding.looked_at += 1;
        if details.lines.iter().any(|line| line.price.is_none()) {
            continue;
        }
        let sum = ordercast_domain::draft::sum_order(&details.lines, &details.charges, order.currency);
        if sum != Some((order.amount, order.rounding)) {
            note(finding, format!("order {}: its lines do not add up to its amount and rounding", order.id));
        }
    }
    Ok(())
}

/// What an order says was given back is the sum of its ledger.
fn refunds(connection: &Connection, finding: &mut Finding) -> rusqlite::Result<()> {
    finding.looked_at = connection.query_row("SELECT count(*) FROM ledger", [], |row| row.get(0))?;
    let sql = "SELECT o.id, o.refunded, coalesce(l.sum, 0), o.amount FROM orders o LEFT JOIN \
               (SELECT order_seq, sum(amount) AS sum FROM ledger GROUP BY order_seq) l ON l.order_seq = o.seq \
               WHERE o.refunded <> coalesce(l.sum, 0) OR o.refunded > o.amount LIMIT 20";
    let mut select = connection.prepare(sql)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (id, refunded, sum, amount): (String, i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        note(finding, format!("order {id} of {amount} says {refunded} went back, its ledger {sum}"));
    }
    Ok(())
}

fn leases(connection: &Connection, finding: &mut Finding) -> rusqlite::Result<()> {
    finding.looked_at =
        connection
            .query_row("SELECT count(*) FROM orders WHERE queue = 1 AND parked_by IS NULL", [], |row| row.get(0))?;
    let sql = "SELECT id FROM orders o WHERE queue = 1 AND parked_by IS NULL AND lease IS NOT NULL \
               AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.id = o.lease) LIMIT 20";
    for id in connection.prepare(sql)?.query_map([], |row| row.get::<_, String>(0))? {
        note(finding, format!("order {} is in work under a lease that is not there", id?));
    }
    Ok(())
}
