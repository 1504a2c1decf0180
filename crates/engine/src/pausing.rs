//! Pauses: begun, lifted, and the orders that they and limits park and let go of.

use ordercast_domain::decide::{self, Refusal};
use ordercast_domain::order::{OrderSeq, Queue};
use ordercast_domain::pause::{Pause, Scope};

use crate::outcome::Pauses;
use crate::run::Run;

impl Run<'_> {
    /// Begins a pause; the time is the store's.
    pub(crate) fn pause(&mut self, pause: &Pause) -> Result<bool, Refusal> {
        let pause = Pause { since_ms: self.now_ms, ..pause.clone() };
        let is_new = decide::pause(&mut self.set, &pause)?;
        if is_new {
            self.write_pause(pause);
        }
        self.note_pauses();
        Ok(is_new)
    }

    /// Lifts a pause.
    pub(crate) fn resume(&mut self, scope: &Scope) -> bool {
        let is_lifted = decide::resume(&mut self.set, scope);
        if is_lifted && let Some(pause) = self.set.pauses.get(scope).cloned() {
            self.write_pause(pause);
        }
        self.note_pauses();
        is_lifted
    }

    /// Lets go of some of the orders that lifted pauses have parked; a pause without any is over.
    pub(crate) fn unpark(&mut self) {
        let lifted: Vec<Scope> =
            self.set.pauses.values().filter(|pause| pause.is_ending).map(|pause| pause.scope.clone()).collect();
        for scope in lifted {
            match decide::unpark(&mut self.set, &scope) {
                None => self.writes.ended_pauses.push(scope),
                Some(seqs) => {
                    self.decided.ready += i64::try_from(seqs.len()).unwrap_or(0);
                    self.changed_orders.extend(seqs);
                }
            }
        }
        self.note_pauses();
    }

    /// Takes over the orders that claims have passed by.
    pub(crate) fn park(&mut self) {
        let parked = std::mem::take(&mut self.set.parked);
        self.decided.parked += parked.len();
        self.decided.ready -= i64::try_from(parked.len()).unwrap_or(0);
        let limited = parked.iter().filter(|(_, queue)| *queue == Queue::Limited).count();
        self.decided.limited += i64::try_from(limited).unwrap_or(0);
        self.changed_orders.extend(parked.into_iter().map(|(seq, _)| seq));
        let readmitted = std::mem::take(&mut self.set.readmitted);
        self.readmit(readmitted);
    }

    /// Takes over orders that a limit no longer holds back.
    pub(crate) fn readmit(&mut self, seqs: impl IntoIterator<Item = OrderSeq>) {
        for seq in seqs {
            self.decided.ready += 1;
            self.decided.limited -= 1;
            self.changed_orders.insert(seq);
        }
    }

    fn write_pause(&mut self, pause: Pause) {
        // A pause that was over in this batch and begins again is not over.
        self.writes.ended_pauses.retain(|ended| *ended != pause.scope);
        self.writes.pauses.retain(|known| known.scope != pause.scope);
        self.writes.pauses.push(pause);
    }

    fn note_pauses(&mut self) {
        self.decided.pauses = Some(Pauses::of(self.set.pauses.values()));
    }
}
