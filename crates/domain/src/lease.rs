//! Leases: how long the orders that workers claimed are theirs. Each external worker has one, and each node for its workers in
//! the process.

use crate::ids::{LeaseId, WorkerName};
use crate::order::OrderSeq;

/// One worker process's hold on the orders it claimed. It must be renewed before it ends; then all that it holds goes
/// back to the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Drawn when it was first claimed with.
    pub id: LeaseId,
    /// What the worker calls itself.
    pub worker: WorkerName,
    /// When it ends, by steady time, in milliseconds.
    pub expires_at_ms: i64,
    /// How long it lasts from each sign of life on, in milliseconds: after a restart of the server too.
    pub ttl_ms: i64,
}

/// The id of the lease under which a store puts orders in work that nobody holds: those of a store that was restored from
/// a copy, or was written before every worker had a lease. The first node that starts gives them back.
pub const ABANDONED: &str = "abandoned";

/// How a worker outside said that its work on an order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkOutcome {
    /// It is done.
    Complete,
    /// It may be tried again.
    Retry,
    /// It cannot be done.
    Fail,
    /// A late rule refuses the order.
    Reject,
    /// A person must look at it.
    Hold,
    /// It was given back unworked.
    Release,
}

impl WorkOutcome {
    /// Every outcome.
    pub const ALL: [Self; 6] = [Self::Complete, Self::Retry, Self::Fail, Self::Reject, Self::Hold, Self::Release];

    /// The name in addresses, bodies and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Retry => "retry",
            Self::Fail => "fail",
            Self::Reject => "reject",
            Self::Hold => "hold",
            Self::Release => "release",
        }
    }
}

/// What a worker outside reported of one claim. It is remembered, so that a repetition gets the same answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkReport {
    /// The order.
    pub seq: OrderSeq,
    /// The token of the claim.
    pub token: u32,
    /// The lease it was claimed under.
    pub lease: LeaseId,
    /// How the work ended.
    pub outcome: WorkOutcome,
}
