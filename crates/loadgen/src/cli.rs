//! What the command line says.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};
use ordercast_loadgen::bench::peers::Peers;
use ordercast_loadgen::bench::{RAM_DISK_NAME, places};
use ordercast_loadgen::client::dialect::Dialect;
use ordercast_loadgen::failure::LoadError;
use ordercast_loadgen::loads::chaos::Chaos;
use ordercast_loadgen::loads::fanout::{self, Fanout, Feed};
use ordercast_loadgen::loads::hoard::Hoard;
use ordercast_loadgen::loads::idle::Idle;
use ordercast_loadgen::loads::paced_orders::PacedOrders;
use ordercast_loadgen::loads::resume::Resume;
use ordercast_loadgen::loads::storm::Storm;
use ordercast_loadgen::measure::process::Process;
use ordercast_loadgen::server::find_binary;
use ordercast_loadgen::target::{Place, parse_url};
use ordercast_loadgen::workers::Workers;
use ordercast_loadgen::workers::process::Process as WorkerProcess;

/// Most connections that may be asked for.
const MOST_CONNECTIONS: u64 = 1_000_000;

/// Memory has settled when it was the same for so long.
const SETTLED_AFTER: Duration = Duration::from_millis(1_500);

/// Load for Ordercast, on this machine only.
///
/// Each load starts a server of its own in a temporary folder and stops it, unless --url names one that runs. The
/// binary is the one that ORDERCAST_BIN names, or `ordercast` beside this program. Figures go to standard output,
/// progress to standard error. Exit code 0: all is well; 1: something was lost, repeated or refused; 2: the load
/// could not be carried out.
#[derive(Debug, Parser)]
#[command(name = "ordercast-loadgen", version)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Memory of the server per connection that does nothing
    Idle(IdleArgs),
    /// CPU of the server per delivery to many subscribers, beside a program that only writes
    Fanout(FanoutArgs),
    /// Many clients resume at once, or one from far back, while orders go on
    Resume(ResumeArgs),
    /// All clients drop and come back at once, again and again
    Storm(StormArgs),
    /// Subscribers that stop reading, break off and come back; each must get every event exactly once
    Chaos(ChaosArgs),
    /// Clients that do everything except read: memory of the server against the sum of its bounds, and what a fresh
    /// client finds meanwhile
    Hoard(HoardArgs),
    /// Orders at a fixed rate, timed from when each was due
    Orders(OrdersArgs),
    /// Kill the server at random moments under load, and look for anything lost
    Torture(TortureArgs),
    /// Kill and freeze worker processes, and the server, and look for work done twice or too late
    Workers(WorkersArgs),
    /// A worker process of `workers`
    #[command(hide = true)]
    Worker(WorkerArgs),
    /// Measure what an order, a delivery and a connection cost, as ratios to floors of the same run
    Bench(BenchArgs),
    /// The same orders through Ordercast, BullMQ and graphile-worker, in interleaved rounds
    ///
    /// A round is, for each place and number of producers, and for each of them one after the other: producers add
    /// orders and wait for durable answers; workers drain what waits; then both at once. Ordercast is measured in two
    /// shapes: a connection of HTTP for each producer, and one WebSocket for all, as a client of BullMQ uses one
    /// connection. Redis (appendfsync always) and PostgreSQL (its defaults) are started privately and stopped, PostgreSQL
    /// as an unprivileged user when this is run as root. Needs node with the packages of --programs, redis-server and
    /// PostgreSQL; whoever lacks something is left out, and that is said. Half a minute for each round, place and number of
    /// producers: with the defaults 7 minutes in all.
    Peers(PeersArgs),
    /// The floor of `fanout` and `storm`: write to sockets what is asked for, or let everybody in
    #[command(hide = true)]
    Floor(FloorArgs),
}

