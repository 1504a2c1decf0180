//! The queue as a batch sees it: what may start, what is due, and what is held back.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::decide::in_work::InWork;
use crate::decide::window::Window;
use crate::ids::CustomerId;
use crate::order::{OrderSeq, Queue};
use crate::pause::{Pause, Scope};

/// What the store knows of the queue.
#[derive(Clone, Debug, Default)]
pub struct QueueSet {
    /// The orders that are next to start, in that order.
    pub ready: Window,
    /// How many orders are in work, in all and of the customers of all orders in the set; known when it was asked for.
    pub in_work: Option<InWork>,
    /// Orders that limits have parked and that may take the places of orders in the set, by customer, the first to start
    /// first; loaded as orders too.
    pub limited: HashMap<CustomerId, VecDeque<OrderSeq>>,
    /// Those of them that did so without a step of another order.
    pub readmitted: Vec<OrderSeq>,
    /// The orders whose time has come, earliest first; loaded as orders with their lines too.
    pub due: Vec<OrderSeq>,
    /// When the next timer after those in `due` comes, in milliseconds since 1970; known when due ones were asked for.
    pub next_due_ms: Option<i64>,
    /// When the next wait after those in `due` is over, by steady time; known when due ones were asked for.
    pub next_steady_due_ms: Option<i64>,
    /// The pauses; known when they were asked for, or orders that are next to start.
    pub pauses: BTreeMap<Scope, Pause>,
    /// Orders that were parked while the batch was decided, and whether by a pause or a limit. They may repeat.
    pub parked: Vec<(OrderSeq, Queue)>,
    /// Orders that pauses had parked which are lifted; loaded as orders too.
    pub unparked: Vec<(Scope, OrderSeq)>,
}
