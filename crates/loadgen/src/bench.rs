//! What an order, a delivery and a connection cost the server, as ratios to floors of the same run.
//!
//! Of orders, three things are measured: the intake alone, with the workers paused, against a program that only
//! appends and syncs ([`intake`], [`floor`]); the whole way of an order to its completion ([`flow`]); and how long an
//! order takes to its answer and to a subscriber, at a fixed rate ([`latency`]). Then come short forms of what many
//! clients do ([`crowds`]), against a program that only writes. Rounds of all cells are interleaved, and medians are
//! told: what else the machine does in a few seconds does not decide a figure.

pub mod crowds;
pub mod floor;
pub mod flow;
pub mod intake;
pub mod latency;
pub mod peers;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::failure::LoadError;
use crate::target::Place;

/// A file system in memory, where a sync costs no disk.
const RAM_DISK: &str = "/dev/shm";
/// What that place is called in reports.
pub const RAM_DISK_NAME: &str = "RAM disk";

/// How long and how often is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Not measured, at the beginning of each.
    pub warm_up: Duration,
    /// One measurement.
    pub window: Duration,
    /// Interleaved rounds of the intake; odd.
    pub rounds: usize,
    /// Rounds of the whole way; odd.
    pub flow_rounds: usize,
    /// Duration of the open loop.
    pub open_loop: Duration,
    /// Whether every connection count is measured, and crowds are large.
    pub is_full: bool,
}

impl Effort {
    /// What is published: about seven minutes.
    pub const FULL: Self = Self {
        warm_up: Duration::from_millis(500),
        window: Duration::from_secs(3),
        rounds: 5,
        flow_rounds: 3,
        open_loop: Duration::from_secs(10),
        is_full: true,
    };
    /// Whether everything works: a few seconds, and figures that mean nothing.
    pub const QUICK: Self = Self {
        warm_up: Duration::from_millis(50),
        window: Duration::from_millis(200),
        rounds: 1,
        flow_rounds: 1,
        open_loop: Duration::from_millis(500),
        is_full: false,
    };
}

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Bench {
    /// The server's binary.
    pub binary: PathBuf,
    /// Where the data directories on a disk are made.
    pub scratch: PathBuf,
    /// The program that has the floors of crowds as a subcommand; without it there are no ratios to them.
    pub floor: Option<PathBuf>,
    /// How long and how often.
    pub effort: Effort,
}

impl Bench {
    /// Measures everything and prints it line by line.
    ///
    /// # Errors
    /// When the server cannot be started, fails, or refuses an order.
    pub fn run(&self, print: &mut dyn FnMut(&str)) -> Result<(), LoadError> {
        let places = places(self.scratch.clone());
        let connections: &[usize] = if self.effort.is_full { &[64, 16] } else { &[16] };
        intake::run(&self.binary, &places, connections, self.effort, print)?;
        flow::run(&self.binary, &places, self.effort, print)?;
        latency::run(&self.binary, &places, self.effort, print)?;
        let place = Place::Private { binary: self.binary.clone(), scratch: self.scratch.clone() };
        crowds::run(&place, self.floor.as_deref(), self.effort, print)
    }
}

/// Where to measure: in `scratch`, which is called a disk, and in memory if the machine has a file system there.
pub fn places(scratch: PathBuf) -> Vec<intake::Place> {
    let ram = Path::new(RAM_DISK).is_dir().then(|| (RAM_DISK_NAME, PathBuf::from(RAM_DISK)));
    [("disk", scratch)].into_iter().chain(ram).collect()
}