/// Which server.
#[derive(Debug, Args)]
pub(crate) struct PlaceArgs {
    /// A server that runs, on loopback; it must have room for the load [default: start a private one]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Its process, to tell its CPU and memory
    #[arg(long, value_name = "PID", requires = "url")]
    pid: Option<u32>,
    /// Where the private server's folder is made [default: the system's folder for temporary files]
    #[arg(long, value_name = "DIR", conflicts_with = "url")]
    scratch: Option<PathBuf>,
}

impl PlaceArgs {
    fn place(self) -> Result<Place, LoadError> {
        match self.url {
            Some(url) => Ok(Place::Running { address: parse_url(&url)?, process: self.pid.map(|pid| Process { pid }) }),
            None => {
                let scratch = self.scratch.unwrap_or_else(std::env::temp_dir);
                Ok(Place::Private { binary: find_binary()?, scratch })
            }
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct IdleArgs {
    /// Connections, each with one subscription
    #[arg(long, value_name = "N", default_value_t = 9_000, value_parser = value_parser!(u64).range(1..MOST_CONNECTIONS))]
    connections: u64,
    /// What they speak
    #[arg(long, value_enum, default_value_t = Dialect::Plain)]
    protocol: Dialect,
    /// Seconds that they are watched doing nothing
    #[arg(long, value_name = "S", default_value_t = 3, value_parser = value_parser!(u64).range(0..=3_600))]
    watch: u64,
    #[command(flatten)]
    place: PlaceArgs,
}

impl IdleArgs {
    pub(crate) fn load(self) -> Result<Idle, LoadError> {
        Ok(Idle {
            place: self.place.place()?,
            connections: self.connections as usize,
            dialect: self.protocol,
            watch: Duration::from_secs(self.watch),
            quiet: SETTLED_AFTER,
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct HoardArgs {
    /// Clients
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = value_parser!(u64).range(1..MOST_CONNECTIONS))]
    clients: u64,
    /// Duration in seconds
    #[arg(long, value_name = "S", default_value_t = 300, value_parser = value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    #[command(flatten)]
    place: PlaceArgs,
}

impl HoardArgs {
    pub(crate) fn load(self) -> Result<Hoard, LoadError> {
        Ok(Hoard {
            place: self.place.place()?,
            clients: self.clients as usize,
            duration: Duration::from_secs(self.seconds),
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct FanoutArgs {
    /// Subscribers of the one channel
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = value_parser!(u64).range(1..MOST_CONNECTIONS))]
    subscribers: u64,
    /// Bytes of each frame on the wire, header included; with --deflate of the message before compression, about.
    /// Those of orders are as long as they are
    #[arg(long, value_name = "BYTES", default_value_t = 200, value_parser = value_parser!(u32).range(100..=60_000))]
    bytes: u32,
    /// Messages under way at a time; the next are published when everybody has the last
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,64", value_parser = value_parser!(u32).range(1..=1_024))]
    pending: Vec<u32>,
    /// What the subscribers speak
    #[arg(long, value_enum, default_value_t = Dialect::Plain)]
    protocol: Dialect,
    /// What is published
    #[arg(long, value_enum, default_value_t = Feed::Messages)]
    feed: Feed,
    /// Compress the messages
    #[arg(long)]
    deflate: bool,
    /// Percent of the subscribers that stop reading; the others' latency with and without them is compared
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = value_parser!(u32).range(0..=50))]
    stuck: u32,
    /// Pairs of a window of the server and one of the floor
    #[arg(long, value_name = "N", default_value_t = 31, value_parser = value_parser!(u64).range(0..=10_000))]
    pairs: u64,
    /// Pairs with and without stuck subscribers
    #[arg(long, value_name = "N", default_value_t = 11, value_parser = value_parser!(u64).range(1..=10_000))]
    stuck_pairs: u64,
    /// Milliseconds of one window
    #[arg(long, value_name = "MS", default_value_t = 250, value_parser = value_parser!(u64).range(1..=600_000))]
    window: u64,
    /// Messages per second where subscribers are stuck
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = value_parser!(u64).range(1..=100_000))]
    rate: u64,
    /// Measure the server alone
    #[arg(long)]
    no_floor: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

impl FanoutArgs {
    pub(crate) fn load(self) -> Result<(Fanout, fanout::Effort), LoadError> {
        let floor = if self.no_floor { None } else { Some(std::env::current_exe()?) };
        let load = Fanout {
            place: self.place.place()?,
            floor,
            subscribers: self.subscribers as usize,
            frame_bytes: self.bytes,
            dialect: self.protocol,
            feed: self.feed,
            is_compressed: self.deflate,
            stuck_percent: self.stuck,
        };
        let effort = fanout::Effort {
            pending: self.pending,
            pairs: self.pairs as usize,
            window: Duration::from_millis(self.window),
            stuck_pairs: self.stuck_pairs as usize,
            rate: self.rate,
        };
        Ok((load, effort))
    }
}

#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// Clients that resume at once
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = value_parser!(u64).range(1..MOST_CONNECTIONS))]
    clients: u64,
    /// Events that each of them missed
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u64).range(1..=10_000_000))]
    missed: u64,
    /// What they speak
    #[arg(long, value_enum, default_value_t = Dialect::Plain)]
    protocol: Dialect,
    /// Times that they do it
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u64).range(1..=1_000))]
    rounds: u64,
    /// Orders per second, all the time; each is an event to every client that has resumed [default: 200, and for many
    /// clients so few that they are told 100,000 events a second]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..=100_000))]
    rate: Option<u64>,
    /// Seconds for which orders are timed before anybody resumes
    #[arg(long, value_name = "S", default_value_t = 5, value_parser = value_parser!(u64).range(0..=3_600))]
    before: u64,
    #[command(flatten)]
    place: PlaceArgs,
}

