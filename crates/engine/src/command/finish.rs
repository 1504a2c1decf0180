//! Taking over what workers in the process have done.

use ordercast_access::Origin;
use ordercast_domain::decide::{self, Refusal, WorkResult};
use ordercast_domain::ids::WorkerName;
use ordercast_domain::order::OrderSeq;
use ordercast_store::write::Keys;

use super::{Command, Demand, ROW_BYTES};
use crate::pass::Pass;

/// Why an order goes back to the queue when the server stops.
const DRAINED: &str = "given back at shutdown";

pub(crate) struct WorkDone {
    pub(crate) seq: OrderSeq,
    pub(crate) token: u32,
    pub(crate) worker: WorkerName,
    /// `None` gives the order back unworked.
    pub(crate) result: Option<WorkResult>,
}

/// What ended since the pool last reported, in one command.
pub(crate) struct Finish {
    pub(crate) done: Vec<WorkDone>,
}

impl Command for Finish {
    type Decided = ();
    type Answer = ();

    fn weight(&self) -> usize {
        self.done.len() * ROW_BYTES
    }

    fn keys(&self, keys: &mut Keys) {
        for done in &self.done {
            // Only an order that is rejected releases its stock.
            match done.result {
                Some(WorkResult::Rejected { .. }) => keys.orders.lines_of.push(done.seq),
                _ => keys.orders.seqs.push(done.seq),
            }
        }
    }

    fn demand(&self) -> Demand {
        Demand { ends: self.done.len(), ..Demand::default() }
    }

    fn decide(&self, _: &Origin, pass: &mut Pass<'_>) -> Result<(), Refusal> {
        self.done.iter().for_each(|done| finish(pass, done));
        Ok(())
    }
}

fn finish(pass: &mut Pass<'_>, done: &WorkDone) {
    pass.decided.idle.push(done.worker.clone());
    let step = match &done.result {
        Some(result) => {
            let spread = (&pass.rules.retries, pass.ids.dice());
            decide::finish(&mut pass.set, (done.seq, done.token), result, spread, pass.now_ms)
        }
        None => decide::requeue(&mut pass.set, done.seq, Some(done.token), DRAINED, pass.now_ms),
    };
    match step {
        Ok(step) => pass.step(&step),
        // Somebody else moved the order on; the fenced worker changes nothing.
        Err(refusal) => tracing::warn!(order = done.seq, worker = &*done.worker, ?refusal, "work came too late"),
    }
}
