//! Durable intake over HTTP, workers paused.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use crate::closed_loop::{Shared, drive};
use crate::failure::LoadError;
use crate::http::Http;
use crate::json::Stats;
use crate::measure::series::Series;
use crate::server::Server;

use super::Effort;
use super::floor::{self, Figure};

/// A named folder to measure in.
pub type Place = (&'static str, PathBuf);

#[derive(Default)]
struct Cell {
    cpu_us: Series,
    rate: Series,
    batch: Series,
    bytes: Series,
    floor_cpu_us: Series,
    floor_rate: Series,
    cpu_ratio: Series,
    rate_ratio: Series,
}

/// Measures every place and number of connections, in interleaved rounds.
///
/// # Errors
/// When the server fails or refuses an order.
pub fn run(
    binary: &Path,
    places: &[Place],
    connections: &[usize],
    effort: Effort,
    print: &mut dyn FnMut(&str),
) -> Result<(), LoadError> {
    let cells: Vec<_> = places.iter().flat_map(|place| connections.iter().map(move |&count| (place, count))).collect();
    let mut figures: Vec<_> = cells.iter().map(|_| Cell::default()).collect();
    for _ in 0..effort.rounds {
        for (((_, place), connections), cell) in cells.iter().zip(&mut figures) {
            cell.measure(binary, place, *connections, effort)?;
        }
    }
    print("POST /orders, durable, workers paused; medians (least–most)");
    for (((name, _), connections), cell) in cells.iter().zip(&figures) {
        print(&format!("  {name}, {connections} keep-alive connections"));
        print(&format!("    server       {:.1} CPU µs/order, {:.0} orders/s", cell.cpu_us, cell.rate));
        print(&format!("                 {:.1} orders per commit, {:.0} bytes per order", cell.batch, cell.bytes));
        print(&format!("    append floor {:.2} CPU µs/order, {:.0} orders/s", cell.floor_cpu_us, cell.floor_rate));
        print(&format!("    ratio        CPU {:.1} ×, orders/s {:.2} ×", cell.cpu_ratio, cell.rate_ratio));
    }
    Ok(())
}

impl Cell {
    fn measure(&mut self, binary: &Path, place: &Path, connections: usize, effort: Effort) -> Result<(), LoadError> {
        let dir = tempfile::Builder::new().prefix("ordercast-bench-").tempdir_in(place)?;
        let server = Server::start(binary, dir.path(), &["--workers", "0"], &[])?;
        let (figure, accepted) = measure(&server, connections, effort)?;
        let stats: Stats = Http::connect(server.address)?.get("/stats")?;
        server.terminate()?;
        // A start settles what the last run left in the write-ahead log, where pages stand several times.
        Server::start(binary, dir.path(), &["--workers", "0"], &[])?.terminate()?;
        let bytes = size_of(dir.path())? as f64 / accepted.max(1) as f64;
        let batch = stats.accepted as f64 / stats.commits.max(1) as f64;
        let floor = floor::append(place, batch.round().max(1.0) as usize, bytes as usize, effort.window)?;
        self.cpu_us.add(figure.cpu_us);
        self.rate.add(figure.rate);
        self.batch.add(batch);
        self.bytes.add(bytes);
        self.floor_cpu_us.add(floor.cpu_us);
        self.floor_rate.add(floor.rate);
        // Within a round both sides had the same neighbours.
        self.cpu_ratio.add(figure.cpu_us / floor.cpu_us);
        self.rate_ratio.add(figure.rate / floor.rate);
        Ok(())
    }
}

/// Loads a server over this number of connections; gives the figures of a window of it, and the orders accepted in all.
///
/// # Errors
/// When the server fails or refuses an order.
pub fn measure(server: &Server, connections: usize, effort: Effort) -> Result<(Figure, u64), LoadError> {
    let shared = Shared::default();
    let figure = std::thread::scope(|scope| {
        let driving = scope.spawn(|| drive(server.address, connections, 0..u64::MAX, &shared));
        let window = || {
            std::thread::sleep(effort.warm_up);
            let (started, cpu, accepted) = (Instant::now(), server.process().cpu_s()?, shared.accepted.load(Relaxed));
            std::thread::sleep(effort.window);
            let orders = (shared.accepted.load(Relaxed) - accepted) as f64;
            let (cpu_s, wall) = (server.process().cpu_s()? - cpu, started.elapsed());
            Ok(Figure { cpu_us: cpu_s * 1e6 / orders, rate: orders / wall.as_secs_f64() })
        };
        let figure: Result<Figure, LoadError> = window();
        shared.stop.store(true, Relaxed);
        driving.join().map_err(|_| LoadError::new("the load panicked"))??;
        figure
    })?;
    Ok((figure, shared.accepted.load(Relaxed)))
}

/// Bytes of all files of a folder.
fn size_of(dir: &Path) -> Result<u64, LoadError> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}
