//! When each order is due, for a replay.

use std::time::{Duration, Instant};

/// The file's own time, made faster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    speed: f64,
    /// The first order's time in the file, and when it was due.
    start: Option<(i64, Instant)>,
}

impl Pace {
    pub(super) fn new(speed: f64) -> Self {
        Self { speed, start: None }
    }

    /// When an order of this time is due. The first is due now; one without a time, or older than the first, too.
    pub(super) fn due(&mut self, placed_at_ms: Option<i64>, now: Instant) -> Instant {
        let Some(at) = placed_at_ms else { return now };
        let (first, started) = *self.start.get_or_insert((at, now));
        let elapsed = Duration::from_millis(at.saturating_sub(first).max(0).unsigned_abs());
        // A pace so slow that the duration does not fit is one that never comes: a year is far enough.
        let far = Duration::from_secs(365 * 86_400);
        let waited = Duration::try_from_secs_f64(elapsed.as_secs_f64() / self.speed).unwrap_or(far).min(far);
        started + waited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_runs_faster() {
        let now = Instant::now();
        let mut pace = Pace::new(100.0);
        assert_eq!(pace.due(None, now), now);
        assert_eq!(pace.due(Some(5_000), now), now);
        let later = now + Duration::from_secs(9);
        assert_eq!(pace.due(Some(6_000), later), now + Duration::from_millis(10));
        assert_eq!(pace.due(Some(4_000), later), now, "what is older than the first is due at once");
        assert!(Pace { speed: 1e-300, start: Some((0, now)) }.due(Some(9), now) > now + Duration::from_secs(86_400));
    }
}
