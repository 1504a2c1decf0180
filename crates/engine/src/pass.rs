//! One pass over a batch: command by command over what the store loaded.

use std::collections::BTreeSet;

use ordercast_domain::decide::{self, Due, RecentClaims, Step, WorkingSet};
use ordercast_domain::ids::{LeaseId, Sku, WorkerName};
use ordercast_domain::order::OrderSeq;
use ordercast_domain::rules::Rules;
use ordercast_domain::transition::ActionName;
use ordercast_protocol::channel::Log;
use ordercast_protocol::topic::Topics;
use ordercast_store::write::Writes;

use crate::decided::Decided;
use crate::encode;
use crate::events::Events;
use crate::ids::IdSource;

/// What a batch has loaded, and what it has come to so far. Commands ([`crate::command`]), leases ([`crate::leases`]) and
/// pauses ([`crate::parking`]) work on it.
pub(crate) struct Pass<'a> {
    /// What was loaded, with the changes of the commands before.
    pub(crate) set: WorkingSet,
    /// The time that stored rows and events get, in milliseconds since 1970.
    pub(crate) now_ms: i64,
    pub(crate) rules: &'a Rules,
    pub(crate) recent: &'a mut RecentClaims,
    pub(crate) ids: &'a mut IdSource,
    /// What is written; changed orders and products, and events, are added at the end.
    pub(crate) writes: Writes,
    pub(crate) events: Events,
    /// What the writer learns.
    pub(crate) decided: Decided,
    /// Whether lines of new orders are kept at hand, for actions in the same batch.
    pub(crate) keeps_lines: bool,
    pub(crate) changed_orders: BTreeSet<OrderSeq>,
    pub(crate) changed_products: BTreeSet<Sku>,
}

impl<'a> Pass<'a> {
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
            events: Events::with_capacity(commands),
            decided: Decided::default(),
            keeps_lines: false,
            changed_orders: BTreeSet::new(),
            changed_products: BTreeSet::new(),
        }
    }

    /// Moves on orders whose time has come.
    pub(crate) fn come_due(&mut self) {
        for seq in std::mem::take(&mut self.set.queue.due) {
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

    /// Claims orders for the idle workers in the process, under the lease of this node.
    pub(crate) fn claim_for_idle(&mut self, lease: &LeaseId) {
        while let Some(worker) = self.decided.idle.pop() {
            let Some(step) = self.claim_next(&worker, lease) else {
                self.decided.idle.push(worker);
                return;
            };
            self.decided.claimed.push(step.order);
        }
    }

    /// Claims the next order for a worker; `None` when none may start.
    pub(crate) fn claim_next(&mut self, worker: &WorkerName, lease: &LeaseId) -> Option<Step> {
        let limits = (&self.rules.concurrency, &mut *self.recent);
        let step = decide::claim(&mut self.set, (worker, lease), limits, self.now_ms)?;
        self.step(&step);
        Some(step)
    }

    /// Takes a step over into what is written, announced and counted.
    pub(crate) fn step(&mut self, step: &Step) {
        self.events.of_order(&step.order, |out| encode::step_event(step, out));
        self.changed_orders.insert(step.order.seq);
        self.decided.count_move(step.was, &step.order);
        if let Some(seq) = decide::follow(&mut self.set, step.was, &step.order) {
            self.readmit(seq);
        }
        if matches!(step.action, ActionName::Finish | ActionName::Fail) {
            self.decided.finished.push(step.order.clone());
        }
        if !step.moves.is_empty() {
            self.writes.orders.moves.extend_from_slice(&step.moves);
        }
        self.writes.money.ledger.extend(step.entry.clone());
        self.changed_products.extend(step.skus.iter().cloned());
    }

    /// Takes over an order that a limit no longer holds back.
    pub(crate) fn readmit(&mut self, seq: OrderSeq) {
        self.decided.ready += 1;
        self.decided.limited -= 1;
        self.changed_orders.insert(seq);
    }

    /// What is to be written, and what the writer learns.
    pub(crate) fn end(mut self) -> (Writes, Decided) {
        for seq in std::mem::take(&mut self.changed_orders) {
            self.writes.orders.changed.extend(self.set.orders.by_seq.get(&seq).cloned());
        }
        for sku in std::mem::take(&mut self.changed_products) {
            let Some(product) = self.set.catalogue.products.get(&sku).cloned() else { continue };
            let now_ms = self.now_ms;
            self.events.of_log(Log::Products, Topics::default(), |out| encode::market_event(&product, now_ms, out));
            self.writes.catalogue.products.push(product);
        }
        self.decided.products = self.writes.catalogue.products.clone();
        self.decided.redactions = self.writes.logs.redactions.clone();
        (self.writes.logs.events, self.decided.events) = self.events.end();
        (self.writes, self.decided)
    }
}
