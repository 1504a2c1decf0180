//! The same orders through Ordercast and through a queue that others use, in interleaved rounds.
//!
//! The peer runs as its makers say for data that must not be lost: Redis syncs its append-only file before it answers
//! (`appendfsync always`). Its client is its own, in Node, and counts as load; what is compared is what the machine as a
//! whole gets done, and the CPU of the server processes.

use std::io::{BufRead, BufReader, Lines};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::closed_loop::{Shared, drive};
use crate::failure::LoadError;
use crate::http::Http;
use crate::json::Stats;
use crate::measure::process::Process;
use crate::measure::series::Series;
use crate::server::Server;

use super::floor::Figure;

/// Worker slots of Ordercast, and concurrency of the peer's worker.
const WORKERS: u32 = 256;
/// How long a drain, or the start of a server, may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Peers {
    /// Ordercast.
    pub binary: PathBuf,
    /// The folder with the peers' programs, their packages installed.
    pub programs: PathBuf,
    /// Where the data directories are made.
    pub scratch: PathBuf,
    /// Producers that wait for their answers.
    pub producers: usize,
    /// How long they produce in a round.
    pub window: Duration,
    /// Interleaved rounds; odd.
    pub rounds: usize,
}

/// What one system did, round by round.
#[derive(Debug, Default)]
struct Side {
    accept: Series,
    accept_cpu_us: Series,
    drain: Series,
    drain_cpu_us: Series,
}

/// What one round gave: accepted, then drained.
struct Round {
    accept: Figure,
    drain: Figure,
}

impl Side {
    fn add(&mut self, round: &Round) {
        self.accept.add(round.accept.rate);
        self.accept_cpu_us.add(round.accept.cpu_us);
        self.drain.add(round.drain.rate);
        self.drain_cpu_us.add(round.drain.cpu_us);
    }

    fn print(&self, name: &str, print: &mut dyn FnMut(&str)) {
        print(&format!("  {name}"));
        print(&format!(
            "    accepted {:.0} orders/s, {:.1} CPU µs/order of the server",
            self.accept, self.accept_cpu_us
        ));
        print(&format!("    drained  {:.0} orders/s, {:.1} CPU µs/order of the server", self.drain, self.drain_cpu_us));
    }
}

impl Peers {
    /// Measures both, and prints medians and their ratios.
    ///
    /// # Errors
    /// When a server cannot be started (is Redis installed?), or fails.
    pub fn run(&self, print: &mut dyn FnMut(&str)) -> Result<(), LoadError> {
        let (mut own, mut bullmq, mut ratios) =
            (Side::default(), Side::default(), [Series::default(), Series::default()]);
        for round in 0..self.rounds {
            print(&format!("round {} of {}", round + 1, self.rounds));
            let (ours, theirs) = (self.ordercast()?, self.bullmq()?);
            // Within a round both had the same neighbours.
            ratios[0].add(ours.accept.rate / theirs.accept.rate);
            ratios[1].add(ours.drain.rate / theirs.drain.rate);
            own.add(&ours);
            bullmq.add(&theirs);
        }
        print(&format!(
            "{} producers that wait for durable answers, then a drain; medians (least–most)",
            self.producers
        ));
        own.print(&format!("Ordercast, {WORKERS} worker slots"), print);
        bullmq.print(&format!("BullMQ, Redis with appendfsync always, concurrency {WORKERS}"), print);
        print(&format!("  ratio     accepts {:.1} ×, drains {:.1} ×", ratios[0], ratios[1]));
        Ok(())
    }

