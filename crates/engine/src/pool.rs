//! The workers in the process: they do what was claimed for them and report it back.

use std::collections::HashMap;
use std::sync::Arc;

use ordercast_domain::decide::WorkResult;
use ordercast_domain::ids::WorkerName;
use ordercast_domain::order::{Order, OrderSeq};
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};

use crate::command::{Finish, WorkDone};
use crate::intake::Intake;
use crate::processor::Processor;

/// Why an order fails whose work panicked.
const PANICKED: &str = "the processor panicked";

struct Claim {
    seq: OrderSeq,
    token: u32,
    worker: WorkerName,
}

/// Runs until `claims` is closed and all work is done. When `give_up` turns true, work under way is stopped and
/// its orders are given back.
pub(crate) async fn run(
    mut claims: mpsc::Receiver<Vec<Order>>,
    processor: Arc<dyn Processor>,
    intake: Arc<Intake>,
    mut give_up: watch::Receiver<bool>,
) {
    let mut works: JoinSet<WorkResult> = JoinSet::new();
    let mut claimed: HashMap<Id, Claim> = HashMap::new();
    let mut open = true;
    let given_up = give_up.clone();
    while open || !works.is_empty() {
        tokio::select! {
            orders = claims.recv(), if open => match orders {
                None => open = false,
                Some(orders) => {
                    for order in orders {
                        start(&order, &processor, &mut works, &mut claimed);
                    }
                    if *given_up.borrow() {
                        works.abort_all();
                    }
                }
            },
            Some(ended) = works.join_next_with_id(), if !works.is_empty() => {
                let mut done = Vec::new();
                let mut next = Some(ended);
                while let Some(ended) = next {
                    done.extend(report(ended, &mut claimed));
                    next = works.try_join_next_with_id();
                }
                intake.submit_internal(Finish { done });
            }
            _ = give_up.wait_for(|&give_up| give_up), if !works.is_empty() && !*given_up.borrow() => works.abort_all(),
        }
    }
}

fn start(
    order: &Order,
    processor: &Arc<dyn Processor>,
    works: &mut JoinSet<WorkResult>,
    claimed: &mut HashMap<Id, Claim>,
) {
    let Some(worker) = order.worker.clone() else { return };
    let (processor, order_of_task) = (Arc::clone(processor), order.clone());
    // Called inside the task, so that a panic there is the order's too.
    let task = works.spawn(async move { processor.process(&order_of_task).await });
    claimed.insert(task.id(), Claim { seq: order.seq, token: order.token, worker });
}

fn report(ended: Result<(Id, WorkResult), JoinError>, claimed: &mut HashMap<Id, Claim>) -> Option<WorkDone> {
    let (id, result) = match ended {
        Ok((id, result)) => (id, Some(result)),
        Err(error) if error.is_panic() => (error.id(), Some(WorkResult::Failed { reason: PANICKED.into() })),
        Err(error) => (error.id(), None),
    };
    let Claim { seq, token, worker } = claimed.remove(&id)?;
    Some(WorkDone { seq, token, worker, result })
}
