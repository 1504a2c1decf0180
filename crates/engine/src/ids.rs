//! New order ids: UUID version 7 (RFC 9562 §5.7), rising with time, so that the index of ids grows at its end.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// Draws ids. The random part is a keyed hash of a counter: no system call an id.
pub(crate) struct IdSource {
    key: RandomState,
    drawn: u64,
    at_ms: u64,
    within_ms: u16,
}

impl IdSource {
    pub(crate) fn new() -> Self {
        Self { key: RandomState::new(), drawn: 0, at_ms: 0, within_ms: 0 }
    }

    /// A random number.
    pub(crate) fn dice(&mut self) -> u64 {
        self.drawn += 1;
        self.key.hash_one(self.drawn)
    }

    /// An id for an order accepted at `now_ms`.
    pub(crate) fn draw(&mut self, now_ms: i64) -> Arc<str> {
        let now_ms = now_ms.unsigned_abs();
        self.within_ms = if now_ms == self.at_ms { self.within_ms.wrapping_add(1) } else { 0 };
        self.at_ms = now_ms;
        self.drawn += 1;
        let mut bytes = [0u8; 10];
        bytes[..2].copy_from_slice(&self.within_ms.to_be_bytes());
        bytes[2..].copy_from_slice(&self.key.hash_one(self.drawn).to_be_bytes());
        let id = uuid::Builder::from_unix_timestamp_millis(now_ms, &bytes).into_uuid();
        let mut text = [0u8; uuid::fmt::Hyphenated::LENGTH];
        Arc::from(&*id.hyphenated().encode_lower(&mut text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_and_differ() {
        let mut ids = IdSource::new();
        let drawn: Vec<_> = (0..4000).map(|n| ids.draw(1_700_000_000_000 + n / 1000)).collect();
        assert!(drawn.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(uuid::Uuid::parse_str(&drawn[0]).unwrap().get_version_num() == 7);
    }
}