    fn ordercast(&self) -> Result<Round, LoadError> {
        let dir = tempfile::Builder::new().prefix("ordercast-peers-").tempdir_in(&self.scratch)?;
        let server = Server::start(&self.binary, dir.path(), &["--workers", "0"], &[])?;
        let shared = Shared::default();
        let (started, cpu) = (Instant::now(), server.process().cpu_s()?);
        std::thread::scope(|scope| {
            let driving = scope.spawn(|| drive(server.address, self.producers, 0..u64::MAX, &shared));
            std::thread::sleep(self.window);
            shared.stop.store(true, Relaxed);
            driving.join().map_err(|_| LoadError::new("the load panicked"))?
        })?;
        let orders = shared.accepted.load(Relaxed);
        let accept = figure(orders, started.elapsed(), server.process().cpu_s()? - cpu);
        server.terminate()?;
        let started = Instant::now();
        let server = Server::start(&self.binary, dir.path(), &["--workers", &WORKERS.to_string()], &[])?;
        let mut http = Http::connect(server.address)?;
        while http.get::<Stats>("/stats")?.success_count < orders {
            if started.elapsed() > PATIENCE {
                return Err(LoadError::new("the orders are not drained"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        // The start counts: it is where the work begins.
        let drain = figure(orders, started.elapsed(), server.process().cpu_s()?);
        server.terminate()?;
        Ok(Round { accept, drain })
    }

    fn bullmq(&self) -> Result<Round, LoadError> {
        let dir = tempfile::Builder::new().prefix("ordercast-peers-").tempdir_in(&self.scratch)?;
        let redis = Redis::start(dir.path())?;
        let process = Process { pid: redis.child.id() };
        let program = self.programs.join("bullmq.mjs");
        let arguments =
            [u64::from(redis.port), self.producers as u64, self.window.as_millis() as u64, u64::from(WORKERS)];
        let mut child = Command::new("node")
            .arg(&program)
            .args(arguments.map(|number| number.to_string()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| LoadError::new(format!("node does not start: {error}")))?;
        let stdout = child.stdout.take().ok_or_else(|| LoadError::new("no standard output"))?;
        let mut said = BufReader::new(stdout).lines();
        let measured = (|| {
            next(&mut said, "ready")?;
            let before = process.cpu_s()?;
            let (accepted, accept_s) = next(&mut said, "accepted")?;
            let between = process.cpu_s()?;
            let (drained, drain_s) = next(&mut said, "drained")?;
            let after = process.cpu_s()?;
            let accept = figure(accepted, Duration::from_secs_f64(accept_s), between - before);
            Ok(Round { accept, drain: figure(drained, Duration::from_secs_f64(drain_s), after - between) })
        })();
        // It ends by itself unless something failed.
        if measured.is_err() {
            child.kill()?;
        }
        child.wait()?;
        measured
    }
}

fn figure(orders: u64, wall: Duration, cpu_s: f64) -> Figure {
    let orders = orders.max(1) as f64;
    Figure { cpu_us: cpu_s * 1e6 / orders, rate: orders / wall.as_secs_f64() }
}

/// The next line of the peer's program: a word, a count and seconds.
fn next(said: &mut Lines<BufReader<ChildStdout>>, word: &str) -> Result<(u64, f64), LoadError> {
    let line = said.next().transpose()?.unwrap_or_default();
    let mut words = line.split(' ');
    let read = (words.next(), words.next().and_then(|n| n.parse().ok()), words.next().and_then(|s| s.parse().ok()));
    match read {
        (Some(own), Some(count), Some(seconds)) if own == word => Ok((count, seconds)),
        _ => Err(LoadError::new(format!(
            "the peer's program said {line:?} in place of {word:?}; are its packages installed?"
        ))),
    }
}

/// A private Redis.
struct Redis {
    child: Child,
    port: u16,
}

impl Redis {
    fn start(dir: &Path) -> Result<Self, LoadError> {
        // Redis cannot choose one itself; nobody else takes it in between but by chance, and then it does not start.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"])
            .args(["--appendfsync", "always", "--loglevel", "warning", "--dir"])
            .arg(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| LoadError::new(format!("redis-server does not start: {error}; install redis-server")))?;
        let redis = Self { child, port };
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if started.elapsed() > PATIENCE {
                return Err(LoadError::new("redis-server does not listen"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(redis)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
