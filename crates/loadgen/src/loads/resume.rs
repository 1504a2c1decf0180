//! Many clients resume at once, or one from far back, while orders go on.

use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::client::crowd::{Crowd, Joining, Seen};
use crate::client::dialect::{Dialect, Place as Position};
use crate::client::fleet::Leave;
use crate::client::sequence::Account;
use crate::closed_loop::{Shared, drive};
use crate::failure::LoadError;
use crate::measure::histogram::Histogram;
use crate::measure::process::Process;
use crate::measure::series::Series;
use crate::open_loop::{self, Answered, Schedule};
use crate::target::{Needs, Place, Target};

/// Connections that fill the log.
const FILLERS: usize = 64;
/// Upgrades under way at a time.
const AT_ONCE: usize = 64;
/// Connections that send orders by the clock.
const SENDERS: u64 = 8;
/// How long everybody may take to come, and to resume.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often is looked at the server's memory.
const LOOK: Duration = Duration::from_millis(5);
/// Longest wait for something to happen.
const POLL: Duration = Duration::from_millis(10);

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Resume {
    /// The server.
    pub place: Place,
    /// Clients that resume.
    pub clients: usize,
    /// Events that each of them missed.
    pub missed: u64,
    /// What they speak.
    pub dialect: Dialect,
    /// Times that they do it.
    pub rounds: usize,
    /// Orders per second, all the time.
    pub rate: u64,
    /// How long orders are timed before anybody resumes.
    pub before: Duration,
}

/// What a run gave.
#[derive(Clone, Debug)]
pub struct Report {
    clients: usize,
    missed: u64,
    dialect: Dialect,
    /// Seconds from the first request to the last client that has everything.
    pub elapsed_s: Series,
    /// Missed events received per second, over all clients.
    pub rate: Series,
    /// CPU of the server per missed event, in microseconds; what it did for new orders is in it.
    pub cpu_us: Series,
    /// Growth of the server's resident memory per client, at its peak.
    pub growth: Series,
    /// From due to answered, while nobody resumed.
    pub before: Histogram,
    /// The same while clients resumed.
    pub during: Histogram,
    /// What they saw.
    pub account: Account,
}

/// Answers to orders, told apart by what else was going on.
#[derive(Debug, Default)]
struct Answers {
    is_resuming: AtomicBool,
    before: Mutex<Histogram>,
    during: Mutex<Histogram>,
}

impl Answers {
    fn take(&self, answered: Answered) {
        let histogram = if self.is_resuming.load(Relaxed) { &self.during } else { &self.before };
        let mut histogram = histogram.lock().unwrap_or_else(PoisonError::into_inner);
        histogram.add(answered.at.saturating_duration_since(answered.due));
    }
}

impl Resume {
    /// Fills the log, and lets the clients resume.
    ///
    /// # Errors
    /// When the server does not start or end well, refuses somebody, or does not deliver in time.
    pub fn run(&self, note: &mut dyn FnMut(&str)) -> Result<Report, LoadError> {
        let target = Target::open(&self.place, Needs { connections: self.clients, ..Needs::default() })?;
        let filled = target.orders_end()?.offset;
        note(&format!("the log is filled with {} events", self.missed));
        drive(target.address, FILLERS, filled..filled + self.missed, &Shared::default())?;
        let first = target.orders_end()?.offset;
        let schedule = Schedule { rate: self.rate, most: u64::MAX, connections: SENDERS, first };
        let (answers, stop) = (Answers::default(), AtomicBool::new(false));
        let mut report = self.report();
        let started = Instant::now();
        std::thread::scope(|scope| {
            let sending = scope.spawn(|| {
                open_loop::send(target.address, schedule, started, &stop, &|answered| answers.take(answered))
            });
            let resumed = self.rounds(&target, &answers, &mut report, note);
            stop.store(true, Relaxed);
            let sent = sending.join().map_err(|_| LoadError::new("the senders panicked"))?;
            resumed.and(sent.map(drop))
        })?;
        let Answers { before, during, .. } = answers;
        report.before = before.into_inner().unwrap_or_else(PoisonError::into_inner);
        report.during = during.into_inner().unwrap_or_else(PoisonError::into_inner);
        target.close()?;
        Ok(report)
    }

    fn report(&self) -> Report {
        Report {
            clients: self.clients,
            missed: self.missed,
            dialect: self.dialect,
            elapsed_s: Series::default(),
            rate: Series::default(),
            cpu_us: Series::default(),
            growth: Series::default(),
            before: Histogram::default(),
            during: Histogram::default(),
            account: Account::default(),
        }
    }

