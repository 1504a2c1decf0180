//! Whether every offset came once and in order.

use std::fmt;

/// Maximum number of findings that are printed; all are counted.
const MOST_TOLD: usize = 10;

/// What one subscriber has seen of a log: the last offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    last: u64,
}

/// What an offset is after those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next one.
    Next,
    /// Some before it are missing. One that comes late after all shows as a hole first and as not new then.
    Hole {
        /// How many.
        missing: u64,
    },
    /// It, or a later one, was seen before.
    NotNew,
}

impl Sequence {
    /// A subscriber that has seen everything up to `last`.
    pub fn after(last: u64) -> Self {
        Self { last }
    }

    /// The last offset seen.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Judges the offset of an event.
    pub fn take(&mut self, offset: u64) -> Step {
        if offset <= self.last {
            return Step::NotNew;
        }
        let missing = offset - self.last - 1;
        self.last = offset;
        if missing == 0 { Step::Next } else { Step::Hole { missing } }
    }
}

/// What many subscribers saw together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Events that came.
    pub events: u64,
    /// Offsets that were skipped.
    pub missing: u64,
    /// Offsets that came again, or after a later one.
    pub not_new: u64,
    /// Resumptions that were answered.
    pub resumed: u64,
    /// Those of them that were not complete.
    pub unrecovered: u64,
    /// Anything else that must not be, such as a subscription that the server ended.
    pub wrong: u64,
    /// The first of it, in words.
    pub told: Vec<String>,
}

impl Account {
    /// Whether every offset came once and in order, and nothing else was wrong.
    pub fn is_clean(&self) -> bool {
        self.missing + self.not_new + self.unrecovered + self.wrong == 0
    }

    /// Notes an event.
    pub fn take(&mut self, who: usize, sequence: &mut Sequence, offset: u64) {
        self.events += 1;
        let last = sequence.last();
        match sequence.take(offset) {
            Step::Next => {}
            Step::Hole { missing } => {
                self.missing += missing;
                self.tell(format!("subscriber {who}: offset {offset} came after {last}"));
            }
            Step::NotNew => {
                self.not_new += 1;
                self.tell(format!("subscriber {who}: offset {offset} came again, or late, after {last}"));
            }
        }
    }

    /// Notes the answer to a resumption.
    pub fn resume(&mut self, who: usize, is_complete: bool, what: impl FnOnce() -> String) {
        self.resumed += 1;
        if !is_complete {
            self.unrecovered += 1;
            self.tell(format!("subscriber {who} did not resume: {}", what()));
        }
    }

    /// Notes anything else that is wrong.
    pub fn violation(&mut self, what: String) {
        self.wrong += 1;
        self.tell(what);
    }

    fn tell(&mut self, what: String) {
        if self.told.len() < MOST_TOLD {
            self.told.push(what);
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, missing, not_new, resumed, unrecovered, wrong, told } = self;
        write!(f, "{events} events received: {missing} missing, {not_new} repeated or late")?;
        if resumed + unrecovered > 0 {
            write!(f, "; {resumed} resumptions, {unrecovered} of them incomplete")?;
        }
        if *wrong > 0 {
            write!(f, "; {wrong} more violations")?;
        }
        told.iter().try_for_each(|what| write!(f, "\nVIOLATION: {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_a_repeat_and_a_reorder_are_seen() {
        for (offsets, missing, not_new) in [
            (&[1, 2, 3, 4][..], 0, 0),
            (&[1, 2, 4], 1, 0),
            (&[3], 2, 0),
            (&[1, 2, 2, 3], 0, 1),
            (&[1, 2, 3, 1], 0, 1),
            (&[1, 3, 2, 4], 1, 1),
            (&[2, 1], 1, 1),
        ] {
            let (mut account, mut sequence) = (Account::default(), Sequence::after(0));
            offsets.iter().for_each(|&offset| account.take(7, &mut sequence, offset));
            assert_eq!((account.missing, account.not_new), (missing, not_new), "{offsets:?}");
            assert_eq!(account.is_clean(), missing + not_new == 0);
            assert_eq!(account.told.is_empty(), account.is_clean());
            assert_eq!(account.events, offsets.len() as u64);
            assert_eq!(Some(&sequence.last()), offsets.iter().max());
        }
    }

    #[test]
    fn an_incomplete_resumption_is_no_clean_account() {
        let mut account = Account::default();
        account.resume(1, true, String::new);
        assert!(account.is_clean());
        account.resume(1, false, || "recovered: false".to_owned());
        assert_eq!((account.resumed, account.unrecovered, account.is_clean()), (2, 1, false));
    }

    #[test]
    fn findings_are_counted_beyond_those_that_are_told() {
        let mut account = Account::default();
        (0..50).for_each(|at| account.violation(format!("{at}")));
        assert_eq!((account.wrong, account.told.len()), (50, MOST_TOLD));
    }
}
