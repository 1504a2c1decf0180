//! Work: leases of workers, and what workers reported.

use ordercast_domain::ids::{LeaseId, OrderId};
use ordercast_domain::lease::{Lease, WorkReport};

use super::{Keys, Writes};

/// What a batch needs of leases and reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkKeys {
    /// Leases by id, loaded with the orders that they hold.
    pub leases: Vec<LeaseId>,
    /// Whether the leases that have ended are loaded, with the orders that they hold, and when the next one ends.
    pub ended: bool,
    /// Reports by the order's id and the token; the orders are named in [`OrderKeys`](super::OrderKeys) too.
    pub reports: Vec<(OrderId, u32)>,
}

/// What a batch changes of leases and reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkWrites {
    /// Leases, new or renewed, each once.
    pub leases: Vec<Lease>,
    /// Leases that are no more.
    pub ended: Vec<LeaseId>,
    /// Reports to be remembered; a store may forget an order's older ones.
    pub reports: Vec<WorkReport>,
}

impl WorkWrites {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        let Self { leases, ended, reports } = self;
        leases.is_empty() && ended.is_empty() && reports.is_empty()
    }
}

impl From<WorkKeys> for Keys {
    fn from(work: WorkKeys) -> Self {
        Self { work, ..Self::default() }
    }
}

impl From<WorkWrites> for Writes {
    fn from(work: WorkWrites) -> Self {
        Self { work, ..Self::default() }
    }
}
