//! From what a client sent to what can be decided: every rule that needs no state.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::Violation;
use crate::adjustment::{Adjustment, AdjustmentKind, AdjustmentLine};
use crate::ids::{CustomerId, OrderId};
use crate::money::{Currency, NumberError, parse_price, round_sum};
use crate::order::{Charge, ChargeKind, Details, Digest, Line};
use crate::product::{Product, hex};
use crate::rules::{Priority, Rules};

/// Longest reason, in bytes.
pub const MAX_REASON_BYTES: usize = 500;
/// Most units of one line.
pub const MAX_QUANTITY: i64 = 1_000_000;
/// Longest id a client may choose, in bytes.
pub const MAX_ID_BYTES: usize = 64;
/// Ids that would hide behind `/orders/bulk` and `/orders/retry`.
const RESERVED_IDS: [&str; 2] = ["bulk", "retry"];
/// Most charges of one order.
pub const MAX_CHARGES: usize = 50;
/// Largest unit price, in millionths: a billion in the major unit.
pub const MAX_PRICE: i64 = 1_000_000_000_000_000;
/// The latest instant that is taken, in milliseconds: the end of the year 9999.
const MAX_INSTANT_MS: i64 = 253_402_300_799_999;

/// An order as a client sent it; numbers are still text.
#[derive(Clone, Debug, Default)]
pub struct OrderInput<'a> {
    /// The id the client chose.
    pub id: Option<&'a str>,
    /// Amount in the major unit.
    pub amount: Option<&'a str>,
    /// ISO 4217 code.
    pub currency: Option<&'a str>,
    /// The lines.
    pub items: Vec<ItemInput<'a>>,
    /// Who orders.
    pub customer: Option<&'a str>,
    /// Where it goes.
    pub address: Option<&'a str>,
    /// 1, 2 or 3.
    pub priority: Option<i64>,
    /// What the customer adds.
    pub notes: Option<&'a str>,
    /// When it was placed elsewhere, in milliseconds since 1970.
    pub placed_at_ms: Option<i64>,
    /// Discounts, taxes, shipping.
    pub charges: Vec<ChargeInput<'a>>,
    /// When it is to start, in milliseconds since 1970; at once when missing or past.
    pub run_at_ms: Option<i64>,
    /// For an order of one product: the product's currency, which counts when the order names none.
    pub of_product: Option<Currency>,
    /// Why prices may differ from the catalogue's.
    pub price_override: Option<&'a str>,
}

/// One charge as a client sent it.
#[derive(Clone, Copy, Debug)]
pub struct ChargeInput<'a> {
    /// What it is for, by name.
    pub kind: &'a str,
    /// In words.
    pub name: Option<&'a str>,
    /// Signed amount in the major unit.
    pub amount: &'a str,
}

/// One line as a client sent it.
#[derive(Clone, Copy, Debug)]
pub struct ItemInput<'a> {
    /// SKU or text.
    pub sku: &'a str,
    /// How many.
    pub quantity: i64,
    /// Price of one in the major unit.
    pub price: Option<&'a str>,
    /// Whether it is plain text and no SKU.
    pub plain: bool,
    /// Whether its SKU need not be in the catalogue. Of one that is, it changes nothing.
    pub untracked: bool,
}

/// How an order gets its amount. Whether its prices are the catalogue's is decided when it is accepted, either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pricing {
    /// It is known whatever the catalogue says: minor units, and the millionths that rounding left over.
    Fixed {
        /// Minor units.
        amount: i64,
        /// Millionths.
        rounding: i64,
    },
    /// A line has a SKU and no price, so the catalogue has a say.
    Catalogue {
        /// What the client takes for the total, in minor units.
        given: Option<i64>,
    },
}

/// A well-formed order that waits to be decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The id the client chose.
    pub id: Option<OrderId>,
    /// The client's idempotency key.
    pub key: Option<Arc<str>>,
    /// Opaque id of the customer.
    pub customer_id: CustomerId,
    /// How it gets its amount.
    pub pricing: Pricing,
    /// The currency.
    pub currency: Currency,
    /// Its lasting part, without reservations; shared with the order unless a reservation or a price changes it.
    pub details: Arc<Details>,
    /// Lines whose SKUs need not be in the catalogue, from 0.
    pub untracked: Vec<usize>,
    /// Why prices may differ from the catalogue's. It is kept only where one does.
    pub price_override: Option<Arc<str>>,
    /// How urgent.
    pub priority: Priority,
    /// When it was placed elsewhere, in milliseconds since 1970.
    pub placed_at_ms: Option<i64>,
    /// When it is to start, in milliseconds since 1970.
    pub run_at_ms: Option<i64>,
    /// Whether the demo generator made it up.
    pub demo: bool,
    /// What the client asked for.
    pub digest: Digest,
}

