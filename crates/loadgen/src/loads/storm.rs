//! All clients drop at once and come back at once, again and again, and go on where they were while events flow.
//!
//! Storms of the server and of the floor, a program that only lets everybody in, alternate.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::client::crowd::{Crowd, Joining, Seen};
use crate::client::dialect::Dialect;
use crate::client::fleet::{Ending, Leave};
use crate::client::sequence::Account;
use crate::dice::Dice;
use crate::failure::LoadError;
use crate::floor;
use crate::loads::floor_process::FloorProcess;
use crate::measure::histogram::Histogram;
use crate::measure::process::{Cpu, Process};
use crate::measure::series::Series;
use crate::open_loop::{self, Schedule};
use crate::target::{Needs, Place, Target};

/// Upgrades under way at a time, in the beginning only.
const AT_ONCE: usize = 64;
/// How long everybody may take to come, and to come back.
const PATIENCE: Duration = Duration::from_secs(120);
/// Longest wait for something to happen.
const POLL: Duration = Duration::from_millis(5);
/// Pause between rounds, in milliseconds, minimum and maximum: a client that is back hears something live.
const PAUSE_MS: (u64, u64) = (50, 400);
/// Connections that send orders by the clock.
const SENDERS: u64 = 4;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Storm {
    /// The server.
    pub place: Place,
    /// The program that has the floor as its subcommand; `None` to measure the server alone.
    pub floor: Option<PathBuf>,
    /// Clients.
    pub clients: usize,
    /// Storms.
    pub rounds: usize,
    /// What the clients speak.
    pub dialect: Dialect,
    /// Orders per second, all the time; each is an event to every client.
    pub rate: u64,
    /// Where chance begins.
    pub seed: u64,
}

/// What a run gave.
#[derive(Clone, Debug)]
pub struct Report {
    clients: usize,
    dialect: Dialect,
    rate: u64,
    /// CPU of the server per client in the storm before.
    last_us: Option<f64>,
    /// Seconds from the drop until all are subscribed again, by round.
    pub back_s: Series,
    /// From the drop until each client is back.
    pub each: Histogram,
    /// CPU of the server from the drop until all are back, per client, in microseconds.
    pub cpu_us: Series,
    /// Of it the hub's threads.
    pub hub_us: Series,
    /// The same of the floor.
    pub floor_us: Series,
    /// CPU of the server over that of the floor.
    pub ratio: Series,
    /// Seconds until all are back with the floor.
    pub floor_back_s: Series,
    /// Events delivered per client in that time: their cost is in the figure above.
    pub deliveries: Series,
    /// Connections that the server ended or refused.
    pub sent_away: u64,
    /// What the hub counts as errors.
    pub errors: u64,
    /// What they saw.
    pub account: Account,
}

impl Storm {
    /// Lets everybody come, and storms.
    ///
    /// # Errors
    /// When the server does not start or end well, refuses somebody, or does not take everybody back in time.
    pub fn run(&self, note: &mut dyn FnMut(&str)) -> Result<Report, LoadError> {
        // Those who left may not be gone yet when they come back. The floor's clients are open beside the server's.
        let target = Target::open(&self.place, Needs { connections: 2 * self.clients, ..Needs::default() })?;
        let first = target.orders_end()?.offset;
        let schedule = Schedule { rate: self.rate, most: u64::MAX, connections: SENDERS, first };
        let stop = AtomicBool::new(false);
        let mut report = self.report();
        std::thread::scope(|scope| {
            let sending = scope.spawn(|| open_loop::send(target.address, schedule, Instant::now(), &stop, &|_| {}));
            let stormed = self.rounds(&target, &stop, &mut report, note);
            stop.store(true, Relaxed);
            let sent = sending.join().map_err(|_| LoadError::new("the senders panicked"))?;
            stormed.and(sent.map(drop))
        })?;
        target.close()?;
        Ok(report)
    }

    fn report(&self) -> Report {
        Report {
            clients: self.clients,
            dialect: self.dialect,
            rate: self.rate,
            last_us: None,
            back_s: Series::default(),
            each: Histogram::default(),
            cpu_us: Series::default(),
            hub_us: Series::default(),
            floor_us: Series::default(),
            ratio: Series::default(),
            floor_back_s: Series::default(),
            deliveries: Series::default(),
            sent_away: 0,
            errors: 0,
            account: Account::default(),
        }
    }

    fn rounds(
        &self,
        target: &Target,
        stop: &AtomicBool,
        report: &mut Report,
        note: &mut dyn FnMut(&str),
    ) -> Result<(), LoadError> {
        let Self { dialect, clients: count, .. } = *self;
        let joining = Joining { dialect, channel: "orders", count, is_compressed: false };
        let mut crowd = Crowd::new(target.address, joining)?;
        note(&format!("{count} clients come"));
        crowd.gather(AT_ONCE, PATIENCE)?;
        let mut floor = self.floor(count)?;
        let mut dice = Dice::new(self.seed, 0);
        for round in 0..self.rounds {
            pause(&mut crowd, Duration::from_millis(dice.within(PAUSE_MS.0, PAUSE_MS.1)))?;
            let how = if round % 2 == 0 { Leave::Reset } else { Leave::Finish };
            let events = target.socket_stats()?.events_delivered;
            let gust = storm(&mut crowd, target.process, how)?;
            let delivered = target.socket_stats()?.events_delivered.saturating_sub(events);
            report.deliveries.add(delivered as f64 / count.max(1) as f64);
            report.take(gust, count);
            if let Some((process, crowd)) = &mut floor {
                report.take_floor(&storm(crowd, Some(process.process()), how)?, count);
            }
            if round == 0 || (round + 1) % 10 == 0 {
                let back = &report.back_s;
                note(&format!("round {} of {}: all back after {back:.3} s", round + 1, self.rounds));
            }
        }
        // At the end everybody has everything.
        stop.store(true, Relaxed);
        pause(&mut crowd, POLL)?;
        crowd.wait_for(target.orders_end()?.offset, PATIENCE)?;
        report.errors = target.socket_stats()?.errors;
        report.account = std::mem::take(&mut crowd.account);
        Ok(())
    }

