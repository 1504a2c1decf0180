//! Claiming orders for an external worker, under its lease or a new one.

use ordercast_access::Origin;
use ordercast_domain::decide::Refusal;
use ordercast_domain::ids::{LeaseId, WorkerName};
use ordercast_domain::lease::Lease;
use ordercast_domain::order::Order;
use ordercast_store::write::Keys;

use super::{Command, Demand, ROW_BYTES};
use crate::leases::{self, Heartbeat};
use crate::pass::Pass;

/// An external worker that asks for orders.
#[derive(Clone, Debug)]
pub struct Claim {
    /// What it calls itself.
    pub worker: WorkerName,
    /// The lease it has, if it has one.
    pub lease: Option<LeaseId>,
    /// Most orders it can take.
    pub most: usize,
    /// How long the lease lasts from now on, in milliseconds.
    pub ttl_ms: i64,
}

/// What an external worker got.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Its lease: it must be renewed before it ends.
    pub lease: LeaseId,
    /// About when it ends, in milliseconds since 1970.
    pub expires_at_ms: i64,
    /// The orders, with their tokens.
    pub orders: Vec<Order>,
    /// How many were passed over because a pause or a limit holds them back; none of them is looked at again.
    pub parked: usize,
}

pub(crate) struct ClaimOrders {
    pub(crate) claim: Claim,
    /// When it arrived, by steady time.
    pub(crate) arrived_ms: i64,
}

impl Command for ClaimOrders {
    type Decided = Claimed;
    type Answer = Claimed;

    fn weight(&self) -> usize {
        ROW_BYTES + self.claim.most * ROW_BYTES
    }

    fn keys(&self, keys: &mut Keys) {
        keys.work.leases.extend(self.claim.lease.clone());
    }

    fn demand(&self) -> Demand {
        Demand { claims: self.claim.most, ..Demand::default() }
    }

    fn heartbeat(&self) -> Option<Heartbeat<'_>> {
        let Claim { lease, ttl_ms, .. } = &self.claim;
        Some(Heartbeat { lease: lease.as_ref()?, ttl_ms: *ttl_ms, arrived_ms: self.arrived_ms })
    }

    fn decide(&self, _: &Origin, pass: &mut Pass<'_>) -> Result<Claimed, Refusal> {
        let Self { claim, arrived_ms } = self;
        let (ttl_ms, now_ms) = (claim.ttl_ms, pass.now_ms);
        let end_ms = leases::end_of(pass, *arrived_ms, ttl_ms);
        let lease = match &claim.lease {
            Some(id) => leases::live(pass, id)?,
            None => {
                Lease { id: pass.ids.draw(now_ms).into(), worker: claim.worker.clone(), expires_at_ms: end_ms, ttl_ms }
            }
        };
        let mut orders = Vec::new();
        let parked_before = pass.set.queue.parked.len();
        while orders.len() < claim.most {
            let Some(step) = pass.claim_next(&lease.worker, &lease.id) else { break };
            orders.push(step.order);
        }
        // A lease that holds nothing is not worth a commit.
        if !orders.is_empty() || claim.lease.is_some() {
            leases::extend(pass, &lease, end_ms);
        }
        let parked = pass.set.queue.parked.len() - parked_before;
        Ok(Claimed { lease: lease.id, expires_at_ms: leases::outward_ms(pass, end_ms), orders, parked })
    }
}
