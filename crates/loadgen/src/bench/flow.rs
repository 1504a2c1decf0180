//! The whole way of an order: accepted, in work, completed; three durable events.

use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::closed_loop::{Shared, drive};
use crate::failure::LoadError;
use crate::http::Http;
use crate::json::Stats;
use crate::measure::series::Series;
use crate::server::Server;

use super::Effort;
use super::floor::Figure;
use super::intake::Place;

/// Connections that send.
const CONNECTIONS: usize = 64;
/// Worker slots that are compared.
const WORKERS: [u32; 2] = [10, 256];
/// How long the workers may take for what is left when the load ends.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often is looked whether they are done. Each look costs the server a request.
const POLL: Duration = Duration::from_millis(20);

/// Measures every place and number of workers, in interleaved rounds.
///
/// # Errors
/// When the server fails or refuses an order.
pub fn run(binary: &Path, places: &[Place], effort: Effort, print: &mut dyn FnMut(&str)) -> Result<(), LoadError> {
    let cells: Vec<_> = places.iter().flat_map(|place| WORKERS.into_iter().map(move |count| (place, count))).collect();
    let mut figures: Vec<_> = cells.iter().map(|_| (Series::default(), Series::default())).collect();
    for _ in 0..effort.flow_rounds {
        for (((_, place), workers), (cpu_us, rate)) in cells.iter().zip(&mut figures) {
            let figure = measure(binary, place, *workers, effort)?;
            cpu_us.add(figure.cpu_us);
            rate.add(figure.rate);
        }
    }
    print("accepted → in work → completed, three durable events; medians (least–most)");
    for (((name, _), workers), (cpu_us, rate)) in cells.iter().zip(&figures) {
        print(&format!("  {name}, {workers} workers: {cpu_us:.1} CPU µs/order, {rate:.0} orders/s"));
    }
    Ok(())
}

/// Sends for a while, waits until everything is completed, and counts from the first to the last.
fn measure(binary: &Path, place: &Path, workers: u32, effort: Effort) -> Result<Figure, LoadError> {
    let dir = tempfile::Builder::new().prefix("ordercast-bench-").tempdir_in(place)?;
    let server = Server::start(binary, dir.path(), &["--workers", &workers.to_string()], &[])?;
    let mut http = Http::connect(server.address)?;
    let shared = Shared::default();
    let (started, cpu) = (Instant::now(), server.process().cpu_s()?);
    std::thread::scope(|scope| {
        let driving = scope.spawn(|| drive(server.address, CONNECTIONS, 0..u64::MAX, &shared));
        std::thread::sleep(effort.window);
        shared.stop.store(true, Relaxed);
        driving.join().map_err(|_| LoadError::new("the load panicked"))?
    })?;
    let orders = shared.accepted.load(Relaxed);
    loop {
        let stats: Stats = http.get("/stats")?;
        if stats.success_count >= orders {
            break;
        }
        if started.elapsed() > PATIENCE {
            return Err(LoadError::new(format!("{} of {orders} orders are completed", stats.success_count)));
        }
        std::thread::sleep(POLL);
    }
    let (cpu_s, wall) = (server.process().cpu_s()? - cpu, started.elapsed());
    server.terminate()?;
    Ok(Figure { cpu_us: cpu_s * 1e6 / orders as f64, rate: orders as f64 / wall.as_secs_f64() })
}
