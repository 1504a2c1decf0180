//! The store in memory: what the drivers are compared with, and what tests of other parts run on.
//!
//! It keeps the promises of a store except durability: it is gone with the process.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ordercast_domain::adjustment::Adjustment;
use ordercast_domain::consumer::Consumer;
use ordercast_domain::decide::{ActionRecord, CatalogueSet, KeyRecord, OrderLines, OrderSet, WorkingSet};
use ordercast_domain::ids::{LeaseId, OrderId, Sku};
use ordercast_domain::lease::{Lease, WorkReport};
use ordercast_domain::money::Currency;
use ordercast_domain::order::{Details, Fulfilment, Order, OrderSeq, Queue};
use ordercast_domain::pause::{Parked, Pause, Scope};
use ordercast_domain::product::Product;
use ordercast_protocol::channel::Log;
use ordercast_protocol::position::Epoch;

use crate::StoreError;
use crate::clock::{StampClock, wall_now_ms};
use crate::log::{LogPage, LogState, PageQuery, ReadFuture, ReadLogs};
use crate::read::{Catalogue, OrderPage, OrderQuery, OrderSum, ReadStore, StartState};
use crate::search::MAX_DIRECT;
use crate::write::{
    BatchId, CommitFuture, CommitOutcome, Committed, Decider, Keys, LogRange, Outlook, OutlookDepth, OutlookFuture,
    RecentBatches, ResolveFuture, Resolved, WriteStore, Writes,
};

mod faults;
mod journal;

pub use faults::{Fault, Faults};
use journal::Journal;

/// When a commit that failed on request is worth trying again.
const RETRY_AFTER: Duration = Duration::from_millis(10);

#[derive(Default)]
struct State {
    logs: [Journal; Log::ALL.len()],
    orders: BTreeMap<OrderSeq, (Order, Details)>,
    ids: HashMap<OrderId, OrderSeq>,
    keys: HashMap<Arc<str>, KeyRecord>,
    actions: HashMap<Arc<str>, ActionRecord>,
    ready: BTreeSet<(i64, OrderSeq)>,
    due: BTreeSet<(i64, OrderSeq)>,
    steady_due: BTreeSet<(i64, OrderSeq)>,
    fulfilments: HashMap<OrderSeq, Fulfilment>,
    leases: BTreeMap<LeaseId, Lease>,
    reports: HashMap<(OrderSeq, u32), WorkReport>,
    pauses: BTreeMap<Scope, Pause>,
    products: BTreeMap<Sku, Product>,
    adjustments: Vec<Adjustment>,
    consumers: BTreeMap<Arc<str>, Consumer>,
    stamps: Option<StampClock>,
    batches: RecentBatches,
}

/// A store in memory. Clones are handles to the same store.
#[derive(Clone, Default)]
pub struct ModelStore {
    state: Arc<Mutex<State>>,
    /// A wall clock that somebody sets.
    wall_ms: Option<Arc<AtomicI64>>,
    faults: Faults,
    is_shared: bool,
}

