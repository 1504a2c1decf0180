//! Leases of external workers: how long the orders they claimed are theirs.

use std::sync::Arc;

/// One worker process's hold on the orders it claimed. It must be renewed before it ends; then all that it holds goes
/// back to the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Drawn when it was first claimed with.
    pub id: Arc<str>,
    /// What the worker calls itself.
    pub worker: Arc<str>,
    /// When it ends, by the store's clock, in milliseconds since 1970.
    pub expires_at_ms: i64,
}