    fn rounds(
        &self,
        target: &Target,
        answers: &Answers,
        report: &mut Report,
        note: &mut dyn FnMut(&str),
    ) -> Result<(), LoadError> {
        let Self { dialect, clients: count, .. } = *self;
        let joining = Joining { dialect, channel: "orders", count, is_compressed: false };
        let mut crowd = Crowd::new(target.address, joining)?;
        let others = target.socket_stats()?.active;
        note(&format!("{count} clients come"));
        for round in 0..self.rounds {
            crowd.gather_silently(AT_ONCE, PATIENCE)?;
            if round == 0 {
                std::thread::sleep(self.before);
            }
            self.round(target, &mut crowd, answers, report)?;
            note(&format!("round {} of {}: {:.0} events/s", round + 1, self.rounds, report.rate.median()));
            (0..count).for_each(|index| crowd.leave(index, Leave::Finish));
            target.wait_until_left(others, PATIENCE)?;
        }
        report.account = std::mem::take(&mut crowd.account);
        Ok(())
    }

    /// Everybody asks at once from the same place, and reads until the log's end of that moment.
    fn round(
        &self,
        target: &Target,
        crowd: &mut Crowd,
        answers: &Answers,
        report: &mut Report,
    ) -> Result<(), LoadError> {
        let end = target.orders_end()?;
        let goal = end.offset;
        crowd.place_all(&Position { epoch: end.epoch, offset: goal.saturating_sub(self.missed) });
        let mark = target.process.map(Process::cpu_mark).transpose()?;
        let empty = target.process.map(Process::resident).transpose()?;
        let (peak, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
        answers.is_resuming.store(true, Relaxed);
        let started = Instant::now();
        let process = target.process;
        let elapsed = std::thread::scope(|scope| {
            scope.spawn(|| watch_memory(process, &peak, &is_over));
            let resumed = resume_all(crowd, goal);
            is_over.store(true, Relaxed);
            resumed.map(|()| started.elapsed())
        })?;
        answers.is_resuming.store(false, Relaxed);
        let missed = (self.clients as u64 * self.missed).max(1) as f64;
        report.elapsed_s.add(elapsed.as_secs_f64());
        report.rate.add(missed / elapsed.as_secs_f64());
        if let Some((process, mark)) = target.process.zip(mark) {
            report.cpu_us.add(process.cpu_since(&mark)?.total_s * 1e6 / missed);
        }
        if let Some(empty) = empty {
            let growth = peak.load(Relaxed).saturating_sub(empty);
            report.growth.add(growth as f64 / self.clients as f64);
        }
        Ok(())
    }
}

fn watch_memory(process: Option<Process>, peak: &AtomicU64, is_over: &AtomicBool) {
    // Without a process to look at, or when it is gone, there is nothing to watch.
    while let Some(Ok(resident)) = process.map(Process::resident).filter(|_| !is_over.load(Relaxed)) {
        peak.fetch_max(resident, Relaxed);
        std::thread::sleep(LOOK);
    }
}

fn resume_all(crowd: &mut Crowd, goal: u64) -> Result<(), LoadError> {
    let started = Instant::now();
    let mut left = crowd.count();
    let mut is_there = vec![false; left];
    for index in 0..crowd.count() {
        crowd.ask(index)?;
    }
    while left > 0 {
        let mut gone = None;
        crowd.turn(POLL, &mut |index, seen| match seen {
            Seen::Event(offset) if offset >= goal => {
                left -= usize::from(!std::mem::replace(&mut is_there[index], true))
            }
            Seen::Gone(how) => gone = Some((index, how)),
            _ => {}
        })?;
        if let Some((index, how)) = gone {
            return Err(LoadError::new(format!("client {index} was sent away: {how:?}")));
        }
        if started.elapsed() > PATIENCE {
            return Err(LoadError::new(format!("{left} clients have not resumed after {PATIENCE:?}")));
        }
    }
    Ok(())
}

impl Report {
    /// Whether everybody got everything once and in order.
    pub fn is_clean(&self) -> bool {
        self.account.is_clean()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clients, missed, dialect, elapsed_s, rate, cpu_us, growth, before, during, account } = self;
        writeln!(f, "{clients} clients ({dialect}) resume, each {missed} events back; medians (least–most)")?;
        writeln!(f, "  until the last has everything   {elapsed_s:.3} s")?;
        writeln!(f, "  missed events received          {rate:.0} a second, over all")?;
        writeln!(f, "  CPU of the server               {cpu_us:.2} µs per missed event, new orders included")?;
        writeln!(f, "  growth of its memory, at most   {growth:.0} bytes per client (RSS by /proc/PID/statm)")?;
        writeln!(f, "  orders due → answered before    {before}")?;
        writeln!(f, "  orders due → answered meanwhile {during}")?;
        write!(f, "  {account}")
    }
}