/// Goes into the digest before the name of a user, so that a user and a customer of one name have different ids.
const USER_ID_DOMAIN: &[u8] = b"user\0";

/// Turns customers' names into opaque ids; the key is the store's secret, so that ids cannot be guessed back.
#[derive(Clone)]
pub struct CustomerKey([u8; 32]);

impl CustomerKey {
    /// A key of 32 random bytes.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// The opaque id of a customer: `c_` and 16 hexadecimal digits.
    pub fn opaque(&self, customer: &str) -> CustomerId {
        let digest = Sha256::new_with_prefix(self.0).chain_update(customer.as_bytes()).finalize();
        format!("c_{}", hex(&digest[..8])).into()
    }

    /// The opaque id of a user: `u_` and 16 hexadecimal digits. They are not those of a customer of the same name.
    pub fn opaque_user(&self, user: &str) -> Arc<str> {
        let digest = Sha256::new_with_prefix(self.0).chain_update(USER_ID_DOMAIN).chain_update(user.as_bytes());
        format!("u_{}", hex(&digest.finalize()[..8])).into()
    }
}

/// Judges an order by every rule that needs no state.
///
/// # Errors
/// All violations, in the order of the fields.
pub fn draft_order(input: &OrderInput<'_>, rules: &Rules, customers: &CustomerKey) -> Result<Draft, Vec<Violation>> {
    let mut wrong = Vec::new();
    let id = input.id.filter(|id| check_id(id, &mut wrong));
    let currency = match (input.currency, input.of_product) {
        (None, Some(currency)) => currency,
        (code, _) => currency_of(code, rules, &mut wrong),
    };
    let lines = lines_of(&input.items, rules, &mut wrong);
    let charges = charges_of(&input.charges, &mut wrong);
    let pricing = pricing_of(input, (&lines, &charges), currency, rules, &mut wrong);
    let customer = required("/customer", input.customer, &mut wrong);
    let address = required("/address", input.address, &mut wrong);
    let priority = Priority::from_number(input.priority.unwrap_or(2)).unwrap_or_else(|| {
        wrong.push(Violation::new("/priority", "must be 1 (high), 2 (medium) or 3 (low)"));
        Priority::Medium
    });
    let price_override = reason_of(input.price_override, &mut wrong);
    for (pointer, at_ms) in [("/placed_at", input.placed_at_ms), ("/run_at", input.run_at_ms)] {
        if at_ms.is_some_and(|at_ms| !(0..=MAX_INSTANT_MS).contains(&at_ms)) {
            wrong.push(Violation::new(pointer, "must lie between 1970 and 9999"));
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    Ok(Draft {
        id: id.map(OrderId::from),
        key: None,
        customer_id: customers.opaque(customer),
        pricing,
        currency,
        details: Arc::new(Details {
            lines,
            charges,
            customer: customer.to_owned(),
            address: address.to_owned(),
            notes: input.notes.map(str::to_owned),
            price_override: None,
        }),
        untracked: (0..input.items.len()).filter(|&line| input.items[line].untracked).collect(),
        price_override,
        priority,
        placed_at_ms: input.placed_at_ms,
        run_at_ms: input.run_at_ms,
        demo: false,
        digest: digest_of(input),
    })
}

/// A product as a client sent it.
#[derive(Clone, Copy, Debug)]
pub struct ProductInput<'a> {
    /// Stock keeping unit.
    pub sku: &'a str,
    /// What it is called; the SKU when missing.
    pub name: Option<&'a str>,
    /// Price of one in the major unit.
    pub price: &'a str,
    /// ISO 4217 code.
    pub currency: Option<&'a str>,
    /// Units there are.
    pub stock: Option<i64>,
}

/// Judges a product; `at` is the pointer to it.
///
/// # Errors
/// All violations.
pub fn draft_product(at: &str, input: &ProductInput<'_>, rules: &Rules) -> Result<Product, Vec<Violation>> {
    let mut wrong = Vec::new();
    let currency = match input.currency {
        None => rules.default_currency,
        Some(code) => Currency::parse(code).unwrap_or_else(|| {
            wrong.push(Violation::new(format!("{at}/currency"), "must be an ISO 4217 code such as USD"));
            rules.default_currency
        }),
    };
    if is_path_step(input.sku) {
        wrong.push(Violation::new(format!("{at}/sku"), PATH_STEP));
    }
    let price = unit_price(&format!("{at}/price"), input.price, 0, &mut wrong);
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let name = input.name.unwrap_or(input.sku).to_owned();
    Ok(Product { sku: input.sku.into(), name, price, currency, stock: input.stock, reserved: 0 })
}

/// Judges a unit price in the major unit; gives it in millionths.
///
/// # Errors
/// What is wrong with it.
pub fn draft_price(at: &str, text: &str) -> Result<i64, Vec<Violation>> {
    let mut wrong = Vec::new();
    let price = unit_price(at, text, 0, &mut wrong);
    if wrong.is_empty() { Ok(price) } else { Err(wrong) }
}

/// An adjustment as a client sent it.
#[derive(Clone, Debug)]
pub struct AdjustmentInput<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its kind, by name.
    pub kind: &'a str,
    /// ISO 4217 code.
    pub currency: Option<&'a str>,
    /// Signed lines.
    pub items: Vec<ItemInput<'a>>,
    /// Whom it concerns.
    pub customer: Option<&'a str>,
    /// Free text.
    pub notes: Option<&'a str>,
    /// When it happened; when it is stored, if missing.
    pub placed_at_ms: Option<i64>,
}

