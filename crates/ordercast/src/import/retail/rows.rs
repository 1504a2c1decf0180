//! The lines of the CSV (RFC 4180), each read or refused with its place and a reason.

use std::io::{self, Read};

use csv::ByteRecord;
use jiff::civil::DateTime;
use ordercast_domain::money::parse_price;

use super::super::csv_input::{self, CsvInput, io_error, plain_number};
use super::super::dates::{NoTime, Orders, Time};
use crate::cli::Delimiter;
use crate::encoding::HOW_TO_CONVERT;

/// The columns, each by its names in the files that have it: lower-case and without `_` and spaces, so that `InvoiceNo` is
/// `invoice_no`. The second names are those of the data set's sister, Online Retail II.
const COLUMNS: [&[&str]; 8] = [
    &["invoiceno", "invoice"],
    &["stockcode"],
    &["description"],
    &["quantity"],
    &["invoicedate"],
    &["unitprice", "price"],
    &["customerid"],
    &["country"],
];
/// The same columns as the documentation writes them.
const NAMES: &str = "invoice_no, stock_code, description, quantity, invoice_date, unit_price, customer_id, country";

/// How the fields of a file are written.
#[derive(Clone, Copy, Debug)]
pub(in crate::import) struct Writing {
    pub(in crate::import) delimiter: Option<Delimiter>,
    pub(in crate::import) has_decimal_comma: bool,
    pub(in crate::import) dates: Orders,
}

/// Where each of [`COLUMNS`] stands in a header; otherwise the first that is not there, by its documented name.
pub(in crate::import) fn columns_of(header: &[String]) -> Result<[usize; 8], &'static str> {
    let plain = |name: &String| name.to_ascii_lowercase().replace(['_', ' '], "");
    let names: Vec<_> = header.iter().map(plain).collect();
    let mut columns = [0; 8];
    for (at, (column, known)) in columns.iter_mut().zip(COLUMNS).enumerate() {
        *column = names.iter().position(|name| known.contains(&name.as_str())).ok_or_else(|| name_of(at))?;
    }
    Ok(columns)
}

/// A line of an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Where in the file it begins.
    pub(super) line: u64,
    pub(super) invoice: String,
    pub(super) sku: String,
    /// Empty when there is none.
    pub(super) description: String,
    pub(super) quantity: i64,
    /// In the shop's own time; the file has no zone.
    pub(super) placed_at: DateTime,
    /// Millionths of the major unit for one.
    pub(super) price: i64,
    /// Empty when there is none.
    pub(super) customer: String,
    pub(super) country: String,
}

/// Why there is no line.
#[derive(Debug)]
pub(super) enum RowError {
    /// The file cannot be read on.
    Io(io::Error),
    /// This line makes no sense.
    Wrong {
        line: u64,
        /// Its invoice, if that can be read.
        invoice: Option<String>,
        reason: String,
    },
}

/// The lines of a file.
pub(super) struct Rows {
    reader: csv::Reader<Box<dyn Read>>,
    record: ByteRecord,
    /// Where each of [`COLUMNS`] stands.
    columns: [usize; 8],
    width: usize,
    writing: Writing,
}

impl Rows {
    /// Reads the header.
    pub(super) fn new(text: Box<dyn Read>, writing: Writing) -> io::Result<Self> {
        let CsvInput { reader, header } = csv_input::open(text, writing.delimiter)?;
        let columns = columns_of(&header).map_err(|missing| {
            let there = header.join(", ");
            let message = format!("its header has no column {missing}; it has: {there}. The columns must be {NAMES}");
            io::Error::new(io::ErrorKind::InvalidData, message)
        })?;
        Ok(Self { reader, record: ByteRecord::new(), columns, width: header.len(), writing })
    }

    /// Reads all dates, to learn whether the day or the month stands first.
    pub(super) fn learn_dates(mut self) -> io::Result<Orders> {
        while self.reader.read_byte_record(&mut self.record).map_err(io_error)? {
            if let Ok(text) = self.text(4) {
                self.writing.dates.learn(&text);
            }
        }
        Ok(self.writing.dates)
    }

    /// The fields of the line read last, as they are.
    pub(super) fn fields(&self) -> impl Iterator<Item = &[u8]> {
        self.record.iter()
    }

    fn row(&self) -> Result<Row, RowError> {
        let line = self.record.position().map_or(0, csv::Position::line);
        let invoice = self.text(0).ok().filter(|invoice| !invoice.is_empty());
        let wrong = |reason: String| RowError::Wrong { line, invoice: invoice.clone(), reason };
        if self.record.len() != self.width {
            // The invoice is kept: its number comes first, before whatever broke the line.
            return Err(wrong(format!("a line with {} columns instead of {}", self.record.len(), self.width)));
        }
        let need = |column: usize| match self.text(column) {
            Ok(text) if text.is_empty() => Err(wrong(format!("no {}", name_of(column)))),
            Ok(text) => Ok(text),
            Err(()) => Err(wrong(format!("{} is not UTF-8; {HOW_TO_CONVERT}", name_of(column)))),
        };
        let refuse = |column: usize, what: &str| wrong(format!("{} is no {what}", name_of(column)));
        Ok(Row {
            line,
            invoice: need(0)?,
            sku: need(1)?,
            description: String::from_utf8_lossy(self.field(2)).trim().to_owned(),
            quantity: need(3)?.parse().map_err(|_| refuse(3, "whole number"))?,
            placed_at: self.time(&need(4)?).map_err(|why| match why {
                NoTime::Wrong => refuse(4, "time such as 2010-12-01T08:26:00"),
                NoTime::Ambiguous => wrong(format!("{} could be two days; say --dates dmy or --dates mdy", name_of(4))),
            })?,
            price: parse_price(&plain_number(&need(5)?, self.writing.has_decimal_comma))
                .map_err(|_| refuse(5, "price with at most six digits after the point (3,40 needs --decimal ,)"))?,
            customer: without_fraction(self.text(6).map_err(|()| refuse(6, "UTF-8 text"))?),
            country: self.text(7).map_err(|()| refuse(7, "UTF-8 text"))?,
        })
    }

    fn time(&self, text: &str) -> Result<DateTime, NoTime> {
        match self.writing.dates.read(text)? {
            Time::Local(at) => Ok(at),
            Time::Exact(at) => Ok(at.to_zoned(jiff::tz::TimeZone::UTC).datetime()),
        }
    }

    fn field(&self, column: usize) -> &[u8] {
        self.record.get(self.columns[column]).unwrap_or_default()
    }

    fn text(&self, column: usize) -> Result<String, ()> {
        std::str::from_utf8(self.field(column)).map(|text| text.trim().to_owned()).map_err(|_| ())
    }
}

impl Iterator for Rows {
    type Item = Result<Row, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.reader.read_byte_record(&mut self.record) {
            Ok(false) => None,
            Ok(true) => Some(self.row()),
            Err(error) => Some(Err(RowError::Io(io_error(error)))),
        }
    }
}

fn name_of(column: usize) -> &'static str {
    NAMES.split(", ").nth(column).unwrap_or_default()
}

/// Programs that take ids for numbers write `13085.0`.
fn without_fraction(customer: String) -> String {
    match customer.strip_suffix(".0") {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.to_owned(),
        _ => customer,
    }
}
