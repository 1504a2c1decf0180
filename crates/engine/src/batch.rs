//! A batch of commands as the store sees it: what they touch, and what they change.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use ordercast_broker::AnnouncedEvent;
use ordercast_domain::Violation;
use ordercast_domain::adjustment::Adjustment;
use ordercast_domain::decide::{self, Placement, Refusal, Step, WorkingSet};
use ordercast_domain::draft::Draft;
use ordercast_domain::money::Currency;
use ordercast_domain::order::{Order, OrderSeq};
use ordercast_domain::product::Product;
use ordercast_domain::rules::Rules;
use ordercast_domain::status::Status;
use ordercast_protocol::channel::{ChannelError, Log};
use ordercast_protocol::limits::MAX_CHANNEL_BYTES;
use ordercast_store::write::{Decider, EventInsert, Keys, OrderInsert, Writes};

use crate::encode;
use crate::ids::IdSource;
use crate::intake::{Adjusted, Command, CommandError, Placed, Publication, Submission, WorkDone};
use crate::retention::Due;

/// Why an order goes back to the queue when the server starts.
const RECOVERED: &str = "recovered after a restart";
/// Why an order goes back to the queue when the server stops.
const DRAINED: &str = "given back at shutdown";

/// What became of one command.
pub(crate) enum Outcome {
    Placed(Result<Placed, CommandError>),
    Stored(Result<usize, CommandError>),
    Adjusted(Result<Adjusted, CommandError>),
    /// Its place among the publications of the batch, from 0; its offset follows from the commit.
    Published(Result<u64, CommandError>),
    Done,
}

/// What a decided batch tells its writer, apart from what it writes.
#[derive(Default)]
pub(crate) struct Decided {
    pub(crate) outcomes: Vec<Outcome>,
    /// Orders that were claimed, with their workers.
    pub(crate) claimed: Vec<Order>,
    /// Orders whose work ended, after it.
    pub(crate) finished: Vec<Order>,
    /// Orders given back unworked.
    pub(crate) requeued: usize,
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

pub(crate) struct Batch<'a> {
    pub(crate) submissions: Vec<Submission>,
    pub(crate) idle: Vec<Arc<str>>,
    pub(crate) claims: bool,
    /// Whether there is a catalogue at all; without one no line needs looking up.
    pub(crate) has_products: bool,
    pub(crate) rules: &'a Rules,
    pub(crate) ids: &'a mut IdSource,
    /// Logs whose oldest events are looked at.
    pub(crate) due: &'a [Due],
    pub(crate) decided: Decided,
}

impl Decider for Batch<'_> {
    fn keys(&self) -> Keys {
        let mut keys = Keys::default();
        let mut finishing = 0;
        // Products of this same batch are not known to the store yet, but may be to the lines behind them.
        let stores = |submission: &Submission| matches!(submission.command, Command::PutProducts { .. });
        let has_products = self.has_products || self.submissions.iter().any(stores);
        for submission in &self.submissions {
            match &submission.command {
                Command::Place { draft, .. } => place_keys(draft, has_products, &mut keys),
                Command::PutProducts { products, .. } => {
                    keys.skus.extend(products.iter().map(|product| Arc::clone(&product.sku)));
                }
                Command::Adjust { adjustment, .. } => keys.adjustments.push(Arc::clone(&adjustment.id)),
                // It depends on nothing.
                Command::Publish { .. } => {}
                Command::Finish(done) => {
                    finishing += done.len();
                    keys.order_seqs.extend(done.iter().map(|done| done.seq));
                }
                Command::Recover => keys.active = true,
            }
        }
        if self.claims {
            // Workers whose work ends in this batch claim again in the same one.
            keys.ready = self.idle.len() + finishing;
        }
        keys
    }

    fn decide(&mut self, set: WorkingSet, now_ms: i64) -> Writes {
        let mut run = Run {
            set,
            now_ms,
            rules: self.rules,
            ids: self.ids,
            writes: Writes { trims: self.due.iter().map(|due| due.at(now_ms)).collect(), ..Writes::default() },
            decided: Decided { idle: self.idle.clone(), ..Decided::default() },
            bodies: Vec::with_capacity(self.submissions.len() * 640),
            pending: Vec::with_capacity(self.submissions.len()),
            changed_orders: BTreeSet::new(),
            changed_products: BTreeSet::new(),
        };
        for submission in &self.submissions {
            let outcome = run.command(&submission.command);
            run.decided.outcomes.push(outcome);
        }
        if self.claims {
            run.claim();
        }
        let (writes, decided) = run.end();
        self.decided = decided;
        writes
    }
}

