//! Consumers of logs: reading those that a batch touches, writing those that it changed.

use ordercast_domain::consumer::Consumer;
use ordercast_domain::decide::ConsumerSet;
use ordercast_store::write::{ConsumerKeys, ConsumerWrites};
use rusqlite::{Connection, OptionalExtension, Row};

/// Loads consumers.
pub(super) fn load(connection: &Connection, keys: &ConsumerKeys, set: &mut ConsumerSet) -> rusqlite::Result<()> {
    for name in &keys.names {
        let sql = "SELECT name, log, epoch, cursor, owner, fence, lease_end_ms FROM consumers WHERE name = ?1";
        let found = connection.prepare_cached(sql)?.query_row([&**name], consumer).optional()?;
        set.by_name.extend(found.map(|consumer| (consumer.name.clone(), consumer)));
    }
    Ok(())
}

/// Writes consumers.
pub(super) fn write(connection: &Connection, writes: &ConsumerWrites) -> rusqlite::Result<()> {
    for consumer in &writes.changed {
        let Consumer { name, log, epoch, cursor, owner, fence, lease_end_ms } = consumer;
        let sql = "INSERT OR REPLACE INTO consumers VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let row = (&**name, &**log, &**epoch, cursor, &**owner, fence, lease_end_ms);
        connection.prepare_cached(sql)?.execute(row)?;
    }
    Ok(())
}

fn consumer(row: &Row<'_>) -> rusqlite::Result<Consumer> {
    Ok(Consumer {
        name: row.get(0)?,
        log: row.get(1)?,
        epoch: row.get(2)?,
        cursor: row.get(3)?,
        owner: row.get(4)?,
        fence: row.get(5)?,
        lease_end_ms: row.get(6)?,
    })
}
