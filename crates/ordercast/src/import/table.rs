//! CSV with any columns: `--format csv --columns id=Name,…`, and the export of a Shopify shop, whose columns are known.
//!
//! Each row is a line of an order. The rows of an order stand together, and what belongs to the whole order may stand in the
//! first of them only.

pub(super) mod columns;
mod order;

use std::collections::HashSet;
use std::io;
use std::path::Path;

use csv::ByteRecord;
use ordercast_domain::money::Currency;

use self::columns::{Columns, Field};
use self::order::{Order, Row};
use super::csv_input::{self, CsvInput, io_error};
use super::dates::Orders;
use super::input::{self, SourceId};
use super::numbers::id_of;
use super::parcel::{Kind, Parcel};
use super::retail::rows::Writing;
use super::source::Source;
use super::tally::FileTally;
use crate::encoding::HOW_TO_CONVERT;

/// A file of orders, row by row.
pub(super) struct TableSource {
    reader: csv::Reader<Box<dyn io::Read>>,
    columns: Columns,
    writing: Writing,
    currency: Option<Currency>,
    source: SourceId,
    /// The order whose rows are being read.
    open: Option<Order>,
    /// Ids of orders that are done.
    done: HashSet<String>,
    is_at_end: bool,
    total: u64,
    tally: FileTally,
}

/// Opens a file, counts its orders and learns how its dates are written. `given` are columns by their names in the header.
///
/// # Errors
/// When the file cannot be read, or its header has not the columns that are needed.
pub(super) fn open(
    path: &Path,
    given: &[(Field, Vec<String>)],
    currency: Option<Currency>,
    writing: Writing,
    source: SourceId,
) -> io::Result<TableSource> {
    let CsvInput { mut reader, header } = csv_input::open(input::open(path)?, writing.delimiter)?;
    let columns = Columns::find(&header, given).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
    let (mut dates, mut total, mut before) = (writing.dates, 0, Vec::new());
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(io_error)? {
        if let Some(text) = columns.text(&record, Field::PlacedAt) {
            dates.learn(&text);
        }
        let number = columns.text(&record, Field::Id).unwrap_or_default().into_bytes();
        let goes_on = columns.has(Field::Id) && (number.is_empty() || number == before);
        total += u64::from(!goes_on);
        before = if number.is_empty() { before } else { number };
    }
    let CsvInput { reader, .. } = csv_input::open(input::open(path)?, writing.delimiter)?;
    Ok(TableSource {
        reader,
        columns,
        writing: Writing { dates, ..writing },
        currency,
        source,
        open: None,
        done: HashSet::new(),
        is_at_end: false,
        total,
        tally: FileTally::default(),
    })
}

impl Source for TableSource {
    fn total(&self) -> u64 {
        self.total
    }

    fn next(&mut self) -> io::Result<Option<Parcel>> {
        while !self.is_at_end {
            let mut record = ByteRecord::new();
            let ended = if self.reader.read_byte_record(&mut record).map_err(io_error)? {
                self.take(&record)
            } else {
                self.is_at_end = true;
                self.open.take()
            };
            if let Some(parcel) = ended.and_then(|order| self.parcel_of(order)) {
                return Ok(Some(parcel));
            }
        }
        Ok(None)
    }

    fn tally(&self) -> &FileTally {
        &self.tally
    }
}

impl TableSource {
    /// Adds a row to its order; gives the order before it when the row begins another.
    fn take(&mut self, record: &ByteRecord) -> Option<Order> {
        let line = record.position().map_or(0, csv::Position::line);
        let number = self.columns.text(record, Field::Id);
        let goes_on = self.columns.has(Field::Id)
            && self.open.as_ref().is_some_and(|open| number.as_deref().is_none_or(|number| number == open.number));
        let row = Row::read(record, &self.columns, self.writing);
        if goes_on {
            if let Some(open) = &mut self.open {
                open.add(line, row);
            }
            return None;
        }
        self.open.replace(Order::begin(line, number.unwrap_or_default(), row))
    }

    fn parcel_of(&mut self, order: Order) -> Option<Parcel> {
        let place = || order.place();
        if let Some(reason) = &order.broken {
            self.tally.skipped.add(reason.clone(), place);
            return None;
        }
        let id = (!order.number.is_empty()).then(|| id_of(&order.number));
        if id.as_ref().is_some_and(|id| !self.done.insert(id.clone())) {
            self.tally.skipped.add("rows of an order that do not stand together", place);
            return None;
        }
        let sum = match order.sum() {
            Ok(sum) => sum,
            Err(reason) => {
                self.tally.skipped.add(reason, place);
                return None;
            }
        };
        for odd in order.oddities() {
            self.tally.odd.add(odd, place);
        }
        let lines = order.lines() as u64;
        self.tally.kinds.entry(Kind::Order).or_default().add(lines, sum.total);
        Some(Parcel {
            kind: Kind::Order,
            idempotency_key: id.is_none().then(|| self.source.key(order.line)),
            body: order.body(id.as_deref(), &sum, self.currency),
            amount: Some(sum.total),
            lines,
            month: order.month(),
            placed_at_ms: order.placed_at_ms(),
            id: id.unwrap_or_else(|| format!("line {}", order.line)),
        })
    }
}

/// Why a field that is no UTF-8 spoils its order.
fn not_utf8(field: Field) -> String {
    format!("{} is not UTF-8; {HOW_TO_CONVERT}", field.name())
}

/// The time of a row, or why it has none.
fn time(dates: Orders, text: &str) -> Result<super::dates::Time, String> {
    use super::dates::NoTime;
    dates.read(text).map_err(|why| match why {
        NoTime::Wrong => "placed_at is no time such as 2026-03-01T09:00:00 or 2026-03-01 09:00:00 +0100".to_owned(),
        NoTime::Ambiguous => format!("placed_at {text:?} could be two days; say --dates dmy or --dates mdy"),
    })
}

#[cfg(test)]
mod tests;
