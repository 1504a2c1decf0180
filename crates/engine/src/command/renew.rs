//! Renewing the lease of an external worker.

use ordercast_access::Origin;
use ordercast_domain::decide::Refusal;
use ordercast_domain::ids::LeaseId;
use ordercast_domain::lease::Lease;
use ordercast_domain::order::Order;
use ordercast_store::write::Keys;

use super::{Command, ROW_BYTES};
use crate::leases::{self, Heartbeat};
use crate::pass::Pass;

/// A renewed lease.
#[derive(Clone, Debug)]
pub struct Renewed {
    /// About when it ends, in milliseconds since 1970.
    pub expires_at_ms: i64,
    /// The orders it holds; any other is the worker's no longer.
    pub orders: Vec<Order>,
}

pub(crate) struct Renew {
    pub(crate) lease: LeaseId,
    /// How long the lease lasts from its arrival on, in milliseconds.
    pub(crate) ttl_ms: i64,
    /// When the heartbeat arrived, by steady time: how long it then waits for its commit does not count.
    pub(crate) arrived_ms: i64,
}

impl Command for Renew {
    type Decided = Renewed;
    type Answer = Renewed;

    fn weight(&self) -> usize {
        ROW_BYTES
    }

    fn keys(&self, keys: &mut Keys) {
        keys.work.leases.push(self.lease.clone());
    }

    fn heartbeat(&self) -> Option<Heartbeat<'_>> {
        Some(Heartbeat { lease: &self.lease, ttl_ms: self.ttl_ms, arrived_ms: self.arrived_ms })
    }

    fn decide(&self, _: &Origin, pass: &mut Pass<'_>) -> Result<Renewed, Refusal> {
        let lease = leases::live(pass, &self.lease)?;
        let end_ms = leases::end_of(pass, self.arrived_ms, self.ttl_ms);
        leases::extend(pass, &Lease { ttl_ms: self.ttl_ms, ..lease }, end_ms);
        let orders = leases::held_by(pass, &self.lease).into_iter().cloned().collect();
        Ok(Renewed { expires_at_ms: leases::outward_ms(pass, end_ms), orders })
    }
}
