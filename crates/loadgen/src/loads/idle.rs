//! What a connection costs that does nothing: memory of the server, by the kernel's account.

use std::fmt;
use std::time::{Duration, Instant};

use crate::client::crowd::{Crowd, Joining};
use crate::client::dialect::Dialect;
use crate::client::fleet::Leave;
use crate::client::sequence::Account;
use crate::closed_loop::{Shared, drive};
use crate::failure::LoadError;
use crate::measure::process::{Memory, Process};
use crate::target::{Needs, Place, Target};

/// Upgrades under way at a time.
const AT_ONCE: usize = 64;
/// How long everybody may take to come, or to be gone.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often is looked at it.
const LOOK: Duration = Duration::from_millis(50);
/// Orders before the empty server is measured, so that it has done what a server does once.
const WARM_UP_ORDERS: u64 = 200;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Idle {
    /// The server; its process must be known.
    pub place: Place,
    /// Connections, each with one subscription.
    pub connections: usize,
    /// What they speak.
    pub dialect: Dialect,
    /// How long they are watched doing nothing.
    pub watch: Duration,
    /// Memory has settled when it was the same for so long, and counts as settled after four times that.
    pub quiet: Duration,
}

/// What a run gave. Memory is that of the server's process.
#[derive(Clone, Debug)]
pub struct Report {
    /// Connections.
    pub connections: usize,
    dialect: Dialect,
    /// Before any of them.
    pub empty: Memory,
    /// With all of them, before any event.
    pub opened: Memory,
    /// After one event to each.
    pub told: Memory,
    /// After all have left.
    pub closed: Memory,
    /// CPU seconds that the idle connections took.
    pub watched_cpu_s: f64,
    watch: Duration,
    /// What they saw.
    pub account: Account,
}

impl Idle {
    /// Opens the connections, measures, tells each one event, measures again, and closes them.
    ///
    /// # Errors
    /// When the server does not start or end well, its process is not known, or somebody is refused.
    pub fn run(&self, note: &mut dyn FnMut(&str)) -> Result<Report, LoadError> {
        let target = Target::open(&self.place, Needs { connections: self.connections, ..Needs::default() })?;
        let process = target.process.ok_or_else(|| LoadError::new("memory needs the server's process: --pid"))?;
        let others = target.socket_stats()?.active;
        let first = target.orders_end()?.offset;
        drive(target.address, 4, first..first + WARM_UP_ORDERS, &Shared::default())?;
        let Self { dialect, connections: count, .. } = *self;
        let joining = Joining { dialect, channel: "orders", count, is_compressed: false };
        let mut crowd = Crowd::new(target.address, joining)?;
        let empty = self.settled(process, &mut crowd)?;
        note(&format!("{count} connections come"));
        crowd.gather(AT_ONCE, PATIENCE)?;
        let opened = self.settled(process, &mut crowd)?;
        note("all are there, and nothing happens");
        let mark = process.cpu_mark()?;
        let started = Instant::now();
        while started.elapsed() < self.watch {
            crowd.turn(LOOK, &mut |_, _| {})?;
        }
        let watched_cpu_s = process.cpu_since(&mark)?.total_s;
        let next = target.orders_end()?.offset;
        drive(target.address, 1, next..next + 1, &Shared::default())?;
        crowd.wait_for(next + 1, PATIENCE)?;
        let told = self.settled(process, &mut crowd)?;
        (0..count).for_each(|index| crowd.leave(index, Leave::Finish));
        target.wait_until_left(others, PATIENCE)?;
        let closed = self.settled(process, &mut crowd)?;
        if crowd.account.events != count as u64 {
            let events = crowd.account.events;
            crowd.account.violation(format!("one event was sent to {count}, and {events} were received"));
        }
        target.close()?;
        let (watch, account) = (self.watch, crowd.account);
        Ok(Report { connections: count, dialect, empty, opened, told, closed, watched_cpu_s, watch, account })
    }

    /// Memory once it does not change any more; pings are answered meanwhile.
    fn settled(&self, process: Process, crowd: &mut Crowd) -> Result<Memory, LoadError> {
        let started = Instant::now();
        let (mut last, mut since) = (process.resident()?, Instant::now());
        while since.elapsed() < self.quiet && started.elapsed() < 4 * self.quiet {
            crowd.turn(LOOK, &mut |_, _| {})?;
            std::thread::sleep(LOOK);
            let now = process.resident()?;
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
        process.memory()
    }
}

impl Report {
    /// Whether nothing was lost.
    pub fn is_clean(&self) -> bool {
        self.account.is_clean()
    }

    /// Bytes per connection of one kind of memory, over the empty server.
    fn each(&self, with: u64, without: u64) -> f64 {
        (with as f64 - without as f64) / self.connections.max(1) as f64
    }

    /// Resident bytes per idle connection.
    pub fn bytes_each(&self) -> f64 {
        self.each(self.opened.resident, self.empty.resident)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connections, dialect, empty, watch, watched_cpu_s, .. } = self;
        writeln!(f, "{connections} idle connections ({dialect}), one subscription each")?;
        writeln!(f, "  memory of the server by /proc/PID/smaps_rollup, over the empty one, per connection")?;
        for (when, memory) in [
            ("nothing sent yet", &self.opened),
            ("after an event to each", &self.told),
            ("after all have left", &self.closed),
        ] {
            let resident = self.each(memory.resident, empty.resident);
            let private = self.each(memory.private, empty.private);
            let anonymous = self.each(memory.anonymous, empty.anonymous);
            writeln!(f, "    {when:<23} {resident:.0} bytes resident; private {private:.0}, anonymous {anonymous:.0}")?;
        }
        writeln!(f, "  the empty server: {:.1} MB resident", empty.resident as f64 / 1e6)?;
        let percent = 100.0 * watched_cpu_s / watch.as_secs_f64().max(f64::EPSILON);
        writeln!(f, "  CPU of the server while nothing happened: {percent:.1} % of a core")?;
        write!(f, "  {}", self.account)
    }
}
