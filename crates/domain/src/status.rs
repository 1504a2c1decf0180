//! The status table: which moves exist, and who may make them.

use std::fmt;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

/// Who moves an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The customer, their own order.
    Customer,
    /// A person who handles orders.
    Staff,
    /// An administrator.
    Admin,
    /// The worker that holds the live token.
    Worker(std::sync::Arc<str>),
    /// A timer, a rule, recovery.
    System,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Customer => f.write_str("customer"),
            Self::Staff => f.write_str("staff"),
            Self::Admin => f.write_str("admin"),
            Self::Worker(name) => write!(f, "worker:{name}"),
            Self::System => f.write_str("system"),
        }
    }
}

const C: u8 = 1;
const S: u8 = 2;
const A: u8 = 4;
const W: u8 = 8;
const Y: u8 = 16;

fn mask(actor: &Actor) -> u8 {
    match actor {
        Actor::Customer => C,
        Actor::Staff => S,
        Actor::Admin => A,
        Actor::Worker(_) => W,
        Actor::System => Y,
    }
}

/// All moves between two statuses: from, to, who. What is not here is a 409.
const MOVES: &[(Status, Status, u8)] = &[
    (Status::Scheduled, Status::Pending, Y | S),
    (Status::Pending, Status::Active, W),
    (Status::Retrying, Status::Active, W),
    (Status::Active, Status::Completed, W),
    (Status::Active, Status::Retrying, W | Y),
    (Status::Active, Status::Pending, W | Y),
    (Status::Active, Status::Failed, W | Y),
    (Status::Active, Status::Rejected, W),
    (Status::Active, Status::Held, W | S),
    (Status::Active, Status::Cancelled, S | A),
    (Status::Scheduled, Status::Cancelled, C | S | A),
    (Status::Pending, Status::Cancelled, C | S | A),
    (Status::Held, Status::Cancelled, C | S | A),
    (Status::Retrying, Status::Cancelled, C | S | A),
    (Status::Pending, Status::Held, S | A | Y),
    (Status::Scheduled, Status::Held, S | A | Y),
    (Status::Retrying, Status::Held, S | A | Y),
    (Status::Held, Status::Pending, S | A | Y),
    (Status::Held, Status::Rejected, S | A | Y),
    (Status::Failed, Status::Pending, S | A),
    (Status::Failed, Status::Cancelled, S | A),
    (Status::Failed, Status::Completed, A),
    (Status::Completed, Status::PartiallyFulfilled, S | W),
    (Status::Completed, Status::Fulfilled, S | W),
    (Status::PartiallyFulfilled, Status::Fulfilled, S | W),
    (Status::Completed, Status::Cancelled, S | A),
];

/// Whether `actor` may move an order from one status to another.
pub fn allows(from: Status, to: Status, actor: &Actor) -> bool {
    MOVES.iter().any(|&(f, t, who)| f == from && t == to && who & mask(actor) != 0)
}

/// The statuses that `actor` may move an order to from here.
pub fn allowed_from(from: Status, actor: &Actor) -> Vec<Status> {
    MOVES.iter().filter(|&&(f, _, who)| f == from && who & mask(actor) != 0).map(|&(_, to, _)| to).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_a_terminal_status_and_every_status_is_reached() {
        for &(from, _, _) in MOVES {
            assert!(!from.is_terminal(), "{from:?}");
        }
        for status in Status::ALL {
            let first = matches!(status, Status::Pending | Status::Scheduled | Status::Held);
            assert!(first || MOVES.iter().any(|&(_, to, _)| to == status), "{status:?} is never reached");
        }
    }

    #[test]
    fn only_the_named_actors_move() {
        let worker = Actor::Worker("w1".into());
        assert!(allows(Status::Pending, Status::Active, &worker));
        assert!(!allows(Status::Pending, Status::Active, &Actor::Admin));
        assert!(!allows(Status::Completed, Status::Active, &worker));
        assert_eq!(allowed_from(Status::Fulfilled, &Actor::Admin), []);
    }
}
