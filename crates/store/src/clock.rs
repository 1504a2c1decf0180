//! Time: a clock for what is stored, which never runs backwards, and one for durations, which stands still while nobody
//! could be heard.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often steady time is looked at while anything waits for it.
pub const TICK: Duration = Duration::from_millis(100);
/// A look that comes later than this is a gap, in milliseconds beyond [`TICK`]: the process was stopped, the machine slept,
/// or a commit stood still.
pub const LATE_MS: i64 = 500;
/// The wall clock may differ from the passage of time by this much, in milliseconds, until it counts as set.
const STEP_MS: i64 = 1_000;

/// The present by the system's clock, in milliseconds since 1970.
pub fn wall_now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Times of what is stored, in milliseconds since 1970: the wall clock, but never earlier than before.
///
/// When the wall clock is set back, these times go on at half its pace until it has caught up. So orders still age, and
/// those that are accepted later never come before others.
#[derive(Clone, Copy, Debug)]
pub struct StampClock {
    last_ms: i64,
    /// From where it goes on slowly: its time then, and when that was.
    slow_from: Option<(i64, Instant)>,
}

impl StampClock {
    /// A clock whose times are not before `last_ms`.
    pub fn new(last_ms: i64) -> Self {
        Self { last_ms, slow_from: None }
    }

    /// The time of something that is stored now.
    pub fn read(&mut self, wall_ms: i64, now: Instant) -> i64 {
        if wall_ms >= self.last_ms {
            self.slow_from = None;
            self.last_ms = wall_ms;
            return wall_ms;
        }
        let (from_ms, since) = *self.slow_from.get_or_insert((self.last_ms, now));
        let passed_ms = i64::try_from(now.saturating_duration_since(since).as_millis()).unwrap_or(i64::MAX);
        self.last_ms = self.last_ms.max(from_ms.saturating_add(passed_ms / 2));
        self.last_ms
    }
}

/// Steady time: it passes as time does, but for gaps in which the server could not hear anybody. Code that waits for heartbeats or counts
/// a wait goes by it; a clock that is set does not touch it.
#[derive(Clone, Copy, Debug)]
pub struct SteadyClock {
    now_ms: i64,
    seen: Instant,
}

impl SteadyClock {
    /// Goes on from `now_ms`.
    pub fn new(now_ms: i64, at: Instant) -> Self {
        Self { now_ms, seen: at }
    }

    /// The time of the last look.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Looks at the clock, which must be done every [`TICK`] while anything waits for it; gives the gap since the last
    /// look, in milliseconds. Of a gap no more than a tick counts, and nothing of a time in which nobody `could_hear`.
    pub fn look(&mut self, at: Instant, could_hear: bool) -> i64 {
        let passed_ms = self.passed_ms(at);
        let counted_ms = match could_hear {
            false => 0,
            true if passed_ms > tick_ms() + LATE_MS => tick_ms(),
            true => passed_ms,
        };
        self.now_ms = self.now_ms.saturating_add(counted_ms);
        self.seen = match counted_ms == passed_ms {
            // What is left of the last millisecond counts at the next look: a busy writer looks several times in one.
            true => self.seen + Duration::from_millis(passed_ms.unsigned_abs()),
            false => at,
        };
        passed_ms - counted_ms
    }

    /// The steady time of something that arrives between two looks.
    pub fn arrival_ms(&self, at: Instant) -> i64 {
        self.now_ms.saturating_add(self.passed_ms(at).min(tick_ms() + LATE_MS))
    }

    /// A clock that ran backwards has stood still.
    fn passed_ms(&self, at: Instant) -> i64 {
        i64::try_from(at.saturating_duration_since(self.seen).as_millis()).unwrap_or(i64::MAX)
    }
}

fn tick_ms() -> i64 {
    i64::try_from(TICK.as_millis()).unwrap_or(i64::MAX)
}

/// Notices that the wall clock was set.
#[derive(Clone, Copy, Debug)]
pub struct WallWatch {
    wall_ms: i64,
    at: Instant,
}

impl WallWatch {
    /// Watches from now on.
    pub fn new(wall_ms: i64, at: Instant) -> Self {
        Self { wall_ms, at }
    }

    /// By how much the clock was set since the last look, in milliseconds, if by more than a second.
    pub fn step_ms(&mut self, wall_ms: i64, at: Instant) -> Option<i64> {
        let passed_ms = i64::try_from(at.saturating_duration_since(self.at).as_millis()).unwrap_or(i64::MAX);
        let step_ms = wall_ms.saturating_sub(self.wall_ms).saturating_sub(passed_ms);
        if step_ms.abs() <= STEP_MS {
            // Small corrections are followed, or they would add up to a step. The rest of a look is too short to hide one.
            (self.wall_ms, self.at) = (wall_ms, at);
            return None;
        }
        (self.wall_ms, self.at) = (wall_ms, at);
        Some(step_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn stamps_never_run_backwards_and_catch_up() {
        let start = Instant::now();
        let mut clock = StampClock::new(500);
        // The wall clock, the time that has passed, and the stamp: it is behind at first, then set back by 800.
        for (wall_ms, passed_ms, expected) in [
            (300, 0, 500),
            (400, 100, 550),
            (1_000, 700, 1_000),
            (1_001, 701, 1_001),
            (201, 701, 1_001),
            (202, 702, 1_001),
            (601, 1_101, 1_201),
            (1_401, 1_901, 1_401),
            (1_801, 2_301, 1_801),
            (1_900, 2_400, 1_900),
        ] {
            assert_eq!(clock.read(wall_ms, after(start, passed_ms)), expected, "{wall_ms} after {passed_ms}");
        }
    }

    #[test]
    fn steady_time_passes_however_often_it_is_looked_at() {
        let start = Instant::now();
        let mut clock = SteadyClock::new(10, start);
        for look in 1..=1_000 {
            assert_eq!(clock.look(start + Duration::from_micros(300) * look, true), 0);
        }
        assert_eq!(clock.now_ms(), 310);
    }

    #[test]
    fn steady_time_stands_still_in_gaps() {
        let start = Instant::now();
        let mut clock = SteadyClock::new(7_000, start);
        // When it is looked at, whether anybody could be heard, the time then, and the gap.
        for (at_ms, could_hear, now_ms, gap_ms) in [
            (100, true, 7_100, 0),
            (700, true, 7_700, 0),
            (8_700, true, 7_800, 7_900),
            (8_800, true, 7_900, 0),
            (9_050, false, 7_900, 250),
            (9_150, true, 8_000, 0),
        ] {
            assert_eq!((clock.look(after(start, at_ms), could_hear), clock.now_ms()), (gap_ms, now_ms), "{at_ms}");
        }
        assert_eq!(clock.arrival_ms(after(start, 9_200)), 8_050);
        assert_eq!(clock.arrival_ms(after(start, 60_000)), 8_600, "the next look may find a gap");
        assert_eq!(clock.arrival_ms(start), 8_000);
    }

    #[test]
    fn a_clock_that_is_set_is_noticed_once() {
        let start = Instant::now();
        let mut watch = WallWatch::new(10_000, start);
        for (wall_ms, passed_ms, expected) in [
            (10_100, 100, None),
            (11_000, 200, None),
            (72_000, 300, Some(60_900)),
            (72_100, 400, None),
            (2_100, 400, Some(-70_000)),
            (10_100, 8_400, None),
        ] {
            assert_eq!(watch.step_ms(wall_ms, after(start, passed_ms)), expected, "{wall_ms}");
        }
    }
}
