//! Removing the bodies of events: the rows stay, and their bodies are the tombstone.

use ordercast_protocol::redaction::{Redaction, TOMBSTONE};
use rusqlite::Connection;

use crate::events::Extents;
use crate::{position, table};

/// Removes bodies inside the transaction of the batch.
///
/// The bytes of a body are overwritten on its pages. The WAL holds them until it is written over, and backups for as long as
/// they are kept.
pub(crate) fn redact(connection: &Connection, extents: &Extents, redactions: &[Redaction]) -> rusqlite::Result<()> {
    if redactions.is_empty() {
        return Ok(());
    }
    connection.pragma_update(None, "secure_delete", true)?;
    let redacted = overwrite(connection, extents, redactions);
    connection.pragma_update(None, "secure_delete", false)?;
    redacted
}

fn overwrite(connection: &Connection, extents: &Extents, redactions: &[Redaction]) -> rusqlite::Result<()> {
    for redaction in redactions {
        let (log, offset) = (redaction.log(), redaction.offset());
        let extent = extents[log.index()];
        if offset > extent.floor && offset <= extent.head {
            let sql = format!("UPDATE {} SET checksum = ?2, body = ?3 WHERE position = ?1", table(log));
            let mut update = connection.prepare_cached(&sql)?;
            update.execute((position(log, offset), crc32fast::hash(TOMBSTONE), TOMBSTONE))?;
        }
    }
    Ok(())
}
