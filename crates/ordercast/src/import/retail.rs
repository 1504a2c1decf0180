//! The CSV of the UCI data set "Online Retail": invoice lines in, sales and adjustments out.
//!
//! The file is read three times. The first pass learns how its dates are written. The second counts the lines of every
//! invoice, so that the third can send an
//! invoice as soon as its last line was read, wherever in the file that is: the lines of one invoice are nearly
//! always, but not always, together. Only invoices that are still open are held in memory.

pub(super) mod facts;
mod invoice;
pub(super) mod rows;
mod scan;

use std::collections::HashMap;
use std::io;
use std::path::Path;

use ordercast_domain::money::{Currency, round_sum};
use ordercast_domain::rules::Rules;

use super::input;
use super::numbers::id_of;
use super::parcel::{Kind, Parcel};
use super::source::Source;
use super::tally::FileTally;
use crate::exact::Exact;

use facts::Facts;
use invoice::Invoice;
use rows::{Row, RowError, Rows, Writing};
use scan::InvoiceLines;

/// A file of invoice lines, read for the last time.
pub(super) struct RetailSource {
    rows: Rows,
    /// What is still to come of every invoice.
    expected: HashMap<Box<str>, InvoiceLines>,
    open: HashMap<Box<str>, Invoice>,
    currency: Currency,
    /// The limits that a server has by default.
    default_rules: Rules,
    total: u64,
    tally: FileTally,
}

/// Opens a file and reads it once; `all` also gathers the facts that need memory for every line.
pub(super) fn open(path: &Path, currency: Currency, all: bool, writing: Writing) -> io::Result<(RetailSource, Facts)> {
    let dates = Rows::new(input::open(path)?, writing)?.learn_dates()?;
    let writing = Writing { dates, ..writing };
    let (expected, facts) = scan::scan(path, all, writing)?;
    let source = RetailSource {
        rows: Rows::new(input::open(path)?, writing)?,
        total: expected.len() as u64,
        expected,
        open: HashMap::new(),
        currency,
        default_rules: Rules::standard(currency),
        tally: FileTally::default(),
    };
    Ok((source, facts))
}

impl Source for RetailSource {
    fn total(&self) -> u64 {
        self.total
    }

    fn next(&mut self) -> io::Result<Option<Parcel>> {
        while let Some(row) = self.rows.next() {
            let invoice = match row {
                Ok(row) => self.take(row)?,
                Err(RowError::Io(error)) => return Err(error),
                Err(RowError::Wrong { line, invoice, reason }) => {
                    self.tally.skipped.add(reason, || format!("line {line}"));
                    invoice.and_then(|number| self.close_line(&number))
                }
            };
            if let Some(parcel) = invoice.and_then(|invoice| self.parcel_of(invoice)) {
                return Ok(Some(parcel));
            }
        }
        match self.open.keys().next() {
            None => Ok(None),
            Some(number) => Err(changed(number)),
        }
    }

    fn tally(&self) -> &FileTally {
        &self.tally
    }
}

fn changed(number: &str) -> io::Error {
    io::Error::other(format!("the file changed while it was read: see invoice {number}"))
}

impl RetailSource {
    /// Adds a line to its invoice; gives the invoice when this was its last line.
    fn take(&mut self, row: Row) -> io::Result<Option<Invoice>> {
        let lines = self.expected.get(&*row.invoice).ok_or_else(|| changed(&row.invoice))?;
        let number = row.invoice.clone();
        if lines.is_spoilt {
            self.tally.skipped.add("a line of an invoice of which another line is unreadable", || {
                format!("line {}, invoice {number}", row.line)
            });
        } else if let Some(invoice) = self.open.get_mut(&*number) {
            invoice.add(row);
        } else {
            self.open.insert(number.clone().into(), Invoice::begin(row));
        }
        Ok(self.close_line(&number))
    }

    /// Counts a line of an invoice down; gives the invoice when it was the last.
    fn close_line(&mut self, number: &str) -> Option<Invoice> {
        let lines = self.expected.get_mut(number)?;
        lines.count = lines.count.saturating_sub(1);
        if lines.count > 0 {
            return None;
        }
        self.expected.remove(number);
        self.open.remove(number)
    }

    fn parcel_of(&mut self, invoice: Invoice) -> Option<Parcel> {
        let (amount, lines) = (invoice.amount(), invoice.lines.len() as u64);
        let kind = match invoice.kind() {
            Ok(kind) => kind,
            Err(reason) => {
                self.tally.skipped.add(reason, || format!("invoice {}", invoice.number));
                return None;
            }
        };
        self.tally.kinds.entry(kind).or_default().add(lines, amount);
        *self.tally.by_minute.entry(invoice.placed_at).or_default() += 1;
        *self.tally.by_day.entry(invoice.placed_at.date()).or_default() += 1;
        for odd in invoice.oddities() {
            self.tally.odd.add(odd, || format!("invoice {}", invoice.number));
        }
        if kind == Kind::Sale {
            self.count_sale(&invoice, amount);
        }
        Some(Parcel {
            kind,
            body: invoice.body(kind, self.currency),
            idempotency_key: None,
            amount: Some(amount),
            lines,
            month: Some(invoice.placed_at.strftime("%Y-%m").to_string()),
            placed_at_ms: invoice.placed_at_ms(),
            id: id_of(&invoice.number),
        })
    }

    fn count_sale(&mut self, invoice: &Invoice, amount: Exact) {
        let sales = &mut self.tally.sales;
        sales.count += 1;
        sales.without_customer += u64::from(invoice.customer.is_empty());
        sales.max_amount = sales.max_amount.max(amount);
        *sales.by_lines.entry(invoice.lines.len() as u64).or_default() += 1;
        let rules = &self.default_rules;
        let minor = round_sum(amount.0, self.currency).map_or(i64::MAX, |(minor, _)| minor);
        let is_over_amount = minor > rules.max_minor(self.currency);
        let is_over_lines = invoice.lines.len() > rules.max_items;
        sales.limits.over_priority += u64::from(rules.is_large(minor, self.currency));
        sales.limits.over_amount += u64::from(is_over_amount);
        sales.limits.over_lines += u64::from(is_over_lines);
        sales.limits.refused += u64::from(is_over_amount || is_over_lines);
    }
}

#[cfg(test)]
mod tests;
