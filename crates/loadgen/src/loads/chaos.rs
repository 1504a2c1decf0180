//! Subscribers that stop reading, break off, half close and come back, while orders stream: at the end each must
//! have had every offset exactly once, in order.

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::client::crowd::{Crowd, Joining, Seen};
use crate::client::dialect::{Dialect, Place as Position};
use crate::client::fleet::Leave;
use crate::client::sequence::Account;
use crate::closed_loop::{Shared, drive};
use crate::dice::Dice;
use crate::failure::LoadError;
use crate::http::Http;
use crate::json::Stats;
use crate::target::{Needs, Place, SocketStats, Target};

/// Connections that send orders.
const SENDERS: usize = 32;
/// Longest wait for something to happen.
const POLL: Duration = Duration::from_millis(2);
/// Time between two acts of a subscriber, in milliseconds.
const ACT_MS: (u64, u64) = (20, 800);
/// How long one stays away, in milliseconds.
const PAUSE_MS: (u64, u64) = (1, 800);
/// How long one does not read, in milliseconds: now and then longer than all buffers last.
const DEAF_MS: (u64, u64) = (1, 2_500);
/// Small queues, so that a subscriber that stops reading is soon parked on the log.
const SETTINGS: &str = "[websocket]\noutbox_bytes = 65536\n";
/// Receive buffer of two subscribers in three: they are felt soon when they stop reading.
const SMALL_RECEIVE_BYTES: usize = 8 * 1024;
/// How often is looked whether the workers have finished, and how long they may do nothing.
const LOOK: Duration = Duration::from_millis(20);
const IDLE: Duration = Duration::from_secs(2);
/// How long nothing may come at the end.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often progress is printed.
const NOTE_EVERY: Duration = Duration::from_secs(5);

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Chaos {
    /// The server.
    pub place: Place,
    /// Orders.
    pub orders: u64,
    /// Subscribers.
    pub subscribers: usize,
    /// What they speak.
    pub dialect: Dialect,
    /// Worker slots of a private server: with workers an order has three events and not one.
    pub workers: u32,
    /// Where chance begins.
    pub seed: u64,
}

/// What a run gave.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Orders that were accepted.
    pub orders: u64,
    /// Where the log ended, counted from where it was in the beginning.
    pub events: u64,
    subscribers: usize,
    elapsed: Duration,
    /// Times that somebody stopped reading.
    pub stops: u64,
    /// Times that somebody broke off by RST.
    pub resets: u64,
    /// Times that somebody left by FIN or with a close frame.
    pub departures: u64,
    /// Times that somebody said that it will send no more.
    pub half_closes: u64,
    /// Connections that the server ended by itself.
    pub sent_away: u64,
    /// What the hub counts.
    pub stats: SocketStats,
    /// What they saw.
    pub account: Account,
}

/// What a subscriber is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    /// Reads.
    Listening,
    /// Does not read.
    Deaf,
    /// Has said that it sends no more, and reads to the end.
    HalfClosed,
    /// Has no connection.
    Away,
}

struct Subscriber {
    mood: Mood,
    /// When it does something else.
    until: Instant,
    dice: Dice,
}

impl Subscriber {
    fn wait(&mut self, now: Instant, (least, most): (u64, u64)) {
        self.until = now + Duration::from_millis(self.dice.within(least, most));
    }
}

