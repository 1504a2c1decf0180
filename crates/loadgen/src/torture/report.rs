//! What a run found.

use std::fmt;
use std::path::PathBuf;

use super::load::Sent;

/// Maximum number of violations that are printed; all are counted.
const MOST_TOLD: usize = 20;

/// Counts of what was done and of what was wrong.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Kills.
    pub rounds: u64,
    /// Orders answered with success before a kill.
    pub acknowledged: u64,
    /// Orders sent whose answer never came.
    pub unanswered: u64,
    /// Those of them that were stored all the same.
    pub stored_unanswered: u64,
    /// Acknowledged orders that are not there.
    pub missing: u64,
    /// Acknowledged orders that are there with another amount.
    pub altered: u64,
    /// Orders that are there twice, or that nobody sent.
    pub duplicates: u64,
    /// Offsets that were skipped or repeated.
    pub holes: u64,
    /// Times the subscriber resumed.
    pub resumed: u64,
    /// Resumptions that were not complete.
    pub unrecovered: u64,
    /// Orders whose events are not one per version.
    pub uneven: u64,
    /// Runs of `verify` that were clean.
    pub verified: u64,
    /// Runs of `verify` that were not.
    pub verify_failures: u64,
    /// Everything that was wrong.
    pub violations: u64,
    /// The first of it, in words.
    pub told: Vec<String>,
    /// Data directories that were kept.
    pub kept: Vec<PathBuf>,
}

impl Report {
    /// Whether nothing was wrong.
    pub fn is_clean(&self) -> bool {
        self.violations == 0
    }

    pub(super) fn violation(&mut self, what: String) {
        self.violations += 1;
        if self.told.len() < MOST_TOLD {
            self.told.push(what);
        }
    }

    pub(super) fn take(&mut self, sent: &Sent) {
        self.acknowledged += sent.acknowledged.len() as u64;
        self.unanswered += sent.unanswered.len() as u64;
        for refusal in &sent.refused {
            self.violation(refusal.clone());
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = 100.0 * self.stored_unanswered as f64 / self.unanswered.max(1) as f64;
        writeln!(f, "kills                          {}", self.rounds)?;
        writeln!(f, "orders acknowledged            {}", self.acknowledged)?;
        writeln!(f, "  missing                      {}", self.missing)?;
        writeln!(f, "  with another amount          {}", self.altered)?;
        writeln!(f, "orders sent without an answer  {}", self.unanswered)?;
        writeln!(f, "  stored all the same          {} ({share:.0} %)", self.stored_unanswered)?;
        writeln!(f, "duplicates                     {}", self.duplicates)?;
        writeln!(f, "holes or repeats in offsets    {}", self.holes)?;
        writeln!(f, "resumptions / not complete     {} / {}", self.resumed, self.unrecovered)?;
        writeln!(f, "orders with events ≠ version   {}", self.uneven)?;
        writeln!(f, "verify clean / not             {} / {}", self.verified, self.verify_failures)?;
        for violation in &self.told {
            writeln!(f, "VIOLATION: {violation}")?;
        }
        for dir in &self.kept {
            writeln!(f, "kept: {}", dir.display())?;
        }
        Ok(())
    }
}
