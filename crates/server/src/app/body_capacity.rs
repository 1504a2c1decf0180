//! Capacity for request bodies that are on their way, over all connections.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use ordercast_protocol::error::ErrorCode;

use crate::problem::Problem;

/// Bytes of bodies that have come and are not whole, and how many there may be.
#[derive(Debug)]
pub(crate) struct BodyCapacity {
    bytes: AtomicUsize,
    most: usize,
}

/// The part of one body; given back when dropped.
pub(crate) struct Part<'a> {
    room: &'a BodyCapacity,
    bytes: usize,
}

impl BodyCapacity {
    pub(crate) fn new(most: usize) -> Self {
        Self { bytes: AtomicUsize::new(0), most }
    }

    /// A body of which nothing has come.
    pub(crate) fn part(&self) -> Part<'_> {
        Part { room: self, bytes: 0 }
    }

    /// Bytes that are held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }
}

impl Part<'_> {
    /// Takes capacity for what came.
    ///
    /// # Errors
    /// 503 when the bodies of all connections have too many bytes.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        self.bytes += bytes;
        if self.room.bytes.fetch_add(bytes, Relaxed) + bytes <= self.room.most {
            return Ok(());
        }
        let detail = "too many request bodies are on their way (server.body_bytes); nothing was stored; try again";
        Err(Problem::new(ErrorCode::Overloaded, detail))
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        self.room.bytes.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_share_one_room_and_give_it_back() {
        let room = BodyCapacity::new(100);
        let (mut one, mut other) = (room.part(), room.part());
        assert!(one.grow(60).is_ok());
        assert_eq!(other.grow(50).map_err(|problem| problem.code), Err(ErrorCode::Overloaded));
        drop(other);
        assert_eq!(room.bytes(), 60);
        assert!(room.part().grow(40).is_ok(), "those that are gone make room");
        drop(one);
        assert_eq!(room.bytes(), 0);
    }
}
