//! What the engine counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use ordercast_domain::money::Currency;
use ordercast_domain::status::{Lane, Status};

/// Upper bounds of histograms of time, in microseconds; one more bucket holds the rest.
pub const TIME_BOUNDS_US: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000, 60_000_000,
];
/// Upper bounds of histograms of sizes.
pub const SIZE_BOUNDS: [u64; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768];
/// Seconds over which the recent latency is taken.
const RECENT_SECONDS: usize = 60;
/// Buckets of the recent latency: four to each doubling, from 1 µs on.
const RECENT_BUCKETS: usize = 160;

/// Counts by bucket, shared between threads.
#[derive(Debug)]
pub struct Histogram {
    bounds: [u64; 16],
    counts: [AtomicU64; 17],
    sum: AtomicU64,
}

impl Histogram {
    fn new(bounds: [u64; 16]) -> Self {
        Self { bounds, counts: Default::default(), sum: AtomicU64::new(0) }
    }

    pub(crate) fn observe(&self, value: u64) {
        let bucket = self.bounds.partition_point(|&bound| bound < value);
        self.counts[bucket].fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }

    /// Bounds and counts by bucket (not cumulative), the last without a bound; and the sum of all values.
    pub fn snapshot(&self) -> (Vec<(Option<u64>, u64)>, u64) {
        let bound = |index: usize| self.bounds.get(index).copied();
        let counts = self.counts.iter().enumerate().map(|(index, count)| (bound(index), count.load(Relaxed)));
        (counts.collect(), self.sum.load(Relaxed))
    }
}

/// Counters and gauges since start.
#[derive(Debug)]
pub struct Stats {
    started: Instant,
    /// Orders accepted.
    pub accepted: AtomicU64,
    /// Orders whose work ended well.
    pub completed: AtomicU64,
    /// Orders whose work failed for good.
    pub failed: AtomicU64,
    /// Publications into durable application channels.
    pub published: AtomicU64,
    /// Events that retention removed.
    pub trimmed: AtomicU64,
    /// Requests that were answered with an order accepted before.
    pub replayed: AtomicU64,
    /// Commands refused by a rule after they were queued.
    pub refused: AtomicU64,
    /// Commands not taken because a queue was full.
    pub overloaded: AtomicU64,
    /// Orders that wait for a worker.
    pub ready: AtomicU64,
    /// Orders in work.
    pub active: AtomicU64,
    /// Orders that would wait for a worker, had their customers not as many in work as is allowed. Opening a store lets
    /// go of all of them.
    pub limited: AtomicU64,
    /// Commands not yet acknowledged.
    pub waiting: AtomicU64,
    /// Commits that changed something.
    pub commits: AtomicU64,
    /// Microseconds of work by all workers together.
    pub work_us: AtomicU64,
    /// From acceptance to completion, in microseconds.
    pub latency_us: Histogram,
    /// One sync, in microseconds.
    pub sync_us: Histogram,
    /// Commands in a batch.
    pub batch_size: Histogram,
    revenue: Mutex<BTreeMap<Currency, i64>>,
    recent: Mutex<Recent>,
    moves: [AtomicU64; Status::ALL.len()],
    lanes: [AtomicU64; Lane::ALL.len()],
}

#[derive(Debug)]
struct Recent {
    second: u64,
    counts: Vec<[u32; RECENT_BUCKETS]>,
}