impl Chaos {
    /// Streams, and lets the subscribers behave as badly as they can.
    ///
    /// # Errors
    /// When the server does not start or end well, or refuses an order or a subscription.
    pub fn run(&self, note: &mut dyn FnMut(&str)) -> Result<Report, LoadError> {
        let needs = Needs { connections: 4 * self.subscribers, workers: self.workers, settings: SETTINGS };
        let target = Target::open(&self.place, needs)?;
        let begin = target.orders_end()?;
        let first = begin.offset;
        let position = Position { epoch: begin.epoch, offset: begin.offset };
        let shared = Shared::default();
        let mut play = Play::new(self, &target, &position)?;
        let started = Instant::now();
        std::thread::scope(|scope| {
            let numbers = first..first + self.orders;
            let driving = scope.spawn(|| drive(target.address, SENDERS, numbers, &shared));
            let mut told = Instant::now();
            let mut played = Ok(());
            while !driving.is_finished() && played.is_ok() {
                played = play.turn();
                if told.elapsed() > NOTE_EVERY {
                    told = Instant::now();
                    let (orders, events) = (shared.accepted.load(Relaxed), play.crowd.account.events);
                    note(&format!("{orders} orders of {}, {events} events received", self.orders));
                }
            }
            shared.stop.store(true, Relaxed);
            let driven = driving.join().map_err(|_| LoadError::new("the senders panicked"))?;
            played.and(driven)
        })?;
        let mut http = target.http()?;
        play.until_settled(&mut http)?;
        let end = target.orders_end()?.offset;
        play.finish(end, note)?;
        let mut report = play.report;
        report.orders = shared.accepted.load(Relaxed);
        report.events = end - first;
        report.elapsed = started.elapsed();
        report.stats = target.socket_stats()?;
        report.account = std::mem::take(&mut play.crowd.account);
        let expected = report.events * self.subscribers as u64;
        if report.account.events != expected {
            let events = report.account.events;
            report.account.violation(format!("{expected} events were to be received, and {events} were"));
        }
        drop(play.crowd);
        target.close()?;
        Ok(report)
    }
}

/// The subscribers at play.
struct Play {
    crowd: Crowd,
    subscribers: Vec<Subscriber>,
    report: Report,
}

impl Play {
    fn new(load: &Chaos, target: &Target, position: &Position) -> Result<Self, LoadError> {
        let Chaos { dialect, subscribers: count, seed, .. } = *load;
        let joining = Joining { dialect, channel: "orders", count, is_compressed: false };
        let mut crowd = Crowd::new(target.address, joining)?;
        crowd.place_all(position);
        let now = Instant::now();
        let subscriber = |stream| Subscriber { mood: Mood::Away, until: now, dice: Dice::new(seed, stream) };
        let subscribers = (0..count as u64).map(subscriber).collect();
        Ok(Self { crowd, subscribers, report: Report { subscribers: count, ..Report::default() } })
    }

    /// Each member whose time has come does something; then all listen for a moment.
    fn turn(&mut self) -> Result<(), LoadError> {
        let now = Instant::now();
        for index in 0..self.subscribers.len() {
            if self.subscribers[index].until <= now {
                self.act(index, now)?;
            }
        }
        self.listen()
    }

    fn act(&mut self, index: usize, now: Instant) -> Result<(), LoadError> {
        let Self { crowd, subscribers, report } = self;
        let one = &mut subscribers[index];
        match one.mood {
            Mood::Away => {
                crowd.come(index, (!index.is_multiple_of(3)).then_some(SMALL_RECEIVE_BYTES))?;
                one.mood = Mood::Listening;
                one.wait(now, ACT_MS);
            }
            Mood::Deaf => {
                crowd.set_deaf(index, false)?;
                one.mood = Mood::Listening;
                one.wait(now, ACT_MS);
            }
            Mood::HalfClosed => {
                // The server has not ended it in all that time.
                crowd.leave(index, Leave::Finish);
                one.mood = Mood::Away;
                one.wait(now, PAUSE_MS);
            }
            Mood::Listening => {
                one.mood = match one.dice.within(0, 9) {
                    0..=3 => {
                        report.stops += 1;
                        crowd.set_deaf(index, true)?;
                        Mood::Deaf
                    }
                    4..=6 => {
                        report.resets += 1;
                        crowd.leave(index, Leave::Reset);
                        Mood::Away
                    }
                    7 => {
                        report.half_closes += 1;
                        // A connection that broke meanwhile is told in the next turn.
                        let _ = crowd.half_close(index);
                        Mood::HalfClosed
                    }
                    goodbye => {
                        report.departures += 1;
                        crowd.leave(index, if goodbye == 8 { Leave::Goodbye } else { Leave::Finish });
                        Mood::Away
                    }
                };
                one.wait(now, if one.mood == Mood::Deaf { DEAF_MS } else { PAUSE_MS });
            }
        }
        Ok(())
    }

