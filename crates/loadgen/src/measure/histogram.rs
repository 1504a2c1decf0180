//! How long things took: counts by duration, in constant memory, to within 2 %.

use std::fmt;
use std::time::Duration;

/// Steps between a power of two and the next.
const STEPS: u64 = 64;
const STEP_BITS: u32 = STEPS.trailing_zeros();
/// Durations of 2^40 ns (18 minutes) and more count as that.
const POWERS: usize = 40;

/// Durations of one kind.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    most: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; POWERS * STEPS as usize], count: 0, most: Duration::ZERO }
    }
}

impl Histogram {
    /// Counts a duration.
    pub fn add(&mut self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let last = self.counts.len() - 1;
        self.counts[slot(ns).min(last)] += 1;
        self.count += 1;
        self.most = self.most.max(duration);
    }

    /// Adds what another one counted.
    pub fn join(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        self.count += other.count;
        self.most = self.most.max(other.most);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The longest.
    pub fn most(&self) -> Duration {
        self.most
    }

    /// The duration below which a share of them stayed, 0.99 for instance. Zero when there is none.
    pub fn quantile(&self, share: f64) -> Duration {
        let rank = ((self.count as f64 * share).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        for (slot, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(highest(slot)).min(self.most);
            }
        }
        self.most
    }
}

fn slot(ns: u64) -> usize {
    if ns < STEPS {
        return ns as usize;
    }
    // The leading one gives the power, the bits behind it the step.
    let power = ns.ilog2() - STEP_BITS;
    ((u64::from(power) + 1) * STEPS + (ns >> power) - STEPS) as usize
}

/// The longest duration that is counted in a slot.
fn highest(slot: usize) -> u64 {
    let (row, step) = (slot as u64 / STEPS, slot as u64 % STEPS);
    if row == 0 { step } else { ((STEPS + step + 1) << (row - 1)) - 1 }
}

impl fmt::Display for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count == 0 {
            return f.write_str("none");
        }
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| ms(self.quantile(share)));
        write!(f, "p50 {p50:.2} ms, p99 {p99:.2} ms, p99.9 {p999:.2} ms, most {:.2} ms", ms(self.most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_within_two_percent_of_its_slot() {
        for ns in (0..200).chain([1_000, 4_095, 4_096, 4_097, 1_000_000, 123_456_789, 60_000_000_000]) {
            let highest = highest(slot(ns));
            assert!(highest >= ns && (highest - ns) as f64 <= ns as f64 / 50.0, "{ns}: {highest}");
        }
        let mut last = 0;
        for ns in 0..100_000 {
            assert!((last..=last + 1).contains(&slot(ns)), "{ns}");
            last = slot(ns);
        }
    }

    #[test]
    fn quantiles_are_those_of_what_was_counted() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.quantile(0.99), format!("{histogram}")), (Duration::ZERO, "none".to_owned()));
        (1..=1000).for_each(|us| histogram.add(Duration::from_micros(us)));
        for (share, us) in [(0.0, 1.0), (0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let told = histogram.quantile(share).as_secs_f64() * 1e6;
            assert!(told >= us && told <= us * 1.02, "{share}: {told}");
        }
        let mut both = Histogram::default();
        both.add(Duration::from_secs(3_600));
        both.join(&histogram);
        assert_eq!((both.count(), both.most()), (1001, Duration::from_secs(3_600)));
    }
}