impl Stats {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            accepted: AtomicU64::new(0),
            completed: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            published: AtomicU64::new(0),
            trimmed: AtomicU64::new(0),
            replayed: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            overloaded: AtomicU64::new(0),
            ready: AtomicU64::new(0),
            active: AtomicU64::new(0),
            limited: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            work_us: AtomicU64::new(0),
            latency_us: Histogram::new(TIME_BOUNDS_US),
            sync_us: Histogram::new(TIME_BOUNDS_US),
            batch_size: Histogram::new(SIZE_BOUNDS),
            revenue: Mutex::default(),
            recent: Mutex::new(Recent { second: 0, counts: vec![[0; RECENT_BUCKETS]; RECENT_SECONDS] }),
            moves: Default::default(),
            lanes: Default::default(),
        }
    }

    /// Seconds since the engine started.
    pub fn uptime_s(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Sum of the amounts accepted, in minor units.
    pub fn revenue(&self) -> Vec<(Currency, i64)> {
        let revenue = self.revenue.lock().unwrap_or_else(PoisonError::into_inner);
        revenue.iter().map(|(&currency, &sum)| (currency, sum)).collect()
    }

    pub(crate) fn add_revenue(&self, sums: BTreeMap<Currency, i64>) {
        let mut revenue = self.revenue.lock().unwrap_or_else(PoisonError::into_inner);
        for (currency, sum) in sums {
            let total = revenue.entry(currency).or_default();
            *total = total.saturating_add(sum);
        }
    }

    /// How often an order came into a status, by its outward name.
    pub fn moves(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let others = Status::ALL.into_iter().filter(|&status| status != Status::Active);
        let others = others.map(|status| (status.name(), &self.moves[status as usize]));
        let lanes = Lane::ALL.into_iter().map(|lane| (lane.name(), &self.lanes[lane as usize]));
        others.chain(lanes).map(|(name, count)| (name, count.load(Relaxed)))
    }

    /// Counts orders that began or ceased to wait for a worker, or to be in work.
    pub(crate) fn shift_queue(&self, ready: i64, active: i64, limited: i64) {
        for (gauge, change) in [(&self.ready, ready), (&self.active, active), (&self.limited, limited)] {
            // The writer alone changes them, so that nothing comes between reading and writing.
            gauge.store(gauge.load(Relaxed).saturating_add_signed(change), Relaxed);
        }
    }

    pub(crate) fn count_claim(&self, lane: Lane) {
        self.lanes[lane as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn count_moves(&self, status: Status, count: u64) {
        self.moves[status as usize].fetch_add(count, Relaxed);
    }

    pub(crate) fn observe_latency(&self, micros: u64) {
        self.latency_us.observe(micros);
        let second = self.started.elapsed().as_secs();
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.roll_to(second);
        let slot = usize::try_from(second).unwrap_or(0) % RECENT_SECONDS;
        recent.counts[slot][bucket_of(micros)] += 1;
    }

    /// Median and 99th percentile of the latency over the last minute, in microseconds, to within a fifth.
    pub fn recent_latency_us(&self) -> Option<(u64, u64)> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.roll_to(self.started.elapsed().as_secs());
        let mut sums = [0u64; RECENT_BUCKETS];
        for counts in &recent.counts {
            for (sum, &count) in sums.iter_mut().zip(counts) {
                *sum += u64::from(count);
            }
        }
        let total: u64 = sums.iter().sum();
        (total > 0).then(|| (quantile(&sums, total.div_ceil(2)), quantile(&sums, (total * 99).div_ceil(100))))
    }
}

impl Recent {
    fn roll_to(&mut self, second: u64) {
        let passed = (second - self.second.min(second)).min(RECENT_SECONDS as u64);
        for step in 1..=passed {
            let slot = usize::try_from(self.second + step).unwrap_or(0) % RECENT_SECONDS;
            // After a long pause every slot is old; which one is cleared first does not matter.
            self.counts[slot] = [0; RECENT_BUCKETS];
        }
        self.second = self.second.max(second);
        if passed == RECENT_SECONDS as u64 {
            self.counts.iter_mut().for_each(|counts| *counts = [0; RECENT_BUCKETS]);
        }
    }
}

fn bucket_of(micros: u64) -> usize {
    let micros = micros.max(1);
    let doubling = micros.ilog2();
    let quarter = if doubling < 2 { 0 } else { (micros >> (doubling - 2)) & 3 };
    let bucket = doubling as usize * 4 + usize::try_from(quarter).unwrap_or(0);
    bucket.min(RECENT_BUCKETS - 1)
}

fn upper_bound(bucket: usize) -> u64 {
    let doubling = bucket / 4;
    let quarter = bucket as u64 % 4;
    (1u64 << doubling) + ((quarter + 1) << doubling) / 4
}

fn quantile(sums: &[u64], rank: u64) -> u64 {
    let mut seen = 0;
    for (bucket, sum) in sums.iter().enumerate() {
        seen += sum;
        if seen >= rank {
            return upper_bound(bucket);
        }
    }
    upper_bound(sums.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recent_latency_is_within_a_quarter_of_the_truth() {
        let stats = Stats::new();
        assert_eq!(stats.recent_latency_us(), None);
        for micros in 1..=1000 {
            stats.observe_latency(micros * 10);
        }
        let (p50, p99) = stats.recent_latency_us().unwrap();
        assert!((5_000..=6_250).contains(&p50), "{p50}");
        assert!((9_900..=12_400).contains(&p99), "{p99}");
    }

    #[test]
    fn old_seconds_are_forgotten() {
        let mut recent = Recent { second: 0, counts: vec![[1; RECENT_BUCKETS]; RECENT_SECONDS] };
        recent.roll_to(30);
        assert_eq!(recent.counts.iter().filter(|counts| counts[0] == 0).count(), 30);
        recent.roll_to(10_000);
        assert!(recent.counts.iter().all(|counts| counts[0] == 0));
    }

    #[test]
    fn histograms_count_their_bounds_inside() {
        let histogram = Histogram::new(SIZE_BOUNDS);
        for value in [1, 2, 3, 40_000] {
            histogram.observe(value);
        }
        let (buckets, sum) = histogram.snapshot();
        let count = |bound| buckets.iter().find(|bucket| bucket.0 == bound).unwrap().1;
        assert_eq!((count(Some(1)), count(Some(2)), count(Some(4)), count(None), sum), (1, 1, 1, 1, 40_006));
    }
}