impl ModelStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store whose wall clock is set from outside, in milliseconds since 1970.
    pub fn with_wall_clock(wall_ms: Arc<AtomicI64>) -> Self {
        Self { wall_ms: Some(wall_ms), ..Self::default() }
    }

    /// An empty store that several nodes write to, each through a handle that [`ModelStore::another`] gives.
    pub fn shared() -> Self {
        Self { is_shared: true, ..Self::default() }
    }

    /// The faults that commits through this handle, and its clones, meet.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// A handle to the same store that meets faults of its own: another node's.
    pub fn another(&self) -> Self {
        Self { faults: Faults::default(), ..self.clone() }
    }

    fn wall_ms(&self) -> i64 {
        self.wall_ms.as_ref().map_or_else(wall_now_ms, |wall_ms| wall_ms.load(Relaxed))
    }

    fn load(&self, keys: &Keys) -> (WorkingSet, i64) {
        self.state().load_now(keys, self.wall_ms())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WriteStore for ModelStore {
    fn commit<'a>(&'a mut self, id: BatchId, batch: &'a mut dyn Decider) -> CommitFuture<'a> {
        let fault = self.faults.next();
        Box::pin(async move {
            if fault == Some(Fault::Frozen) {
                std::future::pending::<()>().await;
            }
            if fault == Some(Fault::Unavailable) {
                return CommitOutcome::Unavailable {
                    reason: "it fails on request".to_owned(),
                    retry_after: RETRY_AFTER,
                };
            }
            let keys = batch.keys();
            if fault == Some(Fault::Conflict) {
                let (set, now_ms) = self.load(&keys);
                batch.decide(set, now_ms);
            }
            if fault == Some(Fault::LostBefore) {
                let (set, now_ms) = self.load(&keys);
                batch.decide(set, now_ms);
                return CommitOutcome::Unknown;
            }
            let mut state = self.state();
            if state.batches.is_taken(id) {
                return CommitOutcome::Unavailable {
                    reason: "the batch was barred".to_owned(),
                    retry_after: RETRY_AFTER,
                };
            }
            let (set, now_ms) = state.load_now(&keys, self.wall_ms());
            let writes = batch.decide(set, now_ms);
            let mut committed = state.write(writes, now_ms);
            committed.outlook = state.outlook(keys.outlook);
            state.batches.note(id, &committed);
            if fault == Some(Fault::LostAfter) { CommitOutcome::Unknown } else { CommitOutcome::Committed(committed) }
        })
    }

    fn resolve(&mut self, id: BatchId) -> ResolveFuture<'_> {
        let fault = self.faults.next();
        Box::pin(async move {
            if fault == Some(Fault::Unavailable) {
                return Resolved::Unavailable { reason: "it fails on request".to_owned(), retry_after: RETRY_AFTER };
            }
            self.state().batches.resolve(id)
        })
    }

    fn outlook(&mut self, depth: OutlookDepth) -> OutlookFuture<'_> {
        Box::pin(async move { Ok(self.state().outlook(depth)) })
    }

    fn is_exclusive(&self) -> bool {
        !self.is_shared
    }
}

impl State {
    /// The rows that the keys name, and the time for the rows to be written.
    fn load_now(&mut self, keys: &Keys, wall_ms: i64) -> (WorkingSet, i64) {
        let set = self.load(keys, wall_ms);
        (set, self.stamps.get_or_insert_with(|| StampClock::new(0)).read(wall_ms, Instant::now()))
    }

    fn outlook(&self, depth: OutlookDepth) -> Outlook {
        let is_limited = |order: &Order| order.queue() == Some(Queue::Limited);
        Outlook {
            ready: self.ready.len().min(depth.ready),
            active: self.active().take(depth.active).count(),
            limited: depth.limited && self.orders.values().any(|(order, _)| is_limited(order)),
            next_due_ms: self.due.first().map(|&(due_at_ms, _)| due_at_ms),
            next_steady_due_ms: self.steady_due.first().map(|&(due_ms, _)| due_ms),
            next_lease_end_ms: self.leases.values().map(|lease| lease.expires_at_ms).min(),
            lifted_pauses: self.pauses.values().any(|pause| pause.is_ending),
            has_products: !self.products.is_empty(),
        }
    }

