//! Reading logs: the half of the store that the hub lives on.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use ordercast_protocol::channel::{Log, View};
use ordercast_protocol::position::Epoch;

use crate::StoreError;

/// The answer of a read, later.
pub type ReadFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// An event as it lies in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its place in the log, from 1.
    pub offset: u64,
    /// When it was committed, in milliseconds since 1970.
    pub at_ms: i64,
    /// The body as it was encoded when it was written.
    pub body: Bytes,
    /// The order it is about, by which `order:{id}` finds it.
    pub order_id: Option<Arc<str>>,
    /// The customer it is about, by which `orders:{customer_id}` finds it.
    pub customer_id: Option<Arc<str>>,
}

/// Where a log begins and ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogState {
    /// Which log.
    pub log: Log,
    /// The life of the log that its offsets belong to.
    pub epoch: Epoch,
    /// The last durable offset; 0 when the log is empty.
    pub head: u64,
    /// The last offset that retention has removed; 0 when everything is kept. Readers can resume from
    /// here on, not from before.
    pub floor: u64,
}

/// How much of a log is read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit {
    /// Most events.
    pub events: usize,
    /// Most bytes of bodies; a page has at least one event however large.
    pub bytes: usize,
}

/// Consecutive events of a log or a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPage {
    /// The events, in the order of their offsets.
    pub events: Vec<StoredEvent>,
    /// Everything up to here has been looked at: the offset of the last event when the page is full, the head
    /// of the log otherwise. The next page is read after this.
    pub read_to: u64,
    /// The log as it was when the page was read.
    pub state: LogState,
}

/// Reads logs. Only durable events are ever seen.
pub trait ReadLogs: Send + Sync + 'static {
    /// Where each log begins and ends now.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn log_states(&self) -> ReadFuture<'_, Vec<LogState>>;

    /// The events of `log` that belong to `view`, with offsets above `after`.
    ///
    /// # Errors
    /// When the store cannot be read, or an event's checksum does not match.
    fn log_page(&self, log: Log, view: View, after: u64, limit: PageLimit) -> ReadFuture<'_, LogPage>;
}