fn place_keys(draft: &Draft, has_products: bool, keys: &mut Keys) {
    keys.order_ids.extend(draft.id.clone());
    keys.idempotency.extend(draft.key.clone());
    if has_products {
        let lines = draft.details.lines.iter().filter(|line| !line.plain);
        keys.skus.extend(lines.map(|line| Arc::from(line.sku.as_str())));
    }
}

/// Where the body of an event is.
enum Body {
    /// Encoded, but not yet cut out of the batch's buffer.
    InBuffer(Range<usize>),
    /// As it came.
    Given(Bytes),
}

struct PendingEvent {
    log: Log,
    order: Option<(OrderSeq, Arc<str>)>,
    customer_id: Option<Arc<str>>,
    channel: Option<Arc<str>>,
    body: Body,
}

/// One pass over a batch.
struct Run<'a> {
    set: WorkingSet,
    now_ms: i64,
    rules: &'a Rules,
    ids: &'a mut IdSource,
    writes: Writes,
    decided: Decided,
    /// All bodies of the batch, one behind the other: one allocation, shared by disk and sockets.
    bodies: Vec<u8>,
    pending: Vec<PendingEvent>,
    changed_orders: BTreeSet<OrderSeq>,
    changed_products: BTreeSet<Arc<str>>,
}

