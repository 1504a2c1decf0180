//! What the engine costs, apart from HTTP: one process, a SQLite store, a fixed number of orders in flight.
//!
//! `cargo bench -p ordercast-engine` (with `-- --quick` for a smoke run). Each round measures the engine and,
//! right after it, two floors with the same bytes per order and the same orders per sync: a thread that only
//! appends, and one that appends what reaches it through a queue and answers every submitter. Figures are
//! medians over the rounds, so that a burst of foreign load in one of them does not count.

#[path = "commit/append.rs"]
mod append;
#[path = "commit/flight.rs"]
mod flight;
#[path = "commit/report.rs"]
mod report;
#[path = "commit/subject.rs"]
mod subject;

use std::path::{Path, PathBuf};
use std::time::Duration;

use report::{Cell, Figures};
use subject::Ids;

/// A file system in memory, where a sync costs no disk.
const RAM_DISK: &str = "/dev/shm";
/// How long one measurement takes.
const DURATION: Duration = Duration::from_secs(2);
/// Rounds, each with every measurement once; odd, so that a median is one of them.
const ROUNDS: usize = 5;

fn main() {
    let is_quick = std::env::args().any(|arg| arg == "--quick");
    let (duration, rounds) = if is_quick { (Duration::from_millis(200), 1) } else { (DURATION, ROUNDS) };
    let only = std::env::var("ORDERCAST_BENCH_PLACE").ok();
    println!("engine alone, {} orders in flight, {rounds} rounds of {duration:?}", flight::IN_FLIGHT);
    println!("drafting (parsed input to draft, on the caller's thread): {:.2} µs", subject::draft_cost_us());
    let ram = Path::new(RAM_DISK).is_dir().then(|| PathBuf::from(RAM_DISK));
    for (name, place) in [("RAM disk", ram), ("disk", Some(std::env::temp_dir()))] {
        let Some(place) = place.filter(|_| only.as_deref().is_none_or(|only| only == name)) else { continue };
        let mut figures = Figures::default();
        for _ in 0..rounds {
            for ids in [Ids::Server, Ids::Client] {
                let run = subject::measure(&place, ids, duration);
                figures.engine(ids, &run);
                let cell = Cell { batch: run.batch, bytes: run.stored_bytes };
                figures.floors(ids, &append::bare(&place, cell, duration), &append::queued(&place, cell, duration));
            }
        }
        figures.print(name);
    }
}
