//! What the engine costs, apart from HTTP: one process, a SQLite store, a fixed number of orders in flight.
//!
//! `cargo bench -p ordercast-engine` (with `-- --quick` for a smoke run, `-- --profile` to run nothing but the
//! engine on the RAM disk, for a profiler). Each round measures the engine and, right after it, three floors
//! with the same bytes per order and the same orders per sync: a thread that only appends; one that appends
//! what reaches it through a queue and answers every submitter; and the same engine on an append-only file in
//! place of SQLite. Figures are medians over the rounds, so that a burst of foreign load in one of them does
//! not count.

#[path = "commit/append.rs"]
mod append;
#[path = "commit/flight.rs"]
mod flight;
#[path = "commit/log_store.rs"]
mod log_store;
#[path = "commit/report.rs"]
mod report;
#[path = "commit/subject.rs"]
mod subject;

use std::path::{Path, PathBuf};
use std::time::Duration;

use report::{Cell, Figures};
use subject::{Ids, Store};

/// A file system in memory, where a sync costs no disk.
const RAM_DISK: &str = "/dev/shm";
/// How long one measurement takes.
const DURATION: Duration = Duration::from_secs(2);
/// Rounds, each with every measurement once; odd, so that a median is one of them.
const ROUNDS: usize = 5;

fn main() {
    let is_quick = std::env::args().any(|arg| arg == "--quick");
    let (duration, rounds) = if is_quick { (Duration::from_millis(200), 1) } else { (DURATION, ROUNDS) };
    if std::env::args().any(|arg| arg == "--profile") {
        for ids in [Ids::Server, Ids::Client] {
            subject::measure(Path::new(RAM_DISK), Store::Sqlite, ids, DURATION);
        }
        return;
    }
    println!("engine alone, {} orders in flight, {rounds} rounds of {duration:?}", flight::IN_FLIGHT);
    println!("drafting (parsed input to draft, on the caller's thread): {:.2} µs", subject::draft_cost_us());
    let ram = Path::new(RAM_DISK).is_dir().then(|| PathBuf::from(RAM_DISK));
    for (name, place) in [("RAM disk", ram), ("disk", Some(std::env::temp_dir()))] {
        let Some(place) = place else { continue };
        let mut figures = Figures::default();
        for _ in 0..rounds {
            for ids in [Ids::Server, Ids::Client] {
                let run = subject::measure(&place, Store::Sqlite, ids, duration);
                let cell = Cell { batch: run.batch, bytes: run.stored_bytes };
                figures.engine(ids, &run);
                figures.floor(ids, "append only", &append::bare(&place, cell, duration));
                figures.floor(ids, "append behind a queue", &append::queued(&place, cell, duration));
                let appending = Store::Append { record_bytes: cell.bytes };
                figures.floor(
                    ids,
                    "engine, append-only file",
                    &subject::measure(&place, appending, ids, duration).spent,
                );
            }
        }
        figures.print(name);
    }
}
