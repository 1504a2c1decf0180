//! One publisher, many subscribers: what a delivery costs the server, beside a program that only writes.
//!
//! Every subscriber checks that each offset comes once and in order. Rounds are closed: the next messages are
//! published when everybody has the last ones. Windows of the server and of the floor alternate, and a ratio is that
//! of two neighbours.

pub mod pace;
pub mod publisher;
mod report;
pub mod window;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::client::crowd::{Crowd, Joining};
use crate::client::dialect::Dialect;
use crate::failure::LoadError;
use crate::floor;
use crate::loads::floor_process::FloorProcess;
use crate::target::{Needs, Place, SocketStats, Target};

use pace::Pace;
use publisher::{Floor, Messages, Orders, Publish};
pub use report::{Report, Stuck};
use window::Figure;

/// The application channel that is published to.
const CHANNEL: &str = "bench:fanout";
/// Its namespace: everything is kept that a stuck subscriber may miss.
const SETTINGS: &str = "[websocket]\ncompression = true\n\
                        [channels.namespaces.bench]\nhistory_size = 100000\nhistory_ttl_s = 3600\n\
                        force_recovery = true\n";
/// Upgrades under way at a time.
const AT_ONCE: usize = 64;
/// How long everybody may take to subscribe, and to have what was missed.
const PATIENCE: Duration = Duration::from_secs(120);
/// Receive buffer of those that stop reading: as small as the kernel makes it.
const STUCK_RECEIVE_BYTES: usize = 4 * 1024;
/// Messages published at once until the server feels who does not read.
const STUFFING: u32 = 64;
/// Most of those; the server's buffers are full long before.
const MOST_STUFFING: u32 = 600;
/// Windows of each that do not count.
const WARM_UPS: usize = 2;
/// What is around a message in its frame, about.
const ENVELOPE_BYTES: u32 = 80;

/// What is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Feed {
    /// Messages to an application channel, in memory, with history
    Messages,
    /// Orders: each is durable before its event is sent
    Orders,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Fanout {
    /// The server.
    pub place: Place,
    /// The program that has the floor as its subcommand; `None` to measure the server alone.
    pub floor: Option<PathBuf>,
    /// Subscribers of the one channel.
    pub subscribers: usize,
    /// Bytes of each frame on the wire; those of orders are as long as they are.
    pub frame_bytes: u32,
    /// What the subscribers speak.
    pub dialect: Dialect,
    /// What is published.
    pub feed: Feed,
    /// Whether messages are compressed.
    pub is_compressed: bool,
    /// Percent of the subscribers that stop reading, in the measurement with and without them.
    pub stuck_percent: u32,
}

/// The server with its subscribers, and the floor with its own.
#[derive(Debug)]
pub struct Rig {
    target: Target,
    crowd: Crowd,
    publisher: Box<dyn Publish + 'static>,
    floor: Option<(FloorProcess, Crowd, Floor)>,
    /// Bytes of a frame, as they came.
    pub frame_bytes: u32,
    stuck: usize,
    parked_most: u64,
}

impl std::fmt::Debug for dyn Publish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a publisher")
    }
}

/// Two neighbours: a window of the server, and one of the floor.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Of the server.
    pub server: Figure,
    /// Writes of the server.
    pub writes: u64,
    /// Of the floor.
    pub floor: Option<Figure>,
}

