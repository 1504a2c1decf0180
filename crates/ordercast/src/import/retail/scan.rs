//! The first pass over a file: how many lines every invoice has.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::Path;

use super::super::input;
use super::facts::{Facts, FileSums};
use super::rows::{RowError, Rows, Writing};

/// What is known of an invoice before it is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct InvoiceLines {
    /// Its lines that are still to come.
    pub(super) count: u32,
    /// Whether one of its lines makes no sense. Then it is not sent: without that line its amount would be wrong.
    pub(super) is_spoilt: bool,
}

/// Counts the lines of every invoice; `all` also gathers what needs memory for every line, and the checksums.
pub(super) fn scan(path: &Path, all: bool, writing: Writing) -> io::Result<(HashMap<Box<str>, InvoiceLines>, Facts)> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut facts = Facts::new(name, all);
    if !all {
        return Ok((count(input::open(path)?, &mut facts, writing)?, facts));
    }
    let input::Digested { text, text_sum, gzip_sum } = input::open_digested(path)?;
    let invoices = count(text, &mut facts, writing)?;
    let (text_sum, gzip_sum) = (text_sum.borrow(), gzip_sum.as_ref().map(|sum| sum.borrow()));
    facts.sums = Some(FileSums {
        csv_bytes: text_sum.bytes(),
        csv_sha256: text_sum.sha256(),
        gz: gzip_sum.map(|sum| (sum.bytes(), sum.sha256())),
    });
    Ok((invoices, facts))
}

fn count(text: Box<dyn Read>, facts: &mut Facts, writing: Writing) -> io::Result<HashMap<Box<str>, InvoiceLines>> {
    let mut invoices: HashMap<Box<str>, InvoiceLines> = HashMap::new();
    let mut rows = Rows::new(text, writing)?;
    while let Some(row) = rows.next() {
        let (number, is_spoilt) = match row {
            Ok(row) => {
                facts.add(&row, rows.fields());
                (row.invoice, false)
            }
            Err(RowError::Io(error)) => return Err(error),
            Err(RowError::Wrong { invoice: None, .. }) => continue,
            Err(RowError::Wrong { invoice: Some(number), .. }) => (number, true),
        };
        if !invoices.contains_key(&*number) {
            invoices.insert(number.clone().into(), InvoiceLines::default());
        }
        if let Some(lines) = invoices.get_mut(&*number) {
            lines.count += 1;
            lines.is_spoilt |= is_spoilt;
        }
    }
    Ok(invoices)
}
