//! What a run of fan-out gave.

use std::fmt;

use crate::client::sequence::Account;
use crate::measure::histogram::Histogram;
use crate::measure::series::Series;

use super::{Fanout, Pair};

/// Latencies of those who read, while some do not, and while all do.
#[derive(Clone, Debug)]
pub struct Stuck {
    /// While some do not read.
    pub with: Histogram,
    /// While all do.
    pub without: Histogram,
}

/// All pairs with one number of messages under way.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    /// Messages under way at a time.
    pub pending: u32,
    server_us: Series,
    hub_us: Series,
    floor_us: Series,
    ratio: Series,
    hub_ratio: Series,
    rate: Series,
    floor_rate: Series,
    /// Deliveries of all windows of the server.
    pub deliveries: u64,
    writes: u64,
    reads: u64,
    latency: Histogram,
    floor_latency: Histogram,
}

impl Cell {
    /// Takes a pair.
    pub fn add(&mut self, pair: &Pair) {
        let Pair { server, writes, floor } = pair;
        self.deliveries += server.deliveries;
        self.writes += writes;
        self.reads += server.reads;
        self.latency.join(&server.latency);
        self.rate.add(server.rate());
        server.cpu_us().into_iter().for_each(|us| self.server_us.add(us));
        server.hub_us().into_iter().for_each(|us| self.hub_us.add(us));
        let Some(floor) = floor else { return };
        self.floor_latency.join(&floor.latency);
        self.floor_rate.add(floor.rate());
        let Some(floor_us) = floor.cpu_us() else { return };
        self.floor_us.add(floor_us);
        // Within a pair both had the same neighbours.
        server.cpu_us().into_iter().for_each(|us| self.ratio.add(us / floor_us));
        server.hub_us().into_iter().for_each(|us| self.hub_ratio.add(us / floor_us));
    }
}

/// Everything that was measured and seen.
#[derive(Clone, Debug, Default)]
pub struct Report {
    title: String,
    /// By messages under way.
    pub cells: Vec<Cell>,
    /// With and without those who stop reading.
    pub stuck: Vec<Stuck>,
    /// What the subscribers saw.
    pub account: Account,
    /// Whether the floor lost or repeated nothing.
    pub floor_is_clean: bool,
    /// Bytes of a frame on the wire.
    pub frame_bytes: u32,
    /// Events that the server dropped for good.
    pub dropped: u64,
    /// What the hub counts as errors.
    pub errors: u64,
    /// Times that somebody was parked on the log.
    pub parked_total: u64,
    /// Most that were parked at a time, where some stop reading.
    pub parked_most: u64,
    /// Announcements that the hub missed and read from the log.
    pub repairs: u64,
}

impl Report {
    /// Nothing yet, of a load with this number of messages under way.
    pub fn new(load: &Fanout, pending: &[u32]) -> Self {
        let Fanout { subscribers, dialect, feed, is_compressed, .. } = load;
        let compressed = if *is_compressed { ", compressed" } else { "" };
        let what = match feed {
            super::Feed::Messages => "messages of an application channel",
            super::Feed::Orders => "order events",
        };
        let cells = pending.iter().map(|&pending| Cell { pending, ..Cell::default() }).collect();
        let title = format!("one publisher, {subscribers} subscribers ({dialect}{compressed}), {what}");
        Self { title, cells, floor_is_clean: true, ..Self::default() }
    }

    /// Whether nothing was lost, repeated or out of order.
    pub fn is_clean(&self) -> bool {
        self.account.is_clean() && self.floor_is_clean && self.dropped == 0 && self.errors == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, frames of {} bytes; medians (least–most)", self.title, self.frame_bytes)?;
        self.cells.iter().filter(|cell| cell.deliveries > 0).try_for_each(|cell| write!(f, "{cell}"))?;
        if !self.stuck.is_empty() {
            write_stuck(&self.stuck, f)?;
            writeln!(f, "    parked at a time      {}", self.parked_most)?;
        }
        let Self { dropped, errors, parked_total, repairs, .. } = self;
        writeln!(f, "  dropped {dropped}, errors {errors}, times parked {parked_total}, repairs {repairs}")?;
        write!(f, "  {}", self.account)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pending, server_us, hub_us, floor_us, ratio, hub_ratio, rate, floor_rate, .. } = self;
        let share = |part: u64| part as f64 / self.deliveries.max(1) as f64;
        writeln!(f, "  {pending} pending")?;
        writeln!(f, "    server                {server_us:.3} CPU µs per delivery, {rate:.0} deliveries/s")?;
        writeln!(f, "    of it the hub         {hub_us:.3} CPU µs per delivery")?;
        let (writes, reads) = (share(self.writes), share(self.reads));
        writeln!(f, "    writes, reads         {writes:.3}, {reads:.3} per delivery")?;
        writeln!(f, "    publish → receipt     {}", self.latency)?;
        if !floor_us.is_empty() {
            writeln!(f, "    floor                 {floor_us:.3} CPU µs per delivery, {floor_rate:.0} deliveries/s")?;
            writeln!(f, "    floor → receipt       {}", self.floor_latency)?;
            writeln!(f, "    ratio to the floor    {ratio:.2}; the hub alone {hub_ratio:.2}")?;
        }
        Ok(())
    }
}

fn write_stuck(pairs: &[Stuck], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (mut with, mut without, mut ratio) = (Series::default(), Series::default(), Series::default());
    for pair in pairs {
        let [stuck, free] = [&pair.with, &pair.without].map(|latency| latency.quantile(0.99).as_secs_f64() * 1e3);
        with.add(stuck);
        without.add(free);
        ratio.add(stuck / free);
    }
    writeln!(f, "  at a fixed pace, p99 from the moment due to the receipt of those who read, {} pairs", pairs.len())?;
    writeln!(f, "    some do not read      {with:.2} ms")?;
    writeln!(f, "    all read              {without:.2} ms")?;
    writeln!(f, "    ratio                 {ratio:.2}")
}
