//! One pass over a batch: command by command over what the store loaded.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use ordercast_broker::AnnouncedEvent;
use ordercast_domain::Violation;
use ordercast_domain::adjustment::Adjustment;
use ordercast_domain::decide::{
    self, Acted, Due, OrderLines, Placement, RecentClaims, Refusal, Request, Step, WorkingSet,
};
use ordercast_domain::draft::Draft;
use ordercast_domain::order::{Order, OrderSeq, Queue};
use ordercast_domain::product::{Product, ProductPatch};
use ordercast_domain::rules::Rules;
use ordercast_domain::status::Status;
use ordercast_domain::transition::ActionName;
use ordercast_protocol::channel::{ChannelError, Log};
use ordercast_protocol::limits::MAX_CHANNEL_BYTES;
use ordercast_protocol::principal::Role;
use ordercast_store::write::{EventInsert, OrderInsert, Writes};

use crate::encode;
use crate::ids::IdSource;
use crate::intake::{Adjusted, Changed, Command, CommandError, Placed, Publication, WorkDone};
use crate::outcome::{Decided, Outcome};

/// Why an order goes back to the queue when the server starts.
const RECOVERED: &str = "recovered after a restart";
/// Why an order goes back to the queue when the server stops.
const DRAINED: &str = "given back at shutdown";

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

/// Whether somebody's orders may have other prices than the catalogue's.
fn may_set_prices(role: Role) -> bool {
    role == Role::Admin
}

