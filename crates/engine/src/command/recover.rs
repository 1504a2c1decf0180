//! Recovery at a start: orders in work that no lease holds are pending again.

use ordercast_access::Origin;
use ordercast_domain::decide::{self, Refusal};
use ordercast_domain::status::Status;
use ordercast_store::write::Keys;

use super::Command;
use crate::pass::Pass;

/// Why an order goes back to the queue when the server starts.
const RECOVERED: &str = "recovered after a restart";

/// Puts the orders in work that nobody has back into the queue, without charging the attempt: those of this node's own
/// workers, and those whose lease is not in the store.
pub(crate) struct Recover;

impl Command for Recover {
    type Decided = ();
    type Answer = ();

    fn weight(&self) -> usize {
        0
    }

    fn keys(&self, keys: &mut Keys) {
        keys.work.unleased = true;
    }

    fn decide(&self, _: &Origin, pass: &mut Pass<'_>) -> Result<(), Refusal> {
        let mut unleased = std::mem::take(&mut pass.set.work.unleased);
        unleased.sort_unstable();
        for seq in unleased {
            let Some(order) = pass.set.orders.by_seq.get(&seq) else { continue };
            // An earlier command of the batch may have moved it on.
            let is_held = order.lease.as_ref().is_some_and(|id| pass.set.work.leases.contains_key(id));
            if order.status != Status::Active || is_held {
                continue;
            }
            if let Ok(step) = decide::requeue(&mut pass.set, seq, None, RECOVERED, pass.now_ms) {
                pass.step(&step);
            }
        }
        Ok(())
    }
}
