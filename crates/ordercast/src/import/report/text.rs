//! The report for people.

use std::fmt::{self, Display, Formatter};

use super::super::tally::{Reasons, Sums};
use super::{Report, milliseconds, total_of};
use crate::exact::Exact;

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} → {}", self.file, self.url)?;
        self.write_kinds(f)?;
        self.write_sums(f)?;
        self.write_months(f)?;
        self.write_limits(f)?;
        write_reasons(f, "sent, but odd", &self.read.odd)?;
        write_reasons(f, "skipped: not in the store", &self.read.skipped)?;
        write_reasons(f, "refused by the server: not in the store", &self.stored.refused)?;
        write_reasons(f, "STORED DIFFERENTLY", &self.stored.differing)?;
        self.write_times(f)?;
        if let Some(comparison) = &self.comparison {
            let (compared, differing) = (comparison.compared, comparison.differences.len());
            writeln!(f, "\n{compared} expected values compared, {differing} differ")?;
            for difference in &comparison.differences {
                writeln!(f, "  - {difference}")?;
            }
        }
        Ok(())
    }
}

impl Report {
    fn write_kinds(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let names = ["in the file", "lines", "new", "already there", "refused"];
        writeln!(
            f,
            "\n{:<13}{:>12}{:>10}{:>9}{:>15}{:>9}  stored amount",
            "", names[0], names[1], names[2], names[3], names[4]
        )?;
        for (kind, group) in &self.read.kinds {
            let stored = self.stored.kinds.get(kind).cloned().unwrap_or_default();
            let sums: Vec<_> =
                stored.rounded.keys().map(|code| format!("{} {code}", money(total_of(&stored, code)))).collect();
            let counts = [group.invoices, group.lines, stored.new, stored.already_there, stored.refused].map(grouped);
            let [invoices, lines, new, already, refused] = counts;
            let sums = sums.join(", ");
            writeln!(f, "{:<13}{invoices:>12}{lines:>10}{new:>9}{already:>15}{refused:>9}  {sums}", kind.name())?;
        }
        Ok(())
    }

    /// Rounds are kept, so that nothing is lost: the two sums together are the file's.
    fn write_sums(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (kind, group) in &self.read.kinds {
            let Some(stored) = self.stored.kinds.get(kind) else { continue };
            for (code, rounded) in &stored.rounded {
                let rounding = stored.rounding.get(code).copied().unwrap_or_default();
                if rounding == Exact::default() {
                    continue;
                }
                let (name, total) = (kind.name(), total_of(stored, code));
                write!(f, "{name}: Σ amounts {} + Σ roundings kept {}", money(*rounded), money(rounding))?;
                writeln!(f, " = {} {code}; the file says {}", money(total), money(group.amount))?;
            }
        }
        Ok(())
    }

    fn write_months(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.stored.months.is_empty() {
            return Ok(());
        }
        writeln!(f, "\n{:<13}{:>12}{:>10}{:>20}", "stored", "invoices", "lines", "amount")?;
        let mut total = (0, 0, Sums::new());
        for ((month, code), group) in &self.stored.months {
            let (invoices, lines, amount) = (grouped(group.invoices), grouped(group.lines), money(group.amount));
            writeln!(f, "{month:<13}{invoices:>12}{lines:>10}{amount:>20} {code}")?;
            total.0 += group.invoices;
            total.1 += group.lines;
            *total.2.entry(code.clone()).or_default() += group.amount;
        }
        for (code, amount) in &total.2 {
            writeln!(
                f,
                "{:<13}{:>12}{:>10}{:>20} {code}",
                "in all",
                grouped(total.0),
                grouped(total.1),
                money(*amount)
            )?;
        }
        Ok(())
    }

    fn write_limits(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let sales = &self.read.sales;
        if sales.count == 0 {
            return Ok(());
        }
        let (limits, rules) = (sales.limits, &self.default_rules);
        let amounts = rules.amounts_in(rules.default_currency);
        let whole = |number: i64| grouped(number.unsigned_abs());
        writeln!(
            f,
            "\nThe default limits would have refused {} of {} sales: {} over {}, {} with more than {} lines.",
            grouped(limits.refused),
            grouped(sales.count),
            grouped(limits.over_amount),
            whole(amounts.max_amount),
            grouped(limits.over_lines),
            rules.max_items,
        )?;
        let most = sales.by_lines.keys().next_back().copied().unwrap_or(0);
        writeln!(
            f,
            "{} are over {} and get priority; the largest is {}, the longest has {} lines; {} name no customer.",
            grouped(limits.over_priority),
            whole(amounts.priority_above),
            money(sales.max_amount),
            grouped(most),
            grouped(sales.without_customer),
        )
    }

    fn write_times(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let answered = self.stored_count() + self.stored.refused.count();
        let seconds = self.elapsed.as_secs_f64();
        // Counts are far below what a double holds exactly.
        let rate = answered as f64 / seconds.max(1e-9);
        let [p50, p99, max] = self.latencies.map(milliseconds);
        writeln!(
            f,
            "\n{} answers in {seconds:.1} s ({rate:.0}/s); p50 {p50} ms, p99 {p99} ms, longest {max} ms",
            grouped(answered)
        )?;
        if let Some(behind) = self.behind {
            writeln!(f, "The replay was behind its pace by at most {} ms.", milliseconds(behind))?;
        }
        Ok(())
    }
}

fn write_reasons(f: &mut Formatter<'_>, title: &str, reasons: &Reasons) -> fmt::Result {
    if reasons.0.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{title} ({})", grouped(reasons.count()))?;
    for (text, reason) in &reasons.0 {
        let more = if reason.count > reason.examples.len() as u64 { ", …" } else { "" };
        writeln!(f, "{:>9}  {text} ({}{more})", grouped(reason.count), reason.examples.join(", "))?;
    }
    Ok(())
}

/// A count with commas between the thousands.
fn grouped(count: impl Into<u128>) -> String {
    let digits = count.into().to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn money(amount: Exact) -> String {
    let (is_negative, whole, digits) = amount.parts();
    format!("{}{}.{digits}", if is_negative { "-" } else { "" }, grouped(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (count, text) in [(0u64, "0"), (999, "999"), (1_000, "1,000"), (6_293_764, "6,293,764")] {
            assert_eq!(grouped(count), text);
        }
        assert_eq!(money(Exact::parse("-11062.064").unwrap()), "-11,062.064");
    }
}