impl ResumeArgs {
    pub(crate) fn load(self) -> Result<Resume, LoadError> {
        Ok(Resume {
            place: self.place.place()?,
            clients: self.clients as usize,
            missed: self.missed,
            dialect: self.protocol,
            rounds: self.rounds as usize,
            rate: self.rate.unwrap_or_else(|| (100_000 / self.clients).clamp(1, 200)),
            before: Duration::from_secs(self.before),
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct StormArgs {
    /// Clients
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = value_parser!(u64).range(1..MOST_CONNECTIONS))]
    clients: u64,
    /// Storms
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u64).range(1..=1_000_000))]
    rounds: u64,
    /// What the clients speak
    #[arg(long, value_enum, default_value_t = Dialect::Plain)]
    protocol: Dialect,
    /// Orders per second, all the time; each is an event to every client
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = value_parser!(u64).range(1..=100_000))]
    rate: u64,
    /// Where chance begins
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Measure the server alone
    #[arg(long)]
    no_floor: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

impl StormArgs {
    pub(crate) fn load(self) -> Result<Storm, LoadError> {
        Ok(Storm {
            place: self.place.place()?,
            floor: if self.no_floor { None } else { Some(std::env::current_exe()?) },
            clients: self.clients as usize,
            rounds: self.rounds as usize,
            dialect: self.protocol,
            rate: self.rate,
            seed: self.seed,
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct ChaosArgs {
    /// Orders
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = value_parser!(u64).range(1..=100_000_000))]
    orders: u64,
    /// Subscribers
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = value_parser!(u64).range(1..MOST_CONNECTIONS))]
    subscribers: u64,
    /// What they speak
    #[arg(long, value_enum, default_value_t = Dialect::Plain)]
    protocol: Dialect,
    /// Worker slots of the private server; with 0 an order has one event and not three
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = value_parser!(u32).range(0..=10_000))]
    workers: u32,
    /// Where chance begins
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    place: PlaceArgs,
}

impl ChaosArgs {
    pub(crate) fn load(self) -> Result<Chaos, LoadError> {
        Ok(Chaos {
            place: self.place.place()?,
            orders: self.orders,
            subscribers: self.subscribers as usize,
            dialect: self.protocol,
            workers: self.workers,
            seed: self.seed,
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct OrdersArgs {
    /// Orders per second
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = value_parser!(u64).range(1..=1_000_000))]
    rate: u64,
    /// Duration in seconds
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Worker slots of the private server
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = value_parser!(u32).range(0..=10_000))]
    workers: u32,
    #[command(flatten)]
    place: PlaceArgs,
}

