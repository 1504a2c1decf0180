//! Redaction: the body of an event is removed for good, and its place in the log stays.
//!
//! A redacted event keeps its offset, its time and its topics; its body is the [`TOMBSTONE`] from the commit of the
//! redaction on. Every reader of a log may meet one where the log allows it ([`Log::is_redactable`]).

use bytes::Bytes;

use crate::channel::Log;

/// The body of an event whose own body was removed. Like every body it is a JSON object with a type and a version.
pub const TOMBSTONE: &[u8] = br#"{"type":"redacted","v":1}"#;

/// The [`TOMBSTONE`] as a body; allocates nothing.
pub fn tombstone() -> Bytes {
    Bytes::from_static(TOMBSTONE)
}

/// An event whose body is to be removed, or was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Redaction {
    log: Log,
    offset: u64,
}

impl Redaction {
    /// The redaction of the event at an offset; `None` for a log that does not allow any.
    pub fn new(log: Log, offset: u64) -> Option<Self> {
        log.is_redactable().then_some(Self { log, offset })
    }

    /// The log of the event.
    pub fn log(self) -> Log {
        self.log
    }

    /// The event's place in the log.
    pub fn offset(self) -> u64 {
        self.offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_some_logs_allow_it() {
        let allowed: Vec<_> = Log::ALL.into_iter().filter_map(|log| Redaction::new(log, 7)).collect();
        assert_eq!(allowed.iter().map(|one| (one.log(), one.offset())).collect::<Vec<_>>(), [(Log::Publications, 7)]);
    }
}
