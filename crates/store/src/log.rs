//! Reading logs: the half of the store that the hub lives on.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use ordercast_protocol::channel::{Log, View};
use ordercast_protocol::position::Epoch;
use ordercast_protocol::topic::Topics;

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
    /// What it is about; empty unless the query asked for it.
    pub topics: Topics,
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

/// Where a page begins, and which way it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The oldest event above this offset first. What lies at or below the floor is gone and is passed over:
    /// a reader that asks from below it must compare [`LogState::floor`] of the answer.
    After(u64),
    /// The newest event below this offset first; `u64::MAX` begins at the head.
    Before(u64),
}

/// Which events are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageQuery {
    /// Of which log.
    pub log: Log,
    /// Which of its events.
    pub view: View,
    /// From where.
    pub start: Start,
    /// How many.
    pub limit: PageLimit,
    /// Whether events come with their topics. A reader for one channel has no use for them, and finding them costs more
    /// than reading the event.
    pub with_topics: bool,
}

impl PageQuery {
    /// Events above an offset, oldest first, without topics.
    pub fn after(log: Log, view: View, after: u64, limit: PageLimit) -> Self {
        Self { log, view, start: Start::After(after), limit, with_topics: false }
    }

    /// Events below an offset, newest first, without topics.
    pub fn before(log: Log, view: View, before: u64, limit: PageLimit) -> Self {
        Self { log, view, start: Start::Before(before), limit, with_topics: false }
    }

    /// The same with topics.
    pub fn with_topics(self) -> Self {
        Self { with_topics: true, ..self }
    }
}

/// Consecutive events of a log or a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPage {
    /// The events, in the order that was asked for.
    pub events: Vec<StoredEvent>,
    /// Everything from where the page began to here has been looked at, this offset included; the next page
    /// begins here. It is the offset of the last event when the page is full, otherwise the head of the log, or
    /// on the way back the first offset above the floor. A view may be left earlier, even with an empty page,
    /// when much was looked at in vain.
    pub read_to: u64,
    /// The log as it was when the page was read.
    pub state: LogState,
}

impl LogPage {
    /// Whether there is nothing beyond this page, in the direction it was read.
    pub fn is_last(&self, start: Start) -> bool {
        match start {
            Start::After(_) => self.read_to >= self.state.head,
            Start::Before(_) => self.read_to <= self.state.floor + 1,
        }
    }
}

/// Reads logs. Only durable events are ever seen.
pub trait ReadLogs: Send + Sync + 'static {
    /// Where each log begins and ends now.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn log_states(&self) -> ReadFuture<'_, Vec<LogState>>;

    /// A page of events, and the log as it was in the same instant.
    ///
    /// # Errors
    /// When the store cannot be read; [`StoreError::DamagedEvent`] when the first event of the page is damaged: a page ends
    /// before such an event.
    fn log_page(&self, query: PageQuery) -> ReadFuture<'_, LogPage>;
}
