//! Parsing the bodies that clients send, field by field, so that every wrong field is named.
//!
//! Only the form is judged here: types, lengths, presence of a value. Whether an order is acceptable is the
//! domain's to say. Numbers stay text: they are read exactly, never through a float.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::{ErrorCode, FieldError};
pub use crate::fields::BodyError;
use crate::fields::{FieldReader, check_nesting, parse_object, string_of};
use crate::limits::{MAX_IDEMPOTENCY_KEY_BYTES, MAX_LINES, MAX_SKU_BYTES, MAX_TEXT_BYTES};
use crate::schedule::instant_of;

/// An order as a client sent it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderRequest<'a> {
    /// The id the client chose.
    pub id: Option<Cow<'a, str>>,
    /// The amount, as the text of a JSON number in the major unit.
    pub amount: Option<&'a str>,
    /// ISO 4217 code.
    pub currency: Option<Cow<'a, str>>,
    /// The lines.
    pub items: Vec<ItemRequest<'a>>,
    /// Who orders.
    pub customer: Option<Cow<'a, str>>,
    /// Where it goes.
    pub address: Option<Cow<'a, str>>,
    /// 1 high, 2 medium, 3 low; other numbers reach the domain, which refuses them.
    pub priority: Option<i64>,
    /// What the customer adds.
    pub notes: Option<Cow<'a, str>>,
    /// When it was placed elsewhere, in milliseconds since 1970.
    pub placed_at_ms: Option<i64>,
    /// Discounts, taxes, shipping.
    pub charges: Vec<ChargeRequest<'a>>,
    /// When it is to start, in milliseconds since 1970.
    pub run_at_ms: Option<i64>,
    /// The client's idempotency key, where no header can carry it.
    pub idempotency_key: Option<Cow<'a, str>>,
}

/// One charge as a client sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeRequest<'a> {
    /// `discount`, `tax` or `shipping`.
    pub kind: Cow<'a, str>,
    /// In words.
    pub name: Option<Cow<'a, str>>,
    /// The signed amount, as the text of a JSON number in the major unit.
    pub amount: &'a str,
}

/// One line as a client sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemRequest<'a> {
    /// SKU, or the whole text of a plain item.
    pub sku: Cow<'a, str>,
    /// How many.
    pub quantity: i64,
    /// The price of one, as the text of a JSON number in the major unit.
    pub price: Option<&'a str>,
    /// Whether it came as a plain string.
    pub plain: bool,
}

#[derive(Deserialize)]
struct RawOrder<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    amount: Option<&'a RawValue>,
    #[serde(borrow, default)]
    currency: Option<&'a RawValue>,
    #[serde(borrow, default)]
    items: Option<&'a RawValue>,
    #[serde(borrow, default)]
    customer: Option<&'a RawValue>,
    #[serde(borrow, default)]
    address: Option<&'a RawValue>,
    #[serde(borrow, default)]
    priority: Option<&'a RawValue>,
    #[serde(borrow, default)]
    notes: Option<&'a RawValue>,
    #[serde(borrow, default)]
    placed_at: Option<&'a RawValue>,
    #[serde(borrow, default)]
    charges: Option<&'a RawValue>,
    #[serde(borrow, default)]
    run_at: Option<&'a RawValue>,
    #[serde(borrow, default)]
    time_zone: Option<&'a RawValue>,
    #[serde(borrow, default)]
    idempotency_key: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawCharge<'a> {
    #[serde(borrow, default)]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    amount: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawItem<'a> {
    #[serde(borrow, default)]
    sku: Option<&'a RawValue>,
    #[serde(borrow, default)]
    quantity: Option<&'a RawValue>,
    #[serde(borrow, default)]
    price: Option<&'a RawValue>,
}

