//! Pings and pongs.

use std::time::{Duration, Instant};

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    Nothing,
    /// Send a ping.
    Ping,
    /// The client has not answered in time.
    Late,
}

/// When pings are sent, and until when they must have been answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rhythm {
    next_ping: Option<Instant>,
    pong_by: Option<Instant>,
}

impl Rhythm {
    /// The first ping comes after half an interval to a whole one, `chance` deciding where between, so that the
    /// pings of clients who came together are spread.
    pub(super) fn start(now: Instant, interval: Duration, chance: u64) -> Self {
        let half = interval / 2;
        let spread = half.mul_f64((chance % 1024) as f64 / 1024.0);
        Self { next_ping: Some(now + half + spread), pong_by: None }
    }

    /// Called when the time of [`Rhythm::next`] has come, or at any other.
    pub(super) fn beat(&mut self, now: Instant, interval: Duration, patience: Duration) -> Beat {
        if self.pong_by.is_some_and(|by| by <= now) {
            return Beat::Late;
        }
        if self.next_ping.is_none_or(|next| next > now) {
            return Beat::Nothing;
        }
        self.next_ping = Some(now + interval);
        self.pong_by.get_or_insert(now + patience);
        Beat::Ping
    }

    /// Takes a pong; false when none was asked for.
    pub(super) fn pong(&mut self) -> bool {
        self.pong_by.take().is_some()
    }

    /// When something is to be done.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next_ping.into_iter().chain(self.pong_by).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pings_are_sent_and_awaited() {
        let (interval, patience) = (Duration::from_secs(20), Duration::from_secs(8));
        let now = Instant::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        let mut rhythm = Rhythm::start(now, interval, 1024);
        assert_eq!(rhythm.next(), Some(after(10)));
        assert!(!rhythm.pong(), "none was asked for");
        for (at, beat, next) in
            [(9, Beat::Nothing, 10), (10, Beat::Ping, 18), (17, Beat::Nothing, 18), (18, Beat::Late, 18)]
        {
            assert_eq!((rhythm.beat(after(at), interval, patience), rhythm.next()), (beat, Some(after(next))), "{at}");
        }
        assert!(rhythm.pong());
        assert_eq!((rhythm.next(), rhythm.beat(after(30), interval, patience)), (Some(after(30)), Beat::Ping));
        assert_eq!(Rhythm::default().beat(after(99), interval, patience), Beat::Nothing);
    }

    #[test]
    fn first_pings_are_spread() {
        let now = Instant::now();
        for chance in [0, 1, 511, 1023, u64::MAX] {
            let first = Rhythm::start(now, Duration::from_secs(20), chance).next().unwrap();
            assert!((Duration::from_secs(10)..=Duration::from_secs(20)).contains(&(first - now)), "{chance}");
        }
    }
}
