//! Where an order is. Which steps lead from one status to another says [`crate::transition`].

/// Where an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// Waits for its time.
    Scheduled,
    /// Waits for a worker.
    Pending,
    /// Waits for a person.
    Held,
    /// Is worked on; its outward name is its lane.
    Active,
    /// Waits to be tried again.
    Retrying,
    /// Work is done.
    Completed,
    /// Some of it is shipped.
    PartiallyFulfilled,
    /// All of it is shipped.
    Fulfilled,
    /// Given up after too many attempts or a permanent error.
    Failed,
    /// Refused after acceptance.
    Rejected,
    /// Called off.
    Cancelled,
}

/// The way an order takes through the workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// The ordinary one.
    Processing,
    /// For priority 1.
    Expedited,
    /// For large amounts.
    PriorityProcessing,
}

impl Lane {
    /// Every lane.
    pub const ALL: [Self; 3] = [Self::Processing, Self::Expedited, Self::PriorityProcessing];

    /// The outward name of an active order on this lane.
    pub fn name(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Expedited => "expedited",
            Self::PriorityProcessing => "priority_processing",
        }
    }
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 11] = [
        Self::Scheduled,
        Self::Pending,
        Self::Held,
        Self::Active,
        Self::Retrying,
        Self::Completed,
        Self::PartiallyFulfilled,
        Self::Fulfilled,
        Self::Failed,
        Self::Rejected,
        Self::Cancelled,
    ];

    /// The name it is stored under.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Pending => "pending",
            Self::Held => "held",
            Self::Active => "active",
            Self::Retrying => "retrying",
            Self::Completed => "completed",
            Self::PartiallyFulfilled => "partially_fulfilled",
            Self::Fulfilled => "fulfilled",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
        }
    }

    /// The name clients see.
    pub fn outward(self, lane: Lane) -> &'static str {
        match self {
            Self::Active => lane.name(),
            other => other.name(),
        }
    }

    /// Whether the order is over: no stock is held for it and no status follows.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Fulfilled | Self::Rejected | Self::Cancelled)
    }
}
