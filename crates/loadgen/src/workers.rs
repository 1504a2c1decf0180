//! Kills and freezes worker processes, and the server under them, and looks for work that was done twice, by the wrong
//! worker, or too late.
//!
//! Workers are processes of their own that claim over HTTP. A round kills one of them (SIGKILL), freezes one for longer
//! than its lease (SIGSTOP, then SIGCONT: it goes on as if nothing had happened), or kills the server. At the end the
//! events of every order are its audit trail: completed exactly once, by the worker that had claimed it last, and what a
//! worker was told is so.

mod audit;
pub mod process;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};

use crate::dice::Dice;
use crate::failure::LoadError;
use crate::http::Http;
use crate::json::Stats;
use crate::orders;
use crate::server::{Server, verify};

pub use audit::Report;
use audit::{Fault, Said};

/// Orders that are placed in a round.
const ORDERS_A_ROUND: u64 = 20;
/// How long a frozen worker stays frozen: longer than a lease of 6 s.
const FROZEN_MS: (u64, u64) = (7_000, 9_000);
/// Between two faults.
const PAUSE_MS: (u64, u64) = (500, 1_500);
/// One fault out of this number is the server's.
const SERVER_EVERY: u64 = 5;
/// How long the last orders may take: a lease, a pause before the next attempt, and the work.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Workers {
    /// The server's binary.
    pub binary: PathBuf,
    /// This program, for the processes of workers.
    pub program: PathBuf,
    /// Faults.
    pub rounds: u64,
    /// Worker processes.
    pub workers: usize,
    /// Where chance begins.
    pub seed: u64,
    /// Where the data directory is made.
    pub scratch: PathBuf,
}

/// A worker process.
struct Worker {
    name: String,
    child: Child,
    reader: JoinHandle<()>,
    /// When it goes on, if it is frozen.
    frozen_until: Option<Instant>,
}

impl Worker {
    fn signal(&self, signal: Signal) -> Result<(), LoadError> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| LoadError::new("a process id that is none"))?;
        kill_process(pid, signal).map_err(std::io::Error::from)?;
        Ok(())
    }

    /// Kills it, and waits until all that it had said is read.
    fn end(mut self) -> Result<(), LoadError> {
        self.child.kill()?;
        self.child.wait()?;
        self.reader.join().map_err(|_| LoadError::new("the reader of a worker panicked"))
    }
}

impl Drop for Fleet<'_> {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            // Both fail when it has ended already, which is as good.
            let _ = worker.child.kill();
            let _ = worker.child.wait();
        }
    }
}

/// The workers, and what they have said.
struct Fleet<'a> {
    load: &'a Workers,
    address_file: PathBuf,
    workers: Vec<Worker>,
    started: u64,
    said: Arc<Mutex<Vec<Said>>>,
}

impl Workers {
    /// Runs all rounds; `progress` gets a line about each.
    ///
    /// # Errors
    /// When the server or a worker cannot be started, or the orders do not end.
    pub fn run(&self, progress: &mut dyn FnMut(&str)) -> Result<Report, LoadError> {
        let dir = tempfile::Builder::new().prefix("ordercast-workers-").tempdir_in(&self.scratch)?;
        let (data, address_file) = (dir.path().join("data"), dir.path().join("address"));
        let mut server = self.start(&data, &address_file)?;
        let mut fleet = Fleet { load: self, address_file, workers: Vec::new(), started: 0, said: Arc::default() };
        while fleet.workers.len() < self.workers {
            fleet.add()?;
        }
        let (mut dice, mut faults, mut starts_ms) = (Dice::new(self.seed, 1), Vec::new(), Vec::new());
        for round in 0..self.rounds {
            self.place(&server, round)?;
            let what = if dice.within(1, SERVER_EVERY) == 1 {
                server.kill()?;
                server = self.start(&data, &fleet.address_file)?;
                // Each lease has its whole length from then on.
                starts_ms.push(unix_ms());
                "the server was killed".to_owned()
            } else {
                fleet.harm(&mut dice, &mut faults)?
            };
            progress(&format!("round {:>3} of {}: {what}", round + 1, self.rounds));
            std::thread::sleep(Duration::from_millis(dice.within(PAUSE_MS.0, PAUSE_MS.1)));
            fleet.thaw(Instant::now())?;
        }
        fleet.thaw(Instant::now() + Duration::from_secs(3600))?;
        wait_until_done(&server)?;
        let said = fleet.end()?;
        let mut report = audit::check(server.address, self.rounds * ORDERS_A_ROUND, &said, (&faults, &starts_ms))?;
        server.terminate()?;
        report.rounds = self.rounds;
        report.violations.extend(verify(&self.binary, &data)?);
        Ok(report)
    }

