//! From the moment an order is due to its answer and to its event at a subscriber, at a fixed rate.

use std::path::Path;

use crate::failure::LoadError;
use crate::loads::paced_orders::PacedOrders;
use crate::target;

use super::Effort;
use super::intake::Place;

/// Orders per second, over all connections.
const RATE: u64 = 500;
/// Worker slots.
const WORKERS: u32 = 10;

/// Measures every place.
///
/// # Errors
/// When the server fails or refuses an order, or an event is missing.
pub fn run(binary: &Path, places: &[Place], effort: Effort, print: &mut dyn FnMut(&str)) -> Result<(), LoadError> {
    for (name, scratch) in places {
        let place = target::Place::Private { binary: binary.to_path_buf(), scratch: scratch.clone() };
        let load = PacedOrders { place, rate: RATE, duration: effort.open_loop, workers: WORKERS };
        print(&format!("{name}, {WORKERS} workers, one subscriber of orders: {}", load.run()?));
    }
    Ok(())
}