/// One pass over a batch.
pub(crate) struct Run<'a> {
    pub(crate) set: WorkingSet,
    pub(crate) now_ms: i64,
    pub(crate) rules: &'a Rules,
    pub(crate) recent: &'a mut RecentClaims,
    pub(crate) ids: &'a mut IdSource,
    pub(crate) writes: Writes,
    pub(crate) decided: Decided,
    /// Whether lines of new orders are kept at hand, for actions in the same batch.
    pub(crate) keeps_lines: bool,
    /// All bodies of the batch, one behind the other: one allocation, shared by disk and sockets.
    bodies: Vec<u8>,
    pending: Vec<PendingEvent>,
    pub(crate) changed_orders: BTreeSet<OrderSeq>,
    changed_products: BTreeSet<Arc<str>>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        set: WorkingSet,
        now_ms: i64,
        (rules, recent): (&'a Rules, &'a mut RecentClaims),
        ids: &'a mut IdSource,
        commands: usize,
    ) -> Self {
        Self {
            set,
            now_ms,
            rules,
            recent,
            ids,
            writes: Writes::default(),
            decided: Decided::default(),
            keeps_lines: false,
            bodies: Vec::with_capacity(commands * 640),
            pending: Vec::with_capacity(commands),
            changed_orders: BTreeSet::new(),
            changed_products: BTreeSet::new(),
        }
    }

    pub(crate) fn command(&mut self, command: &Command) -> Outcome {
        match command {
            Command::Place { draft, principal, .. } => {
                Outcome::Placed(self.place(draft, principal.role).map_err(CommandError::Refused))
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
            Command::Act { request, .. } => Outcome::Changed(self.act(request).map_err(CommandError::Refused)),
            Command::PatchProduct { sku, patch, .. } => {
                Outcome::Patched(self.patch_product(sku, patch).map_err(CommandError::Refused))
            }
            Command::Claim { claim, arrived_ms, .. } => {
                Outcome::Claimed(self.claim_for(claim, *arrived_ms).map_err(CommandError::Refused))
            }
            Command::Renew { beat, .. } => Outcome::Renewed(self.renew(beat).map_err(CommandError::Refused)),
            Command::Pause { pause, .. } => Outcome::Paused(self.pause(pause).map_err(CommandError::Refused)),
            Command::Resume { scope, .. } => Outcome::Paused(Ok(self.resume(scope))),
            Command::Report { report, .. } => Outcome::Changed(self.report(report).map_err(CommandError::Refused)),
        }
    }

    fn place(&mut self, draft: &Draft, role: Role) -> Result<Placed, Refusal> {
        let (now_ms, ids) = (self.now_ms, &mut *self.ids);
        let rules = (self.rules, may_set_prices(role));
        let (order, details, reason) = match decide::place(&mut self.set, draft, rules, now_ms, || ids.draw(now_ms))? {
            Placement::Replayed { order_id, key_for } => {
                self.writes.keys.extend(draft.key.clone().zip(key_for));
                return Ok(Placed::Replayed { order_id });
            }
            Placement::Accepted { order, details, reason } => (order, details, reason),
        };
        let from = self.bodies.len();
        encode::placed_event(&order, &details, (role.name(), reason.as_deref()), &mut self.bodies);
        self.order_event(&order, from);
        for line in details.lines.iter().filter(|line| line.reserved > 0) {
            if !self.changed_products.contains(line.sku.as_str()) {
                self.changed_products.insert(Arc::from(line.sku.as_str()));
            }
        }
        self.count_move(None, &order);
        if self.keeps_lines {
            self.set.lines.insert(order.seq, OrderLines::new(Arc::clone(&details), &[]));
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

    fn patch_product(&mut self, sku: &Arc<str>, patch: &ProductPatch) -> Result<Box<Product>, Refusal> {
        if decide::patch_product(&mut self.set, sku, patch)? {
            self.changed_products.insert(Arc::clone(sku));
        }
        let product = self.set.products.get(sku).cloned();
        product.map(Box::new).ok_or_else(|| Refusal::UnknownProduct { sku: sku.to_string() })
    }

    fn act(&mut self, request: &Request) -> Result<Changed, Refusal> {
        match decide::act(&mut self.set, request, self.rules, self.now_ms)? {
            Acted::Step { step, key } => {
                self.writes.action_keys.extend(key);
                self.step(&step);
                Ok(Changed { order: Box::new(step.order), replayed: false })
            }
            Acted::Unchanged { order, replayed } => Ok(Changed { order, replayed }),
        }
    }

    fn finish(&mut self, done: &WorkDone) {
        self.decided.idle.push(Arc::clone(&done.worker));
        let step = match &done.result {
            Some(result) => {
                let spread = (&self.rules.retries, self.ids.dice());
                decide::finish(&mut self.set, (done.seq, done.token), result, spread, self.now_ms)
            }
            None => decide::requeue(&mut self.set, done.seq, Some(done.token), DRAINED, self.now_ms),
        };
        match step {
            Ok(step) => self.step(&step),
            // Somebody else moved the order on; the fenced worker changes nothing.
            Err(refusal) => tracing::warn!(order = done.seq, worker = &*done.worker, ?refusal, "work came too late"),
        }
    }

    /// Puts the orders in work that nobody has back into the queue, without charging the attempt: those of this node's own
    /// workers, and those whose lease is not in the store.
    fn recover(&mut self) {
        let mut unleased = std::mem::take(&mut self.set.unleased);
        unleased.sort_unstable();
        for seq in unleased {
            let Some(order) = self.set.orders.get(&seq) else { continue };
            // An earlier command of the batch may have moved it on.
            let is_held = order.lease.as_ref().is_some_and(|id| self.set.leases.contains_key(id));
            if order.status != Status::Active || is_held {
                continue;
            }
            if let Ok(step) = decide::requeue(&mut self.set, seq, None, RECOVERED, self.now_ms) {
                self.step(&step);
            }
        }
    }

    /// Moves on whatever waited for a time that has come.
    pub(crate) fn timers(&mut self) {
        self.decided.next_due_ms = self.set.next_due_ms;
        self.decided.next_steady_due_ms = self.set.next_steady_due_ms;
        for seq in std::mem::take(&mut self.set.due) {
            match decide::come_due(&mut self.set, seq, self.now_ms) {
                Some(Due::Step(step)) => self.step(&step),
                Some(Due::Ready(seq)) => {
                    self.decided.ready += 1;
                    self.changed_orders.insert(seq);
                }
                None => {}
            }
        }
    }

    pub(crate) fn claim(&mut self) {
        while let Some(worker) = self.decided.idle.pop() {
            let Some(step) = self.claim_next(&worker, None) else {
                self.decided.idle.push(worker);
                return;
            };
            self.decided.claimed.push(step.order);
        }
    }

    pub(crate) fn claim_next(&mut self, worker: &Arc<str>, lease: Option<&Arc<str>>) -> Option<Step> {
        let limits = (&self.rules.concurrency, &mut *self.recent);
        let step = decide::claim(&mut self.set, (worker, lease), limits, self.now_ms)?;
        self.step(&step);
        Some(step)
    }

    /// Takes a step over into what is written, told and counted.
    pub(crate) fn step(&mut self, step: &Step) {
        let from = self.bodies.len();
        encode::step_event(step, &mut self.bodies);
        self.order_event(&step.order, from);
        self.changed_orders.insert(step.order.seq);
        self.count_move(step.was, &step.order);
        let readmitted = decide::follow(&mut self.set, step.was, &step.order);
        self.readmit(readmitted);
        if matches!(step.action, ActionName::Finish | ActionName::Fail) {
            self.decided.finished.push(step.order.clone());
        }
        if !step.moves.is_empty() {
            self.writes.moves.extend_from_slice(&step.moves);
        }
        self.writes.ledger.extend(step.entry.clone());
        self.changed_products.extend(step.skus.iter().cloned());
    }

    fn count_move(&mut self, was: Option<Queue>, order: &Order) {
        let count = |queue: Option<Queue>, of: Queue| i64::from(queue == Some(of));
        let is = order.queue();
        self.decided.ready += count(is, Queue::Ready) - count(was, Queue::Ready);
        self.decided.active += count(is, Queue::InWork) - count(was, Queue::InWork);
        self.decided.limited += count(is, Queue::Limited) - count(was, Queue::Limited);
        if order.status == Status::Active {
            if was != Some(Queue::InWork) {
                self.decided.lanes.push(order.lane);
            }
        } else {
            self.decided.moves[order.status as usize] += 1;
        }
        let (first, due_ms) = match order.steady_due_ms {
            Some(due_ms) => (&mut self.decided.first_steady_due_ms, Some(due_ms)),
            None => (&mut self.decided.first_due_ms, order.due_at_ms),
        };
        *first = first.iter().copied().chain(due_ms).min();
    }

    fn order_event(&mut self, order: &Order, from: usize) {
        let customer_id = Some(Arc::clone(&order.customer_id));
        self.event(Log::Orders, Some((order.seq, Arc::clone(&order.id))), customer_id, from);
    }

    fn event(&mut self, log: Log, order: Option<(OrderSeq, Arc<str>)>, customer_id: Option<Arc<str>>, from: usize) {
        let body = Body::InBuffer(from..self.bodies.len());
        self.pending.push(PendingEvent { log, order, customer_id, channel: None, body });
    }

    pub(crate) fn end(mut self) -> (Writes, Decided) {
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
