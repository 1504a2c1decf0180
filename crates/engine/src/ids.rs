//! New order ids: UUID version 7 (RFC 9562 §5.7), rising with time, so that the index of ids grows at its end.

use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};
use std::sync::Arc;

/// Draws ids and random numbers: keyed hashes of a counter, so that none takes a system call.
pub(crate) struct IdSource {
    seed: u64,
    drawn: u64,
    at_ms: u64,
    within_ms: u16,
}

impl IdSource {
    pub(crate) fn new() -> Self {
        Self::seeded(RandomState::new().hash_one(0))
    }

    /// Draws the same again for the same seed.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self { seed, drawn: 0, at_ms: 0, within_ms: 0 }
    }

    /// A random number.
    pub(crate) fn dice(&mut self) -> u64 {
        self.drawn += 1;
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.seed);
        hasher.write_u64(self.drawn);
        hasher.finish()
    }

    /// An id for an order accepted at `now_ms`.
    pub(crate) fn draw(&mut self, now_ms: i64) -> Arc<str> {
        let now_ms = now_ms.unsigned_abs();
        self.within_ms = if now_ms == self.at_ms { self.within_ms.wrapping_add(1) } else { 0 };
        self.at_ms = now_ms;
        let mut bytes = [0u8; 10];
        bytes[..2].copy_from_slice(&self.within_ms.to_be_bytes());
        bytes[2..].copy_from_slice(&self.dice().to_be_bytes());
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
