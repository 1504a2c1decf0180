//! What became of a file, for people and for programs.

mod text;

use std::time::Duration;

use ordercast_domain::money::Currency;
use ordercast_domain::rules::Rules;
use serde_json::{Map, Value, json};

use super::expected::Comparison;
use super::parcel::Kind;
use super::retail::facts::Facts;
use super::sending::Sent;
use super::source::Source;
use super::tally::{FileTally, Group, Reasons, StoredGroup, StoredTally};
use crate::api::ApiError;
use crate::cli::SendArgs;
use crate::exact::Exact;

/// The kinds under the names of `expected.json`.
const EXPECTED_KINDS: [(Kind, &str); 4] = [
    (Kind::BadDebt, "adjustment"),
    (Kind::Cancellation, "cancellation"),
    (Kind::Sale, "sale"),
    (Kind::WriteOff, "writeoff"),
];

/// Everything that is known when an import ends.
#[derive(Debug)]
pub(super) struct Report {
    file: String,
    url: String,
    /// The limits that the sales are held against.
    default_rules: Rules,
    /// How many parcels the file holds.
    pub(super) total: u64,
    /// What the file holds, as far as it was read.
    read: FileTally,
    /// What the server stored.
    stored: StoredTally,
    facts: Option<Facts>,
    elapsed: Duration,
    /// Median, 99th percentile and maximum.
    latencies: [Duration; 3],
    /// For a replay, how far it fell behind.
    behind: Option<Duration>,
    /// Why it ended early.
    pub(super) stop: Option<ApiError>,
    /// What a comparison with expected values found.
    pub(super) comparison: Option<Comparison>,
}

impl Report {
    pub(super) fn new(
        args: &SendArgs,
        currency: Currency,
        source: &dyn Source,
        sent: Sent,
        facts: Option<Facts>,
    ) -> Self {
        let Sent { tally, latencies, behind, elapsed, stop } = sent;
        Self {
            file: args.file.display().to_string(),
            url: args.url.clone(),
            default_rules: Rules::standard(currency),
            total: source.total().min(args.limit.unwrap_or(u64::MAX)),
            read: source.tally().clone(),
            stored: tally,
            facts,
            elapsed,
            latencies: [latencies.percentile(50), latencies.percentile(99), latencies.max()],
            behind,
            stop,
            comparison: None,
        }
    }

    /// How many are in the store, whether this run or an earlier one brought them there.
    pub(super) fn stored_count(&self) -> u64 {
        self.stored.kinds.values().map(|group| group.new + group.already_there).sum()
    }

    /// Whether everything of the file is in the store as it is in the file, and as expected.
    pub(super) fn is_good(&self) -> bool {
        let counts = [self.read.skipped.count(), self.stored.refused.count(), self.stored.differing.count()];
        let is_as_expected = self.comparison.as_ref().is_none_or(|comparison| comparison.differences.is_empty());
        self.stop.is_none() && counts == [0; 3] && is_as_expected
    }

    /// The values of `expected.json`: the counts and sums of the input are those that the server stored.
    pub(super) fn actual(&self, currency: &str) -> Value {
        let mut actual = self.facts.as_ref().map(Facts::json).unwrap_or_default();
        let (mut invoices, mut amounts) = (Map::new(), Map::new());
        for (kind, name) in EXPECTED_KINDS {
            let group = self.stored.kinds.get(&kind).cloned().unwrap_or_default();
            invoices.insert(name.to_owned(), (group.new + group.already_there).into());
            amounts.insert(name.to_owned(), total_of(&group, currency).to_string().into());
        }
        let mut months = Map::new();
        for ((month, code), group) in &self.stored.months {
            if code == currency {
                months.insert(month.clone(), group_json(group));
            }
        }
        let sales = &self.read.sales;
        let mut insert = |name: &str, value: Value| actual.insert(name.to_owned(), value);
        insert("invoices", self.stored_count().into());
        insert("invoices_by_kind", invoices.into());
        insert("amount_by_kind", amounts.into());
        insert("by_month", months.into());
        insert("active_days", self.read.by_day.len().into());
        let busiest_minute = busiest(&self.read.by_minute);
        insert("busiest_minute", busiest_minute.map_or(Value::Null, |(at, count)| json!([count, at.to_string()])));
        let busiest_day = busiest(&self.read.by_day);
        insert("busiest_day", busiest_day.map_or(Value::Null, |(at, count)| json!([count, at.to_string()])));
        let lines_by_rank = [50, 95, 99].map(|percent| sales.lines_at(percent));
        insert(
            "sales",
            json!({
                "over_1000": sales.limits.over_priority,
                "over_10000": sales.limits.over_amount,
                "over_50_lines": sales.limits.over_lines,
                "over_10000_or_over_50_lines": sales.limits.refused,
                "max_lines": sales.by_lines.keys().next_back(),
                "max_total": sales.max_amount.to_string(),
                "lines_p50_p95_p99": lines_by_rank,
                "without_customer": sales.without_customer,
            }),
        );
        Value::Object(actual)
    }