    fn floor(&self, count: usize) -> Result<Option<(FloorProcess, Crowd)>, LoadError> {
        let Some(program) = &self.floor else { return Ok(None) };
        let process = FloorProcess::doorkeeper(program)?;
        let joining = Joining { dialect: Dialect::Plain, channel: floor::CHANNEL, count, is_compressed: false };
        let mut crowd = Crowd::new(process.address, joining)?;
        crowd.gather(AT_ONCE, PATIENCE)?;
        Ok(Some((process, crowd)))
    }
}

/// What one storm gave.
struct Gust {
    elapsed: Duration,
    cpu: Option<Cpu>,
    each: Histogram,
    sent_away: u64,
}

impl Gust {
    /// CPU of the process per client, in microseconds.
    fn cpu_us(&self, clients: usize) -> Option<f64> {
        Some(self.cpu?.total_s * 1e6 / clients.max(1) as f64)
    }
}

/// Everybody drops, and comes back.
fn storm(crowd: &mut Crowd, process: Option<Process>, how: Leave) -> Result<Gust, LoadError> {
    let (mut each, mut sent_away) = (Histogram::default(), 0);
    let mark = process.map(Process::cpu_mark).transpose()?;
    let started = Instant::now();
    (0..crowd.count()).for_each(|index| crowd.leave(index, how));
    let mut again: Vec<usize> = (0..crowd.count()).collect();
    while crowd.subscribed() < crowd.count() {
        for index in again.drain(..) {
            crowd.come(index, None)?;
        }
        crowd.turn(POLL, &mut |index, seen| match seen {
            Seen::Subscribed => each.add(started.elapsed()),
            // A client that was not let in tries again at once, as in the worst of storms.
            Seen::Gone(Ending::Closed(_) | Ending::Broken(_)) => {
                sent_away += 1;
                again.push(index);
            }
            Seen::Event(_) => {}
        })?;
        if started.elapsed() > PATIENCE {
            let missing = crowd.count() - crowd.subscribed();
            return Err(LoadError::new(format!("{missing} clients are not back after {PATIENCE:?}")));
        }
    }
    let elapsed = started.elapsed();
    let cpu = process.zip(mark).map(|(process, mark)| process.cpu_since(&mark)).transpose()?;
    Ok(Gust { elapsed, cpu, each, sent_away })
}

/// Everybody listens for a while.
fn pause(crowd: &mut Crowd, duration: Duration) -> Result<(), LoadError> {
    let started = Instant::now();
    while started.elapsed() < duration {
        let mut gone = None;
        crowd.turn(POLL, &mut |index, seen| {
            if let Seen::Gone(how) = seen {
                gone = Some((index, how));
            }
        })?;
        if let Some((index, how)) = gone {
            return Err(LoadError::new(format!("client {index} was sent away between storms: {how:?}")));
        }
    }
    Ok(())
}

impl Report {
    fn take(&mut self, gust: Gust, clients: usize) {
        self.back_s.add(gust.elapsed.as_secs_f64());
        self.each.join(&gust.each);
        self.sent_away += gust.sent_away;
        self.last_us = gust.cpu_us(clients);
        self.last_us.into_iter().for_each(|us| self.cpu_us.add(us));
        gust.cpu.into_iter().for_each(|cpu| self.hub_us.add(cpu.hub_s * 1e6 / clients.max(1) as f64));
    }

    fn take_floor(&mut self, gust: &Gust, clients: usize) {
        self.floor_back_s.add(gust.elapsed.as_secs_f64());
        let Some(floor_us) = gust.cpu_us(clients) else { return };
        self.floor_us.add(floor_us);
        self.last_us.into_iter().for_each(|us| self.ratio.add(us / floor_us));
    }

    /// Whether nothing was lost, repeated or refused.
    pub fn is_clean(&self) -> bool {
        self.account.is_clean() && self.sent_away == 0 && self.errors == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clients, dialect, rate, back_s, each, cpu_us, hub_us, deliveries, sent_away, errors, .. } = self;
        let rounds = back_s.count();
        writeln!(f, "{rounds} storms of {clients} clients ({dialect}), {rate} orders a second; medians (least–most)")?;
        writeln!(f, "  from the drop until all are back  {back_s:.3} s")?;
        writeln!(f, "  from the drop until one is back   {each}")?;
        writeln!(f, "  CPU of the server                 {cpu_us:.1} µs per client, of it the hub {hub_us:.1}")?;
        writeln!(f, "  in it, events delivered           {deliveries:.1} per client")?;
        if !self.floor_us.is_empty() {
            let Self { floor_us, ratio, floor_back_s, .. } = self;
            writeln!(
                f,
                "  the floor, which only lets in     {floor_us:.1} µs per client, all after {floor_back_s:.3} s"
            )?;
            writeln!(f, "  ratio of CPU to the floor         {ratio:.2}")?;
        }
        writeln!(f, "  refused or sent away {sent_away}, errors {errors}")?;
        write!(f, "  {}", self.account)
    }
}
