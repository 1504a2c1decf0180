//! One measurement at a fixed pace: messages are due at fixed moments, and each receipt is counted from there.

use std::time::{Duration, Instant};

use crate::client::crowd::{Crowd, Seen};
use crate::failure::LoadError;
use crate::measure::histogram::Histogram;

use super::publisher::Publish;

/// How long the last messages may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest wait for something to happen.
const POLL: Duration = Duration::from_millis(5);

/// How often, how many, and who is counted.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Messages per second.
    pub rate: u64,
    /// Messages.
    pub messages: u64,
    /// Subscribers from this number on are counted; those before may have stopped reading.
    pub counted_from: usize,
}

impl Pace {
    fn due(&self, index: u64) -> Duration {
        Duration::from_nanos(index * 1_000_000_000 / self.rate.max(1))
    }
}

/// Publishes at a fixed pace; how long after its moment each message was with each of those counted.
///
/// # Errors
/// When somebody is sent away, or does not get a message in time.
pub fn measure(crowd: &mut Crowd, publisher: &mut dyn Publish, pace: Pace) -> Result<Histogram, LoadError> {
    let counted = pace.counted_from..crowd.count();
    let before = crowd.last(pace.counted_from);
    let mut left = pace.messages * counted.len() as u64;
    let mut latency = Histogram::default();
    let started = Instant::now();
    std::thread::scope(|scope| {
        let publishing = scope.spawn(move || publish(publisher, pace, started));
        let patience = pace.due(pace.messages) + PATIENCE;
        while left > 0 {
            let mut gone = None;
            crowd.turn(POLL, &mut |index, seen| match seen {
                Seen::Event(offset) if counted.contains(&index) => {
                    left = left.saturating_sub(1);
                    let due = started + pace.due(offset.saturating_sub(before + 1));
                    latency.add(due.elapsed());
                }
                Seen::Event(_) | Seen::Subscribed => {}
                Seen::Gone(how) => gone = Some((index, how)),
            })?;
            if let Some((index, how)) = gone {
                return Err(LoadError::new(format!("subscriber {index} was sent away: {how:?}")));
            }
            if started.elapsed() > patience {
                return Err(LoadError::new(format!("{left} deliveries are missing after {patience:?}")));
            }
        }
        publishing.join().map_err(|_| LoadError::new("the publisher panicked"))??;
        Ok(latency)
    })
}

fn publish(publisher: &mut dyn Publish, pace: Pace, started: Instant) -> Result<(), LoadError> {
    for index in 0..pace.messages {
        if let Some(wait) = (started + pace.due(index)).checked_duration_since(Instant::now()) {
            std::thread::sleep(wait);
        }
        publisher.publish(1)?;
        publisher.confirm()?;
    }
    Ok(())
}