/// Parses the body of `POST /orders`, or the full order of a WebSocket frame. Fields it does not know
/// (a `status`, a time of creation) are ignored: they are the server's to set.
///
/// # Errors
/// [`BodyError`] with `malformed-json` when it is no JSON object or nested deeper than
/// [`MAX_NESTING`], with `invalid-order` and every wrong field otherwise.
pub fn parse_order(body: &[u8]) -> Result<OrderRequest<'_>, BodyError> {
    let raw: RawOrder<'_> = parse_object(body)?;
    let mut fields = FieldReader { errors: Vec::new() };
    let order = OrderRequest {
        id: fields.text("/id", raw.id, MAX_TEXT_BYTES),
        amount: fields.number("/amount", raw.amount),
        currency: fields.text("/currency", raw.currency, 16),
        items: raw.items.map(|items| fields.items(items)).unwrap_or_default(),
        customer: fields.text("/customer", raw.customer, MAX_TEXT_BYTES),
        address: fields.text("/address", raw.address, MAX_TEXT_BYTES),
        priority: fields.integer("/priority", raw.priority),
        notes: fields.text("/notes", raw.notes, MAX_TEXT_BYTES),
        placed_at_ms: fields.instant("/placed_at", raw.placed_at),
        charges: raw.charges.map(|charges| fields.charges(charges)).unwrap_or_default(),
        run_at_ms: fields.zoned(("/run_at", raw.run_at), raw.time_zone),
        idempotency_key: fields.text("/idempotency_key", raw.idempotency_key, MAX_IDEMPOTENCY_KEY_BYTES),
    };
    fields.finish(order, ErrorCode::InvalidOrder)
}

/// A product as a client sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductRequest<'a> {
    /// Stock keeping unit.
    pub sku: Cow<'a, str>,
    /// What it is called; the SKU when missing.
    pub name: Option<Cow<'a, str>>,
    /// Price of one, as the text of a JSON number in the major unit.
    pub price: &'a str,
    /// ISO 4217 code.
    pub currency: Option<Cow<'a, str>>,
    /// Units there are; `None` leaves stock uncounted.
    pub stock: Option<i64>,
}

#[derive(Deserialize)]
struct RawProduct<'a> {
    #[serde(borrow, default)]
    sku: Option<&'a RawValue>,
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    price: Option<&'a RawValue>,
    #[serde(borrow, default)]
    currency: Option<&'a RawValue>,
    #[serde(borrow, default)]
    stock: Option<&'a RawValue>,
}

/// Parses the body of `POST /products`: one product, or an array of up to `most`.
///
/// # Errors
/// [`BodyError`] as for [`parse_order`], with `invalid-product`.
pub fn parse_products(body: &[u8], most: usize) -> Result<Vec<ProductRequest<'_>>, BodyError> {
    check_nesting(body)?;
    let mut fields = FieldReader { errors: Vec::new() };
    let is_array = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let products = if is_array {
        let rows: Vec<&RawValue> =
            serde_json::from_slice(body).map_err(|error| BodyError::malformed(error.to_string()))?;
        if rows.len() > most {
            let detail = format!("at most {most} products at a time; send the rest in another request");
            return Err(BodyError { code: ErrorCode::InvalidProduct, detail, fields: Vec::new() });
        }
        rows.iter()
            .enumerate()
            .filter_map(|(at, row)| match parse_object::<RawProduct<'_>>(row.get().as_bytes()) {
                Ok(raw) => fields.product(&format!("/{at}"), &raw),
                Err(_) => fields.refuse(format!("/{at}"), "must be an object such as {\"sku\":\"tea\",\"price\":2.5}"),
            })
            .collect()
    } else {
        let raw: RawProduct<'_> = parse_object(body)?;
        fields.product("", &raw).into_iter().collect()
    };
    fields.finish(products, ErrorCode::InvalidProduct)
}

