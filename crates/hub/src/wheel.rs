//! Timers of many connections: setting one costs a push, and a tick looks only at those that are due.

use crate::slab::Key;

/// Slots of the wheel; a timer beyond them waits in the last one and is set again from there.
const SLOTS: usize = 1024;

/// A wheel of slots, one a tick.
pub(crate) struct Wheel {
    slots: Vec<Vec<Key>>,
    tick_ms: u64,
    /// The tick that was looked at last.
    at_tick: u64,
}

impl Wheel {
    pub(crate) fn new(tick_ms: u64) -> Self {
        Self { slots: (0..SLOTS).map(|_| Vec::new()).collect(), tick_ms: tick_ms.max(1), at_tick: 0 }
    }

    /// Has `key` looked at once `at_ms` has passed, or earlier when that is far away; gives when, in milliseconds.
    pub(crate) fn set(&mut self, key: Key, at_ms: u64) -> u64 {
        let last = self.at_tick + SLOTS as u64 - 1;
        let tick = at_ms.div_ceil(self.tick_ms).clamp(self.at_tick + 1, last);
        self.slots[(tick % SLOTS as u64) as usize].push(key);
        tick * self.tick_ms
    }

    /// When the next tick is, in milliseconds.
    pub(crate) fn next_ms(&self) -> u64 {
        (self.at_tick + 1) * self.tick_ms
    }

    /// Moves on to `now_ms`, and takes the keys that are due, in the order of their ticks.
    pub(crate) fn advance(&mut self, now_ms: u64, due: &mut Vec<Key>) {
        let now_tick = now_ms / self.tick_ms;
        // After a long sleep one turn of the wheel has looked at everything.
        let first = (self.at_tick + 1).max(now_tick.saturating_sub(SLOTS as u64 - 1));
        for tick in first..=now_tick {
            due.append(&mut self.slots[(tick % SLOTS as u64) as usize]);
        }
        self.at_tick = self.at_tick.max(now_tick);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> Key {
        Key::from_u64(number)
    }

    #[test]
    fn timers_fire_once_and_never_early() {
        let mut wheel = Wheel::new(100);
        let mut due = Vec::new();
        for (number, at_ms, set_ms) in [(1, 0, 100), (2, 250, 300), (3, 300, 300), (4, 5_000_000, 102_300)] {
            assert_eq!(wheel.set(key(number), at_ms), set_ms);
        }
        for (now_ms, expected) in [
            (99, vec![]),
            (100, vec![1]),
            (299, vec![]),
            (300, vec![2, 3]),
            (102_299, vec![]),
            (900_000, vec![4]),
            (1_900_000, vec![]),
        ] {
            due.clear();
            wheel.advance(now_ms, &mut due);
            assert_eq!(due, expected.into_iter().map(key).collect::<Vec<_>>(), "{now_ms}");
        }
        assert_eq!(wheel.set(key(5), 1_900_150), 1_900_200);
    }
}