    fn listen(&mut self) -> Result<(), LoadError> {
        let Self { crowd, subscribers, report } = self;
        let now = Instant::now();
        let mut told = Vec::new();
        crowd.turn(POLL, &mut |index, seen| {
            let Seen::Gone(how) = seen else { return };
            let one = &mut subscribers[index];
            // One that had more to say when it said that it would say no more cannot say it.
            if one.mood != Mood::HalfClosed {
                report.sent_away += 1;
                told.push(format!("subscriber {index} was sent away while {:?}: {how:?}", one.mood));
            }
            one.mood = Mood::Away;
            one.wait(now, PAUSE_MS);
        })?;
        told.into_iter().for_each(|what| crowd.account.violation(what));
        Ok(())
    }

    /// Goes on until the workers have finished, or do nothing.
    fn until_settled(&mut self, http: &mut Http) -> Result<(), LoadError> {
        let (mut looked, mut active_at) = (Instant::now(), Instant::now());
        let mut last = Stats::default();
        loop {
            self.turn()?;
            // Each look costs the server a request.
            if looked.elapsed() < LOOK {
                continue;
            }
            looked = Instant::now();
            let stats: Stats = http.get("/stats")?;
            if stats.success_count != last.success_count || stats.active_workers > 0 {
                active_at = looked;
            }
            last = stats;
            // Without workers the queue stays as it is.
            let is_done = last.queue_length == 0 && last.active_workers == 0;
            if is_done || active_at.elapsed() > IDLE {
                return Ok(());
            }
        }
    }

    /// Everybody comes back and reads to the end of the log.
    fn finish(&mut self, end: u64, note: &mut dyn FnMut(&str)) -> Result<(), LoadError> {
        note("all orders are in; everybody reads to the end");
        let mut silent_since = Instant::now();
        let mut events = 0;
        loop {
            let now = Instant::now();
            let mut behind = 0;
            for index in 0..self.subscribers.len() {
                let is_behind = self.crowd.last(index) < end;
                behind += usize::from(is_behind);
                let is_due = self.subscribers[index].mood != Mood::Listening && self.subscribers[index].until <= now;
                if is_behind && is_due {
                    self.act(index, now)?;
                }
            }
            if behind == 0 {
                return Ok(());
            }
            self.listen()?;
            if self.crowd.account.events > events {
                (events, silent_since) = (self.crowd.account.events, now);
            }
            if silent_since.elapsed() > PATIENCE {
                return Err(LoadError::new(format!("{behind} subscribers hear nothing and have not got to {end}")));
            }
        }
    }
}

impl Report {
    /// Whether everybody had everything once and in order, and nobody was sent away.
    pub fn is_clean(&self) -> bool {
        self.account.is_clean() && self.stats.dropped == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { orders, events, subscribers, elapsed, stops, resets, departures, half_closes, .. } = self;
        let SocketStats { parked_total, dropped, errors, repairs, .. } = self.stats;
        let seconds = elapsed.as_secs_f64();
        writeln!(f, "{orders} orders, {events} events to {subscribers} restless subscribers in {seconds:.1} s")?;
        writeln!(f, "  stopped reading {stops} times, reset {resets}, left {departures}, half closed {half_closes}")?;
        writeln!(f, "  sent away by the server {}", self.sent_away)?;
        writeln!(f, "  parked {parked_total} times, dropped {dropped}, errors {errors}, repairs {repairs}")?;
        write!(f, "  {}", self.account)
    }
}
