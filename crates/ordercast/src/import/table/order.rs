//! An order of a table: its rows, what they come to, and how it is sent.

use csv::ByteRecord;
use jiff::Timestamp;
use ordercast_domain::money::{Currency, parse_price};
use ordercast_protocol::json::{Decimal, JsonWriter};

use super::super::csv_input::plain_number;
use super::super::dates::Time;
use super::super::numbers::id_of;
use super::super::parcel::PRICE_OVERRIDE;
use super::super::retail::rows::Writing;
use super::columns::{Columns, Field};
use super::{not_utf8, time};
use crate::exact::Exact;

const PRICE_SCALE: u8 = 6;
/// Digits that a price is written with at least.
const PRICE_DIGITS: u8 = 2;
const GUEST: &str = "guest";
const NO_ADDRESS: &str = "Unspecified";
/// What a shop says of an order that was paid for.
const PAID: [&str; 3] = ["paid", "partially_paid", "authorized"];

/// A row, as far as it makes sense.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    sku: Option<String>,
    quantity: i64,
    /// Millionths.
    price: Option<i64>,
    whole: Whole,
    /// Why it makes no sense.
    wrong: Option<String>,
}

/// What belongs to the whole order; in the file it stands in its first row, or in all of them.
#[derive(Clone, Debug, Default)]
struct Whole {
    customer: Option<String>,
    address: Vec<String>,
    notes: Option<String>,
    currency: Option<String>,
    placed_at: Option<Time>,
    priority: Option<String>,
    payment: Option<String>,
    /// Millionths, each.
    discount: Option<i64>,
    tax: Option<i64>,
    shipping: Option<i64>,
    amount: Option<i64>,
}

impl Whole {
    /// Takes from a later row what is not known yet.
    fn add(&mut self, other: Self) {
        fn keep<T>(known: &mut Option<T>, other: Option<T>) {
            if known.is_none() {
                *known = other;
            }
        }
        keep(&mut self.customer, other.customer);
        keep(&mut self.notes, other.notes);
        keep(&mut self.currency, other.currency);
        keep(&mut self.placed_at, other.placed_at);
        keep(&mut self.priority, other.priority);
        keep(&mut self.payment, other.payment);
        keep(&mut self.discount, other.discount);
        keep(&mut self.tax, other.tax);
        keep(&mut self.shipping, other.shipping);
        keep(&mut self.amount, other.amount);
        if self.address.is_empty() {
            self.address = other.address;
        }
    }
}

impl Row {
    pub(super) fn read(record: &ByteRecord, columns: &Columns, writing: Writing) -> Self {
        Self::try_read(record, columns, writing).unwrap_or_else(|wrong| Self { wrong: Some(wrong), ..Self::default() })
    }

    fn try_read(record: &ByteRecord, columns: &Columns, writing: Writing) -> Result<Self, String> {
        let texts = |field| columns.texts(record, field).map_err(|()| not_utf8(field));
        let text = |field| Ok::<_, String>(texts(field)?.into_iter().next());
        let number = |field: Field| {
            let Some(text) = text(field)? else { return Ok(None) };
            let plain = plain_number(&text, writing.has_decimal_comma);
            let wrong = |_| {
                format!(
                    "{} is no number with at most six digits after the point (3,40 needs --decimal ,)",
                    field.name()
                )
            };
            parse_price(&plain).map(Some).map_err(wrong)
        };
        let quantity = number(Field::Quantity)?.unwrap_or(1_000_000);
        if quantity % 1_000_000 != 0 {
            return Err("quantity is no whole number".to_owned());
        }
        let placed_at = text(Field::PlacedAt)?.map(|text| time(writing.dates, &text)).transpose()?;
        Ok(Self {
            sku: text(Field::Sku)?,
            quantity: quantity / 1_000_000,
            price: number(Field::Price)?,
            whole: Whole {
                customer: text(Field::Customer)?,
                address: texts(Field::Address)?,
                notes: text(Field::Notes)?,
                currency: text(Field::Currency)?,
                placed_at,
                priority: text(Field::Priority)?,
                payment: text(Field::Payment)?,
                discount: number(Field::Discount)?,
                tax: number(Field::Tax)?,
                shipping: number(Field::Shipping)?,
                amount: number(Field::Amount)?,
            },
            wrong: None,
        })
    }
}

