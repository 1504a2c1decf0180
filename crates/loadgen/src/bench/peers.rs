//! The same orders through Ordercast and through queues that others use, in interleaved rounds.
//!
//! Each peer runs as its makers say for data that must not be lost: Redis syncs its append-only file before it answers
//! (`appendfsync always`), PostgreSQL its write-ahead log (its default). Its client is its own, one process of Node, and
//! counts as load; what is compared is what the machine as a whole gets done, and the CPU of all server processes. A
//! peer that is not installed is left out.

mod own;
mod postgres;
mod program;
mod reading;
mod redis;
mod report;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::failure::LoadError;

use super::intake::Place;
use own::{Own, Shape};
use postgres::Postgres;
use program::{Load, Program};
use reading::{Phase, Reading};
use redis::Redis;
use report::Report;

/// Worker slots of Ordercast, and concurrency of BullMQ's worker.
const WORKERS: u32 = 256;
/// Connections that add jobs to graphile-worker: its default. More were slower.
const GRAPHILE_POOL: u64 = 10;
/// Jobs at a time of graphile-worker: what its documentation measures with. 64 and 256 were slower.
const GRAPHILE_CONCURRENCY: u64 = 24;
/// Jobs that its worker fetches at once. Its documentation measures with 500; that drained more slowly.
const GRAPHILE_LOCAL_QUEUE: u64 = 5_000;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Peers {
    /// Ordercast.
    pub binary: PathBuf,
    /// The folder with the peers' programs, their packages installed.
    pub programs: PathBuf,
    /// Where the data directories are made, each with its name.
    pub places: Vec<Place>,
    /// Numbers of producers that wait for their answers.
    pub producers: Vec<usize>,
    /// How long they produce in each part of a round.
    pub window: Duration,
    /// Interleaved rounds; odd.
    pub rounds: usize,
}

/// Who takes part.
#[derive(Clone, Copy, Debug)]
enum Entrant {
    Ordercast(Shape),
    BullMq,
    Graphile,
}

impl Entrant {
    const ALL: [Self; 4] =
        [Self::Ordercast(Shape::Connections), Self::Ordercast(Shape::OneSocket), Self::BullMq, Self::Graphile];

    fn name(self) -> &'static str {
        match self {
            Self::Ordercast(Shape::Connections) => "Ordercast, an HTTP connection each",
            Self::Ordercast(Shape::OneSocket) => "Ordercast, one WebSocket",
            Self::BullMq => "BullMQ",
            Self::Graphile => "graphile-worker",
        }
    }

    /// Why it cannot take part, and how that is mended.
    fn is_missing(self, programs: &Path) -> Option<String> {
        match self {
            Self::Ordercast(_) => None,
            Self::BullMq => program::is_missing(programs, "bullmq").or_else(redis::is_missing),
            Self::Graphile => program::is_missing(programs, "graphile-worker").or_else(postgres::is_missing),
        }
    }
}

impl Peers {
    /// Measures all that are installed; `note` gets lines on the progress, and on peers that are left out.
    ///
    /// # Errors
    /// When a server that is installed cannot be started, or fails.
    pub fn run(&self, note: &mut dyn FnMut(&str)) -> Result<Report, LoadError> {
        let mut report = Report::new(self.rounds);
        let mut entrants = Vec::new();
        for entrant in Entrant::ALL {
            match entrant.is_missing(&self.programs) {
                None => entrants.push(entrant),
                Some(why) => report.left_out.push(format!("{} is left out: {why}", entrant.name())),
            }
        }
        report.left_out.iter().for_each(|line| note(line));
        for round in 1..=self.rounds {
            for place in &self.places {
                for &producers in &self.producers {
                    note(&format!("round {round} of {}, {}, {producers} producers", self.rounds, place.0));
                    let readings: Result<Vec<_>, _> =
                        entrants.iter().map(|entrant| self.measure(*entrant, &place.1, producers)).collect();
                    report.add(place.0, producers, &readings?.concat());
                }
            }
        }
        Ok(report)
    }

    fn measure(&self, entrant: Entrant, place: &Path, producers: usize) -> Result<Vec<Reading>, LoadError> {
        let dir = tempfile::Builder::new().prefix("ordercast-peers-").tempdir_in(place)?;
        let load = Load { name: entrant.name(), producers, window: self.window };
        match entrant {
            Entrant::Ordercast(shape) => {
                Own { binary: &self.binary, dir: dir.path(), shape, workers: WORKERS }.measure(&load)
            }
            Entrant::BullMq => {
                let redis = Redis::start(dir.path())?;
                let script = self.programs.join("bullmq.mjs");
                Program::start(&script, redis.port, &load, &[u64::from(WORKERS)])?.measure(
                    &load,
                    redis.process(),
                    &[Phase::Accepted, Phase::Drained, Phase::Through],
                )
            }
            Entrant::Graphile => {
                let postgres = Postgres::start(dir.path())?;
                let script = self.programs.join("graphile.mjs");
                let settings = [GRAPHILE_POOL, GRAPHILE_CONCURRENCY, GRAPHILE_LOCAL_QUEUE];
                let phases = [Phase::Single, Phase::Accepted, Phase::Drained, Phase::Through];
                Program::start(&script, postgres.port, &load, &settings)?.measure(&load, postgres.process(), &phases)
            }
        }
    }
}