    fn load(&self, keys: &Keys, wall_ms: i64) -> WorkingSet {
        let next_seq = self.orders.last_key_value().map_or(1, |(seq, _)| seq + 1);
        let (steady_ms, has_products) = (keys.steady_ms, !self.products.is_empty());
        let mut set = WorkingSet {
            orders: OrderSet { next_seq, ..OrderSet::default() },
            catalogue: CatalogueSet { has_products, ..CatalogueSet::default() },
            wall_ms,
            steady_ms,
            ..WorkingSet::default()
        };
        let mut wanted: Vec<OrderSeq> = keys.orders.seqs.clone();
        let mut with_lines = keys.orders.lines_of.clone();
        for id in &keys.orders.ids {
            if let Some(&seq) = self.ids.get(id) {
                set.orders.by_id.insert(id.clone(), seq);
                wanted.push(seq);
            }
        }
        for id in &keys.orders.acted_on {
            if let Some(&seq) = self.ids.get(id) {
                set.orders.by_id.insert(id.clone(), seq);
                with_lines.push(seq);
            }
        }
        if keys.queue.due > 0 {
            let steady = first_due(&self.steady_due, keys.queue.due, keys.steady_ms);
            let wall = first_due(&self.due, keys.queue.due - steady.0.len(), wall_ms);
            (set.queue.next_steady_due_ms, set.queue.next_due_ms) = (steady.1, wall.1);
            set.queue.due = [steady.0, wall.0].concat();
            with_lines.extend(&set.queue.due);
        }
        self.load_lines(&with_lines, &mut set);
        wanted.extend(with_lines);
        self.load_leases(keys, &mut set, &mut wanted);
        self.load_keys(keys, &mut set);
        let reports =
            keys.work.reports.iter().filter_map(|(id, token)| self.reports.get(&(*self.ids.get(id)?, *token)));
        set.work.reports.extend(reports.map(|report| ((report.seq, report.token), report.clone())));
        for sku in &keys.catalogue.skus {
            if let Some(product) = self.products.get(sku) {
                set.catalogue.products.insert(sku.clone(), product.clone());
            }
        }
        for adjustment in self.adjustments.iter().filter(|adjustment| keys.money.adjustments.contains(&adjustment.id)) {
            set.money.adjustments.insert(Arc::clone(&adjustment.id), adjustment.clone());
        }
        let consumers = keys.consumers.names.iter().filter_map(|name| self.consumers.get_key_value(name));
        set.consumers.by_name.extend(consumers.map(|(name, consumer)| (Arc::clone(name), consumer.clone())));
        self.load_ready(keys, &mut set);
        self.load_pauses(keys, &mut set);
        wanted.extend(set.queue.unparked.iter().map(|&(_, seq)| seq));
        for seq in wanted {
            if let Some((order, _)) = self.orders.get(&seq) {
                set.orders.by_seq.insert(seq, order.clone());
            }
        }
        if keys.queue.in_work {
            let in_work = set.queue.in_work.get_or_insert_default();
            self.active().for_each(|order| in_work.add(&order.customer_id));
        }
        if keys.queue.limited {
            self.load_limited(keys, &mut set);
        }
        set
    }

    fn load_keys(&self, keys: &Keys, set: &mut WorkingSet) {
        for key in &keys.orders.keys {
            if let Some(record) = self.keys.get(key) {
                set.orders.keys.insert(Arc::clone(key), record.clone());
            }
        }
        for key in &keys.orders.action_keys {
            if let Some(record) = self.actions.get(key) {
                set.orders.actions.insert(Arc::clone(key), record.clone());
            }
        }
    }

    fn load_pauses(&self, keys: &Keys, set: &mut WorkingSet) {
        if keys.queue.ready > 0 || keys.queue.pauses || keys.queue.unparked > 0 {
            set.queue.pauses.clone_from(&self.pauses);
        }
        for pause in self.pauses.values().filter(|pause| pause.is_ending) {
            let by = Parked::Pause(pause.scope.clone());
            let parked = self.parked_by(&by).take(keys.queue.unparked);
            set.queue.unparked.extend(parked.map(|order| (pause.scope.clone(), order.seq)));
        }
    }

    fn load_ready(&self, keys: &Keys, set: &mut WorkingSet) {
        let next = self.ready.iter().take(keys.queue.ready).filter_map(|(_, seq)| self.orders.get(seq));
        for (order, _) in next {
            set.queue.ready.push(Arc::new(order.clone()));
        }
        if set.queue.ready.len() < keys.queue.ready {
            set.queue.ready.end();
        }
    }

    fn load_limited(&self, keys: &Keys, set: &mut WorkingSet) {
        for (customer_id, count) in set.leaving(keys.queue.pauses) {
            for order in self.parked_by(&Parked::Limit(customer_id.clone())).take(count) {
                set.queue.limited.entry(customer_id.clone()).or_default().push_back(order.seq);
                set.orders.by_seq.insert(order.seq, order.clone());
            }
        }
    }

    fn load_lines(&self, seqs: &[OrderSeq], set: &mut WorkingSet) {
        for seq in seqs {
            let Some((_, details)) = self.orders.get(seq) else { continue };
            let moves = self.fulfilments.get(seq).map_or(&[][..], |fulfilment| &fulfilment.moves);
            let lines = OrderLines::new(Arc::new(details.clone()), moves);
            for product in lines.reserved_skus().filter_map(|sku| self.products.get(sku)) {
                set.catalogue.products.insert(product.sku.clone(), product.clone());
            }
            set.orders.lines.insert(*seq, lines);
        }
    }