/// An order while its rows are read.
#[derive(Clone, Debug)]
pub(super) struct Order {
    /// Where in the file it begins.
    pub(super) line: u64,
    /// As the file has it; empty when it has none.
    pub(super) number: String,
    /// Why it is not sent: without one of its rows its amount would be wrong.
    pub(super) broken: Option<String>,
    whole: Whole,
    lines: Vec<(String, i64, Option<i64>)>,
}

/// What an order comes to, in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) total: Exact,
    /// Whether the lines have prices.
    is_priced: bool,
    discount: i64,
    /// Nothing when prices hold it already.
    tax: i64,
    shipping: i64,
}

impl Order {
    pub(super) fn begin(line: u64, number: String, row: Row) -> Self {
        let mut order = Self { line, number, broken: None, whole: Whole::default(), lines: Vec::new() };
        order.add(line, row);
        order
    }

    pub(super) fn add(&mut self, line: u64, row: Row) {
        let wrong = row.wrong.map(|wrong| format!("{wrong} (line {line})"));
        let wrong = wrong.or_else(|| row.sku.is_none().then(|| format!("no sku (line {line})")));
        self.broken = self.broken.take().or(wrong);
        self.whole.add(row.whole);
        self.lines.extend(row.sku.map(|sku| (sku, row.quantity, row.price)));
    }

    /// For messages.
    pub(super) fn place(&self) -> String {
        if self.number.is_empty() { format!("line {}", self.line) } else { format!("order {}", self.number) }
    }

    pub(super) fn lines(&self) -> usize {
        self.lines.len()
    }

    /// What the order comes to. Lines and charges must come to what the file says of the whole: some shops' prices hold the
    /// tax, and others add it.
    ///
    /// # Errors
    /// Why nothing can be sent.
    pub(super) fn sum(&self) -> Result<Sum, String> {
        let (discount, tax, shipping) =
            (self.whole.discount.unwrap_or(0), self.whole.tax.unwrap_or(0), self.whole.shipping.unwrap_or(0));
        let said = self.whole.amount.map(|amount| Exact(amount.into()));
        let priced = self.lines.iter().filter(|(_, _, price)| price.is_some()).count();
        if priced == 0 {
            let total = said.ok_or("an order with neither prices nor an amount")?;
            return positive(Sum { total, ..Sum::default() });
        }
        if priced < self.lines.len() {
            return Err("some lines have a price and some have none".to_owned());
        }
        let goods = self
            .lines
            .iter()
            .fold(Exact::default(), |sum, (_, quantity, price)| sum + Exact::of_line(*quantity, price.unwrap_or(0)));
        // A discount is written with its sign or without.
        let discount = -discount.abs();
        let without_tax = goods + Exact(discount.into()) + Exact(shipping.into());
        let with_tax = without_tax + Exact(tax.into());
        let (total, tax) = match said {
            None => (with_tax, tax),
            Some(said) if said == without_tax => (said, 0),
            Some(said) if said == with_tax => (said, tax),
            Some(said) => {
                return Err(format!(
                    "its lines, discount, shipping and tax come to {without_tax} without and {with_tax} with tax, and \
                     the file says {said}"
                ));
            }
        };
        positive(Sum { total, is_priced: true, discount, tax, shipping })
    }

