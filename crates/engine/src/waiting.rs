//! External workers that wait for orders, in the order in which they came.
//!
//! As many are woken as there are orders that nobody was woken for: a thousand that wait for one order must not send a
//! thousand claims through the writer. While they wait they take no place in the intake.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Most claims that wait for orders; more are refused.
pub(crate) const MAX_WAITING_CLAIMS: usize = 4_096;

/// The claims that wait.
#[derive(Default)]
pub(crate) struct WaitingClaims {
    queue: Mutex<VecDeque<oneshot::Sender<Woken>>>,
    /// Those that were woken and whose claims have not been answered.
    woken: Arc<AtomicUsize>,
}

/// One that was woken, until its claim is answered.
pub(crate) struct Woken(Arc<AtomicUsize>);

impl Woken {
    fn new(woken: &Arc<AtomicUsize>) -> Self {
        woken.fetch_add(1, Relaxed);
        Self(Arc::clone(woken))
    }
}

impl Drop for Woken {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl WaitingClaims {
    /// Begins to wait; `None` when too many do.
    pub(crate) fn wait(&self) -> Option<oneshot::Receiver<Woken>> {
        let mut queue = self.lock();
        if queue.len() >= MAX_WAITING_CLAIMS {
            queue.retain(|waiting| !waiting.is_closed());
        }
        if queue.len() >= MAX_WAITING_CLAIMS {
            return None;
        }
        let (wake, woken) = oneshot::channel();
        queue.push_back(wake);
        Some(woken)
    }

    /// Wakes one waiting claim for each ready order, in order of arrival; claims that are gone are skipped.
    pub(crate) fn wake(&self, ready: usize) {
        let mut queue = self.lock();
        while self.woken.load(Relaxed) < ready {
            let Some(waiting) = queue.pop_front() else { return };
            // One that is gone drops its token, and the next is woken.
            let _ = waiting.send(Woken::new(&self.woken));
        }
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().iter().filter(|waiting| !waiting.is_closed()).count()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<oneshot::Sender<Woken>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_woken_as_there_are_orders_in_the_order_in_which_they_came() {
        let claims = WaitingClaims::default();
        let mut waiting: Vec<_> = (0..5).map(|_| claims.wait().expect("room")).collect();
        drop(waiting.remove(1));
        claims.wake(2);
        claims.wake(2);
        let woken: Vec<_> = waiting.iter_mut().map(|waiting| waiting.try_recv().ok()).collect();
        let is_woken: Vec<_> = woken.iter().map(Option::is_some).collect();
        assert_eq!(is_woken, [true, true, false, false], "the second had gone; none is woken twice for one order");
        assert_eq!(claims.len(), 2);
        drop(woken);
        claims.wake(1);
        assert!(waiting[2].try_recv().is_ok(), "those that were answered count no more");
    }

    #[test]
    fn waiting_claims_are_bounded_and_those_who_left_make_room() {
        let claims = WaitingClaims::default();
        let mut waiting: Vec<_> = (0..MAX_WAITING_CLAIMS).map(|_| claims.wait().expect("room")).collect();
        assert!(claims.wait().is_none());
        waiting.pop();
        assert!(claims.wait().is_some());
    }
}
