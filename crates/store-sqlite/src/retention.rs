//! Removing the oldest events of a log.
//!
//! Whole pages become free at the left edge of a table, and the next events are written into them: a log that
//! keeps as much as it gets takes no more room on the disk.

use ordercast_protocol::channel::Log;
use ordercast_store::write::{Trim, Trimmed};
use rusqlite::{Connection, OptionalExtension};

use crate::events::{Extent, Extents};
use crate::{log_number, offset_of, position, table, topics};

/// What is to be removed of a log that has `extent`, if anything.
pub(crate) fn cut(connection: &Connection, extent: Extent, trim: &Trim) -> rusqlite::Result<Option<Trimmed>> {
    let Extent { head, floor } = extent;
    let most = trim.most.min(head - floor);
    let too_many = trim.max_events.map_or(0, |max| (head - floor).saturating_sub(max)).min(most);
    let too_old = match trim.before_ms {
        Some(before_ms) if too_many < most => count_older(connection, trim.log, floor, most, before_ms)?,
        _ => 0,
    };
    let count = too_many.max(too_old);
    Ok((count > 0).then_some(Trimmed { log: trim.log, floor: floor + count, count }))
}

/// How many of the first `most` events above the floor lie before the first that is young enough.
fn count_older(connection: &Connection, log: Log, floor: u64, most: u64, before_ms: i64) -> rusqlite::Result<u64> {
    let sql = format!(
        "SELECT position FROM {} WHERE position > ?1 AND position <= ?2 AND at_ms >= ?3 ORDER BY position LIMIT 1",
        table(log)
    );
    let span = (position(log, floor), position(log, floor + most), before_ms);
    let young: Option<i64> = connection.prepare_cached(&sql)?.query_row(span, |row| row.get(0)).optional()?;
    Ok(young.map_or(most, |young| offset_of(young) - floor - 1))
}

/// Removes what was found, inside the transaction of the batch, and moves the floors.
pub(crate) fn remove(connection: &Connection, cuts: &[Trimmed], extents: &mut Extents) -> rusqlite::Result<()> {
    for Trimmed { log, floor, count } in cuts {
        let sql = format!("DELETE FROM {} WHERE position > ?1 AND position <= ?2", table(*log));
        let span = (position(*log, floor - count), position(*log, *floor));
        connection.prepare_cached(&sql)?.execute(span)?;
        topics::remove(connection, span.0, span.1)?;
        connection.prepare_cached("UPDATE logs SET floor = ?2 WHERE id = ?1")?.execute((log_number(*log), floor))?;
        extents[log.index()].floor = *floor;
    }
    Ok(())
}
