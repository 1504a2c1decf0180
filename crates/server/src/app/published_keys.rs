//! Publications that were published before: what their key led to.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ordercast_protocol::position::Position;

/// How long a key is remembered, as in Centrifugo.
const REMEMBERED: Duration = Duration::from_secs(300);
/// Most keys that are remembered; beyond it the oldest is forgotten.
const MAX_KEYS: usize = 100_000;

type Key = (String, String);

/// Keys by channel, with the position of the publication.
#[derive(Debug, Default)]
pub(crate) struct PublishedKeys(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    positions: HashMap<Key, Option<Position>>,
    /// In the order in which they came.
    keys: VecDeque<(Instant, Key)>,
}

impl PublishedKeys {
    /// Publishes unless this key has been published into this channel, and gives the first publication's position.
    /// Two calls with one key do not overtake each other.
    pub(crate) fn once(
        &self,
        channel: &str,
        key: &str,
        now: Instant,
        publish: impl FnOnce() -> Option<Position>,
    ) -> Option<Position> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_old = |at: &Instant| now.saturating_duration_since(*at) >= REMEMBERED;
        while table.keys.len() >= MAX_KEYS || table.keys.front().is_some_and(|(at, _)| is_old(at)) {
            let Some((_, key)) = table.keys.pop_front() else { break };
            table.positions.remove(&key);
        }
        let key = (channel.to_owned(), key.to_owned());
        if let Some(position) = table.positions.get(&key) {
            return position.clone();
        }
        let position = publish();
        table.positions.insert(key.clone(), position.clone());
        table.keys.push_back((now, key));
        position
    }
}

#[cfg(test)]
mod tests {
    use ordercast_protocol::position::Epoch;

    use super::*;

    #[test]
    fn a_key_is_published_once_while_it_is_remembered() {
        let keys = PublishedKeys::default();
        let now = Instant::now();
        let position = |offset| Some(Position { epoch: Epoch("e".into()), offset });
        for (channel, key, after_s, offset, expected) in [
            ("a", "k", 0, 1, 1),
            ("a", "k", 1, 2, 1),
            ("b", "k", 1, 3, 3),
            ("a", "l", 1, 4, 4),
            ("a", "k", 299, 5, 1),
            ("a", "k", 300, 6, 6),
            ("a", "l", 300, 7, 4),
        ] {
            let at = now + Duration::from_secs(after_s);
            assert_eq!(
                keys.once(channel, key, at, || position(offset)),
                position(expected),
                "{channel} {key} {after_s}"
            );
        }
    }
}
