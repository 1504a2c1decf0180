//! Orders at fixed moments, whatever became of those before.
//!
//! A late order is counted from when it was due: a server that stalls cannot hide that by being sent less.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::failure::LoadError;
use crate::http::Http;
use crate::orders;

/// Longest sleep before it is looked whether to stop.
const NAP: Duration = Duration::from_millis(20);

/// When orders are sent, and how many.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// Orders per second.
    pub rate: u64,
    /// Most orders.
    pub most: u64,
    /// Connections that take turns: more than there are orders on their way at a time.
    pub connections: u64,
    /// The number of the first, from which its id and content come.
    pub first: u64,
}

/// An order that was answered with 201.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    /// Which one of the schedule, from 0 on.
    pub index: u64,
    /// When it was to be sent.
    pub due: Instant,
    /// When its answer was there.
    pub at: Instant,
}

impl Schedule {
    /// When an order is due, after the start.
    pub fn due(&self, index: u64) -> Duration {
        Duration::from_nanos(index.saturating_mul(1_000_000_000) / self.rate.max(1))
    }
}

/// Sends by the schedule from `started` on, until its end or until `stop` is set. Every answer is told as it comes,
/// from any thread. Gives the orders accepted.
///
/// # Errors
/// When a connection breaks, or an order is not answered with 201.
pub fn send(
    address: SocketAddr,
    schedule: Schedule,
    started: Instant,
    stop: &AtomicBool,
    answered: &(dyn Fn(Answered) + Sync),
) -> Result<u64, LoadError> {
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..schedule.connections)
            .map(|first| scope.spawn(move || send_share(address, schedule, first, started, stop, answered)))
            .collect();
        let mut sum = 0;
        for sender in senders {
            sum += sender.join().map_err(|_| LoadError::new("a sender panicked"))??;
        }
        Ok(sum)
    })
}

fn send_share(
    address: SocketAddr,
    schedule: Schedule,
    first: u64,
    started: Instant,
    stop: &AtomicBool,
    answered: &(dyn Fn(Answered) + Sync),
) -> Result<u64, LoadError> {
    let mut http = Http::connect(address)?;
    let mut accepted = 0;
    let mut index = first;
    while index < schedule.most {
        let due = started + schedule.due(index);
        while let Some(wait) = due.checked_duration_since(Instant::now()).filter(|wait| !wait.is_zero()) {
            if stop.load(Relaxed) {
                return Ok(accepted);
            }
            std::thread::sleep(wait.min(NAP));
        }
        if stop.load(Relaxed) {
            return Ok(accepted);
        }
        let answer = http.ask("POST", "/orders", "", &orders::body(schedule.first + index))?;
        if answer.status != 201 {
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            return Err(LoadError::new(format!("an order was answered with {}: {body}", answer.status)));
        }
        accepted += 1;
        answered(Answered { index, due, at: Instant::now() });
        index += schedule.connections;
    }
    Ok(accepted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_fixed_and_even() {
        let schedule = Schedule { rate: 300, most: 10, connections: 3, first: 0 };
        assert_eq!(schedule.due(0), Duration::ZERO);
        assert_eq!(schedule.due(300), Duration::from_secs(1));
        assert_eq!(schedule.due(3_000_000_000), Duration::from_secs(10_000_000));
        let gaps = (0..300).map(|index| schedule.due(index + 1) - schedule.due(index));
        assert!(gaps.map(|gap| gap.as_nanos()).all(|ns| (3_333_333..=3_333_334).contains(&ns)));
    }
}
