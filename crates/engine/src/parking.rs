//! Orders that pauses and limits hold back: parked as their turn comes, and released later.

use ordercast_domain::decide;
use ordercast_domain::order::{OrderSeq, Queue};
use ordercast_domain::pause::{Pause, Scope};

use crate::pass::Pass;

/// Releases some of the orders that lifted pauses have parked; a pause without any is over.
pub(crate) fn unpark(pass: &mut Pass<'_>) {
    let lifted: Vec<Scope> =
        pass.set.queue.pauses.values().filter(|pause| pause.is_ending).map(|pause| pause.scope.clone()).collect();
    for scope in lifted {
        match decide::unpark(&mut pass.set, &scope) {
            None => pass.writes.queue.ended_pauses.push(scope),
            Some(seqs) => {
                pass.decided.ready += i64::try_from(seqs.len()).unwrap_or(0);
                pass.changed_orders.extend(seqs);
            }
        }
    }
}

/// Takes over the orders that claims have passed by.
pub(crate) fn park(pass: &mut Pass<'_>) {
    let parked = std::mem::take(&mut pass.set.queue.parked);
    pass.decided.parked += parked.len();
    pass.decided.ready -= i64::try_from(parked.len()).unwrap_or(0);
    let limited = parked.iter().filter(|(_, queue)| *queue == Queue::Limited).count();
    pass.decided.limited += i64::try_from(limited).unwrap_or(0);
    pass.changed_orders.extend(parked.into_iter().map(|(seq, _)| seq));
    let readmitted: Vec<OrderSeq> = std::mem::take(&mut pass.set.queue.readmitted);
    readmitted.into_iter().for_each(|seq| pass.readmit(seq));
}

/// Stores a pause as it is now.
pub(crate) fn write_pause(pass: &mut Pass<'_>, pause: Pause) {
    // A pause that was over in this batch and begins again is not over.
    pass.writes.queue.ended_pauses.retain(|ended| *ended != pause.scope);
    pass.writes.queue.pauses.retain(|known| known.scope != pause.scope);
    pass.writes.queue.pauses.push(pause);
}
