//! One measurement: publish, wait until everybody has everything, publish again.

use std::time::{Duration, Instant};

use crate::client::crowd::{Crowd, Seen};
use crate::failure::LoadError;
use crate::measure::histogram::Histogram;
use crate::measure::process::{Cpu, Process};

use super::publisher::Publish;

/// Longest time that one round may take.
const ROUND_PATIENCE: Duration = Duration::from_secs(30);
/// Longest wait for something to happen.
const POLL: Duration = Duration::from_millis(10);

/// What a window gave.
#[derive(Clone, Debug, Default)]
pub struct Figure {
    /// Messages times subscribers.
    pub deliveries: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// CPU of the process that delivers; `None` when it is not known.
    pub cpu: Option<Cpu>,
    /// Reads of the subscribers.
    pub reads: u64,
    /// From publishing to each receipt.
    pub latency: Histogram,
}

impl Figure {
    /// CPU of the whole process for one delivery, in microseconds.
    pub fn cpu_us(&self) -> Option<f64> {
        Some(self.cpu?.total_s * 1e6 / self.deliveries.max(1) as f64)
    }

    /// CPU of the hub's threads for one delivery, in microseconds.
    pub fn hub_us(&self) -> Option<f64> {
        Some(self.cpu?.hub_s * 1e6 / self.deliveries.max(1) as f64)
    }

    /// Deliveries per second.
    pub fn rate(&self) -> f64 {
        self.deliveries as f64 / self.elapsed.as_secs_f64()
    }
}

/// Publishes `pending` messages at a time for as long as `window`, each time when everybody has the last ones.
///
/// # Errors
/// When somebody is sent away, or does not get a message in time.
pub fn measure(
    crowd: &mut Crowd,
    publisher: &mut dyn Publish,
    process: Option<Process>,
    pending: u32,
    window: Duration,
) -> Result<Figure, LoadError> {
    let mut latency = Histogram::default();
    let (events, reads) = (crowd.account.events, crowd.traffic().reads);
    let mark = process.map(Process::cpu_mark).transpose()?;
    let started = Instant::now();
    loop {
        round(crowd, publisher, pending, &mut latency)?;
        if started.elapsed() >= window {
            break;
        }
    }
    let elapsed = started.elapsed();
    let cpu = process.zip(mark).map(|(process, mark)| process.cpu_since(&mark)).transpose()?;
    let (deliveries, reads) = (crowd.account.events - events, crowd.traffic().reads - reads);
    Ok(Figure { deliveries, elapsed, cpu, reads, latency })
}

fn round(
    crowd: &mut Crowd,
    publisher: &mut dyn Publish,
    pending: u32,
    latency: &mut Histogram,
) -> Result<(), LoadError> {
    let goal = crowd.account.events + u64::from(pending) * crowd.count() as u64;
    let published = Instant::now();
    publisher.publish(pending)?;
    while crowd.account.events < goal {
        let mut gone = None;
        crowd.turn(POLL, &mut |index, seen| match seen {
            Seen::Event(_) => latency.add(published.elapsed()),
            Seen::Subscribed => {}
            Seen::Gone(how) => gone = Some((index, how)),
        })?;
        if let Some((index, how)) = gone {
            return Err(LoadError::new(format!("subscriber {index} was sent away: {how:?}")));
        }
        if published.elapsed() > ROUND_PATIENCE {
            let missing = goal - crowd.account.events;
            return Err(LoadError::new(format!("{missing} deliveries are missing after {ROUND_PATIENCE:?}")));
        }
    }
    publisher.confirm()
}
