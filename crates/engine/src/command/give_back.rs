//! Giving orders back at a start: those that this node's workers had when it ended, and those that nobody holds.

use ordercast_access::Origin;
use ordercast_domain::decide::{self, Refusal};
use ordercast_domain::ids::LeaseId;
use ordercast_domain::lease::ABANDONED;
use ordercast_domain::order::OrderSeq;
use ordercast_store::write::Keys;

use super::Command;
use crate::leases;
use crate::pass::Pass;

/// Why an order goes back to the queue when the server starts.
const RECOVERED: &str = "recovered after a restart";

/// Puts orders back into the queue without charging the attempt. It must be committed before the node claims anything: what
/// its lease holds then is of its last run.
pub(crate) struct GiveBack {
    /// The lease of the node.
    pub(crate) node: LeaseId,
}

impl Command for GiveBack {
    type Decided = ();
    type Answer = ();

    fn weight(&self) -> usize {
        0
    }

    fn keys(&self, keys: &mut Keys) {
        keys.work.leases.extend([self.node.clone(), ABANDONED.into()]);
    }

    fn decide(&self, _: &Origin, pass: &mut Pass<'_>) -> Result<(), Refusal> {
        let abandoned: LeaseId = ABANDONED.into();
        let held = |pass: &Pass<'_>, lease| -> Vec<OrderSeq> {
            leases::held_by(pass, lease).into_iter().map(|order| order.seq).collect()
        };
        let mut seqs = [held(pass, &self.node), held(pass, &abandoned)].concat();
        seqs.sort_unstable();
        for seq in seqs {
            if let Ok(step) = decide::requeue(&mut pass.set, seq, None, RECOVERED, pass.now_ms) {
                pass.step(&step);
            }
        }
        if pass.set.work.leases.remove(&abandoned).is_some() {
            pass.writes.work.ended.push(abandoned);
        }
        Ok(())
    }
}
