//! What can go wrong with a commit of a store that is elsewhere, on request.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Another writer was faster: the batch is decided, thrown away and decided again over what is stored then.
    Conflict,
    /// The connection is lost before the commit: the outcome is unknown, and nothing was written.
    LostBefore,
    /// The connection is lost after the commit: the outcome is unknown, and everything was written.
    LostAfter,
    /// The store cannot be reached.
    Unavailable,
    /// The node stands still in the commit, for ever.
    Frozen,
}

/// The faults to come, the next one first. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    queue: Arc<Mutex<VecDeque<Fault>>>,
}

impl Faults {
    /// Makes the next calls fail, one with each fault, after those that are to come already.
    pub fn add(&self, faults: &[Fault]) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).extend(faults);
    }

    /// How many are still to come.
    pub fn len(&self) -> usize {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether none is to come.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn next(&self) -> Option<Fault> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}