impl Rig {
    /// Starts everything and lets everybody subscribe.
    ///
    /// # Errors
    /// When the server or the floor does not start, or somebody is refused.
    pub fn open(load: &Fanout) -> Result<Self, LoadError> {
        let settings = match load.feed {
            Feed::Messages => SETTINGS,
            Feed::Orders => "",
        };
        // The floor's subscribers are open beside the server's.
        let connections = load.subscribers * (1 + usize::from(load.floor.is_some()));
        let target = Target::open(&load.place, Needs { connections, workers: 0, settings })?;
        let (channel, publisher): (_, Box<dyn Publish>) = match load.feed {
            Feed::Orders => ("orders", Box::new(Orders::connect(target.address)?)),
            Feed::Messages => {
                let pad = load.frame_bytes.saturating_sub(ENVELOPE_BYTES) as usize;
                (CHANNEL, Box::new(Messages::connect(target.address, CHANNEL, pad)?))
            }
        };
        let Fanout { dialect, subscribers: count, is_compressed, .. } = *load;
        let mut crowd = Crowd::new(target.address, Joining { dialect, channel, count, is_compressed })?;
        let stuck = (count * load.stuck_percent as usize).div_ceil(100).min(count.saturating_sub(1));
        (0..stuck).try_for_each(|index| crowd.come(index, Some(STUCK_RECEIVE_BYTES)))?;
        crowd.gather(AT_ONCE, PATIENCE)?;
        let mut rig = Self { target, crowd, publisher, floor: None, frame_bytes: 0, stuck, parked_most: 0 };
        rig.frame_bytes = rig.probe()?;
        if !is_compressed {
            rig.publisher.lengthen(i64::from(load.frame_bytes) - i64::from(rig.frame_bytes));
            rig.frame_bytes = rig.probe()?;
        }
        if let Some(program) = &load.floor {
            let process = FloorProcess::writer(program, count)?;
            let joining = Joining { dialect: Dialect::Plain, channel: floor::CHANNEL, count, is_compressed: false };
            let mut crowd = Crowd::new(process.address, joining)?;
            crowd.gather(AT_ONCE, PATIENCE)?;
            let publisher = Floor::connect(process.address, payload_of(rig.frame_bytes))?;
            rig.floor = Some((process, crowd, publisher));
        }
        Ok(rig)
    }

    /// Publishes one message and looks how long its frames are.
    fn probe(&mut self) -> Result<u32, LoadError> {
        let before = self.crowd.traffic();
        window::measure(&mut self.crowd, &mut *self.publisher, None, 1, Duration::ZERO)?;
        let after = self.crowd.traffic();
        let frames = (after.frames - before.frames).max(1);
        Ok(u32::try_from((after.bytes - before.bytes) / frames).unwrap_or(u32::MAX))
    }

    /// A window of the server and one of the floor, the floor first if `floor_first`.
    ///
    /// # Errors
    /// When somebody is sent away, or does not get a message in time.
    pub fn pair(&mut self, pending: u32, window: Duration, floor_first: bool) -> Result<Pair, LoadError> {
        let early = if floor_first { self.floor_window(pending, window)? } else { None };
        let before = self.target.socket_stats()?;
        let process = self.target.process;
        let server = window::measure(&mut self.crowd, &mut *self.publisher, process, pending, window)?;
        let writes = self.target.socket_stats()?.writes.saturating_sub(before.writes);
        let floor = if floor_first { early } else { self.floor_window(pending, window)? };
        Ok(Pair { server, writes, floor })
    }

    fn floor_window(&mut self, pending: u32, window: Duration) -> Result<Option<Figure>, LoadError> {
        let Some((process, crowd, publisher)) = &mut self.floor else { return Ok(None) };
        window::measure(crowd, publisher, Some(process.process()), pending, window).map(Some)
    }

    /// Latencies in a second at a fixed pace while some do not read, and while all do; of those who always read.
    ///
    /// # Errors
    /// When somebody is sent away, or does not get a message in time.
    pub fn stuck_pair(&mut self, rate: u64, stuck_first: bool) -> Result<Stuck, LoadError> {
        let pace = Pace { rate, messages: rate, counted_from: self.stuck };
        let mut with = None;
        let mut without = None;
        for is_stuck in [stuck_first, !stuck_first] {
            if is_stuck {
                self.plug()?;
                with = Some(pace::measure(&mut self.crowd, &mut *self.publisher, pace)?);
                self.unplug()?;
            } else {
                without = Some(pace::measure(&mut self.crowd, &mut *self.publisher, pace)?);
                // Those who are not counted may have the last ones yet to come.
                self.catch_up()?;
            }
        }
        let (with, without) = with.zip(without).ok_or_else(|| LoadError::new("half of a pair"))?;
        Ok(Stuck { with, without })
    }

