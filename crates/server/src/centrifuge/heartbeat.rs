//! Pings and pongs.

use std::time::{Duration, Instant};

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// Send a ping.
    Ping,
    /// The client has not answered in time.
    Late,
}

/// When pings are sent, and until when they must have been answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Heartbeat {
    next_ping: Option<Instant>,
    pong_by: Option<Instant>,
}

impl Heartbeat {
    /// The first ping comes after half an interval to a whole one, `chance` deciding where between, so that the
    /// pings of clients who came together are spread.
    pub(super) fn start(now: Instant, interval: Duration, chance: u64) -> Self {
        let half = interval / 2;
        let spread = half.mul_f64((chance % 1024) as f64 / 1024.0);
        Self { next_ping: Some(now + half + spread), pong_by: None }
    }

    /// Called when the time of [`Heartbeat::next`] has come, or at any other.
    pub(super) fn due(&mut self, now: Instant, interval: Duration, patience: Duration) -> Due {
        if self.pong_by.is_some_and(|by| by <= now) {
            return Due::Late;
        }
        if self.next_ping.is_none_or(|next| next > now) {
            return Due::Nothing;
        }
        self.next_ping = Some(now + interval);
        self.pong_by.get_or_insert(now + patience);
        Due::Ping
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
        let mut heartbeat = Heartbeat::start(now, interval, 1024);
        assert_eq!(heartbeat.next(), Some(after(10)));
        assert!(!heartbeat.pong(), "none was asked for");
        for (at, beat, next) in
            [(9, Due::Nothing, 10), (10, Due::Ping, 18), (17, Due::Nothing, 18), (18, Due::Late, 18)]
        {
            assert_eq!(
                (heartbeat.due(after(at), interval, patience), heartbeat.next()),
                (beat, Some(after(next))),
                "{at}"
            );
        }
        assert!(heartbeat.pong());
        assert_eq!((heartbeat.next(), heartbeat.due(after(30), interval, patience)), (Some(after(30)), Due::Ping));
        assert_eq!(Heartbeat::default().due(after(99), interval, patience), Due::Nothing);
    }

    #[test]
    fn first_pings_are_spread() {
        let now = Instant::now();
        for chance in [0, 1, 511, 1023, u64::MAX] {
            let first = Heartbeat::start(now, Duration::from_secs(20), chance).next().unwrap();
            assert!((Duration::from_secs(10)..=Duration::from_secs(20)).contains(&(first - now)), "{chance}");
        }
    }
}
