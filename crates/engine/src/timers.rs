//! When the writer wakes for what waits for a time, and the clocks that it goes by.
//!
//! What is due is the store's to say. Here is only kept when it is worth asking.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ordercast_store::clock::{SteadyClock, TICK, WallWatch, wall_now_ms};

use crate::batch::Looks;
use crate::decided::Decided;

/// Longest sleep: a clock that was set is noticed this soon.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// A gap that is worth a line of the log, in milliseconds.
const TOLD_GAP_MS: i64 = 1_000;

/// The next times that something is due: by the wall clock in milliseconds since 1970, or by steady time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Timers {
    pub(crate) due_ms: Option<i64>,
    pub(crate) steady_due_ms: Option<i64>,
    /// By steady time.
    pub(crate) lease_end_ms: Option<i64>,
}

impl Timers {
    /// What the next batch looks at.
    pub(crate) fn looks(&self, wall_ms: i64, steady_ms: i64) -> Looks {
        let has_come = |at_ms: Option<i64>, now_ms: i64| at_ms.is_some_and(|at_ms| at_ms <= now_ms);
        Looks {
            timers: has_come(self.due_ms, wall_ms) || has_come(self.steady_due_ms, steady_ms),
            leases: has_come(self.lease_end_ms, steady_ms),
        }
    }

    /// How long the writer may sleep. While anything goes by steady time, that is looked at every [`TICK`].
    pub(crate) fn patience(&self, wall_ms: i64, steady_ms: i64) -> Duration {
        let until = |at_ms: Option<i64>, now_ms: i64| {
            let wait_ms = u64::try_from(at_ms?.saturating_sub(now_ms)).unwrap_or(0);
            Some(Duration::from_millis(wait_ms))
        };
        let steady = until(first(self.steady_due_ms, self.lease_end_ms), steady_ms).map(|wait| wait.min(TICK));
        let waits = steady.into_iter().chain(until(self.due_ms, wall_ms));
        waits.fold(LOOK_INTERVAL, Duration::min)
    }

    /// What a committed batch that looked at `looks` leaves.
    pub(crate) fn note(&mut self, looks: Looks, decided: &Decided) {
        let (mut due_ms, mut steady_due_ms) = (self.due_ms, self.steady_due_ms);
        if looks.timers {
            (due_ms, steady_due_ms) = (decided.next_due_ms, decided.next_steady_due_ms);
        }
        let lease_end_ms = if looks.leases { decided.next_lease_end_ms } else { self.lease_end_ms };
        self.due_ms = first(due_ms, decided.first_due_ms);
        self.steady_due_ms = first(steady_due_ms, decided.first_steady_due_ms);
        self.lease_end_ms = first(lease_end_ms, decided.first_lease_end_ms);
    }
}

fn first(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.into_iter().chain(other).min()
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

    /// Steady time as of the last look, in milliseconds.
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
        let mut timers = Timers { due_ms: Some(5_000), steady_due_ms: None, lease_end_ms: Some(450) };
        assert_eq!(timers.patience(0, 0), TICK, "steady time is looked at");
        assert_eq!(timers.patience(4_200, 410), Duration::from_millis(40));
        assert_eq!(timers.looks(4_500, 450), Looks { timers: false, leases: true });
        let decided = Decided { first_due_ms: Some(3_000), next_lease_end_ms: Some(900), ..Decided::default() };
        timers.note(Looks { timers: false, leases: true }, &decided);
        assert_eq!(timers, Timers { due_ms: Some(3_000), steady_due_ms: None, lease_end_ms: Some(900) });
        assert_eq!(timers.looks(2_999, 10_000), Looks { timers: false, leases: true });
        let decided = Decided { first_steady_due_ms: Some(700), ..Decided::default() };
        timers.note(Looks { timers: true, leases: true }, &decided);
        assert_eq!(timers, Timers { due_ms: None, steady_due_ms: Some(700), lease_end_ms: None });
        assert_eq!(timers.looks(9_000_000, 699), Looks::default(), "the wall clock does not end a wait");
        assert_eq!(timers.looks(0, 700), Looks { timers: true, leases: false });
        assert_eq!(timers.patience(0, 800), Duration::ZERO, "at once");
        assert_eq!(Timers::default().patience(0, 0), LOOK_INTERVAL);
        let far = Timers { due_ms: Some(90_000), ..Timers::default() };
        assert_eq!((far.patience(0, 0), far.patience(89_700, 0)), (LOOK_INTERVAL, Duration::from_millis(300)));
    }
}