/// What of a product a client wants changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProductPatchRequest<'a> {
    /// Another name.
    pub name: Option<Cow<'a, str>>,
    /// Another price, as the text of a JSON number in the major unit of the product's currency.
    pub price: Option<&'a str>,
    /// Units there are; `Some(None)`, by `null`, when nobody is to count them.
    pub stock: Option<Option<i64>>,
    /// Units that came or went.
    pub stock_change: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPatch<'a> {
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    price: Option<&'a RawValue>,
    // `null` and nothing are not the same here.
    #[serde(borrow, default, deserialize_with = "given")]
    stock: Option<&'a RawValue>,
    #[serde(borrow, default)]
    stock_change: Option<&'a RawValue>,
}

fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

/// Parses the body of `PATCH /products/{sku}`. A field it does not know is refused.
///
/// # Errors
/// [`BodyError`] as for [`parse_order`], with `invalid-product`.
pub fn parse_product_patch(body: &[u8]) -> Result<ProductPatchRequest<'_>, BodyError> {
    let raw: RawPatch<'_> = parse_object(body)?;
    let mut fields = FieldReader { errors: Vec::new() };
    let stock = match raw.stock.map(RawValue::get) {
        None => None,
        Some("null") => Some(None),
        Some(_) => fields.integer("/stock", raw.stock).map(Some),
    };
    if stock.flatten().is_some_and(|stock| stock < 0) {
        fields.errors.push(FieldError::new("/stock", "must not be negative"));
    }
    let stock_change = fields.integer("/stock_change", raw.stock_change);
    if stock.is_some() && stock_change.is_some() {
        fields.errors.push(FieldError::new("/stock_change", "and stock cannot both be given"));
    }
    let patch = ProductPatchRequest {
        name: fields.text("/name", raw.name, MAX_TEXT_BYTES),
        price: fields.number("/price", raw.price),
        stock,
        stock_change,
    };
    fields.finish(patch, ErrorCode::InvalidProduct)
}

/// An adjustment as a client sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdjustmentRequest<'a> {
    /// Its id, unique among adjustments.
    pub id: Cow<'a, str>,
    /// `cancellation`, `write_off` or `bad_debt`.
    pub kind: Cow<'a, str>,
    /// ISO 4217 code.
    pub currency: Option<Cow<'a, str>>,
    /// The lines; quantities and prices may be negative.
    pub items: Vec<ItemRequest<'a>>,
    /// Whom it concerns.
    pub customer: Option<Cow<'a, str>>,
    /// Free text.
    pub notes: Option<Cow<'a, str>>,
    /// When it happened, in milliseconds since 1970.
    pub placed_at_ms: Option<i64>,
}

#[derive(Deserialize)]
struct RawAdjustment<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    currency: Option<&'a RawValue>,
    #[serde(borrow, default)]
    items: Option<&'a RawValue>,
    #[serde(borrow, default)]
    customer: Option<&'a RawValue>,
    #[serde(borrow, default)]
    notes: Option<&'a RawValue>,
    #[serde(borrow, default)]
    placed_at: Option<&'a RawValue>,
}

/// Parses the body of `POST /adjustments`.
///
/// # Errors
/// [`BodyError`] as for [`parse_order`], with `invalid-adjustment`.
pub fn parse_adjustment(body: &[u8]) -> Result<AdjustmentRequest<'_>, BodyError> {
    let raw: RawAdjustment<'_> = parse_object(body)?;
    let mut fields = FieldReader { errors: Vec::new() };
    let id = fields.required("/id", raw.id, MAX_TEXT_BYTES);
    let kind = fields.required("/kind", raw.kind, 64);
    let adjustment = AdjustmentRequest {
        id: id.unwrap_or_default(),
        kind: kind.unwrap_or_default(),
        currency: fields.text("/currency", raw.currency, 16),
        items: raw.items.map(|items| fields.items(items)).unwrap_or_default(),
        customer: fields.text("/customer", raw.customer, MAX_TEXT_BYTES),
        notes: fields.text("/notes", raw.notes, MAX_TEXT_BYTES),
        placed_at_ms: fields.instant("/placed_at", raw.placed_at),
    };
    fields.finish(adjustment, ErrorCode::InvalidAdjustment)
}

