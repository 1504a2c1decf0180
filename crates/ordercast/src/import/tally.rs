//! Counts and sums of a file, and of what a server stored.

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime};

use super::parcel::Kind;
use crate::exact::Exact;

/// Examples kept of each reason.
const EXAMPLES: usize = 3;

/// Sums by currency.
pub(super) type Sums = BTreeMap<String, Exact>;

/// Why things were left out or are odd, with how many and a few of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reasons(pub(super) BTreeMap<String, Reason>);

/// One reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reason {
    pub(super) count: u64,
    pub(super) examples: Vec<String>,
}

impl Reasons {
    pub(super) fn add(&mut self, reason: impl Into<String>, example: impl FnOnce() -> String) {
        let reason = self.0.entry(reason.into()).or_default();
        reason.count += 1;
        if reason.examples.len() < EXAMPLES {
            reason.examples.push(example());
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.0.values().map(|reason| reason.count).sum()
    }
}

/// How many, with how many lines and how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) invoices: u64,
    pub(super) lines: u64,
    pub(super) amount: Exact,
}

impl Group {
    pub(super) fn add(&mut self, lines: u64, amount: Exact) {
        self.invoices += 1;
        self.lines += lines;
        self.amount += amount;
    }
}

/// What a file holds, as far as it was read.
#[derive(Clone, Debug, Default)]
pub(super) struct FileTally {
    pub(super) kinds: BTreeMap<Kind, Group>,
    pub(super) sales: Sales,
    /// Invoices by the minute of their time.
    pub(super) by_minute: BTreeMap<DateTime, u64>,
    /// Invoices by day.
    pub(super) by_day: BTreeMap<Date, u64>,
    /// What became no request.
    pub(super) skipped: Reasons,
    /// What was sent all the same.
    pub(super) odd: Reasons,
}

/// What is remarkable in the sales of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Sales {
    pub(super) count: u64,
    pub(super) without_customer: u64,
    pub(super) max_amount: Exact,
    /// The number of sales, by their number of lines.
    pub(super) by_lines: BTreeMap<u64, u64>,
    pub(super) limits: LimitCounts,
}

impl Sales {
    /// The number of lines that this share of the sales does not pass (the sale at place ⌊share × count⌋ from
    /// the smallest).
    pub(super) fn lines_at(&self, percent: u64) -> u64 {
        let place = self.count * percent / 100;
        let mut seen = 0;
        let at = self.by_lines.iter().find(|(_, count)| {
            seen += **count;
            seen > place
        });
        at.map_or(0, |(lines, _)| *lines)
    }
}

/// How many sales the default limits would have treated differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LimitCounts {
    /// They get priority.
    pub(super) over_priority: u64,
    pub(super) over_amount: u64,
    pub(super) over_lines: u64,
    /// Either of the two: they are refused.
    pub(super) refused: u64,
}

/// What a server stored of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StoredGroup {
    pub(super) new: u64,
    pub(super) already_there: u64,
    pub(super) refused: u64,
    pub(super) lines: u64,
    /// Σ of the amounts, rounded to the currency.
    pub(super) rounded: Sums,
    /// Σ of the roundings kept.
    pub(super) rounding: Sums,
}

/// What a server answered.
#[derive(Clone, Debug, Default)]
pub(super) struct StoredTally {
    pub(super) kinds: BTreeMap<Kind, StoredGroup>,
    /// Of all kinds, by month and currency.
    pub(super) months: BTreeMap<(String, String), Group>,
    pub(super) refused: Reasons,
    /// Stored, but not as it was sent.
    pub(super) differing: Reasons,
}