/// Judges an adjustment.
///
/// # Errors
/// All violations.
pub fn draft_adjustment(
    input: &AdjustmentInput<'_>,
    rules: &Rules,
    customers: &CustomerKey,
) -> Result<Adjustment, Vec<Violation>> {
    let mut wrong = Vec::new();
    check_id(input.id, &mut wrong);
    let kind = AdjustmentKind::from_name(input.kind).unwrap_or_else(|| {
        wrong.push(Violation::new("/kind", "must be cancellation, write_off or bad_debt"));
        AdjustmentKind::WriteOff
    });
    let currency = currency_of(input.currency, rules, &mut wrong);
    if input.items.is_empty() {
        wrong.push(Violation::new("/items", "must have at least one line"));
    }
    let mut sum = 0i128;
    let mut lines = Vec::with_capacity(input.items.len());
    for (at, item) in input.items.iter().enumerate() {
        if !(-MAX_QUANTITY..=MAX_QUANTITY).contains(&item.quantity) {
            wrong.push(Violation::new(format!("/items/{at}/quantity"), format!("must be within ±{MAX_QUANTITY}")));
        }
        let price = unit_price(&format!("/items/{at}/price"), item.price.unwrap_or("0"), -MAX_PRICE, &mut wrong);
        sum += i128::from(item.quantity) * i128::from(price);
        lines.push(AdjustmentLine { sku: item.sku.to_owned(), quantity: item.quantity, price });
    }
    let (amount, rounding) = round_sum(sum, currency).unwrap_or_else(|| {
        wrong.push(Violation::new("/items", "add up to more than can be stored"));
        (0, 0)
    });
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let order = OrderInput {
        id: Some(input.kind),
        currency: input.currency,
        items: input.items.clone(),
        customer: input.customer,
        notes: input.notes,
        placed_at_ms: input.placed_at_ms,
        ..OrderInput::default()
    };
    Ok(Adjustment {
        id: input.id.into(),
        kind,
        amount,
        rounding,
        currency,
        customer_id: input.customer.map(|customer| customers.opaque(customer)),
        lines,
        notes: input.notes.map(str::to_owned),
        placed_at_ms: input.placed_at_ms,
        created_at_ms: 0,
        digest: digest_of(&order),
    })
}

/// Sums priced lines and charges and rounds once. `None` when a line has no price, or the sum is beyond 64 bits.
pub fn sum_order(lines: &[Line], charges: &[Charge], currency: Currency) -> Option<(i64, i64)> {
    let mut sum = 0i128;
    for line in lines {
        sum += i128::from(line.quantity) * i128::from(line.price?);
    }
    for charge in charges {
        sum += i128::from(charge.amount);
    }
    round_sum(sum, currency)
}

/// Judges an amount in minor units.
pub(crate) fn check_amount(amount: i64, currency: Currency, rules: &Rules) -> Option<Violation> {
    if amount < 0 || amount == 0 && !rules.allows_zero {
        let detail = if rules.allows_zero { "must not be below 0" } else { "must be greater than 0" };
        return Some(Violation::new("/amount", detail));
    }
    if amount > rules.max_minor(currency) {
        let most = rules.amounts_in(currency).max_amount;
        return Some(Violation::new("/amount", format!("must be at most {most} {}", currency.code())));
    }
    None
}

/// Whether a name means a step in a path (RFC 3986 §5.2.4): clients resolve `.` and `..` before they send, so that nothing
/// of such a name could be reached.
pub fn is_path_step(name: &str) -> bool {
    matches!(name, "." | "..")
}

