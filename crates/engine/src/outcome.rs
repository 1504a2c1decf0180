//! What a decided batch tells its writer, apart from what it writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use ordercast_broker::AnnouncedEvent;
use ordercast_domain::money::Currency;
use ordercast_domain::order::Order;
use ordercast_domain::pause::Pause;
use ordercast_domain::product::Product;
use ordercast_domain::status::{Lane, Status};
use ordercast_protocol::channel::Log;

use crate::intake::{Adjusted, Changed, Claimed, CommandError, Placed, Renewed};

/// What became of one command.
#[derive(Debug)]
pub(crate) enum Outcome {
    Placed(Result<Placed, CommandError>),
    Stored(Result<usize, CommandError>),
    Adjusted(Result<Adjusted, CommandError>),
    /// Its place among the publications of the batch, from 0; its offset follows from the commit.
    Published(Result<u64, CommandError>),
    Changed(Result<Changed, CommandError>),
    Patched(Result<Box<Product>, CommandError>),
    Claimed(Result<Claimed, CommandError>),
    Renewed(Result<Renewed, CommandError>),
    /// Whether that changed anything.
    Paused(Result<bool, CommandError>),
    Done,
}

/// What the writer knows of pauses: whether looking for them is worth while.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pauses {
    /// Whether claims come upon orders that a pause or a limit holds back: they look further ahead then.
    pub(crate) parks: bool,
    /// Whether any was lifted and may still have orders parked.
    pub(crate) end: bool,
}

impl Pauses {
    pub(crate) fn of<'a>(pauses: impl Iterator<Item = &'a Pause>) -> Self {
        pauses.fold(Self::default(), |known, pause| Self {
            parks: known.parks || !pause.is_ending,
            end: known.end || pause.is_ending,
        })
    }
}

/// What a decided batch tells its writer, apart from what it writes.
#[derive(Default)]
pub(crate) struct Decided {
    pub(crate) outcomes: Vec<Outcome>,
    /// Orders that were claimed for workers in the process, with their names.
    pub(crate) claimed: Vec<Order>,
    /// Orders whose work ended, after it.
    pub(crate) finished: Vec<Order>,
    /// By how many the orders that wait for a worker, and those in work, became more or fewer.
    pub(crate) ready: i64,
    pub(crate) active: i64,
    /// How often an order came into each status, in the order of [`Status::ALL`]; claims apart.
    pub(crate) moves: [u64; Status::ALL.len()],
    /// The lanes of all orders that were claimed.
    pub(crate) lanes: Vec<Lane>,
    /// The first timer that the batch set, in milliseconds since 1970.
    pub(crate) first_due_ms: Option<i64>,
    /// The first wait that the batch set, by steady time.
    pub(crate) first_steady_due_ms: Option<i64>,
    /// The first end of a lease that the batch set, likewise.
    pub(crate) first_lease_end_ms: Option<i64>,
    /// When timers were looked at: when the next one comes.
    pub(crate) next_due_ms: Option<i64>,
    /// The same of waits.
    pub(crate) next_steady_due_ms: Option<i64>,
    /// When ended leases were looked at: when the next one ends.
    pub(crate) next_lease_end_ms: Option<i64>,
    /// Whether claims were to be made and no order was ready when the batch began: their count starts over.
    pub(crate) none_ready: bool,
    /// Orders that were parked by pauses or limits.
    pub(crate) parked: usize,
    /// By how many the orders that limits have parked became more or fewer.
    pub(crate) limited: i64,
    /// When pauses were looked at: what is left of them.
    pub(crate) pauses: Option<Pauses>,
    /// New orders.
    pub(crate) accepted: usize,
    /// Publications.
    pub(crate) published: u64,
    pub(crate) revenue: BTreeMap<Currency, i64>,
    /// Products as they are after the batch.
    pub(crate) products: Vec<Product>,
    /// Events in the order of their offsets, for the broker.
    pub(crate) events: Vec<(Log, AnnouncedEvent)>,
    /// The workers that have nothing to do after the batch.
    pub(crate) idle: Vec<Arc<str>>,
}
