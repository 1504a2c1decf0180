//! What the writer learns from a decided batch, apart from what is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use ordercast_broker::AnnouncedEvent;
use ordercast_domain::money::Currency;
use ordercast_domain::order::{Order, Queue};
use ordercast_domain::pause::Pause;
use ordercast_domain::product::Product;
use ordercast_domain::status::{Lane, Status};
use ordercast_protocol::channel::Log;

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
    /// The first end of a lease that the batch set, by steady time.
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
    /// Orders that were found to be placed before.
    pub(crate) replayed: u64,
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

impl Decided {
    /// Counts what an order moved from and to; `was` is where it stood in the queue.
    pub(crate) fn count_move(&mut self, was: Option<Queue>, order: &Order) {
        let count = |queue: Option<Queue>, of: Queue| i64::from(queue == Some(of));
        let is = order.queue();
        self.ready += count(is, Queue::Ready) - count(was, Queue::Ready);
        self.active += count(is, Queue::InWork) - count(was, Queue::InWork);
        self.limited += count(is, Queue::Limited) - count(was, Queue::Limited);
        if order.status == Status::Active {
            if was != Some(Queue::InWork) {
                self.lanes.push(order.lane);
            }
        } else {
            self.moves[order.status as usize] += 1;
        }
        let (first, due_ms) = match order.steady_due_ms {
            Some(due_ms) => (&mut self.first_steady_due_ms, Some(due_ms)),
            None => (&mut self.first_due_ms, order.due_at_ms),
        };
        *first = first.iter().copied().chain(due_ms).min();
    }
}
