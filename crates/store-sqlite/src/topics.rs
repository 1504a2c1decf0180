//! Where the topics of events are kept: the one place that maps kinds of topics to tables and columns.
//!
//! Events of orders refer to the order's row, which has its id and its customer's; publications have a column for
//! their channel. Every other topic is a row of `event_topics`, the index that a new log uses as it is.

use std::sync::Arc;

use ordercast_protocol::channel::Log;
use ordercast_protocol::topic::{Topic, TopicKind, Topics};
use rusqlite::{Connection, Row};

use crate::rows;

/// Where the events about a topic are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// By the row of the order.
    Order,
    /// By the rows of the customer's orders.
    OrdersOfCustomer,
    /// By the channel of a publication.
    Publication,
    /// By the index of topics.
    Index,
}

/// Where a log keeps the topics of a kind.
pub(crate) fn place(log: Log, kind: TopicKind) -> Place {
    match (log, kind) {
        (Log::Orders, TopicKind::Order) => Place::Order,
        (Log::Orders, TopicKind::Customer) => Place::OrdersOfCustomer,
        (Log::Publications, TopicKind::Channel) => Place::Publication,
        _ => Place::Index,
    }
}

/// What is selected to read the topics of an event `e` of a log, with [`read`], and the join that it needs.
pub(crate) fn columns(log: Log) -> (&'static str, &'static str) {
    match log {
        Log::Publications => (", e.channel", ""),
        Log::Orders | Log::Products | Log::Adjustments => (ORDER_COLUMNS, " LEFT JOIN orders o ON o.seq = e.order_seq"),
    }
}

/// As [`columns`], where the order `o` is joined already.
pub(crate) const ORDER_COLUMNS: &str = ", o.id, o.customer_id";

/// Keeps the topics of an event that stand in no column. A column has one topic: a second one of its kind is refused.
pub(crate) fn insert(connection: &Connection, position: i64, log: Log, topics: &Topics) -> rusqlite::Result<()> {
    let mut before = None;
    for topic in topics.iter() {
        let kind_before = before.replace(topic.kind);
        if place(log, topic.kind) != Place::Index {
            if kind_before == Some(topic.kind) {
                return Err(rows::unwritable("an event has two topics of a kind that its log has one column for"));
            }
            continue;
        }
        let mut insert = connection.prepare_cached("INSERT INTO event_topics VALUES (?1, ?2, ?3)")?;
        insert.execute((position, topic.kind.name(), &*topic.id))?;
    }
    Ok(())
}

/// Forgets the topics of events that are removed: those above `from`, up to `to`.
pub(crate) fn remove(connection: &Connection, from: i64, to: i64) -> rusqlite::Result<()> {
    let mut delete = connection.prepare_cached("DELETE FROM event_topics WHERE position > ?1 AND position <= ?2")?;
    delete.execute((from, to)).map(|_| ())
}

/// Reads the topics of the event at a position: those of its columns, which [`columns`] names, the first of them at `at`,
/// and those of the index.
pub(crate) fn read(
    connection: &Connection,
    row: &Row<'_>,
    at: usize,
    (log, position): (Log, i64),
) -> rusqlite::Result<Topics> {
    let kinds: &[TopicKind] = match log {
        Log::Publications => &[TopicKind::Channel],
        Log::Orders | Log::Products | Log::Adjustments => &[TopicKind::Order, TopicKind::Customer],
    };
    let mut topics = Topics::default();
    for (index, kind) in kinds.iter().enumerate() {
        if let Some(id) = row.get::<_, Option<Arc<str>>>(at + index)? {
            topics.add(Topic::new(*kind, id));
        }
    }
    let mut select = connection.prepare_cached("SELECT kind, id FROM event_topics WHERE position = ?1")?;
    let mut rows = select.query([position])?;
    while let Some(row) = rows.next()? {
        let name = row.get_ref(0)?.as_str()?;
        let kind = TopicKind::from_name(name).ok_or_else(|| rows::unknown(0, name))?;
        topics.add(Topic::new(kind, row.get::<_, Arc<str>>(1)?));
    }
    Ok(topics)
}