    fn load_leases(&self, keys: &Keys, set: &mut WorkingSet, wanted: &mut Vec<OrderSeq>) {
        for lease in self.leases.values() {
            let has_ended = lease.expires_at_ms <= keys.steady_ms;
            if keys.work.leases.contains(&lease.id) || (keys.work.ended && has_ended) {
                set.work.leases.insert(lease.id.clone(), lease.clone());
            }
            if keys.work.ended && !has_ended {
                let end_ms = lease.expires_at_ms;
                set.work.next_lease_end_ms = Some(set.work.next_lease_end_ms.map_or(end_ms, |next| next.min(end_ms)));
            }
        }
        let is_held = |order: &&Order| order.lease.as_ref().is_some_and(|lease| set.work.leases.contains_key(lease));
        wanted.extend(self.active().filter(is_held).map(|order| order.seq));
    }

    /// The first to start first.
    fn parked_by(&self, by: &Parked) -> impl Iterator<Item = &Order> {
        let orders = self.orders.values().map(|(order, _)| order);
        let mut parked: Vec<&Order> = orders.filter(|order| order.parked_by.as_ref() == Some(by)).collect();
        parked.sort_unstable_by_key(|order| (order.sort_key, order.seq));
        parked.into_iter()
    }

    fn active(&self) -> impl Iterator<Item = &Order> {
        self.orders.values().map(|(order, _)| order).filter(|order| order.queue() == Some(Queue::InWork))
    }

    fn write(&mut self, writes: Writes, now_ms: i64) -> Committed {
        let Writes { orders, queue, catalogue, money, work, consumers, logs } = writes;
        for insert in orders.new {
            let (order, details) = (Arc::unwrap_or_clone(insert.order), Arc::unwrap_or_clone(insert.details));
            self.ids.insert(order.id.clone(), order.seq);
            self.enqueue(&order);
            self.orders.insert(order.seq, (order, details));
        }
        for (key, seq) in orders.keys {
            if let Some((order, _)) = self.orders.get(&seq) {
                self.keys.insert(key, KeyRecord { order_id: order.id.clone(), digest: order.digest });
            }
        }
        self.actions.extend(orders.action_keys);
        for order in orders.changed {
            self.dequeue(order.seq);
            self.enqueue(&order);
            if let Some(row) = self.orders.get_mut(&order.seq) {
                row.0 = order;
            }
        }
        for moved in orders.moves {
            self.fulfilments.entry(moved.seq).or_default().moves.push(moved);
        }
        for entry in money.ledger {
            self.fulfilments.entry(entry.seq).or_default().ledger.push(entry);
        }
        self.leases.extend(work.leases.into_iter().map(|lease| (lease.id.clone(), lease)));
        self.reports.extend(work.reports.into_iter().map(|report| ((report.seq, report.token), report)));
        for id in work.ended {
            self.leases.remove(&id);
        }
        self.pauses.extend(queue.pauses.into_iter().map(|pause| (pause.scope.clone(), pause)));
        for scope in queue.ended_pauses {
            self.pauses.remove(&scope);
        }
        for product in catalogue.products {
            self.products.insert(product.sku.clone(), product);
        }
        self.adjustments.extend(money.adjustments);
        self.consumers.extend(consumers.changed.into_iter().map(|consumer| (Arc::clone(&consumer.name), consumer)));
        logs.check();
        for redaction in logs.redactions {
            self.logs[redaction.log().index()].redact(redaction.offset());
        }
        let trimmed = logs.trims.iter().filter_map(|trim| self.logs[trim.log.index()].trim(trim)).collect();
        let heads = Log::ALL.map(|log| self.logs[log.index()].head());
        for event in logs.events {
            self.logs[event.log.index()].append(event, now_ms);
        }
        let range = |log: Log| {
            let (before, after) = (heads[log.index()], self.logs[log.index()].head());
            (after > before).then(|| LogRange { log, epoch: epoch(), first: before + 1, count: after - before })
        };
        Committed { logs: Log::ALL.into_iter().filter_map(range).collect(), trimmed, ..Committed::default() }
    }

    fn dequeue(&mut self, seq: OrderSeq) {
        let Some((before, _)) = self.orders.get(&seq) else { return };
        self.ready.remove(&(before.sort_key, seq));
        self.due.remove(&(before.due_at_ms.unwrap_or(0), seq));
        self.steady_due.remove(&(before.steady_due_ms.unwrap_or(0), seq));
    }

