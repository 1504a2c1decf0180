//! This node's own lease: the workers in the process hold their orders under it, as external workers do under theirs.

use std::sync::Arc;
use std::time::Duration;

use ordercast_domain::ids::LeaseId;
use ordercast_domain::lease::Lease;
use ordercast_store::StoreError;
use ordercast_store::read::ReadStore;

/// How long the lease lasts from each renewal on, in milliseconds (DESIGN.md, section 4.3).
pub(crate) const NODE_LEASE_MS: i64 = 6_000;
/// How often it is renewed while it is needed, in milliseconds.
const RENEW_EVERY_MS: i64 = 2_000;
/// How long a start watches a lease of its own name for a renewal by a node that is alive.
const WATCH_TIME: Duration = Duration::from_millis(RENEW_EVERY_MS as u64 + 1_000);

/// The lease of a node, as the last commit left it.
#[derive(Clone, Debug)]
pub(crate) struct NodeLease {
    pub(crate) id: LeaseId,
    name: Arc<str>,
    /// When it ends, by steady time. It can end no sooner: nobody else renews or shortens it.
    end_ms: Option<i64>,
    /// Whether it is kept alive without orders too, so that a second node of the same name is noticed.
    is_always_kept: bool,
}

impl NodeLease {
    pub(crate) fn new(name: &Arc<str>, is_always_kept: bool) -> Self {
        Self { id: format!("node:{name}").into(), name: Arc::clone(name), end_ms: None, is_always_kept }
    }

    /// Whether it is needed while its workers have this many orders.
    fn is_needed(&self, orders: usize) -> bool {
        self.is_always_kept || orders > 0
    }

    /// Whether it is time to renew it, for a node that needs it.
    pub(crate) fn is_due(&self, steady_ms: i64) -> bool {
        self.end_ms.is_none_or(|end_ms| end_ms - steady_ms <= NODE_LEASE_MS - RENEW_EVERY_MS)
    }

    /// Whether it must be renewed now for the orders that its workers have.
    pub(crate) fn must_renew(&self, orders: usize, steady_ms: i64) -> bool {
        self.is_needed(orders) && self.is_due(steady_ms)
    }

    /// When it must be renewed next, by steady time.
    pub(crate) fn renewal_ms(&self, orders: usize) -> Option<i64> {
        let renewal_ms = self.end_ms.map_or(0, |end_ms| end_ms - (NODE_LEASE_MS - RENEW_EVERY_MS));
        self.is_needed(orders).then_some(renewal_ms)
    }

    /// The lease with its whole length from now on.
    pub(crate) fn renewed(&self, steady_ms: i64) -> Lease {
        let (id, worker) = (self.id.clone(), Arc::clone(&self.name));
        Lease {
            id,
            worker: worker.into(),
            expires_at_ms: steady_ms.saturating_add(NODE_LEASE_MS),
            ttl_ms: NODE_LEASE_MS,
        }
    }

    /// Notes a renewal that is durable.
    pub(crate) fn note(&mut self, end_ms: i64) {
        self.end_ms = Some(end_ms);
    }

    /// Refuses to start beside a living node of the same name: both would take the other's orders for their own. A node that
    /// is gone does not renew its lease.
    ///
    /// # Errors
    /// [`StoreError::InUse`], or when the store cannot be read.
    pub(crate) async fn refuse_living(&self, reader: &dyn ReadStore) -> Result<(), StoreError> {
        let Some(before) = reader.lease(self.id.clone()).await? else { return Ok(()) };
        tokio::time::sleep(WATCH_TIME).await;
        let after = reader.lease(self.id.clone()).await?;
        match after.is_some_and(|after| after.expires_at_ms > before.expires_at_ms) {
            false => Ok(()),
            true => Err(StoreError::InUse(format!(
                "a node named {} runs on it already; a node's name is in its data directory: give each its own",
                self.name
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_renewed_in_time_and_only_while_it_is_needed() {
        let mut node = NodeLease::new(&"n1".into(), false);
        assert!(node.is_due(0) && node.must_renew(1, 0) && !node.must_renew(0, 0));
        assert_eq!((node.renewal_ms(0), node.renewal_ms(1)), (None, Some(0)), "at once");
        node.note(node.renewed(1_000).expires_at_ms);
        assert_eq!(node.renewal_ms(1), Some(1_000 + RENEW_EVERY_MS));
        assert!(!node.must_renew(1, 2_999) && node.must_renew(1, 3_000));
        assert!(NodeLease::new(&"n1".into(), true).must_renew(0, 0), "a shared store shows who is alive");
    }
}
