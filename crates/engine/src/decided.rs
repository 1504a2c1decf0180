//! Results of a decided batch that the writer needs, apart from the rows to write.

use std::collections::BTreeMap;

use ordercast_broker::AnnouncedEvent;
use ordercast_domain::ids::WorkerName;
use ordercast_domain::money::Currency;
use ordercast_domain::order::{Order, Queue};
use ordercast_domain::product::Product;
use ordercast_domain::status::{Lane, Status};
use ordercast_protocol::channel::Log;
use ordercast_protocol::redaction::Redaction;

/// Results of a decided batch that its writer needs, apart from the rows to write.
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
    /// When the node's lease ends now, by steady time, if the batch renewed it.
    pub(crate) node_lease_end_ms: Option<i64>,
    /// Orders that were parked by pauses or limits.
    pub(crate) parked: usize,
    /// By how many the orders that limits have parked became more or fewer.
    pub(crate) limited: i64,
    /// New orders.
    pub(crate) accepted: usize,
    /// Orders that were found to be placed before.
    pub(crate) replayed: u64,
    /// Publications.
    pub(crate) published: u64,
    pub(crate) revenue: BTreeMap<Currency, i64>,
    /// Products as they are after the batch.
    pub(crate) products: Vec<Product>,
    /// Events whose bodies are removed, for the broker.
    pub(crate) redactions: Vec<Redaction>,
    /// Events in the order of their offsets, for the broker.
    pub(crate) events: Vec<(Log, AnnouncedEvent)>,
    /// The workers that have nothing to do after the batch.
    pub(crate) idle: Vec<WorkerName>,
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
    }
}