/// What is said of a name that [`is_path_step`].
pub const PATH_STEP: &str = "must not be . or .., which addresses cannot name";

fn check_id(id: &str, wrong: &mut Vec<Violation>) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let good = (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(allowed);
    if !good {
        wrong.push(Violation::new("/id", "must have 1 to 64 of the characters A-Z a-z 0-9 . _ -"));
    }
    if is_path_step(id) {
        wrong.push(Violation::new("/id", PATH_STEP));
        return false;
    }
    if RESERVED_IDS.contains(&id) {
        wrong.push(Violation::new("/id", "is taken by an address of the server's own"));
        return false;
    }
    good
}

fn currency_of(code: Option<&str>, rules: &Rules, wrong: &mut Vec<Violation>) -> Currency {
    match code {
        None => rules.default_currency,
        Some(code) => Currency::parse(code).unwrap_or_else(|| {
            wrong.push(Violation::new("/currency", "must be an ISO 4217 code such as USD"));
            rules.default_currency
        }),
    }
}

fn required<'a>(pointer: &str, text: Option<&'a str>, wrong: &mut Vec<Violation>) -> &'a str {
    let text = text.unwrap_or("");
    if text.trim().is_empty() {
        wrong.push(Violation::new(pointer, "is required"));
    }
    text
}

fn quantity_of(quantity: i64) -> Option<u32> {
    (1..=MAX_QUANTITY).contains(&quantity).then(|| u32::try_from(quantity).ok())?
}

fn unit_price(pointer: &str, text: &str, least: i64, wrong: &mut Vec<Violation>) -> i64 {
    let detail = match parse_price(text) {
        Ok(price) if (least..=MAX_PRICE).contains(&price) => return price,
        Ok(price) if price < 0 => "must not be negative",
        Ok(_) | Err(NumberError::TooLarge) => "is too large",
        Err(NumberError::TooPrecise) => "must have at most six digits after the point",
        Err(NumberError::Malformed) => "must be a number",
    };
    wrong.push(Violation::new(pointer, detail));
    0
}

fn lines_of(items: &[ItemInput<'_>], rules: &Rules, wrong: &mut Vec<Violation>) -> Vec<Line> {
    if items.is_empty() {
        wrong.push(Violation::new("/items", "must have at least one item"));
    }
    if items.len() > rules.max_items {
        let detail = format!("has {} items; at most {} are allowed", items.len(), rules.max_items);
        wrong.push(Violation::new("/items", detail));
        return Vec::new();
    }
    let mut lines = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        let quantity = quantity_of(item.quantity).unwrap_or_else(|| {
            let detail = format!("must be a whole number from 1 to {MAX_QUANTITY}");
            wrong.push(Violation::new(format!("/items/{at}/quantity"), detail));
            1
        });
        let price = item.price.map(|text| unit_price(&format!("/items/{at}/price"), text, 0, wrong));
        lines.push(Line { sku: item.sku.to_owned(), quantity, price, reserved: 0, plain: item.plain });
    }
    lines
}

