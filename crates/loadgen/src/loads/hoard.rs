//! Clients that do everything except read, for minutes: memory of the server against the sum of its bounds, and what a
//! fresh client finds meanwhile.

mod ceiling;
mod hoarder;

use std::fmt;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::failure::LoadError;
use crate::http::Http;
use crate::json::{self, Frame, OrderAnswer};
use crate::measure::histogram::Histogram;
use crate::measure::process::Process;
use crate::orders;
use crate::socket::{Message, Socket};
use crate::target::{Needs, Place, Target};

pub use ceiling::Ceiling;
use hoarder::Hoarder;

/// How often every hoarder goes on.
const ROUND: Duration = Duration::from_millis(250);
/// How often a fresh client comes, and memory is looked at.
const PROBE: Duration = Duration::from_millis(250);
/// How long a fresh client waits for anything.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long memory has to go back after everybody has left.
const AFTERWARDS: Duration = Duration::from_secs(15);
/// The number of the first order of a fresh client.
const FIRST_PROBE: u64 = 900_000_000_000;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Hoard {
    /// The server: a private one has settings whose bounds are reached; of another its process must be known.
    pub place: Place,
    /// Clients.
    pub clients: usize,
    /// For so long.
    pub duration: Duration,
}

/// What a run gave.
#[derive(Clone, Debug)]
pub struct Report {
    clients: usize,
    duration: Duration,
    ceiling: Ceiling,
    /// Most memory that was resident, in bytes.
    pub peak: u64,
    /// Memory after everybody has left.
    pub afterwards: u64,
    /// From the beginning of a connection to the event of its order, alone and beside the hoarders.
    before: Histogram,
    beside: Histogram,
    /// Fresh clients that were turned away, because too much waited.
    pub turned_away: u64,
    /// What went wrong for a fresh client; the first of them.
    failed: Vec<String>,
    failures: u64,
    sent: u64,
}

struct Probes {
    address: SocketAddr,
    took: Histogram,
    turned_away: u64,
    failures: u64,
    failed: Vec<String>,
    next: u64,
}

impl Probes {
    /// One fresh client: subscribes, places an order, and waits for its event.
    fn probe(&mut self) {
        let started = Instant::now();
        let number = self.next;
        self.next += 1;
        match probe(self.address, number) {
            Ok(true) => self.took.add(started.elapsed()),
            Ok(false) => self.turned_away += 1,
            Err(error) => {
                self.failures += 1;
                if self.failed.len() < 5 {
                    self.failed.push(error.to_string());
                }
            }
        }
    }
}

/// Whether the client was let in.
fn probe(address: SocketAddr, number: u64) -> Result<bool, LoadError> {
    let mut socket = match Socket::connect(address, "/ws?channels=orders", PATIENCE) {
        Ok(socket) => socket,
        Err(error) if error.to_string().contains("503") => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let answer = Http::connect(address)?.ask("POST", "/orders", "", &orders::body(number))?;
    if answer.status != 201 {
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        return Err(LoadError::new(format!("an order was answered with {}: {text}", answer.status)));
    }
    let id = json::read::<OrderAnswer<'_>>("an order", &answer.body)?.id.into_owned();
    let deadline = Instant::now() + PATIENCE;
    loop {
        match socket.receive() {
            Ok(Message::Text(text)) => {
                let frame: Frame<'_> = json::read("a frame", &text)?;
                if frame.order_id.as_deref() == Some(&*id) {
                    return Ok(true);
                }
            }
            Ok(Message::Close(code)) => return Err(LoadError::new(format!("closed with {code:?}"))),
            Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err(error.into());
            }
            Err(_) => {}
        }
        if Instant::now() > deadline {
            return Err(LoadError::new("the event of an order did not come"));
        }
    }
}