impl FieldReader {
    fn items<'a>(&mut self, raw: &'a RawValue) -> Vec<ItemRequest<'a>> {
        if raw.get() == "null" {
            return Vec::new();
        }
        let Ok(rows) = serde_json::from_str::<Vec<&'a RawValue>>(raw.get()) else {
            self.errors
                .push(FieldError::new("/items", "must be an array of strings or of {\"sku\",\"quantity\",\"price\"}"));
            return Vec::new();
        };
        if rows.len() > MAX_LINES {
            self.errors
                .push(FieldError::new("/items", format!("has {} lines; at most {MAX_LINES} are allowed", rows.len())));
            return Vec::new();
        }
        rows.into_iter().enumerate().filter_map(|(at, row)| self.item(at, row)).collect()
    }

    fn item<'a>(&mut self, at: usize, raw: &'a RawValue) -> Option<ItemRequest<'a>> {
        if let Some(text) = string_of(raw.get()) {
            if text.is_empty() || text.len() > MAX_SKU_BYTES {
                return self.refuse(format!("/items/{at}"), format!("must have 1 to {MAX_SKU_BYTES} bytes"));
            }
            return Some(ItemRequest { sku: text, quantity: 1, price: None, plain: true });
        }
        let Ok(item) = parse_object::<RawItem<'a>>(raw.get().as_bytes()) else {
            return self.refuse(format!("/items/{at}"), "must be a string or {\"sku\",\"quantity\",\"price\"}");
        };
        let sku = self.required(&format!("/items/{at}/sku"), item.sku, MAX_SKU_BYTES);
        let quantity = self.integer(&format!("/items/{at}/quantity"), item.quantity);
        let price = self.number(&format!("/items/{at}/price"), item.price);
        Some(ItemRequest { sku: sku?, quantity: quantity.unwrap_or(1), price, plain: false })
    }

    fn charges<'a>(&mut self, raw: &'a RawValue) -> Vec<ChargeRequest<'a>> {
        let Ok(rows) = serde_json::from_str::<Option<Vec<&'a RawValue>>>(raw.get()) else {
            let detail = "must be an array of {\"kind\",\"name\",\"amount\"}";
            self.errors.push(FieldError::new("/charges", detail));
            return Vec::new();
        };
        let rows = rows.unwrap_or_default();
        rows.into_iter().enumerate().filter_map(|(at, row)| self.charge(&format!("/charges/{at}"), row)).collect()
    }

    fn charge<'a>(&mut self, at: &str, raw: &'a RawValue) -> Option<ChargeRequest<'a>> {
        let Ok(charge) = parse_object::<RawCharge<'a>>(raw.get().as_bytes()) else {
            return self.refuse(at, "must be an object such as {\"kind\":\"shipping\",\"amount\":4.9}");
        };
        let kind = self.required(&format!("{at}/kind"), charge.kind, 16);
        let name = self.text(&format!("{at}/name"), charge.name, MAX_TEXT_BYTES);
        let (pointer, before) = (format!("{at}/amount"), self.errors.len());
        let amount = self.number(&pointer, charge.amount);
        if amount.is_none() && self.errors.len() == before {
            return self.refuse(pointer, "is required");
        }
        Some(ChargeRequest { kind: kind?, name, amount: amount? })
    }

    /// A time with an offset, or a local time in a zone.
    pub(crate) fn zoned(&mut self, (pointer, raw): (&str, Option<&RawValue>), zone: Option<&RawValue>) -> Option<i64> {
        let text = self.text(pointer, raw, 64);
        // Two times may share it; one complaint is enough.
        let is_told = self.errors.iter().any(|error| error.pointer == "/time_zone");
        let zone = if is_told { None } else { self.text("/time_zone", zone, 64) };
        match instant_of(&text?, zone.as_deref()) {
            Ok(at_ms) => Some(at_ms),
            Err((is_zone, detail)) => self.refuse(if is_zone { "/time_zone" } else { pointer }, detail),
        }
    }

    fn product<'a>(&mut self, at: &str, raw: &RawProduct<'a>) -> Option<ProductRequest<'a>> {
        let sku = self.required(&format!("{at}/sku"), raw.sku, MAX_SKU_BYTES);
        let name = self.text(&format!("{at}/name"), raw.name, MAX_TEXT_BYTES);
        let currency = self.text(&format!("{at}/currency"), raw.currency, 16);
        let stock = self.integer(&format!("{at}/stock"), raw.stock);
        if stock.is_some_and(|stock| stock < 0) {
            return self.refuse(format!("{at}/stock"), "must not be negative");
        }
        let before = self.errors.len();
        let price = self.number(&format!("{at}/price"), raw.price);
        if price.is_none() && self.errors.len() == before {
            return self.refuse(format!("{at}/price"), "is required");
        }
        Some(ProductRequest { sku: sku?, name, price: price?, currency, stock })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(body: &str) -> Vec<String> {
        match parse_order(body.as_bytes()) {
            Ok(_) => vec![],
            Err(error) if error.fields.is_empty() => vec![error.code.name().to_owned()],
            Err(error) => error.fields.into_iter().map(|field| field.pointer).collect(),
        }
    }

    #[test]
    fn every_wrong_field_is_named() {
        for (body, wrong) in [
            (r#"{"amount":99.99,"items":["a"],"status":{"any":1},"extra":[1]}"#, &[][..]),
            (r#"{"amount":null,"items":null,"priority":null}"#, &[]),
            (r#"{"amount":"99.99"}"#, &["/amount"]),
            (
                r#"{"amount":true,"items":"x","customer":7,"priority":1.5}"#,
                &["/amount", "/items", "/customer", "/priority"],
            ),
            (
                r#"{"items":["",{"quantity":1},{"sku":"a","quantity":"2"},7]}"#,
                &["/items/0", "/items/1/sku", "/items/2/quantity", "/items/3"],
            ),
            (r#"{"placed_at":"yesterday"}"#, &["/placed_at"]),
            (r#"{"amount":NaN}"#, &["malformed-json"]),
            (r#"{"amount":1,"amount":2}"#, &["malformed-json"]),
            (r#"[1]"#, &["malformed-json"]),
            ("", &["malformed-json"]),
        ] {
            assert_eq!(pointers(body), wrong, "{body}");
        }
        let deep = format!("{{\"notes\":{}1{}}}", "[".repeat(200), "]".repeat(200));
        assert_eq!(pointers(&deep), ["malformed-json"]);
    }

    #[test]
    fn numbers_stay_text_and_strings_are_unescaped() {
        let order = parse_order(br#"{"amount":1e400,"items":["a\u00e9"],"customer":"x"}"#).unwrap();
        assert_eq!(order.amount, Some("1e400"));
        assert_eq!(order.items[0].sku, "aé");
        assert!(matches!(order.customer, Some(Cow::Borrowed("x"))));
    }

    #[test]
    fn products_come_alone_or_in_an_array() {
        let one = parse_products(br#"{"sku":"tea","price":2.5,"stock":3}"#, 10).unwrap();
        assert_eq!((one[0].price, one[0].stock), ("2.5", Some(3)));
        let error = parse_products(br#"[{"sku":"tea","price":1},{"sku":"","price":1},{"sku":"b"},4]"#, 10).unwrap_err();
        let wrong: Vec<_> = error.fields.iter().map(|field| field.pointer.as_str()).collect();
        assert_eq!(wrong, ["/1/sku", "/2/price", "/3"]);
        assert!(parse_products(br#"[{"sku":"tea","price":1},{"sku":"b","price":1}]"#, 1).is_err());
    }
}
