//! Leases and reports of workers that a batch touches.

use std::collections::HashMap;

use crate::ids::LeaseId;
use crate::lease::{Lease, WorkReport};
use crate::order::OrderSeq;

/// What the store knows of the workers.
#[derive(Clone, Debug, Default)]
pub struct WorkSet {
    /// The leases that were asked for, or have ended; the orders that they hold are loaded too.
    pub leases: HashMap<LeaseId, Lease>,
    /// What workers reported before, by order and token; known of those that were asked for.
    pub reports: HashMap<(OrderSeq, u32), WorkReport>,
    /// Every token of a claim is above it: a store that was restored from a copy has skipped the tokens up to here.
    pub token_floor: u32,
    /// When the next lease after those that have ended does; known when ended ones were asked for.
    pub next_lease_end_ms: Option<i64>,
}
