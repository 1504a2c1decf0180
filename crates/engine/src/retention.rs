//! How much logs keep, and when the writer removes the rest.
//!
//! Removing goes along with commits that are made anyway, so that it costs no sync of its own; a writer that has
//! nothing to commit makes one for it.

use std::time::{Duration, Instant};

use ordercast_protocol::channel::Log;
use ordercast_store::write::{Committed, Trim};

/// Events that come to a log before its oldest are removed, and least number that are removed at once. Many lie on
/// one page: one by one each would cost a page of its own.
const TRIM_STEP: u64 = 256;
/// When a backlog of removals exists, each commit removes up to this many times as many events as it added.
const CATCH_UP: u64 = 2;
/// How often the age of the oldest is looked at when little comes.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// What a log keeps. An event that passes any bound is removed, the oldest first and soon: until then a log has
/// more than it must, never less. Orders, their lines and their keys stay whatever their events do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogRetention {
    /// Maximum number of events that are kept, the newest; `None` for no such bound.
    pub max_events: Option<u64>,
    /// Events of the last time so long; `None` for no such bound.
    pub max_age: Option<Duration>,
}

impl LogRetention {
    fn keeps_everything(&self) -> bool {
        *self == Self::default()
    }
}

/// What each log keeps, in the order of [`Log::ALL`].
pub type Retentions = [LogRetention; Log::ALL.len()];

/// A log whose oldest events are looked at with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    log: Log,
    keep: LogRetention,
    most: u64,
}

impl Due {
    /// The bounds for the store, at its time.
    pub(crate) fn at(&self, now_ms: i64) -> Trim {
        let age_ms = |age: Duration| i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        let before_ms = self.keep.max_age.map(|age| now_ms.saturating_sub(age_ms(age)));
        Trim { log: self.log, max_events: self.keep.max_events, before_ms, most: self.most }
    }
}

/// When a log was looked at, and what happened since.
#[derive(Clone, Copy)]
struct Look {
    at: Instant,
    /// Events that came since.
    added: u64,
    /// Whether it left something that should have gone.
    has_more: bool,
}

/// Decides which logs are looked at, and when.
pub(crate) struct Trimmer {
    keep: Retentions,
    /// In the order of [`Log::ALL`].
    looks: [Look; Log::ALL.len()],
}

impl Trimmer {
    pub(crate) fn new(keep: Retentions, now: Instant) -> Self {
        Self { keep, looks: [Look { at: now, added: 0, has_more: false }; Log::ALL.len()] }
    }

    /// How long the writer may sleep; without bounds for as long as nothing comes.
    pub(crate) fn interval(&self) -> Option<Duration> {
        let has_bounds = self.keep.iter().any(|keep| !keep.keeps_everything());
        has_bounds.then_some(LOOK_INTERVAL)
    }

    /// Whether any look left something that should have gone.
    pub(crate) fn has_more(&self) -> bool {
        self.looks.iter().any(|look| look.has_more)
    }

    /// The logs that are looked at with the next batch.
    pub(crate) fn due(&self, now: Instant) -> Vec<Due> {
        let due = |log: Log| {
            let (keep, look) = (self.keep[log.index()], self.looks[log.index()]);
            let is_time = look.has_more || look.added >= TRIM_STEP || now.duration_since(look.at) >= LOOK_INTERVAL;
            let most = TRIM_STEP.max(look.added * CATCH_UP);
            (is_time && !keep.keeps_everything()).then_some(Due { log, keep, most })
        };
        Log::ALL.into_iter().filter_map(due).collect()
    }

    /// What a batch with these looks did.
    pub(crate) fn note(&mut self, due: &[Due], committed: &Committed, now: Instant) {
        for due in due {
            let trimmed = committed.trimmed.iter().find(|trimmed| trimmed.log == due.log);
            let has_more = trimmed.is_some_and(|trimmed| trimmed.count >= due.most);
            self.looks[due.log.index()] = Look { at: now, added: 0, has_more };
        }
        for range in &committed.logs {
            self.looks[range.log.index()].added += range.count;
        }
    }
}

#[cfg(test)]
mod tests {
    use ordercast_protocol::position::Epoch;
    use ordercast_store::write::{LogRange, Trimmed};

    use super::*;

    fn committed(count: u64, trimmed: u64) -> Committed {
        let log = Log::Publications;
        let logs = vec![LogRange { log, epoch: Epoch("e".into()), first: 1, count }];
        Committed { logs, trimmed: vec![Trimmed { log, floor: trimmed, count: trimmed }], ..Committed::default() }
    }

    #[test]
    fn a_log_is_looked_at_when_enough_came_or_time_has_passed() {
        let start = Instant::now();
        let mut keep = Retentions::default();
        assert_eq!(Trimmer::new(keep, start).interval(), None);
        keep[Log::Publications.index()].max_events = Some(10);
        let mut trimmer = Trimmer::new(keep, start);
        assert_eq!(trimmer.interval(), Some(LOOK_INTERVAL));
        let most = |trimmer: &Trimmer, after_ms| {
            let due = trimmer.due(start + Duration::from_millis(after_ms));
            due.iter().map(|due| (due.log, due.most)).collect::<Vec<_>>()
        };
        // Events that came, time since the last look, and what is due then.
        for (count, after_ms, expected) in
            [(255, 999, None), (0, 1_000, Some(510)), (1, 0, Some(512)), (744, 0, Some(2_000))]
        {
            trimmer.note(&[], &committed(count, 0), start);
            let expected: Vec<_> = expected.into_iter().map(|most| (Log::Publications, most)).collect();
            assert_eq!(most(&trimmer, after_ms), expected, "{count} events, {after_ms} ms");
        }
        let due = trimmer.due(start);
        trimmer.note(&due, &committed(5, 2_000), start);
        assert!(trimmer.has_more(), "as many went as might");
        assert_eq!(most(&trimmer, 0), [(Log::Publications, TRIM_STEP)], "at once, whatever came");
        let due = trimmer.due(start);
        trimmer.note(&due, &committed(0, TRIM_STEP - 1), start);
        assert!(!trimmer.has_more() && trimmer.due(start).is_empty());
    }

    #[test]
    fn ages_end_where_time_does() {
        let keep = |max_age| LogRetention { max_events: None, max_age };
        for (max_age, before_ms) in
            [(None, None), (Some(Duration::from_secs(2)), Some(8_000)), (Some(Duration::MAX), Some(10_000 - i64::MAX))]
        {
            let due = Due { log: Log::Orders, keep: keep(max_age), most: 1 };
            assert_eq!(due.at(10_000).before_ms, before_ms);
        }
    }
}
