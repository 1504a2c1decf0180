//! How many new connections are begun a second. In a storm, when thousands come back at once, those who are already
//! connected keep their share of the machine, and the others wait here and not for a repeated SYN.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Most connections that wait; beyond it they wait in the kernel.
const MAX_WAITING: usize = 16_384;
/// How long a quiet time may be saved up for a burst.
const BURST: Duration = Duration::from_millis(100);

/// What wait for their turn.
pub(crate) struct Admission<T> {
    waiting: VecDeque<T>,
    interval: Duration,
    /// When the next may begin; lags behind the clock by what has been saved up.
    next: Instant,
}

impl<T> Admission<T> {
    /// Maximum number of handshakes that begin in a second.
    pub(crate) fn new(per_s: u32, now: Instant) -> Self {
        Self { waiting: VecDeque::new(), interval: Duration::from_secs(1) / per_s.max(1), next: now }
    }

    /// Whether another can wait here.
    pub(crate) fn has_capacity(&self) -> bool {
        self.waiting.len() < MAX_WAITING
    }

    /// Queues one.
    pub(crate) fn wait(&mut self, one: T) {
        self.waiting.push_back(one);
    }

    /// The next, if its time has come.
    pub(crate) fn next(&mut self, now: Instant) -> Option<T> {
        if self.next > now {
            return None;
        }
        let one = self.waiting.pop_front()?;
        self.next = self.next.max(now.checked_sub(BURST).unwrap_or(now)) + self.interval;
        Some(one)
    }

    /// How long until somebody's time comes; `None` when nobody waits.
    pub(crate) fn until_next(&self, now: Instant) -> Option<Duration> {
        (!self.waiting.is_empty()).then(|| self.next.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_begins_at_once_and_the_rest_in_turn() {
        const PER_S: u32 = 100;
        let started = Instant::now();
        let mut admission = Admission::new(PER_S, started);
        let mut now = started + Duration::from_secs(5);
        assert_eq!((admission.next(now), admission.until_next(now)), (None, None));
        (0..60_u64).for_each(|n| admission.wait(n));
        let mut begun = Vec::new();
        while let Some(wait) = admission.until_next(now) {
            now += wait;
            begun.extend(admission.next(now).map(|n| (n, (now - started).as_millis() - 5_000)));
        }
        // Eleven at once, for ten were saved up and one is due.
        let expected: Vec<_> = (0..60_u64).map(|n| (n, u128::from(10 * n.saturating_sub(10)))).collect();
        assert_eq!(begun, expected);
    }
}
