//! When the writer wakes for what waits for a time.
//!
//! What is due is the store's to say, by its clock. Here is only kept when it is worth asking.

use std::time::Duration;

use crate::batch::Looks;
use crate::outcome::Decided;

/// Longest sleep while a timer is set: a clock that was set forward is noticed this soon.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The next times that something is due, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Timers {
    pub(crate) due_ms: Option<i64>,
    pub(crate) lease_end_ms: Option<i64>,
}

impl Timers {
    /// What the next batch looks at.
    pub(crate) fn looks(&self, now_ms: i64) -> Looks {
        let has_come = |at_ms: Option<i64>| at_ms.is_some_and(|at_ms| at_ms <= now_ms);
        Looks { timers: has_come(self.due_ms), leases: has_come(self.lease_end_ms) }
    }

    /// How long the writer may sleep; as long as nothing comes when nothing is set.
    pub(crate) fn patience(&self, now_ms: i64) -> Option<Duration> {
        let next_ms = first(self.due_ms, self.lease_end_ms)?;
        let wait_ms = u64::try_from(next_ms.saturating_sub(now_ms)).unwrap_or(0);
        Some(Duration::from_millis(wait_ms).min(LOOK_INTERVAL))
    }

    /// What a committed batch that looked at `looks` leaves.
    pub(crate) fn note(&mut self, looks: Looks, decided: &Decided) {
        let due_ms = if looks.timers { decided.next_due_ms } else { self.due_ms };
        let lease_end_ms = if looks.leases { decided.next_lease_end_ms } else { self.lease_end_ms };
        self.due_ms = first(due_ms, decided.first_due_ms);
        self.lease_end_ms = first(lease_end_ms, decided.first_lease_end_ms);
    }
}

fn first(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_writer_wakes_for_the_first_and_looks_when_its_time_has_come() {
        let mut timers = Timers { due_ms: Some(5_000), lease_end_ms: Some(4_500) };
        assert_eq!(timers.patience(0), Some(LOOK_INTERVAL));
        assert_eq!(timers.patience(4_200), Some(Duration::from_millis(300)));
        assert_eq!(timers.looks(4_500), Looks { timers: false, leases: true });
        let decided = Decided { first_due_ms: Some(3_000), next_lease_end_ms: Some(9_000), ..Decided::default() };
        timers.note(Looks { timers: false, leases: true }, &decided);
        assert_eq!(timers, Timers { due_ms: Some(3_000), lease_end_ms: Some(9_000) });
        timers.note(Looks { timers: true, leases: false }, &Decided::default());
        assert_eq!(timers, Timers { due_ms: None, lease_end_ms: Some(9_000) });
        assert_eq!(timers.patience(10_000), Some(Duration::ZERO), "at once");
        assert_eq!(Timers::default().patience(0), None);
    }
}