    fn enqueue(&mut self, order: &Order) {
        match (order.queue(), order.due_at_ms, order.steady_due_ms) {
            (Some(Queue::Ready), ..) => self.ready.insert((order.sort_key, order.seq)),
            (Some(Queue::Timed), _, Some(due_ms)) => self.steady_due.insert((due_ms, order.seq)),
            (Some(Queue::Timed), Some(due_at_ms), None) => self.due.insert((due_at_ms, order.seq)),
            _ => false,
        };
    }

    fn log_state(&self, log: Log) -> LogState {
        self.logs[log.index()].state(log, epoch())
    }

    fn orders(&self, query: &OrderQuery) -> OrderPage {
        let below = ..query.before.unwrap_or(OrderSeq::MAX);
        let matching = |row: &&(Order, Details)| query.matches(&row.0);
        let is_direct = |row: &&(Order, Details)| {
            query.search.as_ref().is_some_and(|search| search.is_direct(row.0.seq, &row.0.id))
        };
        let mut direct: Vec<_> = self.orders.values().rev().filter(is_direct).collect();
        let most = MAX_DIRECT.min(query.limit);
        if direct.len() > most {
            direct
                .retain(|(order, _)| query.search.as_ref().is_some_and(|search| search.is_named(order.seq, &order.id)));
        }
        if direct.len() > most {
            direct.clear();
        }
        let is_listed_first = |row: &(Order, Details)| direct.iter().any(|(order, _)| order.seq == row.0.seq);
        let is_found = |row: &&(Order, Details)| {
            query.search.as_ref().is_none_or(|search| search.finds(&row.0, &row.1) && !is_listed_first(row))
        };
        let by_age = self.orders.range(below).rev().map(|(_, row)| row).filter(matching).filter(is_found);
        let first = direct.iter().copied().filter(matching).filter(|_| query.before.is_none());
        let orders: Vec<_> = first.chain(by_age).take(query.limit).cloned().collect();
        let last = orders.last().filter(|_| orders.len() == query.limit);
        let next = last.map(|row| if is_listed_first(row) { self.orders.len() as OrderSeq + 1 } else { row.0.seq });
        OrderPage { orders, next, as_of: self.log_state(Log::Orders) }
    }
}

/// The first timers that have come, at most `most`, and the time of the next one.
fn first_due(timers: &BTreeSet<(i64, OrderSeq)>, most: usize, now_ms: i64) -> (Vec<OrderSeq>, Option<i64>) {
    let has_come = |&&(due_ms, _): &&(i64, OrderSeq)| due_ms <= now_ms;
    let due: Vec<OrderSeq> = timers.iter().take_while(has_come).take(most).map(|&(_, seq)| seq).collect();
    let next_ms = timers.iter().nth(due.len()).map(|&(due_ms, _)| due_ms);
    (due, next_ms)
}

fn epoch() -> Epoch {
    Epoch("model".into())
}

impl ReadLogs for ModelStore {
    fn log_states(&self) -> ReadFuture<'_, Vec<LogState>> {
        let state = self.state();
        let states = Log::ALL.map(|log| state.log_state(log)).to_vec();
        Box::pin(async move { Ok::<_, StoreError>(states) })
    }

    fn log_page(&self, query: PageQuery) -> ReadFuture<'_, LogPage> {
        let state = self.state();
        let page = state.logs[query.log.index()].page(state.log_state(query.log), &query);
        drop(state);
        Box::pin(async move { Ok(page) })
    }
}

