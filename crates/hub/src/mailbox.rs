//! How other threads reach a shard.

use std::sync::{Mutex, PoisonError};

use mio::Waker;

struct Letters<M> {
    letters: Vec<M>,
    closed: bool,
}

/// Messages for a shard. The poll is woken by the first that finds the box empty, not by the others.
///
/// Not bounded by itself; each kind of message is: commits by the writer, replies by the commands in flight,
/// pages by one for each connection.
pub(crate) struct Mailbox<M> {
    inner: Mutex<Letters<M>>,
    waker: Waker,
}

impl<M> Mailbox<M> {
    pub(crate) fn new(waker: Waker) -> Self {
        Self { inner: Mutex::new(Letters { letters: Vec::new(), closed: false }), waker }
    }

    /// Adds a message; gives it back when the shard has ended.
    pub(crate) fn push(&self, message: M) -> Result<(), M> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.closed {
            return Err(message);
        }
        inner.letters.push(message);
        let first = inner.letters.len() == 1;
        drop(inner);
        if first && let Err(error) = self.waker.wake() {
            tracing::error!(%error, "cannot wake a shard of the hub");
        }
        Ok(())
    }

    /// Takes all messages; `empty` is left in their place so that its memory is used again.
    pub(crate) fn take(&self, empty: Vec<M>) -> Vec<M> {
        debug_assert!(empty.is_empty());
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut inner.letters, empty)
    }

    /// Whether the shard has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).closed
    }

    /// Refuses messages from now on and drops those that were not taken.
    pub(crate) fn close(&self) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.closed = true;
        let letters = std::mem::take(&mut inner.letters);
        drop(inner);
        drop(letters);
    }
}