    fn start(&self, data: &Path, address_file: &Path) -> Result<Server, LoadError> {
        let server = Server::start(&self.binary, data, &["--workers", "0"], &[])?;
        // Renamed into its place, so that nobody reads half of it.
        let fresh = address_file.with_extension("new");
        std::fs::write(&fresh, server.address.to_string())?;
        std::fs::rename(&fresh, address_file)?;
        Ok(server)
    }

    fn place(&self, server: &Server, round: u64) -> Result<(), LoadError> {
        let mut http = Http::connect(server.address)?;
        for number in 0..ORDERS_A_ROUND {
            let number = round * ORDERS_A_ROUND + number;
            let answer = http.ask("POST", "/orders", "", &orders::body(number))?;
            if answer.status != 201 {
                let said = String::from_utf8_lossy(&answer.body).into_owned();
                return Err(LoadError::new(format!("order {number} was answered with {}: {said}", answer.status)));
            }
        }
        Ok(())
    }
}

impl Fleet<'_> {
    fn add(&mut self) -> Result<(), LoadError> {
        self.started += 1;
        let name = format!("worker-{}", self.started);
        let mut child = Command::new(&self.load.program)
            .arg("worker")
            .args(["--name", &name, "--seed", &(self.load.seed + self.started).to_string(), "--address-file"])
            .arg(&self.address_file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| LoadError::new("no standard output"))?;
        let (said, by) = (Arc::clone(&self.said), name.clone());
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                said.lock().unwrap_or_else(PoisonError::into_inner).extend(Said::parse(&by, &line));
            }
        });
        self.workers.push(Worker { name, child, reader, frozen_until: None });
        Ok(())
    }

    /// Kills or freezes a worker; a killed one is replaced.
    fn harm(&mut self, dice: &mut Dice, faults: &mut Vec<Fault>) -> Result<String, LoadError> {
        let awake: Vec<usize> =
            (0..self.workers.len()).filter(|place| self.workers[*place].frozen_until.is_none()).collect();
        // One stays awake, so that somebody is there to rescue orders.
        let may_freeze = awake.len() > 1 && dice.within(0, 1) == 0;
        let most = self.workers.len() as u64 - 1;
        let place = match awake.get(dice.within(0, most) as usize % awake.len().max(1)) {
            Some(place) => *place,
            None => return Ok("everybody is frozen".to_owned()),
        };
        let name = self.workers[place].name.clone();
        faults.push(Fault { worker: name.clone(), at_ms: unix_ms() });
        if may_freeze {
            let worker = &mut self.workers[place];
            worker.signal(Signal::STOP)?;
            let frozen = Duration::from_millis(dice.within(FROZEN_MS.0, FROZEN_MS.1));
            worker.frozen_until = Some(Instant::now() + frozen);
            return Ok(format!("{name} was frozen for {} ms", frozen.as_millis()));
        }
        self.workers.swap_remove(place).end()?;
        self.add()?;
        Ok(format!("{name} was killed"))
    }

    /// Lets those go on whose time has come.
    fn thaw(&mut self, now: Instant) -> Result<(), LoadError> {
        for worker in &mut self.workers {
            if worker.frozen_until.is_some_and(|until| until <= now) {
                worker.frozen_until = None;
                worker.signal(Signal::CONT)?;
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<Vec<Said>, LoadError> {
        for worker in std::mem::take(&mut self.workers) {
            worker.end()?;
        }
        Ok(std::mem::take(&mut *self.said.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Waits until every order has been worked off.
fn wait_until_done(server: &Server) -> Result<(), LoadError> {
    let started = Instant::now();
    let mut http = Http::connect(server.address)?;
    let mut quiet = 0;
    while started.elapsed() < PATIENCE {
        let stats: Stats = http.get("/stats")?;
        // Retries wait outside the queue for a while: it must stay empty for longer than a lease and a pause.
        quiet = if stats.queue_length == 0 && stats.active_workers == 0 { quiet + 1 } else { 0 };
        if quiet > 10 && is_done(&mut http)? {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Err(LoadError::new(format!("orders are still not done after {PATIENCE:?}")))
}

fn is_done(http: &mut Http) -> Result<bool, LoadError> {
    for status in ["retrying", "pending", "processing", "expedited", "priority_processing"] {
        let answer = http.ask("GET", &format!("/orders?status={status}&limit=1"), "", "")?;
        if !answer.body.starts_with(b"{\"orders\":[]") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Milliseconds since 1970.
fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
