//! Short forms of what many clients do: deliveries, idle connections, resumption, storms.

use std::path::Path;
use std::time::Duration;

use crate::client::dialect::Dialect;
use crate::client::sequence::Account;
use crate::failure::LoadError;
use crate::loads::fanout::{Fanout, Feed, Report, Rig};
use crate::loads::idle::Idle;
use crate::loads::resume::Resume;
use crate::loads::storm::Storm;
use crate::measure::series::Series;
use crate::target::Place;

use super::Effort;

/// Messages under way at a time.
const PENDING: [u32; 2] = [1, 64];
/// Bytes of a frame.
const FRAME_BYTES: u32 = 200;
/// Pairs of windows in each round, and one window.
const PAIRS: usize = 5;
const WINDOW: Duration = Duration::from_millis(300);

/// How many come.
struct Size {
    subscribers: usize,
    idle: usize,
    /// Clients that resume, and events that each missed.
    resume: [(usize, u64); 2],
    storm: usize,
    storms: usize,
    window: Duration,
    quiet: Duration,
}

const FULL: Size = Size {
    subscribers: 1_000,
    idle: 4_000,
    resume: [(2_000, 100), (1, 100_000)],
    storm: 2_000,
    storms: 5,
    window: WINDOW,
    quiet: Duration::from_millis(1_500),
};
const QUICK: Size = Size {
    subscribers: 50,
    idle: 50,
    resume: [(20, 100), (1, 1_000)],
    storm: 50,
    storms: 2,
    window: Duration::from_millis(20),
    quiet: Duration::from_millis(100),
};

#[derive(Default)]
struct Resumed {
    rate: Series,
    cpu_us: Series,
    growth: Series,
}

#[derive(Default)]
struct Figures {
    idle_bytes: Series,
    resumed: [Resumed; 2],
    back_s: Series,
    worst_back_s: Series,
    storm_cpu_us: Series,
    storm_ratio: Series,
}

/// Measures everything, in interleaved rounds.
///
/// # Errors
/// When the server or the floor fails, or anything was lost, repeated or refused.
pub fn run(place: &Place, floor: Option<&Path>, effort: Effort, print: &mut dyn FnMut(&str)) -> Result<(), LoadError> {
    let size = if effort.is_full { FULL } else { QUICK };
    let dialect = Dialect::Plain;
    let load = Fanout {
        place: place.clone(),
        floor: floor.map(Path::to_path_buf),
        subscribers: size.subscribers,
        frame_bytes: FRAME_BYTES,
        dialect,
        feed: Feed::Messages,
        is_compressed: false,
        stuck_percent: 0,
    };
    let mut rig = Rig::open(&load)?;
    let mut report = Report::new(&load, &PENDING);
    let mut figures = Figures::default();
    // The first windows of a new process are slower, and do not count.
    PENDING.iter().try_for_each(|&pending| rig.pair(pending, size.window, false).map(drop))?;
    for _ in 0..effort.rounds {
        for pair in 0..PAIRS {
            for (cell, &pending) in report.cells.iter_mut().zip(&PENDING) {
                cell.add(&rig.pair(pending, size.window, pair % 2 == 1)?);
            }
        }
        figures.measure(place, floor, dialect, &size)?;
    }
    rig.close(&mut report)?;
    print(&report.to_string());
    figures.print(&size, print);
    if report.is_clean() { Ok(()) } else { Err(LoadError::new("deliveries were lost, repeated or dropped")) }
}

impl Figures {
    fn measure(&mut self, place: &Place, floor: Option<&Path>, dialect: Dialect, size: &Size) -> Result<(), LoadError> {
        let idle =
            Idle { place: place.clone(), connections: size.idle, dialect, watch: Duration::ZERO, quiet: size.quiet };
        let idle = idle.run(&mut |_| {})?;
        clean("idle connections", &idle.account)?;
        self.idle_bytes.add(idle.bytes_each());
        for ((clients, missed), figures) in size.resume.into_iter().zip(&mut self.resumed) {
            let before = Duration::from_millis(200);
            let resume = Resume { place: place.clone(), clients, missed, dialect, rounds: 3, rate: 100, before };
            let resume = resume.run(&mut |_| {})?;
            clean("resumption", &resume.account)?;
            figures.rate.add(resume.rate.median());
            figures.cpu_us.add(resume.cpu_us.median());
            figures.growth.add(resume.growth.median());
        }
        let (clients, rounds) = (size.storm, size.storms);
        let floor = floor.map(Path::to_path_buf);
        let storm = Storm { place: place.clone(), floor, clients, rounds, dialect, rate: 5, seed: 1 };
        let storm = storm.run(&mut |_| {})?;
        clean("storms", &storm.account)?;
        self.back_s.add(storm.back_s.median());
        self.worst_back_s.add(storm.back_s.most());
        self.storm_cpu_us.add(storm.cpu_us.median());
        self.storm_ratio.add(storm.ratio.median());
        Ok(())
    }

    fn print(&self, size: &Size, print: &mut dyn FnMut(&str)) {
        let Self { idle_bytes, resumed, back_s, worst_back_s, storm_cpu_us, storm_ratio } = self;
        print(&format!("{} idle connections: {idle_bytes:.0} bytes resident each", size.idle));
        for ((clients, missed), Resumed { rate, cpu_us, growth }) in size.resume.into_iter().zip(resumed) {
            print(&format!("{clients} clients resume, {missed} events back each"));
            print(&format!("  {rate:.0} events/s, {cpu_us:.2} CPU µs per event, {growth:.0} bytes more per client"));
        }
        print(&format!("storms of {} clients", size.storm));
        print(&format!("  all back after {back_s:.3} s, the slowest storm {worst_back_s:.3} s"));
        print(&format!("  {storm_cpu_us:.1} CPU µs per client"));
        if storm_ratio.median().is_finite() {
            print(&format!("  {storm_ratio:.2} × a program that only lets in"));
        }
    }
}

fn clean(what: &str, account: &Account) -> Result<(), LoadError> {
    if account.is_clean() { Ok(()) } else { Err(LoadError::new(format!("{what}: {account}"))) }
}
