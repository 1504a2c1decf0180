//! How much logs keep: `[retention.orders]`, `[retention.publications]` and so on.

use std::time::Duration;

use ordercast_engine::retention::{LogRetention, Retentions};
use ordercast_protocol::channel::Log;

use super::layers::{Layers, setting};

/// Fewest events that a bound may leave: subscribers who read a page after the other must not be overtaken by it.
const MIN_EVENTS: i64 = 1_000;
/// Shortest time, for the same reason.
const MIN_AGE: Duration = Duration::from_secs(60);
const MAX_AGE: Duration = Duration::from_secs(100 * 366 * 86_400);

/// Bounds by log; 0 is none, and what stands nowhere is kept for ever.
pub(super) fn retention(layers: &mut Layers<'_>) -> Retentions {
    let mut retentions = Retentions::default();
    for log in Log::ALL {
        let name = |bound: &str| setting(format!("retention.{}.{bound}", log.name()));
        let max_events = layers.read(name("max_events"), 0, |events| match *events {
            0 | MIN_EVENTS.. => Ok(()),
            _ => Err(format!("must be at least {MIN_EVENTS}, or 0 to keep all")),
        });
        let max_age = layers.read(name("max_age_s"), Duration::ZERO, |age| {
            if age.is_zero() || (MIN_AGE..=MAX_AGE).contains(age) {
                return Ok(());
            }
            Err(format!("must be from {} to {}, or 0 to keep all", MIN_AGE.as_secs(), MAX_AGE.as_secs()))
        });
        retentions[log.index()] = LogRetention {
            max_events: u64::try_from(max_events).ok().filter(|events| *events > 0),
            max_age: Some(max_age).filter(|age| !age.is_zero()),
        };
    }
    retentions
}
