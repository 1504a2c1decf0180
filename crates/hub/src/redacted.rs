//! What was redacted in a log lately, for pages that were being read meanwhile.
//!
//! A page that was asked for before a redaction may have been read before it too. It is put right when it comes: the
//! number of redactions that were known when it was asked for says which of them it may have missed.

use std::collections::VecDeque;

use bytes::Bytes;
use ordercast_protocol::redaction::tombstone;

/// Redactions that are remembered; a page that missed more of them is read again.
const MAX_REMEMBERED: usize = 256;

/// How many redactions a shard has heard of, for one log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard(u64);

/// The page has missed more than is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outdated;

/// The last redactions of a log.
#[derive(Default)]
pub(crate) struct Redacted {
    heard: Heard,
    /// The last of them, the newest last.
    offsets: VecDeque<u64>,
}

impl Redacted {
    /// The redactions that are known now; pages that are asked for now have all of them.
    pub(crate) fn heard(&self) -> Heard {
        self.heard
    }

    /// Adds the redaction of the event at an offset.
    pub(crate) fn add(&mut self, offset: u64) {
        if self.offsets.len() == MAX_REMEMBERED {
            self.offsets.pop_front();
        }
        self.offsets.push_back(offset);
        self.heard.0 += 1;
    }

    /// There may have been others, which were not heard of: every page that is under way is outdated.
    pub(crate) fn add_unknown(&mut self) {
        self.offsets.clear();
        self.heard.0 += 1;
    }

    /// Removes the bodies from a page that was asked for when `heard` was known: events by rising offset.
    pub(crate) fn apply(&self, heard: Heard, events: &mut [(u64, Bytes)]) -> Result<(), Outdated> {
        let missed = usize::try_from(self.heard.0 - heard.0).unwrap_or(usize::MAX);
        let first = self.offsets.len().checked_sub(missed).ok_or(Outdated)?;
        for offset in self.offsets.range(first..) {
            if let Ok(index) = events.binary_search_by_key(offset, |(offset, _)| *offset) {
                events[index].1 = tombstone();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ordercast_protocol::redaction::TOMBSTONE;

    use super::*;

    fn removed(redacted: &Redacted, heard: Heard) -> Result<Vec<u64>, Outdated> {
        let mut events: Vec<_> = (10..20).map(|offset| (offset, Bytes::from_static(b"{}"))).collect();
        redacted.apply(heard, &mut events)?;
        Ok(events.iter().filter(|(_, body)| body == TOMBSTONE).map(|(offset, _)| *offset).collect())
    }

    #[test]
    fn a_page_is_put_right_or_read_again() {
        let mut redacted = Redacted::default();
        let first = redacted.heard();
        redacted.add(12);
        let second = redacted.heard();
        for offset in [19, 5, 20] {
            redacted.add(offset);
        }
        assert_eq!(removed(&redacted, first), Ok(vec![12, 19]));
        assert_eq!(removed(&redacted, second), Ok(vec![19]));
        assert_eq!(removed(&redacted, redacted.heard()), Ok(vec![]));
        (0..MAX_REMEMBERED - 3).for_each(|_| redacted.add(13));
        assert_eq!(removed(&redacted, second), Ok(vec![13, 19]), "as many as are remembered");
        assert_eq!(removed(&redacted, first), Err(Outdated));
        redacted.add_unknown();
        assert_eq!(removed(&redacted, second), Err(Outdated));
        assert_eq!(removed(&redacted, redacted.heard()), Ok(vec![]));
    }
}
