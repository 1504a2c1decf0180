//! Ordercast, in two shapes of its clients.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::closed_loop::{self, Shared};
use crate::failure::LoadError;
use crate::http::Http;
use crate::json::Stats;
use crate::one_socket;
use crate::server::Server;

use super::program::Load;
use super::reading::{Phase, Reading};

/// How long a drain may take.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often is looked whether it is done. Each look costs the server a request.
const POLL: Duration = Duration::from_millis(10);

/// How producers reach the server.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// A keep-alive connection of HTTP each.
    Connections,
    /// All over one WebSocket.
    OneSocket,
}

/// What is measured.
pub(super) struct Own<'a> {
    pub(super) binary: &'a Path,
    pub(super) dir: &'a Path,
    pub(super) shape: Shape,
    pub(super) workers: u32,
}

impl Own<'_> {
    /// Accepts with workers paused, drains after a start, then does both at once.
    pub(super) fn measure(&self, load: &Load) -> Result<Vec<Reading>, LoadError> {
        let server = self.start(0)?;
        let (started, cpu_s) = (Instant::now(), server.process().tree_cpu_s()?);
        let accepted = self.produce(&server, load, 0..u64::MAX)?;
        let wall = started.elapsed();
        let cpu_s = server.process().tree_cpu_s()? - cpu_s;
        let accept = Reading::new(load.name, Phase::Accepted, accepted, wall, cpu_s);
        server.terminate()?;

        // The start counts: it is where the work begins.
        let started = Instant::now();
        let server = self.start(self.workers)?;
        let mut http = Http::connect(server.address)?;
        wait_until_completed(&mut http, accepted)?;
        let drain =
            Reading::new(load.name, Phase::Drained, accepted, started.elapsed(), server.process().tree_cpu_s()?);

        let (started, cpu_s) = (Instant::now(), server.process().tree_cpu_s()?);
        let more = self.produce(&server, load, accepted..u64::MAX)?;
        wait_until_completed(&mut http, accepted + more)?;
        let wall = started.elapsed();
        let cpu_s = server.process().tree_cpu_s()? - cpu_s;
        let through = Reading::new(load.name, Phase::Through, more, wall, cpu_s);
        server.terminate()?;
        Ok(vec![accept, drain, through])
    }

    fn start(&self, workers: u32) -> Result<Server, LoadError> {
        Server::start(self.binary, self.dir, &["--workers", &workers.to_string()], &[])
    }

    /// Sends orders for a window; how many were accepted.
    fn produce(&self, server: &Server, load: &Load, numbers: Range<u64>) -> Result<u64, LoadError> {
        let shared = Shared::default();
        let drive = match self.shape {
            Shape::Connections => closed_loop::drive,
            Shape::OneSocket => one_socket::drive,
        };
        std::thread::scope(|scope| {
            let driving = scope.spawn(|| drive(server.address, load.producers, numbers, &shared));
            std::thread::sleep(load.window);
            shared.stop.store(true, Relaxed);
            driving.join().map_err(|_| LoadError::new("the load panicked"))?
        })?;
        Ok(shared.accepted.load(Relaxed))
    }
}

fn wait_until_completed(http: &mut Http, orders: u64) -> Result<(), LoadError> {
    let started = Instant::now();
    while http.get::<Stats>("/stats")?.success_count < orders {
        if started.elapsed() > PATIENCE {
            return Err(LoadError::new("the orders are not drained"));
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}
