//! An invoice: what it is, and how it is sent.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use ordercast_domain::money::Currency;
use ordercast_protocol::json::{Decimal, JsonWriter};
use ordercast_protocol::limits::MAX_TEXT_BYTES;

use super::super::numbers::id_of;
use super::super::parcel::{Kind, PRICE_OVERRIDE};
use super::rows::Row;
use crate::exact::Exact;

/// Digits after the point of a price in millionths.
const PRICE_SCALE: u8 = 6;
/// Digits that a price is written with at least.
const PRICE_DIGITS: u8 = 2;
/// The customer of an invoice that names none.
const GUEST: &str = "guest";
/// The address of an invoice that names no country.
const NO_COUNTRY: &str = "Unspecified";

/// An invoice with all its lines, in the file's order.
#[derive(Clone, Debug)]
pub(super) struct Invoice {
    pub(super) number: String,
    /// Empty when the file names none.
    pub(super) customer: String,
    country: String,
    /// The earliest time of its lines.
    pub(super) placed_at: DateTime,
    pub(super) lines: Vec<Line>,
    has_two_times: bool,
    has_two_customers: bool,
    /// What the lines without a price, and those of bad debt, say; each once.
    descriptions: Vec<String>,
}

/// A line as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    sku: String,
    quantity: i64,
    /// Millionths.
    price: i64,
}

impl Invoice {
    pub(super) fn begin(row: Row) -> Self {
        let mut invoice = Self {
            number: row.invoice.clone(),
            customer: row.customer.clone(),
            country: row.country.clone(),
            placed_at: row.placed_at,
            lines: Vec::new(),
            has_two_times: false,
            has_two_customers: false,
            descriptions: Vec::new(),
        };
        invoice.add(row);
        invoice
    }

    pub(super) fn add(&mut self, row: Row) {
        self.has_two_times |= row.placed_at != self.placed_at;
        self.has_two_customers |= row.customer != self.customer || row.country != self.country;
        self.placed_at = self.placed_at.min(row.placed_at);
        let is_reason = row.price == 0 || self.number.starts_with('A');
        if is_reason && !row.description.is_empty() && !self.descriptions.contains(&row.description) {
            self.descriptions.push(row.description);
        }
        self.lines.push(Line { sku: row.sku, quantity: row.quantity, price: row.price });
    }

    /// The exact sum of its lines.
    pub(super) fn amount(&self) -> Exact {
        self.lines.iter().fold(Exact::default(), |sum, line| sum + Exact::of_line(line.quantity, line.price))
    }

    /// What it is. A positive sum is a sale. Otherwise the data set's own numbers say it: `C` and digits for a cancellation, `A`
    /// and digits for bad debt, of which the set has one that is positive too.
    ///
    /// # Errors
    /// Why it is none of the kinds that are known.
    pub(super) fn kind(&self) -> Result<Kind, &'static str> {
        let nothing = Exact::default();
        let total = self.amount();
        match self.letter() {
            Some('A') => Ok(Kind::BadDebt),
            _ if total > nothing => Ok(Kind::Sale),
            Some('C') => Ok(Kind::Cancellation),
            _ if total == nothing => Ok(Kind::WriteOff),
            _ => Err("an invoice with a negative total whose number is no cancellation's (C and digits)"),
        }
    }

    /// The letter before a number of nothing else than digits.
    fn letter(&self) -> Option<char> {
        let mut letters = self.number.chars();
        let first = letters.next().filter(|first| matches!(first, 'A' | 'C'))?;
        let digits = letters.as_str();
        (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(first)
    }

    /// What is strange about it, though it is sent.
    pub(super) fn oddities(&self) -> impl Iterator<Item = &'static str> {
        let times = self.has_two_times.then_some("lines with different times: the earliest is the invoice's");
        let customers =
            self.has_two_customers.then_some("lines with different customers or countries: the first is the invoice's");
        let is_positive = self.amount() > Exact::default();
        let sale = (is_positive && self.letter() == Some('C'))
            .then_some("a cancellation's number and a positive sum: it is a sale");
        let debt = (is_positive && self.letter() == Some('A'))
            .then_some("a number of bad debt and a positive sum: it is bad debt that was restored, and no sale");
        let is_plain = id_of(&self.number) == self.number;
        let number =
            (!is_plain).then_some("a number that is no id: the order has another, and the number in its notes");
        times.into_iter().chain(customers).chain(sale).chain(debt).chain(number)
    }

    /// Its time in milliseconds since 1970, taken as UTC because the file names no zone.
    pub(super) fn placed_at_ms(&self) -> Option<i64> {
        self.placed_at.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp().as_millisecond())
    }

    /// The body of its request. The same invoice always gives the same bytes, so that sending it again is harmless.
    pub(super) fn body(&self, kind: Kind, currency: Currency) -> Vec<u8> {
        let mut body = Vec::with_capacity(160 + self.lines.len() * 56);
        let mut json = JsonWriter::new(&mut body);
        let id = id_of(&self.number);
        json.begin_object().key("id").string(&id);
        if kind != Kind::Sale {
            json.key("kind").string(kind.name());
        }
        json.key("currency").string(currency.code());
        json.key("items").begin_array();
        for line in &self.lines {
            json.begin_object();
            json.key("sku").string(&line.sku);
            json.key("quantity").integer(line.quantity);
            json.key("price").decimal(Decimal { value: line.price, scale: PRICE_SCALE }.trimmed(PRICE_DIGITS));
            if kind == Kind::Sale {
                json.key("untracked").boolean(true);
            }
            json.end_object();
        }
        json.end_array();
        if kind == Kind::Sale {
            json.key("price_override").string(PRICE_OVERRIDE);
        }
        match (kind, self.customer.as_str()) {
            (Kind::Sale, "") => json.key("customer").string(GUEST),
            (_, "") => &mut json,
            (_, customer) => json.key("customer").string(customer),
        };
        if kind == Kind::Sale {
            json.key("address").string(if self.country.is_empty() { NO_COUNTRY } else { &self.country });
            if id != self.number {
                json.key("notes").string(&format!("invoice {}", self.number));
            }
        } else if let Some(notes) = self.notes().filter(|_| kind != Kind::Cancellation) {
            json.key("notes").string(&notes);
        }
        if let Some(at) = self.placed_at_ms() {
            json.key("placed_at").instant(at);
        }
        json.end_object();
        body
    }

    /// The descriptions, which are all that says why goods were written off; as many as fit.
    fn notes(&self) -> Option<String> {
        let mut notes = String::new();
        for description in &self.descriptions {
            if notes.len() + 2 + description.len() > MAX_TEXT_BYTES {
                break;
            }
            if !notes.is_empty() {
                notes.push_str("; ");
            }
            notes.push_str(description);
        }
        (!notes.is_empty()).then_some(notes)
    }
}
