//! What is measured of each who takes part.

use std::time::Duration;

use crate::bench::floor::Figure;

/// A part of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Accepted durably, by the plain way to add where there is a faster one.
    Single,
    /// Accepted durably.
    Accepted,
    /// Worked off, with nothing new coming in.
    Drained,
    /// Accepted and worked off at the same time, from the first to the last.
    Through,
}

impl Phase {
    /// What a peer's program calls it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Accepted => "accepted",
            Self::Drained => "drained",
            Self::Through => "through",
        }
    }
}

/// A figure of a round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// The measured program.
    pub(super) name: &'static str,
    /// What was measured.
    pub(super) phase: Phase,
    /// Orders per second, and CPU of all server processes per order.
    pub(super) figure: Figure,
}

impl Reading {
    /// The figures of a number of orders, the time and the CPU time that they took.
    pub(super) fn new(name: &'static str, phase: Phase, orders: u64, wall: Duration, cpu_s: f64) -> Self {
        let orders = orders.max(1) as f64;
        Self { name, phase, figure: Figure { cpu_us: cpu_s * 1e6 / orders, rate: orders / wall.as_secs_f64() } }
    }
}
