//! Where the topics of events are kept: the one place that maps kinds of topics to tables and columns.
//!
//! Events of orders refer to the order's row, which has its id and its customer's; publications have a column for
//! their channel.

use std::sync::Arc;

use ordercast_protocol::channel::Log;
use ordercast_protocol::topic::{Topic, TopicKind, Topics};
use rusqlite::Row;

/// Where the events about a topic are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// By the row of the order.
    Order,
    /// By the rows of the customer's orders.
    OrdersOfCustomer,
    /// By the channel of a publication.
    Publication,
    /// Nowhere: no event of the log has such a topic.
    Nowhere,
}

/// Where a log keeps the topics of a kind.
pub(crate) fn place(log: Log, kind: TopicKind) -> Place {
    match (log, kind) {
        (Log::Orders, TopicKind::Order) => Place::Order,
        (Log::Orders, TopicKind::Customer) => Place::OrdersOfCustomer,
        (Log::Publications, TopicKind::Channel) => Place::Publication,
        _ => Place::Nowhere,
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

/// Reads the topics of an event from the columns that [`columns`] names, the first of them at `at`.
pub(crate) fn read(row: &Row<'_>, at: usize, log: Log) -> rusqlite::Result<Topics> {
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
    Ok(topics)
}
