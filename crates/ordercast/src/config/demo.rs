//! The settings of the demo, and how many workers it needs.

use std::time::Duration;

use super::layers::{Layers, setting};
use super::origin::Origin;
use super::settings::{DemoSettings, WorkerSettings};

const DEFAULT_DEMO_RATE_PER_S: f64 = 2.0;
const MAX_DEMO_RATE_PER_S: f64 = 100_000.0;
/// Shortest and longest work on an order while the demo runs, unless the settings say otherwise.
pub(crate) const WORK: (Duration, Duration) = (Duration::from_millis(150), Duration::from_millis(2_500));
/// How much busier the busiest time of a wave is than the middle.
pub(crate) const WAVE_HEIGHT: f64 = 0.6;
const LEAST_WORKERS: usize = 10;
const MOST_WORKERS: usize = 5_000;

/// Reads them.
pub(super) fn demo(layers: &mut Layers<'_>) -> DemoSettings {
    let is_enabled = layers.read(setting("demo.enabled").flag("--demo"), false, |_| Ok(()));
    let rate = setting("demo.rate_per_s").flag("--demo-rate");
    let rate_per_s = layers.read(rate, DEFAULT_DEMO_RATE_PER_S, |rate| {
        if *rate > 0.0 && *rate <= MAX_DEMO_RATE_PER_S {
            Ok(())
        } else {
            Err(format!("must be more than 0 and at most {MAX_DEMO_RATE_PER_S}"))
        }
    });
    let seed = layers.read(setting("demo.seed").flag("--demo-seed"), 1, |seed| {
        if *seed >= 0 { Ok(()) } else { Err("must not be negative".into()) }
    });
    DemoSettings { is_enabled, rate_per_s, seed: seed.unsigned_abs() }
}

/// A demo without a number of workers gets as many as its rate needs.
pub(super) fn slots(layers: &mut Layers<'_>, workers: &WorkerSettings, demo: DemoSettings) -> usize {
    if !demo.is_enabled || layers.origin("workers.slots") != Origin::Default {
        return workers.slots;
    }
    let slots = workers_for(demo.rate_per_s);
    layers.replace("workers.slots", &i64::try_from(slots).unwrap_or(i64::MAX), Origin::Default);
    slots
}

/// For the busiest time of a wave, with some to spare.
fn workers_for(rate_per_s: f64) -> usize {
    let work_s = (WORK.0 + WORK.1).as_secs_f64() / 2.0;
    let busiest = rate_per_s * (1.0 + WAVE_HEIGHT) * work_s * 1.25;
    (busiest.ceil() as usize).clamp(LEAST_WORKERS, MOST_WORKERS)
}
