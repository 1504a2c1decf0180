//! Batches by id, for stores whose commits cannot be lost on the way: they remember the last ones in memory.

use std::collections::VecDeque;

use super::{BatchId, Committed, Resolved};

/// How many batches are remembered. A writer resolves a batch before it commits the next one.
const REMEMBERED: usize = 64;

/// The last batches: what became of them.
#[derive(Debug, Default)]
pub struct RecentBatches {
    /// `None` for a batch that was barred.
    known: VecDeque<(BatchId, Option<Committed>)>,
}

impl RecentBatches {
    /// Remembers a commit.
    pub fn note(&mut self, id: BatchId, committed: &Committed) {
        self.push(id, Some(committed.clone()));
    }

    /// What became of a batch. One that is not known is barred from now on.
    pub fn resolve(&mut self, id: BatchId) -> Resolved {
        match self.known.iter().find(|(known, _)| *known == id) {
            Some((_, Some(committed))) => Resolved::Committed(committed.clone()),
            Some((_, None)) => Resolved::Barred,
            None => {
                self.push(id, None);
                Resolved::Barred
            }
        }
    }

    /// Whether a batch may not be committed: it was barred, or it was committed before.
    pub fn is_taken(&self, id: BatchId) -> bool {
        self.known.iter().any(|(known, _)| *known == id)
    }

    fn push(&mut self, id: BatchId, committed: Option<Committed>) {
        if self.known.len() >= REMEMBERED {
            self.known.pop_front();
        }
        self.known.push_back((id, committed));
    }
}