    /// Some stop reading, and messages are published until the server feels it.
    fn plug(&mut self) -> Result<(), LoadError> {
        (0..self.stuck).try_for_each(|index| self.crowd.set_deaf(index, true))?;
        for _ in 0..MOST_STUFFING {
            self.publisher.publish(STUFFING)?;
            self.publisher.confirm()?;
            let last = self.crowd.last(self.stuck) + u64::from(STUFFING);
            self.wait_for_readers(last)?;
            let parked = self.target.socket_stats()?.parked;
            self.parked_most = self.parked_most.max(parked);
            if parked >= self.stuck as u64 {
                return Ok(());
            }
        }
        Err(LoadError::new("the server takes no notice of subscribers that do not read"))
    }

    fn unplug(&mut self) -> Result<(), LoadError> {
        (0..self.stuck).try_for_each(|index| self.crowd.set_deaf(index, false))?;
        self.catch_up()
    }

    fn catch_up(&mut self) -> Result<(), LoadError> {
        let last = self.crowd.last(self.stuck);
        self.crowd.wait_for(last, PATIENCE)
    }

    fn wait_for_readers(&mut self, offset: u64) -> Result<(), LoadError> {
        let started = Instant::now();
        while (self.stuck..self.crowd.count()).any(|index| self.crowd.last(index) < offset) {
            self.crowd.turn(Duration::from_millis(10), &mut |_, _| {})?;
            if started.elapsed() > PATIENCE {
                return Err(LoadError::new("subscribers who read do not get what is published"));
            }
        }
        Ok(())
    }

    /// Ends everything; what was seen in all.
    ///
    /// # Errors
    /// When the server does not end well.
    pub fn close(mut self, report: &mut Report) -> Result<(), LoadError> {
        let stats = self.target.socket_stats()?;
        report.account = std::mem::take(&mut self.crowd.account);
        if let Some((_, crowd, _)) = &self.floor {
            report.floor_is_clean = crowd.account.is_clean();
        }
        report.frame_bytes = self.frame_bytes;
        report.parked_most = self.parked_most;
        let SocketStats { dropped, errors, parked_total, repairs, .. } = stats;
        (report.dropped, report.errors, report.parked_total, report.repairs) = (dropped, errors, parked_total, repairs);
        // A server that stops sends close frames to all connections, and would wait for the answers.
        drop((self.crowd, self.publisher));
        self.target.close()
    }
}

/// Bytes that a frame carries: its header has two bytes, and two more above 125 (RFC 6455 §5.2).
fn payload_of(frame_bytes: u32) -> u32 {
    frame_bytes.saturating_sub(if frame_bytes > 127 { 4 } else { 2 })
}

/// How long and how often is measured.
#[derive(Clone, Debug)]
pub struct Effort {
    /// Messages under way at a time: each number is measured.
    pub pending: Vec<u32>,
    /// Pairs of windows of each.
    pub pairs: usize,
    /// One window.
    pub window: Duration,
    /// Pairs with and without those that stop reading.
    pub stuck_pairs: usize,
    /// Messages per second in those.
    pub rate: u64,
}

impl Fanout {
    /// Measures everything, told pair by pair to `note`.
    ///
    /// # Errors
    /// When the server does not start or end well, or somebody is refused or sent away.
    pub fn run(&self, effort: &Effort, note: &mut dyn FnMut(&str)) -> Result<Report, LoadError> {
        note(&format!("{} subscribers come", self.subscribers));
        let mut rig = Rig::open(self)?;
        let mut report = Report::new(self, &effort.pending);
        for _ in 0..WARM_UPS.min(effort.pairs) {
            // Both warm up in windows that do not count.
            effort.pending.iter().try_for_each(|&pending| rig.pair(pending, effort.window / 4, false).map(drop))?;
        }
        for pair in 0..effort.pairs {
            for (at, &pending) in effort.pending.iter().enumerate() {
                report.cells[at].add(&rig.pair(pending, effort.window, pair % 2 == 1)?);
            }
            note(&format!("pair {} of {}", pair + 1, effort.pairs));
        }
        for pair in 0..if self.stuck_percent > 0 { effort.stuck_pairs } else { 0 } {
            report.stuck.push(rig.stuck_pair(effort.rate, pair % 2 == 1)?);
            note(&format!("pair {} of {} with and without stuck subscribers", pair + 1, effort.stuck_pairs));
        }
        rig.close(&mut report)?;
        Ok(report)
    }
}
