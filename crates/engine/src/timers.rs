//! When the writer wakes for what waits for a time, and the clocks that it goes by.
//!
//! What is due is the store's to say. Here is only kept when it is worth asking.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ordercast_store::clock::{SteadyClock, TICK, WallWatch, wall_now_ms};

use ordercast_store::write::{Outlook, earlier};

use crate::batch::Looks;

/// Longest sleep: a clock that was set is noticed this soon.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// A gap that is worth a line of the log, in milliseconds.
const TOLD_GAP_MS: i64 = 1_000;

/// What the next batch looks at.
pub(crate) fn looks(outlook: &Outlook, wall_ms: i64, steady_ms: i64) -> Looks {
    let has_come = |at_ms: Option<i64>, now_ms: i64| at_ms.is_some_and(|at_ms| at_ms <= now_ms);
    Looks {
        timers: has_come(outlook.next_due_ms, wall_ms) || has_come(outlook.next_steady_due_ms, steady_ms),
        leases: has_come(outlook.next_lease_end_ms, steady_ms),
    }
}

/// How long the writer may sleep, until what the outlook announces or until `renewal_ms` of steady time. While anything goes
/// by steady time, that is looked at every [`TICK`].
pub(crate) fn patience(outlook: &Outlook, renewal_ms: Option<i64>, wall_ms: i64, steady_ms: i64) -> Duration {
    let until = |at_ms: Option<i64>, now_ms: i64| {
        let wait_ms = u64::try_from(at_ms?.saturating_sub(now_ms)).unwrap_or(0);
        Some(Duration::from_millis(wait_ms))
    };
    let steady = earlier(earlier(outlook.next_steady_due_ms, outlook.next_lease_end_ms), renewal_ms);
    let steady = until(steady, steady_ms).map(|wait| wait.min(TICK));
    let waits = steady.into_iter().chain(until(outlook.next_due_ms, wall_ms));
    waits.fold(LOOK_INTERVAL, Duration::min)
}

/// The clocks of an engine: the writer looks at them, and everybody may ask when something arrived.
#[derive(Debug)]
pub(crate) struct Clocks {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    steady: SteadyClock,
    wall: WallWatch,
    /// By how much the wall clock was set forward since the start, in milliseconds.
    set_forward_ms: i64,
}

impl Clocks {
    /// Steady time goes on from `steady_ms`.
    pub(crate) fn new(steady_ms: i64) -> Self {
        let now = Instant::now();
        let (steady, wall) = (SteadyClock::new(steady_ms, now), WallWatch::new(wall_now_ms(), now));
        Self { inner: Mutex::new(Inner { steady, wall, set_forward_ms: 0 }) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the clocks; nothing counts of a time in which nobody `could_hear`.
    pub(crate) fn look(&self, could_hear: bool) {
        let (now, wall_ms) = (Instant::now(), wall_now_ms());
        let mut inner = self.inner();
        let gap_ms = inner.steady.look(now, could_hear);
        if could_hear && gap_ms > TOLD_GAP_MS {
            tracing::info!(gap_ms, "nobody could be heard for a while; leases and waits are longer by that");
        }
        if let Some(step_ms) = inner.wall.step_ms(wall_ms, now) {
            tracing::warn!(step_ms, "the wall clock was set, or the machine slept; no lease and no wait ends by that");
            inner.set_forward_ms = inner.set_forward_ms.saturating_add(step_ms).max(0);
        }
    }

    /// Steady time at the last look, in milliseconds.
    pub(crate) fn steady_ms(&self) -> i64 {
        self.inner().steady.now_ms()
    }

    /// Steady time of something that arrives now.
    pub(crate) fn arrival_ms(&self) -> i64 {
        self.inner().steady.arrival_ms(Instant::now())
    }

    /// By how much the wall clock was set forward since the start: what was stored before looks older than it is by that.
    pub(crate) fn set_forward_ms(&self) -> i64 {
        self.inner().set_forward_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_writer_wakes_for_the_first_and_looks_when_its_time_has_come() {
        let outlook = Outlook { next_due_ms: Some(5_000), next_lease_end_ms: Some(450), ..Outlook::default() };
        assert_eq!(patience(&outlook, None, 0, 0), TICK, "steady time is looked at");
        assert_eq!(patience(&outlook, None, 4_200, 410), Duration::from_millis(40));
        assert_eq!(patience(&outlook, Some(420), 4_200, 410), Duration::from_millis(10), "the own lease too");
        assert_eq!(looks(&outlook, 4_500, 450), Looks { timers: false, leases: true });
        assert_eq!(looks(&outlook, 5_000, 449), Looks { timers: true, leases: false });
        let waits = Outlook { next_steady_due_ms: Some(700), ..Outlook::default() };
        assert_eq!(looks(&waits, 9_000_000, 699), Looks::default(), "the wall clock does not end a wait");
        assert_eq!(looks(&waits, 0, 700), Looks { timers: true, leases: false });
        assert_eq!(patience(&waits, None, 0, 800), Duration::ZERO, "at once");
        let far = Outlook { next_due_ms: Some(90_000), ..Outlook::default() };
        assert_eq!(patience(&Outlook::default(), None, 0, 0), LOOK_INTERVAL);
        assert_eq!(
            (patience(&far, None, 0, 0), patience(&far, None, 89_700, 0)),
            (LOOK_INTERVAL, Duration::from_millis(300))
        );
    }
}
