//! How the store is doing, for readiness and metrics: what it waits for, and how long a commit has taken already.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// A commit that takes longer than this is said to be slow, in milliseconds.
const SLOW_COMMIT_MS: u64 = 2_000;

/// How the store is doing. The writer writes it; everybody may read it.
#[derive(Debug)]
pub(crate) struct Health {
    started: Instant,
    /// Since when the store cannot be written to, in milliseconds since `started`, counted from 1; 0 when it can.
    unavailable_since_ms: AtomicU64,
    /// When the running commit began, in the same unit; 0 when none is running.
    committing_since_ms: AtomicU64,
    journal_bytes: AtomicU64,
    is_journal_over: AtomicBool,
}

impl Health {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            unavailable_since_ms: AtomicU64::new(0),
            committing_since_ms: AtomicU64::new(0),
            journal_bytes: AtomicU64::new(0),
            is_journal_over: AtomicBool::new(false),
        }
    }

    fn now_ms(&self) -> u64 {
        1 + u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX - 1)
    }

    /// A commit begins.
    pub(crate) fn begin_commit(&self) {
        self.committing_since_ms.store(self.now_ms(), Relaxed);
    }

    /// A commit has ended, whatever became of it.
    pub(crate) fn end_commit(&self) {
        self.committing_since_ms.store(0, Relaxed);
    }

    /// The store could not be written to; true when it could before.
    pub(crate) fn note_unavailable(&self) -> bool {
        let now_ms = self.now_ms();
        self.unavailable_since_ms.compare_exchange(0, now_ms, Relaxed, Relaxed).is_ok()
    }

    /// The store was written to; gives for how long it could not be before that, in milliseconds.
    pub(crate) fn note_available(&self) -> Option<u64> {
        let since_ms = self.unavailable_since_ms.swap(0, Relaxed);
        (since_ms > 0).then(|| self.now_ms().saturating_sub(since_ms))
    }

    pub(crate) fn note_journal(&self, bytes: u64, is_over: bool) {
        self.journal_bytes.store(bytes, Relaxed);
        self.is_journal_over.store(is_over, Relaxed);
    }

    pub(crate) fn journal_bytes(&self) -> u64 {
        self.journal_bytes.load(Relaxed)
    }

    /// For how long the store cannot be written to, in milliseconds; `None` when it can.
    pub(crate) fn unavailable_ms(&self) -> Option<u64> {
        let since_ms = self.unavailable_since_ms.load(Relaxed);
        (since_ms > 0).then(|| self.now_ms().saturating_sub(since_ms))
    }

    /// What keeps commands waiting, in words.
    pub(crate) fn trouble(&self) -> Option<String> {
        if let Some(for_ms) = self.unavailable_ms() {
            return Some(format!("another program has had the database locked for {} s", for_ms / 1_000));
        }
        let since_ms = self.committing_since_ms.load(Relaxed);
        let for_ms = self.now_ms().saturating_sub(since_ms);
        if since_ms > 0 && for_ms >= SLOW_COMMIT_MS {
            return Some(format!("the disk is slow: a commit has taken {} s already", for_ms / 1_000));
        }
        let bytes = self.journal_bytes();
        self.is_journal_over.load(Relaxed).then(|| {
            format!("another program has been reading the database for long: its WAL has grown to {} MiB", bytes >> 20)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_commands_waiting_is_said_until_it_is_over() {
        let health = Health::new();
        assert_eq!(health.trouble(), None);
        assert!(health.note_unavailable() && !health.note_unavailable(), "said once");
        assert!(health.trouble().is_some_and(|trouble| trouble.contains("locked")));
        assert!(health.note_available().is_some());
        assert_eq!((health.note_available(), health.trouble()), (None, None));
        health.note_journal(300 << 20, true);
        assert!(health.trouble().is_some_and(|trouble| trouble.ends_with("300 MiB")));
        health.note_journal(0, false);
        assert_eq!(health.trouble(), None);
    }
}
