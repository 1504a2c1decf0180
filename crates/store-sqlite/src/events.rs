//! Appending events to their logs.

use ordercast_protocol::channel::Log;
use ordercast_protocol::topic::TopicKind;
use ordercast_store::write::EventInsert;
use rusqlite::Connection;

use crate::{log_number, position, rows, topics};

/// Where a log begins and ends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extent {
    pub(crate) head: u64,
    pub(crate) floor: u64,
}

/// Where each log begins and ends, in the order of [`Log::ALL`].
pub(crate) type Extents = [Extent; Log::ALL.len()];

/// Reads where the logs begin and end.
pub(crate) fn extents(connection: &Connection) -> rusqlite::Result<Extents> {
    let mut extents = Extents::default();
    let mut select = connection.prepare("SELECT head, floor FROM logs WHERE id = ?1")?;
    for log in Log::ALL {
        extents[log.index()] =
            select.query_row([log_number(log)], |row| Ok(Extent { head: row.get(0)?, floor: row.get(1)? }))?;
    }
    Ok(extents)
}

/// Appends the events of a batch, each at the end of its log, and counts them; gives the heads after it.
pub(crate) fn append(
    connection: &Connection,
    extents: &Extents,
    events: &[EventInsert],
    now_ms: i64,
) -> rusqlite::Result<Extents> {
    let mut after = *extents;
    let mut place = |event: &EventInsert| {
        let head = &mut after[event.log.index()].head;
        *head += 1;
        (position(event.log, *head), crc32fast::hash(&event.body))
    };
    // Table by table, so that a batch without publications does not even look for their statement.
    let (mut publications, is_publication) = (0, |event: &&EventInsert| event.log == Log::Publications);
    let mut insert = connection.prepare_cached("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for event in events {
        if is_publication(&event) {
            publications += 1;
            continue;
        }
        let (position, checksum) = place(event);
        insert.execute((position, event.order, now_ms, checksum, &event.body[..]))?;
        topics::insert(connection, position, event.log, &event.topics)?;
    }
    if publications > 0 {
        let mut insert = connection.prepare_cached("INSERT INTO publications VALUES (?1, ?2, ?3, ?4, ?5)")?;
        for event in events.iter().filter(is_publication) {
            let (position, checksum) = place(event);
            let channel = event.topics.id_of(TopicKind::Channel);
            let channel = channel.ok_or_else(|| rows::unwritable("a publication without a channel"))?;
            insert.execute((position, &**channel, now_ms, checksum, &event.body[..]))?;
            topics::insert(connection, position, event.log, &event.topics)?;
        }
    }
    for log in Log::ALL {
        let (before, head) = (extents[log.index()].head, after[log.index()].head);
        if head > before {
            let mut update = connection.prepare_cached("UPDATE logs SET head = ?2 WHERE id = ?1")?;
            update.execute((log_number(log), head))?;
        }
    }
    Ok(after)
}
