//! The lines of the CSV (RFC 4180), each read or refused with its place and a reason.

use std::io::{self, Read};

use csv::ByteRecord;
use jiff::civil::DateTime;
use ordercast_domain::money::parse_price;

/// The columns by their names, lower-case and without `_` and spaces, so that `InvoiceNo` is `invoice_no`.
const COLUMNS: [&str; 8] =
    ["invoiceno", "stockcode", "description", "quantity", "invoicedate", "unitprice", "customerid", "country"];
/// The same columns as the documentation writes them.
const NAMES: &str = "invoice_no, stock_code, description, quantity, invoice_date, unit_price, customer_id, country";

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
pub(super) struct Rows<R> {
    reader: csv::Reader<R>,
    record: ByteRecord,
    /// Where each of [`COLUMNS`] stands.
    columns: [usize; 8],
    width: usize,
}

impl<R: Read> Rows<R> {
    /// Reads the header.
    pub(super) fn new(input: R) -> io::Result<Self> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(input);
        let header = reader.byte_headers().map_err(io_error)?;
        let plain = |name: &[u8]| {
            let name = String::from_utf8_lossy(name).trim_start_matches('\u{feff}').to_ascii_lowercase();
            name.replace(['_', ' '], "")
        };
        let names: Vec<_> = header.iter().map(plain).collect();
        let width = names.len();
        let mut columns = [0; 8];
        for (column, name) in columns.iter_mut().zip(COLUMNS) {
            *column = names.iter().position(|known| known == name).ok_or_else(|| {
                let message = format!("its header has no column for {name}; the columns must be {NAMES}");
                io::Error::new(io::ErrorKind::InvalidData, message)
            })?;
        }
        Ok(Self { reader, record: ByteRecord::new(), columns, width })
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
            Err(()) => Err(wrong(format!("{} is not UTF-8", name_of(column)))),
        };
        let refuse = |column: usize, what: &str| wrong(format!("{} is no {what}", name_of(column)));
        Ok(Row {
            line,
            invoice: need(0)?,
            sku: need(1)?,
            description: String::from_utf8_lossy(self.field(2)).trim().to_owned(),
            quantity: need(3)?.parse().map_err(|_| refuse(3, "whole number"))?,
            placed_at: read_time(&need(4)?).ok_or_else(|| refuse(4, "time such as 2010-12-01T08:26:00"))?,
            price: parse_price(&need(5)?).map_err(|_| refuse(5, "price with at most six digits after the point"))?,
            customer: self.text(6).map_err(|()| refuse(6, "UTF-8 text"))?,
            country: self.text(7).map_err(|()| refuse(7, "UTF-8 text"))?,
        })
    }

    fn field(&self, column: usize) -> &[u8] {
        self.record.get(self.columns[column]).unwrap_or_default()
    }

    fn text(&self, column: usize) -> Result<String, ()> {
        std::str::from_utf8(self.field(column)).map(|text| text.trim().to_owned()).map_err(|_| ())
    }
}

impl<R: Read> Iterator for Rows<R> {
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

/// A time as this project's file has it, or as the original of the data set does (US order).
fn read_time(text: &str) -> Option<DateTime> {
    text.parse().ok().or_else(|| DateTime::strptime("%m/%d/%Y %H:%M", text).ok())
}

fn io_error(error: csv::Error) -> io::Error {
    let message = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        _ => io::Error::new(io::ErrorKind::InvalidData, message),
    }
}