fn charges_of(inputs: &[ChargeInput<'_>], wrong: &mut Vec<Violation>) -> Vec<Charge> {
    if inputs.len() > MAX_CHARGES {
        wrong.push(Violation::new("/charges", format!("has {}; at most {MAX_CHARGES} are allowed", inputs.len())));
        return Vec::new();
    }
    let mut charges = Vec::with_capacity(inputs.len());
    for (at, input) in inputs.iter().enumerate() {
        let Some(kind) = ChargeKind::from_name(input.kind) else {
            wrong.push(Violation::new(format!("/charges/{at}/kind"), "must be discount, tax or shipping"));
            continue;
        };
        let pointer = format!("/charges/{at}/amount");
        let amount = unit_price(&pointer, input.amount, -MAX_PRICE, wrong);
        let (is_discount, name) = (kind == ChargeKind::Discount, input.name.map(str::to_owned));
        if is_discount && amount > 0 {
            wrong.push(Violation::new(pointer, "of a discount must not be above 0"));
        } else if !is_discount && amount < 0 {
            wrong.push(Violation::new(pointer, "must not be below 0"));
        }
        charges.push(Charge { kind, name, amount });
    }
    charges
}

/// The reason of an order whose prices may differ.
fn reason_of(reason: Option<&str>, wrong: &mut Vec<Violation>) -> Option<Arc<str>> {
    let reason = reason?;
    if reason.trim().is_empty() {
        wrong.push(Violation::new("/price_override", "must say why a price differs"));
    } else if reason.len() > MAX_REASON_BYTES {
        let detail = format!("has {} bytes; at most {MAX_REASON_BYTES} are allowed", reason.len());
        wrong.push(Violation::new("/price_override", detail));
    }
    Some(reason.into())
}

fn pricing_of(
    input: &OrderInput<'_>,
    (lines, charges): (&[Line], &[Charge]),
    currency: Currency,
    rules: &Rules,
    wrong: &mut Vec<Violation>,
) -> Pricing {
    let none = Pricing::Fixed { amount: 0, rounding: 0 };
    let given = match input.amount.map(|text| currency.parse_amount(text)) {
        None => None,
        Some(Ok(amount)) => Some(amount),
        Some(Err(error)) => {
            let detail = match error {
                NumberError::Malformed => "must be a number".to_owned(),
                NumberError::TooLarge => "is too large".to_owned(),
                NumberError::TooPrecise => {
                    format!("must have at most {} digits after the point in {}", currency.digits(), currency.code())
                }
            };
            wrong.push(Violation::new("/amount", detail));
            return none;
        }
    };
    if lines.iter().any(|line| !line.plain && line.price.is_none()) {
        wrong.extend(given.and_then(|given| check_amount(given, currency, rules)));
        return Pricing::Catalogue { given };
    }
    match amount_of(given, (lines, charges), currency, rules) {
        Ok((amount, rounding)) => Pricing::Fixed { amount, rounding },
        Err(violation) => {
            wrong.push(violation);
            none
        }
    }
}

/// The amount of an order whose prices are settled, in minor units, and the millionths that rounding left over. All lines
/// have a price, and `given` may be left out; or none has, and `given` is the amount.
///
/// # Errors
/// The rule that it breaks.
pub(crate) fn amount_of(
    given: Option<i64>,
    (lines, charges): (&[Line], &[Charge]),
    currency: Currency,
    rules: &Rules,
) -> Result<(i64, i64), Violation> {
    let priced = lines.iter().filter(|line| line.price.is_some()).count();
    if priced > 0 && priced < lines.len() {
        return Err(Violation::new("/items", "must all have a price, or none"));
    }
    if priced == 0 && !charges.is_empty() {
        return Err(Violation::new("/charges", "need a price on every item, so that all adds up"));
    }
    let (amount, rounding) = if priced > 0 {
        let sum = sum_order(lines, charges, currency);
        let (amount, rounding) = sum.ok_or_else(|| Violation::new("/items", "add up to more than can be stored"))?;
        if given.is_some_and(|given| given != amount) {
            let detail = "must be the rounded total of items and charges, or be left out";
            return Err(Violation::new("/amount", detail));
        }
        (amount, rounding)
    } else {
        let none = || Violation::new("/amount", "is required unless every item has a price");
        (given.ok_or_else(none)?, 0)
    };
    check_amount(amount, currency, rules).map_or(Ok((amount, rounding)), Err)
}

fn digest_of(input: &OrderInput<'_>) -> Digest {
    let mut bytes = Vec::with_capacity(256);
    let mut text = |text: Option<&str>| {
        // Length first, so that no two lists of fields run into the same bytes.
        let length = text.map_or(u32::MAX, |text| u32::try_from(text.len()).unwrap_or(u32::MAX - 1));
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(text.unwrap_or("").as_bytes());
    };
    for field in [input.id, input.amount, input.currency, input.customer, input.address, input.notes] {
        text(field);
    }
    for item in &input.items {
        text(Some(item.sku));
        text(item.price);
    }
    for item in &input.items {
        bytes.extend_from_slice(&item.quantity.to_le_bytes());
        bytes.push(u8::from(item.plain));
    }
    bytes.extend_from_slice(&input.priority.unwrap_or(2).to_le_bytes());
    bytes.extend_from_slice(&input.placed_at_ms.unwrap_or(i64::MIN).to_le_bytes());
    // What older orders cannot have is added only where it is, so that their digests stay what they were.
    if !input.charges.is_empty() || input.run_at_ms.is_some() {
        bytes.extend_from_slice(&input.run_at_ms.unwrap_or(i64::MIN).to_le_bytes());
        for charge in &input.charges {
            for text in [charge.kind, charge.name.unwrap_or(""), charge.amount] {
                bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
                bytes.extend_from_slice(text.as_bytes());
            }
        }
    }
    let mut digest = [0; 16];
    digest.copy_from_slice(&Sha256::digest(&bytes)[..16]);
    digest
}

#[cfg(test)]
#[path = "draft_tests.rs"]
mod tests;
