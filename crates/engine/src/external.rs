//! Workers outside the process: leases, and the orders claimed under them.

use std::sync::Arc;

use ordercast_domain::decide::{self, Refusal, Reported};
use ordercast_domain::lease::Lease;
use ordercast_domain::order::{Order, OrderSeq};
use ordercast_domain::status::Status;

use crate::intake::{Beat, Changed, Claim, Claimed, Command, Renewed, Report};
use crate::run::Run;

impl Run<'_> {
    /// Claims orders for a worker, under its lease or a new one.
    pub(crate) fn claim_for(&mut self, claim: &Claim, arrived_ms: i64) -> Result<Claimed, Refusal> {
        let (ttl_ms, now_ms) = (claim.ttl_ms, self.now_ms);
        let end_ms = self.end_of_lease(arrived_ms, ttl_ms);
        let lease = match &claim.lease {
            Some(id) => self.live_lease(id)?,
            None => {
                Lease { id: self.ids.draw(now_ms), worker: Arc::clone(&claim.worker), expires_at_ms: end_ms, ttl_ms }
            }
        };
        let mut orders = Vec::new();
        let parked_before = self.set.parked.len();
        while orders.len() < claim.most {
            let Some(step) = self.claim_next(&lease.worker, Some(&lease.id)) else { break };
            orders.push(step.order);
        }
        // A lease that holds nothing is not worth a commit.
        if !orders.is_empty() || claim.lease.is_some() {
            self.extend_lease(&lease, end_ms);
        }
        let parked = self.set.parked.len() - parked_before;
        Ok(Claimed { lease: lease.id, expires_at_ms: self.outward_ms(end_ms), orders, parked })
    }

    /// Renews a lease; tells which orders it holds.
    pub(crate) fn renew(&mut self, beat: &Beat) -> Result<Renewed, Refusal> {
        let lease = self.live_lease(&beat.lease)?;
        let end_ms = self.end_of_lease(beat.arrived_ms, beat.ttl_ms);
        self.extend_lease(&Lease { ttl_ms: beat.ttl_ms, ..lease }, end_ms);
        let orders = self.held_by(&beat.lease).into_iter().cloned().collect();
        Ok(Renewed { expires_at_ms: self.outward_ms(end_ms), orders })
    }

    /// Takes a sign of life into account before any lease of the batch ends: one that came in time counts.
    pub(crate) fn hear(&mut self, command: &Command) {
        let (id, arrived_ms, ttl_ms) = match command {
            Command::Renew { beat, .. } => (&beat.lease, beat.arrived_ms, beat.ttl_ms),
            Command::Claim { claim: Claim { lease: Some(id), ttl_ms, .. }, arrived_ms, .. } => {
                (id, *arrived_ms, *ttl_ms)
            }
            _ => return,
        };
        let end_ms = self.end_of_lease(arrived_ms, ttl_ms);
        let in_time = |lease: &&Lease| arrived_ms < lease.expires_at_ms && lease.expires_at_ms < end_ms;
        if let Some(lease) = self.set.leases.get(id).filter(in_time).cloned() {
            self.extend_lease(&lease, end_ms);
        }
    }

    /// When a lease ends that was heard of at `arrived_ms`: between two looks at the clock that may lie ahead of it.
    fn end_of_lease(&self, arrived_ms: i64, ttl_ms: i64) -> i64 {
        arrived_ms.min(self.set.steady_ms).saturating_add(ttl_ms)
    }

    /// About when it is what steady time will be `steady_ms`, in milliseconds since 1970.
    fn outward_ms(&self, steady_ms: i64) -> i64 {
        self.set.wall_ms.saturating_add(steady_ms - self.set.steady_ms)
    }

    /// Ends, or gives back, the work of an external worker on one order.
    pub(crate) fn report(&mut self, report: &Report) -> Result<Changed, Refusal> {
        let seq = *self.set.orders_by_id.get(&report.order_id).ok_or(Refusal::NotFound)?;
        let (by, spread) = ((seq, &report.lease, report.token), (&self.rules.retries, self.ids.dice()));
        match decide::report(&mut self.set, by, report.result.as_ref(), spread, self.now_ms)? {
            Reported::Step(step, report) => {
                self.writes.reports.push(report);
                self.step(&step);
                Ok(Changed { order: Box::new(step.order), replayed: false })
            }
            Reported::Repeated(order) => Ok(Changed { order, replayed: true }),
        }
    }

    /// Takes the orders from workers whose leases have ended.
    pub(crate) fn end_leases(&mut self) {
        self.decided.next_lease_end_ms = self.set.next_lease_end_ms;
        let has_ended = |lease: &&Lease| lease.expires_at_ms <= self.set.steady_ms;
        let mut ended: Vec<Lease> = self.set.leases.values().filter(has_ended).cloned().collect();
        // A batch that is decided again must come to the same.
        ended.sort_unstable_by(|one, other| (one.expires_at_ms, &one.id).cmp(&(other.expires_at_ms, &other.id)));
        for Lease { id, .. } in ended {
            let orders: Vec<OrderSeq> = self.held_by(&id).into_iter().map(|order| order.seq).collect();
            tracing::warn!(lease = &*id, orders = orders.len(), "a lease has ended");
            for seq in orders {
                let spread = (&self.rules.retries, self.ids.dice());
                if let Ok(step) = decide::end_lease(&mut self.set, seq, spread, self.now_ms) {
                    self.step(&step);
                }
            }
            self.set.leases.remove(&id);
            self.writes.ended_leases.push(id);
        }
    }

    fn live_lease(&self, id: &Arc<str>) -> Result<Lease, Refusal> {
        self.set.leases.get(id).cloned().ok_or(Refusal::NoLease)
    }

    fn extend_lease(&mut self, lease: &Lease, expires_at_ms: i64) {
        let lease = Lease { expires_at_ms, ..lease.clone() };
        let first = self.decided.first_lease_end_ms;
        self.decided.first_lease_end_ms = Some(first.map_or(expires_at_ms, |first| first.min(expires_at_ms)));
        self.set.leases.insert(Arc::clone(&lease.id), lease.clone());
        self.writes.leases.retain(|known| known.id != lease.id);
        self.writes.leases.push(lease);
    }

    /// The orders in work under a lease, the first accepted first.
    fn held_by(&self, id: &Arc<str>) -> Vec<&Order> {
        let is_held = |order: &&Order| order.status == Status::Active && order.lease.as_ref() == Some(id);
        let mut orders: Vec<&Order> = self.set.orders.values().filter(is_held).collect();
        orders.sort_unstable_by_key(|order| order.seq);
        orders
    }
}