impl OrdersArgs {
    pub(crate) fn load(self) -> Result<PacedOrders, LoadError> {
        Ok(PacedOrders {
            place: self.place.place()?,
            rate: self.rate,
            duration: Duration::from_secs(self.seconds),
            workers: self.workers,
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct FloorArgs {
    /// Sockets to write to
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) sockets: usize,
    /// Let everybody in, and write nothing more
    #[arg(long)]
    pub(crate) door: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Only see whether everything works; the figures mean nothing
    #[arg(long)]
    pub(crate) quick: bool,
    /// A folder on the disk to measure [default: the system's folder for temporary files]
    #[arg(long, value_name = "DIR")]
    pub(crate) scratch: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct TortureArgs {
    /// Kills
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(crate) count: u64,
    /// Where chance begins
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Worker slots of the server
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) workers: u32,
    /// Where the data directories are made [default: the system's folder for temporary files]
    #[arg(long, value_name = "DIR")]
    pub(crate) scratch: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct WorkersArgs {
    /// Faults
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u64).range(1..=100_000))]
    rounds: u64,
    /// Worker processes
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = value_parser!(u64).range(2..=100))]
    workers: u64,
    /// Where chance begins
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Where the data directory is made [default: the system's folder for temporary files]
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
}

impl WorkersArgs {
    pub(crate) fn load(self) -> Result<Workers, LoadError> {
        Ok(Workers {
            binary: find_binary()?,
            program: std::env::current_exe()?,
            rounds: self.rounds,
            workers: self.workers as usize,
            seed: self.seed,
            scratch: self.scratch.unwrap_or_else(std::env::temp_dir),
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    /// The name it claims under
    #[arg(long)]
    name: String,
    /// Where the server's address stands
    #[arg(long, value_name = "FILE")]
    address_file: PathBuf,
    /// Where chance begins
    #[arg(long, value_name = "N")]
    seed: u64,
}

impl WorkerArgs {
    pub(crate) fn process(self) -> WorkerProcess {
        WorkerProcess { name: self.name, address_file: self.address_file, seed: self.seed }
    }
}

#[derive(Debug, Args)]
pub(crate) struct PeersArgs {
    /// The folder with the peers' programs, after `npm ci` there
    #[arg(long, value_name = "DIR", default_value = "bench/peers")]
    programs: PathBuf,
    /// Producers that wait for their answers
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "64,256", value_parser = value_parser!(u64).range(1..=10_000))]
    producers: Vec<u64>,
    /// Seconds that they produce, twice a round
    #[arg(long, value_name = "S", default_value_t = 2, value_parser = value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Interleaved rounds
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u64).range(1..=1_000))]
    rounds: u64,
    /// Measure only there
    #[arg(long, value_enum)]
    only: Option<Medium>,
    /// A folder on the disk to measure [default: the system's folder for temporary files]
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
}

/// Where data lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Medium {
    /// On the disk
    Disk,
    /// In memory
    Ram,
}

impl PeersArgs {
    pub(crate) fn load(self) -> Result<Peers, LoadError> {
        let mut places = places(self.scratch.unwrap_or_else(std::env::temp_dir));
        let is_wanted = |name: &str| self.only.is_none_or(|only| (only == Medium::Ram) == (name == RAM_DISK_NAME));
        places.retain(|(name, _)| is_wanted(name));
        if places.is_empty() {
            return Err(LoadError::new("this machine has no disk in memory"));
        }
        Ok(Peers {
            binary: find_binary()?,
            programs: self.programs,
            places,
            producers: self.producers.into_iter().map(|count| count as usize).collect(),
            window: Duration::from_secs(self.seconds),
            rounds: self.rounds as usize,
        })
    }
}