impl Run<'_> {
    fn command(&mut self, command: &Command) -> Outcome {
        match command {
            Command::Place { draft, principal, .. } => {
                Outcome::Placed(self.place(draft, principal.role.name()).map_err(CommandError::Refused))
            }
            Command::PutProducts { products, .. } => {
                Outcome::Stored(self.put_products(products).map_err(CommandError::Refused))
            }
            Command::Adjust { adjustment, .. } => {
                Outcome::Adjusted(self.adjust(adjustment).map_err(CommandError::Refused))
            }
            Command::Publish { publication, .. } => {
                Outcome::Published(self.publish(publication).map_err(CommandError::Refused))
            }
            Command::Finish(done) => {
                done.iter().for_each(|done| self.finish(done));
                Outcome::Done
            }
            Command::Recover => {
                self.recover();
                Outcome::Done
            }
        }
    }

    fn place(&mut self, draft: &Draft, actor: &str) -> Result<Placed, Refusal> {
        let (now_ms, ids) = (self.now_ms, &mut *self.ids);
        let (order, details) = match decide::place(&mut self.set, draft, self.rules, now_ms, || ids.draw(now_ms))? {
            Placement::Replayed { order_id, key_for } => {
                self.writes.keys.extend(draft.key.clone().zip(key_for));
                return Ok(Placed::Replayed { order_id });
            }
            Placement::Accepted { order, details } => (Arc::new(order), details),
        };
        let from = self.bodies.len();
        encode::placed_event(&order, &details, actor, &mut self.bodies);
        self.order_event(&order, from);
        for line in details.lines.iter().filter(|line| line.reserved > 0) {
            if !self.changed_products.contains(line.sku.as_str()) {
                self.changed_products.insert(Arc::from(line.sku.as_str()));
            }
        }
        *self.decided.revenue.entry(order.currency).or_default() += order.amount;
        self.decided.accepted += 1;
        self.writes.keys.extend(draft.key.clone().map(|key| (key, order.seq)));
        self.writes.new_orders.push(OrderInsert { order: Arc::clone(&order), details: Arc::clone(&details) });
        Ok(Placed::Accepted { order, details })
    }

    fn adjust(&mut self, adjustment: &Adjustment) -> Result<Adjusted, Refusal> {
        let (adjustment, is_new) = decide::adjust(&mut self.set, adjustment, self.now_ms)?;
        if is_new {
            let from = self.bodies.len();
            encode::adjustment_event(&adjustment, &mut self.bodies);
            self.event(Log::Adjustments, None, adjustment.customer_id.clone(), from);
            self.writes.adjustments.push(adjustment.clone());
        }
        Ok(Adjusted { adjustment, is_new })
    }

    fn publish(&mut self, publication: &Publication) -> Result<u64, Refusal> {
        let Publication { channel, body, principal } = publication;
        if channel.is_empty() || channel.len() > MAX_CHANNEL_BYTES {
            let violation = Violation::new("/channel", ChannelError::Length.to_string());
            return Err(Refusal::Invalid(vec![violation]));
        }
        tracing::debug!(channel = &**channel, by = &*principal.name, bytes = body.len(), "published");
        self.pending.push(PendingEvent {
            log: Log::Publications,
            order: None,
            customer_id: None,
            channel: Some(Arc::clone(channel)),
            body: Body::Given(body.clone()),
        });
        self.decided.published += 1;
        Ok(self.decided.published - 1)
    }

    fn put_products(&mut self, products: &[Product]) -> Result<usize, Refusal> {
        // All or none: what an earlier product changed is put back when a later one is refused.
        let before: Vec<_> =
            products.iter().map(|product| (&product.sku, self.set.products.get(&product.sku).cloned())).collect();
        let mut changed = Vec::new();
        for (at, product) in products.iter().enumerate() {
            match decide::put_product(&mut self.set, product) {
                Ok(true) => changed.push(Arc::clone(&product.sku)),
                Ok(false) => {}
                Err(mut refusal) => {
                    for (sku, known) in before.into_iter().rev() {
                        match known {
                            Some(known) => self.set.products.insert(Arc::clone(sku), known),
                            None => self.set.products.remove(sku),
                        };
                    }
                    if let Refusal::Invalid(violations) = &mut refusal {
                        violations.iter_mut().for_each(|violation| violation.pointer.insert_str(0, &format!("/{at}")));
                    }
                    return Err(refusal);
                }
            }
        }
        let count = changed.len();
        self.changed_products.extend(changed);
        Ok(count)
    }

    fn finish(&mut self, done: &WorkDone) {
        self.decided.idle.push(Arc::clone(&done.worker));
        let step = match done.result {
            Some(result) => decide::finish(&mut self.set, done.seq, done.token, result, self.now_ms),
            None => decide::requeue(&mut self.set, done.seq, Some(done.token), DRAINED, self.now_ms),
        };
        match step {
            Ok(step) => {
                if step.order.status == Status::Pending {
                    self.decided.requeued += 1;
                } else {
                    self.decided.finished.push(step.order.clone());
                }
                self.step(&step);
            }
            // Somebody else moved the order on; the fenced worker changes nothing.
            Err(refusal) => tracing::warn!(order = done.seq, worker = &*done.worker, ?refusal, "work came too late"),
        }
    }

    fn recover(&mut self) {
        let mut active: Vec<OrderSeq> =
            self.set.orders.values().filter(|order| order.status == Status::Active).map(|order| order.seq).collect();
        active.sort_unstable();
        for seq in active {
            if let Ok(step) = decide::requeue(&mut self.set, seq, None, RECOVERED, self.now_ms) {
                self.decided.requeued += 1;
                self.step(&step);
            }
        }
    }

    fn claim(&mut self) {
        while let Some(worker) = self.decided.idle.pop() {
            let Some(step) = decide::claim(&mut self.set, &worker, self.now_ms) else {
                self.decided.idle.push(worker);
                return;
            };
            self.step(&step);
            self.decided.claimed.push(step.order);
        }
    }

    fn step(&mut self, step: &Step) {
        let from = self.bodies.len();
        encode::step_event(step, &mut self.bodies);
        self.order_event(&step.order, from);
        self.changed_orders.insert(step.order.seq);
    }

    fn order_event(&mut self, order: &Order, from: usize) {
        let customer_id = Some(Arc::clone(&order.customer_id));
        self.event(Log::Orders, Some((order.seq, Arc::clone(&order.id))), customer_id, from);
    }

    fn event(&mut self, log: Log, order: Option<(OrderSeq, Arc<str>)>, customer_id: Option<Arc<str>>, from: usize) {
        let body = Body::InBuffer(from..self.bodies.len());
        self.pending.push(PendingEvent { log, order, customer_id, channel: None, body });
    }

    fn end(mut self) -> (Writes, Decided) {
        for seq in std::mem::take(&mut self.changed_orders) {
            self.writes.changed_orders.extend(self.set.orders.get(&seq).cloned());
        }
        for sku in std::mem::take(&mut self.changed_products) {
            let Some(product) = self.set.products.get(&sku).cloned() else { continue };
            let from = self.bodies.len();
            encode::market_event(&product, self.now_ms, &mut self.bodies);
            self.event(Log::Products, None, None, from);
            self.writes.products.push(product);
        }
        self.decided.products = self.writes.products.clone();
        let bodies = Bytes::from(self.bodies);
        for event in self.pending {
            let body = match event.body {
                Body::InBuffer(range) => bodies.slice(range),
                Body::Given(body) => body,
            };
            let PendingEvent { log, order, customer_id, channel, .. } = event;
            let announced = AnnouncedEvent {
                body: body.clone(),
                order_id: order.as_ref().map(|(_, id)| Arc::clone(id)),
                customer_id: customer_id.clone(),
                channel: channel.clone(),
            };
            self.decided.events.push((log, announced));
            self.writes.events.push(EventInsert { log, order, customer_id, channel, body });
        }
        (self.writes, self.decided)
    }
}
