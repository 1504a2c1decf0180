//! How long answers took, in bounded memory.

use std::time::Duration;

/// Buckets of each power of two: a value is exact to 1/16 of itself.
const STEPS: u64 = 16;
const BUCKETS: usize = 64 * STEPS as usize;

/// A histogram of durations in microseconds.
#[derive(Clone, Debug)]
pub(super) struct Latencies {
    counts: Vec<u64>,
    total: u64,
    max: Duration,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0, max: Duration::ZERO }
    }
}

impl Latencies {
    pub(super) fn record(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.counts[bucket(micros)] += 1;
        self.total += 1;
        self.max = self.max.max(duration);
    }

    pub(super) fn max(&self) -> Duration {
        self.max
    }

    /// The time within which this share of the answers came.
    pub(super) fn percentile(&self, percent: u64) -> Duration {
        let place = (self.total * percent).div_ceil(100);
        let mut seen = 0;
        let at = self.counts.iter().position(|count| {
            seen += count;
            seen >= place && seen > 0
        });
        at.map_or(Duration::ZERO, |at| Duration::from_micros(top_of(at)).min(self.max))
    }
}

fn bucket(micros: u64) -> usize {
    let power = micros.checked_ilog2().unwrap_or(0);
    let at = if power < STEPS.ilog2() {
        micros
    } else {
        let shift = power - STEPS.ilog2();
        u64::from(shift) * STEPS + (micros >> shift)
    };
    usize::try_from(at).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// The largest value of a bucket.
fn top_of(at: usize) -> u64 {
    let at = at as u64;
    let shift = (at / STEPS).saturating_sub(1);
    let step = at - shift * STEPS;
    ((step + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_cover_every_value_closely() {
        for micros in (0..2_000).chain([1 << 20, (1 << 20) + 1, 123_456_789, 1 << 40]) {
            let top = top_of(bucket(micros));
            assert!(top >= micros && top - micros <= micros / STEPS, "{micros} in a bucket up to {top}");
        }
    }

    #[test]
    fn percentiles_are_found() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile(50), Duration::ZERO);
        for millis in 1..=100 {
            latencies.record(Duration::from_millis(millis));
        }
        for (percent, millis) in [(50, 50.0), (99, 99.0), (100, 100.0)] {
            let found = latencies.percentile(percent).as_secs_f64() * 1_000.0;
            assert!(found >= millis && found <= millis * 1.07, "p{percent} is {found} ms");
        }
        assert_eq!(latencies.max(), Duration::from_millis(100));
    }
}
