//! Leases of workers, external ones and this node's own, and the orders in work under them.

use ordercast_domain::decide::{self, Refusal};
use ordercast_domain::ids::LeaseId;
use ordercast_domain::lease::Lease;
use ordercast_domain::order::{Order, OrderSeq};
use ordercast_domain::status::Status;

use crate::node::NodeLease;
use crate::pass::Pass;

/// A sign of life of an external worker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heartbeat<'a> {
    /// The lease it keeps alive.
    pub(crate) lease: &'a LeaseId,
    /// How long the lease lasts from its arrival on, in milliseconds.
    pub(crate) ttl_ms: i64,
    /// When it arrived, by steady time.
    pub(crate) arrived_ms: i64,
}

/// Takes a heartbeat into account before any lease of the batch ends: one that came in time counts.
pub(crate) fn hear(pass: &mut Pass<'_>, heartbeat: Heartbeat<'_>) {
    let Heartbeat { lease, ttl_ms, arrived_ms } = heartbeat;
    let end_ms = end_of(pass, arrived_ms, ttl_ms);
    let in_time = |lease: &&Lease| arrived_ms < lease.expires_at_ms && lease.expires_at_ms < end_ms;
    if let Some(lease) = pass.set.work.leases.get(lease).filter(in_time).cloned() {
        extend(pass, &lease, end_ms);
    }
}

/// Takes the orders from workers whose leases have ended.
pub(crate) fn end_expired(pass: &mut Pass<'_>) {
    let has_ended = |lease: &&Lease| lease.expires_at_ms <= pass.set.steady_ms;
    let mut ended: Vec<Lease> = pass.set.work.leases.values().filter(has_ended).cloned().collect();
    // A batch that is decided again must come to the same.
    ended.sort_unstable_by(|one, other| (one.expires_at_ms, &one.id).cmp(&(other.expires_at_ms, &other.id)));
    for Lease { id, .. } in ended {
        let orders: Vec<OrderSeq> = held_by(pass, &id).into_iter().map(|order| order.seq).collect();
        if !orders.is_empty() {
            tracing::warn!(lease = &*id, orders = orders.len(), "a lease has ended");
        }
        for seq in orders {
            let spread = (&pass.rules.retries, pass.ids.dice());
            if let Ok(step) = decide::end_lease(&mut pass.set, seq, spread, pass.now_ms) {
                pass.step(&step);
            }
        }
        pass.set.work.leases.remove(&id);
        pass.writes.work.ended.push(id);
    }
}

/// A lease that has not ended.
///
/// # Errors
/// [`Refusal::NoLease`].
pub(crate) fn live(pass: &Pass<'_>, id: &LeaseId) -> Result<Lease, Refusal> {
    pass.set.work.leases.get(id).cloned().ok_or(Refusal::NoLease)
}

/// When a lease ends whose heartbeat came at `arrived_ms`: between two looks at the clock that may lie ahead of it.
pub(crate) fn end_of(pass: &Pass<'_>, arrived_ms: i64, ttl_ms: i64) -> i64 {
    arrived_ms.min(pass.set.steady_ms).saturating_add(ttl_ms)
}

/// About what time it will be when steady time is `steady_ms`, in milliseconds since 1970.
pub(crate) fn outward_ms(pass: &Pass<'_>, steady_ms: i64) -> i64 {
    pass.set.wall_ms.saturating_add(steady_ms - pass.set.steady_ms)
}

/// Stores a lease with a later end.
pub(crate) fn extend(pass: &mut Pass<'_>, lease: &Lease, expires_at_ms: i64) {
    let lease = Lease { expires_at_ms, ..lease.clone() };
    pass.set.work.leases.insert(lease.id.clone(), lease.clone());
    pass.writes.work.leases.retain(|known| known.id != lease.id);
    pass.writes.work.leases.push(lease);
}

/// Renews the lease of this node, unless it has ended: then its orders are taken from it first, and a claim begins it anew.
pub(crate) fn renew_node(pass: &mut Pass<'_>, node: &NodeLease) {
    let known = pass.set.work.leases.get(&node.id);
    if known.is_none_or(|lease| lease.expires_at_ms > pass.set.steady_ms) {
        hold_node(pass, node);
    }
}

/// Gives the lease of this node its whole length.
pub(crate) fn hold_node(pass: &mut Pass<'_>, node: &NodeLease) {
    let lease = node.renewed(pass.set.steady_ms);
    extend(pass, &lease, lease.expires_at_ms);
    pass.decided.node_lease_end_ms = Some(lease.expires_at_ms);
}

/// The orders in work under a lease, the first accepted first.
pub(crate) fn held_by<'p>(pass: &'p Pass<'_>, id: &LeaseId) -> Vec<&'p Order> {
    let is_held = |order: &&Order| order.status == Status::Active && order.lease.as_ref() == Some(id);
    let mut orders: Vec<&Order> = pass.set.orders.by_seq.values().filter(is_held).collect();
    orders.sort_unstable_by_key(|order| order.seq);
    orders
}