    /// What is strange about it, though it is sent.
    pub(super) fn oddities(&self) -> impl Iterator<Item = String> {
        let payment = self.whole.payment.as_deref().filter(|payment| !PAID.contains(payment));
        let payment = payment.map(|payment| format!("the payment is {payment:?}: it is a sale like the others"));
        let is_plain = self.number.is_empty() || id_of(&self.number) == self.number.trim_start_matches('#');
        let number = (!is_plain)
            .then(|| "a number that is no id: the order has another, and the number in its notes".to_owned());
        payment.into_iter().chain(number)
    }

    pub(super) fn placed_at_ms(&self) -> Option<i64> {
        self.whole.placed_at.and_then(Time::unix_ms)
    }

    /// The month it counts for.
    pub(super) fn month(&self) -> Option<String> {
        let at = Timestamp::from_millisecond(self.placed_at_ms()?).ok()?;
        Some(at.strftime("%Y-%m").to_string())
    }

    /// The body of its request. The same rows always give the same bytes.
    pub(super) fn body(&self, id: Option<&str>, sum: &Sum, currency: Option<Currency>) -> Vec<u8> {
        let mut body = Vec::with_capacity(200 + self.lines.len() * 64);
        let mut json = JsonWriter::new(&mut body);
        json.begin_object();
        if let Some(id) = id {
            json.key("id").string(id);
        }
        let currency = self.whole.currency.as_deref().or(currency.as_ref().map(Currency::code));
        if let Some(currency) = currency {
            json.key("currency").string(currency);
        }
        if !sum.is_priced {
            json.key("amount").decimal(decimal(i64::try_from(sum.total.0).unwrap_or(i64::MAX)));
        }
        self.write_goods(&mut json, sum);
        json.key("customer").string(self.whole.customer.as_deref().unwrap_or(GUEST));
        let address = self.whole.address.join("\n");
        json.key("address").string(if address.is_empty() { NO_ADDRESS } else { &address });
        if let Some(priority) = self.whole.priority.as_deref().and_then(|text| text.parse::<u8>().ok()) {
            json.key("priority").integer(priority);
        }
        if let Some(notes) = self.notes(id) {
            json.key("notes").string(&notes);
        }
        if let Some(at) = self.placed_at_ms() {
            json.key("placed_at").instant(at);
        }
        json.end_object();
        body
    }

    fn write_goods(&self, json: &mut JsonWriter<'_>, sum: &Sum) {
        json.key("items").begin_array();
        for (sku, quantity, price) in &self.lines {
            json.begin_object().key("sku").string(sku).key("quantity").integer(*quantity);
            if let Some(price) = price {
                json.key("price").decimal(decimal(*price));
            }
            json.key("untracked").boolean(true).end_object();
        }
        json.end_array();
        if !sum.is_priced {
            return;
        }
        json.key("price_override").string(PRICE_OVERRIDE);
        let charges = [("discount", sum.discount), ("tax", sum.tax), ("shipping", sum.shipping)];
        if charges.iter().any(|(_, amount)| *amount != 0) {
            json.key("charges").begin_array();
            for (kind, amount) in charges.into_iter().filter(|(_, amount)| *amount != 0) {
                json.begin_object().key("kind").string(kind).key("amount").decimal(decimal(amount)).end_object();
            }
            json.end_array();
        }
    }

    /// The notes of the file, and the order's number where its id is another.
    fn notes(&self, id: Option<&str>) -> Option<String> {
        let number =
            id.filter(|id| *id != self.number.trim_start_matches('#')).map(|_| format!("order {}", self.number));
        let notes: Vec<_> = self.whole.notes.iter().cloned().chain(number).collect();
        (!notes.is_empty()).then(|| notes.join("\n"))
    }
}

fn positive(sum: Sum) -> Result<Sum, String> {
    if sum.total > Exact::default() { Ok(sum) } else { Err("an order whose sum is not above zero".to_owned()) }
}

fn decimal(millionths: i64) -> Decimal {
    Decimal { value: millionths, scale: PRICE_SCALE }.trimmed(PRICE_DIGITS)
}