impl ReadStore for ModelStore {
    fn start_state(&self) -> ReadFuture<'_, StartState> {
        let state = self.state();
        let start = StartState {
            ready: state.ready.len() as u64,
            pauses: state.pauses.values().cloned().collect(),
            active: state.active().count() as u64,
            steady_ms: 0,
            secret: [7; 32],
            durability: "none: in memory".to_owned(),
        };
        Box::pin(async move { Ok(start) })
    }

    fn lease(&self, id: LeaseId) -> ReadFuture<'_, Option<Lease>> {
        let lease = self.state().leases.get(&id).cloned();
        Box::pin(async move { Ok(lease) })
    }

    fn order(&self, id: OrderId) -> ReadFuture<'_, Option<(Order, Details)>> {
        let state = self.state();
        let order = state.ids.get(&id).and_then(|seq| state.orders.get(seq)).cloned();
        Box::pin(async move { Ok(order) })
    }

    fn fulfilment(&self, seq: OrderSeq) -> ReadFuture<'_, Fulfilment> {
        let mut fulfilment = self.state().fulfilments.get(&seq).cloned().unwrap_or_default();
        fulfilment.moves.sort_by_key(|moved| (moved.version, moved.line, moved.kind.name()));
        Box::pin(async move { Ok(fulfilment) })
    }

    fn orders(&self, query: OrderQuery) -> ReadFuture<'_, OrderPage> {
        let page = self.state().orders(&query);
        Box::pin(async move { Ok(page) })
    }

    fn order_sums(&self, from_ms: i64, last: OrderSeq) -> ReadFuture<'_, Vec<OrderSum>> {
        let mut sums = BTreeMap::<Currency, OrderSum>::new();
        for (order, _) in self.state().orders.range(..=last).map(|(_, row)| row) {
            if order.accepted_at_ms >= from_ms {
                let none = OrderSum { currency: order.currency, orders: 0, amount: 0 };
                let sum = sums.entry(order.currency).or_insert(none);
                sum.orders += 1;
                sum.amount += order.amount;
            }
        }
        let sums = sums.into_values().collect();
        Box::pin(async move { Ok(sums) })
    }

    fn catalogue(&self) -> ReadFuture<'_, Catalogue> {
        let state = self.state();
        let products = state.products.values().cloned().collect();
        let catalogue = Catalogue { products, as_of: state.log_state(Log::Products) };
        Box::pin(async move { Ok(catalogue) })
    }

    fn pauses(&self) -> ReadFuture<'_, Vec<(Pause, u64)>> {
        let state = self.state();
        let parked = |pause: &Pause| state.parked_by(&Parked::Pause(pause.scope.clone())).count() as u64;
        let pauses = state.pauses.values().map(|pause| (pause.clone(), parked(pause))).collect();
        Box::pin(async move { Ok(pauses) })
    }

    fn adjustments(&self, skip: u64, limit: usize) -> ReadFuture<'_, Vec<Adjustment>> {
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let adjustments = self.state().adjustments.iter().skip(skip).take(limit).cloned().collect();
        Box::pin(async move { Ok(adjustments) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::wait;

    #[test]
    fn the_model_conforms() {
        let store = ModelStore::new();
        crate::conformance::check(&mut store.clone(), &store);
        let store = ModelStore::new();
        crate::conformance::check_retention(&mut store.clone(), &store);
        let store = ModelStore::new();
        crate::conformance::check_topics(&mut store.clone(), &store);
        let store = ModelStore::new();
        crate::conformance::check_redaction(&mut store.clone(), &store);
        crate::conformance::check_consumers(&mut ModelStore::new());
        let store = ModelStore::new();
        crate::conformance::check_steps(&mut store.clone(), &store);
        crate::conformance::check_outlook(&mut ModelStore::new());
        crate::conformance::check_contract(&mut ModelStore::new());
    }

    #[test]
    fn two_writers_of_the_model_lose_and_repeat_nothing() {
        for _ in 0..20 {
            let store = ModelStore::shared();
            store.faults().add(&[Fault::Conflict; 40]);
            crate::conformance::check_two_writers(&mut store.clone(), &mut store.another(), &store);
        }
    }

    #[test]
    fn a_batch_whose_connection_was_lost_is_found_or_barred() {
        struct Nothing;
        impl Decider for Nothing {
            fn keys(&self) -> Keys {
                Keys::default()
            }

            fn decide(&mut self, _: WorkingSet, _: i64) -> Writes {
                Writes::default()
            }
        }
        let mut store = ModelStore::new();
        store.faults().add(&[Fault::LostBefore, Fault::Unavailable]);
        let lost = wait(store.commit(BatchId(1), &mut Nothing));
        assert_eq!(lost, CommitOutcome::Unknown);
        assert!(matches!(wait(store.resolve(BatchId(1))), Resolved::Unavailable { .. }));
        assert_eq!(wait(store.resolve(BatchId(1))), Resolved::Barred);
        store.faults().add(&[Fault::LostAfter]);
        assert_eq!(wait(store.commit(BatchId(2), &mut Nothing)), CommitOutcome::Unknown);
        assert!(matches!(wait(store.resolve(BatchId(2))), Resolved::Committed(_)));
    }
}