    /// The whole report for programs.
    pub(super) fn json(&self, currency: &str) -> Value {
        let kinds = self.read.kinds.iter().map(|(kind, group)| {
            let stored = self.stored.kinds.get(kind).cloned().unwrap_or_default();
            (kind.name().to_owned(), kind_json(group, &stored))
        });
        let comparison = self.comparison.as_ref();
        json!({
            "file": self.file,
            "url": self.url,
            "is_complete": self.stop.is_none(),
            "is_good": self.is_good(),
            "stopped_by": self.stop.as_ref().map(ToString::to_string),
            "kinds": Map::from_iter(kinds),
            "stored": self.stored_count(),
            "of": self.total,
            "refused": reasons_json(&self.stored.refused),
            "skipped": reasons_json(&self.read.skipped),
            "odd": reasons_json(&self.read.odd),
            "stored_differently": reasons_json(&self.stored.differing),
            "facts": self.facts.as_ref().map(|_| self.actual(currency)),
            "seconds": self.elapsed.as_secs_f64(),
            "latency_ms": {
                "p50": milliseconds(self.latencies[0]),
                "p99": milliseconds(self.latencies[1]),
                "max": milliseconds(self.latencies[2]),
            },
            "behind_ms": self.behind.map(milliseconds),
            "expected": comparison.map(|comparison| json!({
                "compared": comparison.compared,
                "differences": comparison.differences,
            })),
        })
    }
}

/// What was stored in one currency: Σ of the amounts + Σ of the roundings kept.
fn total_of(group: &StoredGroup, currency: &str) -> Exact {
    let of = |sums: &super::tally::Sums| sums.get(currency).copied().unwrap_or_default();
    of(&group.rounded) + of(&group.rounding)
}

fn group_json(group: &Group) -> Value {
    json!({"invoices": group.invoices, "lines": group.lines, "amount": group.amount.to_string()})
}

fn kind_json(group: &Group, stored: &StoredGroup) -> Value {
    let sums =
        |sums: &super::tally::Sums| sums.iter().map(|(code, sum)| (code.clone(), sum.to_string().into())).collect();
    let (rounded, rounding): (Map<String, Value>, Map<String, Value>) = (sums(&stored.rounded), sums(&stored.rounding));
    json!({
        "in_file": group_json(group),
        "new": stored.new,
        "already_there": stored.already_there,
        "refused": stored.refused,
        "lines": stored.lines,
        "amount": rounded,
        "rounding": rounding,
    })
}

fn reasons_json(reasons: &Reasons) -> Value {
    let reasons = reasons
        .0
        .iter()
        .map(|(text, reason)| json!({"reason": text, "count": reason.count, "examples": reason.examples}));
    reasons.collect()
}

/// The time with the most invoices; the first of them if there are several.
fn busiest<T: Copy>(counts: &std::collections::BTreeMap<T, u64>) -> Option<(T, u64)> {
    counts.iter().fold(None, |best: Option<(T, u64)>, (at, count)| match best {
        Some((_, most)) if most >= *count => best,
        _ => Some((*at, *count)),
    })
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
