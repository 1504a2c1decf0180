//! The queue: orders that are ready, timed or held back, and the pauses that hold them back.

use ordercast_domain::pause::{Pause, Scope};

use super::{Keys, Writes};

/// What a batch needs of the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueKeys {
    /// Maximum number of the orders that are next to start. The pauses are loaded with them.
    pub ready: usize,
    /// Maximum number of orders whose time has come, by the wall clock or by steady time; they are loaded with their lines
    /// and products. The time of the next timer is loaded too.
    pub due: usize,
    /// Whether the orders in work are counted, by customer.
    pub in_work: bool,
    /// Whether the orders are loaded that limits have parked and that may take the places of those that are loaded: as
    /// many as [`WorkingSet::leaving`](ordercast_domain::decide::WorkingSet::leaving) says, the first to start first.
    pub limited: bool,
    /// Whether the pauses are loaded in any case.
    pub pauses: bool,
    /// Maximum number of the orders that each lifted pause has parked.
    pub unparked: usize,
}

/// What a batch changes of pauses. Where an order stands in the queue is part of the order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueWrites {
    /// Pauses, new or lifted, each once.
    pub pauses: Vec<Pause>,
    /// Pauses that are over.
    pub ended_pauses: Vec<Scope>,
}

impl QueueWrites {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        let Self { pauses, ended_pauses } = self;
        pauses.is_empty() && ended_pauses.is_empty()
    }
}

impl From<QueueKeys> for Keys {
    fn from(queue: QueueKeys) -> Self {
        Self { queue, ..Self::default() }
    }
}

impl From<QueueWrites> for Writes {
    fn from(queue: QueueWrites) -> Self {
        Self { queue, ..Self::default() }
    }
}