impl Hoard {
    /// Lets them in, watches, and lets them go.
    ///
    /// # Errors
    /// When the server does not start or end well, or its process is not known.
    pub fn run(&self, note: &mut dyn FnMut(&str)) -> Result<Report, LoadError> {
        // Beside the hoarders, and the fresh clients, some connections linger in the closing.
        let needs = Needs { connections: 2 * self.clients + 100, workers: 4, settings: ceiling::SETTINGS };
        let target = Target::open(&self.place, needs)?;
        let process = target.process.ok_or_else(|| LoadError::new("memory needs the server's process: --pid"))?;
        let mut probes = Probes {
            address: target.address,
            took: Histogram::default(),
            turned_away: 0,
            failures: 0,
            failed: Vec::new(),
            next: FIRST_PROBE,
        };
        (0..40).for_each(|_| probes.probe());
        let before = std::mem::take(&mut probes.took);
        let ceiling = Ceiling::of(process.resident()?, 2 * self.clients as u64);
        let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
        let peak = std::thread::scope(|scope| {
            let hoarding = scope.spawn(|| hoard(target.address, self.clients, &stop, &sent));
            let peak = watch(process, self.duration, &mut probes, note);
            stop.store(true, Relaxed);
            // A panic there is one of this program.
            hoarding.join().map_err(|_| LoadError::new("the hoarders panicked")).and(peak)
        })?;
        note("all leave");
        std::thread::sleep(AFTERWARDS);
        let afterwards = process.resident()?;
        probes.probe();
        target.close()?;
        let Probes { took: beside, turned_away, failures, failed, .. } = probes;
        let (clients, duration, sent) = (self.clients, self.duration, sent.into_inner());
        Ok(Report { clients, duration, ceiling, peak, afterwards, before, beside, turned_away, failed, failures, sent })
    }
}

/// Keeps the hoarders going; they leave at the end.
fn hoard(address: SocketAddr, clients: usize, stop: &AtomicBool, sent: &AtomicU64) {
    let mut hoarders: Vec<_> = (0..clients as u64).map(Hoarder::new).collect();
    while !stop.load(Relaxed) {
        let round = Instant::now();
        for hoarder in &mut hoarders {
            sent.fetch_add(hoarder.go_on(address) as u64, Relaxed);
        }
        std::thread::sleep(ROUND.saturating_sub(round.elapsed()));
    }
}

/// Sends fresh clients, and gives the most memory that was seen.
fn watch(
    process: Process,
    duration: Duration,
    probes: &mut Probes,
    note: &mut dyn FnMut(&str),
) -> Result<u64, LoadError> {
    let (started, mut peak, mut noted) = (Instant::now(), 0, Instant::now());
    while started.elapsed() < duration {
        let began = Instant::now();
        probes.probe();
        let resident = process.resident()?;
        peak = peak.max(resident);
        if noted.elapsed() > Duration::from_secs(10) {
            noted = Instant::now();
            let (mib, p99) = (resident as f64 / 1_048_576.0, probes.took.quantile(0.99));
            note(&format!("{:.0} s: {mib:.0} MiB, fresh clients p99 {p99:.1?}", started.elapsed().as_secs_f64()));
        }
        std::thread::sleep(PROBE.saturating_sub(began.elapsed()));
    }
    Ok(peak)
}

impl Report {
    /// Whether memory stayed below the ceiling and no fresh client failed.
    pub fn is_clean(&self) -> bool {
        self.peak <= self.ceiling.bytes() && self.failures == 0 && self.beside.count() > 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
        let Self { clients, duration, ceiling, peak, afterwards, turned_away, failures, .. } = self;
        writeln!(f, "{clients} clients that do everything except read, for {} s", duration.as_secs())?;
        writeln!(f, "  they sent {:.1} MB", self.sent as f64 / 1e6)?;
        writeln!(f, "  the ceiling, from the server's bounds:\n{ceiling}")?;
        writeln!(f, "  most memory: {:.1} MiB resident; {:.1} MiB after all had left", mib(*peak), mib(*afterwards))?;
        for (when, took) in [("alone", &self.before), ("beside them", &self.beside)] {
            let (p50, p99, most) = (took.quantile(0.5), took.quantile(0.99), took.most());
            let count = took.count();
            writeln!(f, "  a fresh client {when}: p50 {p50:.1?}, p99 {p99:.1?}, most {most:.1?} ({count} of them)")?;
        }
        write!(f, "  turned away because too much waited: {turned_away}; failed: {failures}")?;
        self.failed.iter().try_for_each(|failed| write!(f, "\n    {failed}"))
    }
}
