//! Consumers: durable readers of logs, each with one owner at a time.

use std::sync::Arc;

/// Where a consumer stands, and who reads for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// Its name; there is one of each.
    pub name: Arc<str>,
    /// The name of the log that it reads.
    pub log: Arc<str>,
    /// The life of the log that the cursor belongs to.
    pub epoch: Arc<str>,
    /// Everything up to this offset is handled.
    pub cursor: u64,
    /// The node that reads for it, or did.
    pub owner: Arc<str>,
    /// Raised whenever it gets an owner: what an earlier owner still does is refused.
    pub fence: u64,
    /// When another may become the owner, by steady time, in milliseconds.
    pub lease_end_ms: i64,
}

/// A node asks to read for a consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acquire {
    /// The consumer.
    pub name: Arc<str>,
    /// The log that it reads.
    pub log: Arc<str>,
    /// The node.
    pub owner: Arc<str>,
    /// How long the lease lasts, in milliseconds.
    pub ttl_ms: i64,
    /// Where a consumer begins that does not exist yet: the life of the log, and the offset after which it reads.
    pub start: (Arc<str>, u64),
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// The node is the owner from now on.
    Granted(Consumer),
    /// Another node is.
    Held {
        /// Which.
        owner: Arc<str>,
        /// How long its lease lasts if it is not renewed, in milliseconds.
        for_ms: i64,
    },
}

/// The owner of a consumer has handled events, or only keeps its lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveCursor {
    /// The consumer.
    pub name: Arc<str>,
    /// The fence that the owner was given.
    pub fence: u64,
    /// The life of the log.
    pub epoch: Arc<str>,
    /// Everything up to this offset is handled.
    pub cursor: u64,
    /// How long the lease lasts from now on, in milliseconds; with 0 the owner gives it back.
    pub ttl_ms: i64,
}
