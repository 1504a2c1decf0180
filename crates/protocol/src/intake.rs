//! Parsing the bodies that clients send, field by field, so that every wrong field is named.
//!
//! Only the form is judged here: types, lengths, presence of a value, names of fields. Whether an order is acceptable is
//! the domain's to say. Numbers stay text: they are read exactly, never through a float.

mod adjustment;
mod product;

use std::borrow::Cow;

use serde_json::value::RawValue;

pub use adjustment::{ADJUSTMENT_SERVER_FIELDS, AdjustmentRequest, parse_adjustment};
pub use product::{PRODUCT_SERVER_FIELDS, ProductPatchRequest, ProductRequest, parse_product_patch, parse_products};

use crate::error::{ErrorCode, FieldError};
pub use crate::fields::{BodyError, Form};
use crate::fields::{FieldReader, Object, string_of};
use crate::limits::{MAX_LINES, MAX_SKU_BYTES, MAX_TEXT_BYTES};
use crate::schedule::instant_of;

/// Fields of an order that clients set.
const ORDER_FIELDS: [&str; 14] = [
    "id",
    "amount",
    "currency",
    "items",
    "customer",
    "address",
    "priority",
    "notes",
    "placed_at",
    "charges",
    "run_at",
    "time_zone",
    "idempotency_key",
    "price_override",
];
/// Fields of an order of one product, in place of [`ITEM_FIELDS_OF_ORDER`].
const PRODUCT_FIELDS: [&str; 2] = ["product", "quantity"];
/// Fields of an order that one of a single product does not have: what it costs is the catalogue's to say.
const ITEM_FIELDS_OF_ORDER: [&str; 3] = ["items", "amount", "charges"];
const ITEM_FIELDS: [&str; 4] = ["sku", "quantity", "price", "untracked"];
/// Fields of a line of an adjustment, which no stock stands behind.
const ADJUSTMENT_ITEM_FIELDS: [&str; 3] = ["sku", "quantity", "price"];
const CHARGE_FIELDS: [&str; 3] = ["kind", "name", "amount"];
/// Fields of an order that the server sets: they are read past, so that an order that the server has shown can be sent
/// as it is. The OpenAPI document calls them `readOnly`.
pub const SERVER_FIELDS: [&str; 19] = [
    "number",
    "status",
    "customer_id",
    "created_at",
    "updated_at",
    "version",
    "attempts",
    "processing",
    "item_count",
    "rounding",
    "due_at",
    "cancel_requested",
    "refunded",
    "captured",
    "fulfilment",
    "ledger",
    "last_error",
    "allowed",
    "demo",
];

/// An order as a client sent it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderRequest<'a> {
    /// The id the client chose.
    pub id: Option<Cow<'a, str>>,
    /// The amount, as the text of a JSON number in the major unit.
    pub amount: Option<&'a str>,
    /// ISO 4217 code.
    pub currency: Option<Cow<'a, str>>,
    /// The lines; none when it is an order of one product.
    pub items: Vec<ItemRequest<'a>>,
    /// The product of an order of one product; only frames have such orders.
    pub product: Option<ProductChoice<'a>>,
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
    /// The client's idempotency key, where no header can carry it; never empty.
    pub idempotency_key: Option<Cow<'a, str>>,
    /// Why prices differ from the catalogue's.
    pub price_override: Option<Cow<'a, str>>,
}

/// The product of an order of one product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductChoice<'a> {
    /// Hash or SKU.
    pub name: Cow<'a, str>,
    /// How many.
    pub quantity: i64,
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
    /// Whether it may have a SKU that is not in the catalogue.
    pub untracked: bool,
}

/// Parses an order: the body of `POST /orders`, a line of a bulk request or of a file, a frame or the data of a call.
/// Fields that the server sets ([`SERVER_FIELDS`]) are read past; any other that is not known is refused.
///
/// # Errors
/// [`BodyError`] with `malformed-json` when it is no JSON or nested deeper than [`crate::limits::MAX_NESTING`], with
/// `invalid-order` and every wrong field otherwise.
pub fn parse_order(body: &[u8], form: Form) -> Result<OrderRequest<'_>, BodyError> {
    let mut fields = FieldReader::default();
    let object = fields.body(body, "{\"items\":[\"tea\"],\"amount\":2.5}")?;
    let is_of_product = form == Form::Frame && object.get("product").is_some();
    let (items, charges) = (object.get("items"), object.get("charges"));
    let mut order = OrderRequest {
        id: fields.text("/id", object.get("id"), MAX_TEXT_BYTES),
        currency: fields.text("/currency", object.get("currency"), 16),
        customer: fields.text("/customer", object.get("customer"), MAX_TEXT_BYTES),
        address: fields.text("/address", object.get("address"), MAX_TEXT_BYTES),
        priority: fields.integer("/priority", object.get("priority")),
        notes: fields.text("/notes", object.get("notes"), MAX_TEXT_BYTES),
        placed_at_ms: fields.instant("/placed_at", object.get("placed_at")),
        run_at_ms: fields.scheduled(&object, &["run_at"])[0],
        idempotency_key: fields.key("/idempotency_key", object.get("idempotency_key")),
        price_override: fields.text("/price_override", object.get("price_override"), MAX_TEXT_BYTES),
        ..OrderRequest::default()
    };
    if is_of_product {
        order.product = fields.product_choice(&object);
        let foreign = ITEM_FIELDS_OF_ORDER.into_iter().filter(|name| object.get(name).is_some());
        let foreign = foreign.map(|name| FieldError::new(format!("/{name}"), "is not of an order of one product"));
        fields.errors.extend(foreign);
        fields.check_known("", &object, &[&ORDER_FIELDS, &PRODUCT_FIELDS], &[&SERVER_FIELDS, form.own_fields()]);
    } else {
        order.amount = fields.number("/amount", object.get("amount"));
        order.items = items.map(|items| fields.items(items, &ITEM_FIELDS)).unwrap_or_default();
        order.charges = charges.map(|charges| fields.charges(charges)).unwrap_or_default();
        fields.check_known("", &object, &[&ORDER_FIELDS], &[&SERVER_FIELDS, form.own_fields()]);
    }
    fields.finish(order, ErrorCode::InvalidOrder)
}

impl FieldReader {
    fn product_choice<'a>(&mut self, object: &Object<'a>) -> Option<ProductChoice<'a>> {
        let name = self.required("/product", object.get("product"), MAX_SKU_BYTES);
        let quantity = self.integer("/quantity", object.get("quantity")).unwrap_or(1);
        Some(ProductChoice { name: name?, quantity })
    }

    fn items<'a>(&mut self, raw: &'a RawValue, known: &[&str]) -> Vec<ItemRequest<'a>> {
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
        rows.into_iter().enumerate().filter_map(|(at, row)| self.item(at, row, known)).collect()
    }

    fn item<'a>(&mut self, at: usize, raw: &'a RawValue, known: &[&str]) -> Option<ItemRequest<'a>> {
        if let Some(text) = string_of(raw.get()) {
            if text.is_empty() || text.len() > MAX_SKU_BYTES {
                return self.refuse(format!("/items/{at}"), format!("must have 1 to {MAX_SKU_BYTES} bytes"));
            }
            return Some(ItemRequest { sku: text, quantity: 1, price: None, plain: true, untracked: false });
        }
        let Some(item) = self.object(raw) else {
            return self.refuse(format!("/items/{at}"), "must be a string or {\"sku\",\"quantity\",\"price\"}");
        };
        self.check_known(format_args!("/items/{at}"), &item, &[known], &[]);
        let sku = self.required(format_args!("/items/{at}/sku"), item.get("sku"), MAX_SKU_BYTES);
        let quantity = self.integer(format_args!("/items/{at}/quantity"), item.get("quantity"));
        let price = self.number(format_args!("/items/{at}/price"), item.get("price"));
        let untracked = self.boolean(format_args!("/items/{at}/untracked"), item.get("untracked"));
        Some(ItemRequest { sku: sku?, quantity: quantity.unwrap_or(1), price, plain: false, untracked })
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
        let Some(charge) = self.object(raw) else {
            return self.refuse(at, "must be an object such as {\"kind\":\"shipping\",\"amount\":4.9}");
        };
        self.check_known(at, &charge, &[&CHARGE_FIELDS], &[]);
        let kind = self.required(format_args!("{at}/kind"), charge.get("kind"), 16);
        let name = self.text(format_args!("{at}/name"), charge.get("name"), MAX_TEXT_BYTES);
        let (pointer, before) = (format!("{at}/amount"), self.errors.len());
        let amount = self.number(&pointer, charge.get("amount"));
        if amount.is_none() && self.errors.len() == before {
            return self.refuse(pointer, "is required");
        }
        Some(ChargeRequest { kind: kind?, name, amount: amount? })
    }

    /// Times that stand in fields of these names, with an offset each or local in the zone that `time_zone` names for all
    /// of them. A zone without a time is refused: the time was meant to be there.
    pub(crate) fn scheduled<const N: usize>(&mut self, object: &Object<'_>, names: &[&str; N]) -> [Option<i64>; N] {
        let zone = self.text("/time_zone", object.get("time_zone"), 64);
        let is_given = |raw: Option<&RawValue>| raw.is_some_and(|raw| raw.get() != "null");
        if zone.is_some() && !names.iter().any(|name| is_given(object.get(name))) {
            self.errors.push(FieldError::new("/time_zone", format!("has no {} that it is for", names.join(" or "))));
        }
        names.map(|name| {
            let pointer = format!("/{name}");
            let text = self.text(&pointer, object.get(name), 64)?;
            match instant_of(&text, zone.as_deref()) {
                Ok(at_ms) => Some(at_ms),
                Err((true, detail)) => self.refuse("/time_zone", detail),
                Err((false, detail)) => self.refuse(pointer, detail),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(body: &str) -> Vec<String> {
        match parse_order(body.as_bytes(), Form::Body) {
            Ok(_) => vec![],
            Err(error) if error.fields.is_empty() => vec![error.code.name().to_owned()],
            Err(error) => error.fields.into_iter().map(|field| field.pointer).collect(),
        }
    }

    #[test]
    fn every_wrong_field_is_named() {
        for (body, wrong) in [
            (r#"{"amount":99.99,"items":["a"],"status":{"any":1},"version":[1],"number":7}"#, &[][..]),
            (r#"{"amount":null,"items":null,"priority":null}"#, &[]),
            (r#"{"amount":"99.99"}"#, &["/amount"]),
            (
                r#"{"amount":true,"items":"x","customer":7,"priority":1.5}"#,
                &["/customer", "/priority", "/amount", "/items"],
            ),
            (
                r#"{"items":["",{"quantity":1},{"sku":"a","quantity":"2"},7]}"#,
                &["/items/0", "/items/1/sku", "/items/2/quantity", "/items/3"],
            ),
            (r#"{"placed_at":"yesterday"}"#, &["/placed_at"]),
            (r#"{"amount":NaN}"#, &["malformed-json"]),
            (r#"{"amount":1,"amount":2}"#, &["/amount"]),
            (r#"[1]"#, &[""]),
            (r#"{"runAt":"2030-01-01T00:00:00Z","Currency":"EUR","type":"order"}"#, &["/runAt", "/Currency", "/type"]),
            (r#"{"items":[{"sku":"a","qty":3},{"sku":"a","status":"x"}]}"#, &["/items/0/qty", "/items/1/status"]),
            (r#"{"items":[{"sku":"a","untracked":1}],"price_override":2}"#, &["/price_override", "/items/0/untracked"]),
            (r#"{"charges":[{"kind":"tax","amount":1,"rate":2}]}"#, &["/charges/0/rate"]),
            (r#"{"time_zone":"Europe/Berlin"}"#, &["/time_zone"]),
            ("", &["malformed-json"]),
        ] {
            assert_eq!(pointers(body), wrong, "{body}");
        }
        let deep = format!("{{\"notes\":{}1{}}}", "[".repeat(200), "]".repeat(200));
        assert_eq!(pointers(&deep), ["malformed-json"]);
    }

    #[test]
    fn numbers_stay_text_and_strings_are_unescaped() {
        let order = parse_order(br#"{"amount":1e400,"items":["a\u00e9"],"customer":"x"}"#, Form::Body).unwrap();
        assert_eq!(order.amount, Some("1e400"));
        assert_eq!(order.items[0].sku, "aé");
        assert!(matches!(order.customer, Some(Cow::Borrowed("x"))));
    }

    #[test]
    fn frames_may_order_one_product() {
        let frame = br#"{"type":"order","ref":1,"product":"tea","quantity":2.0,"customer":"x"}"#;
        let order = parse_order(frame, Form::Frame).unwrap();
        assert_eq!(order.product, Some(ProductChoice { name: "tea".into(), quantity: 2 }));
        assert!(parse_order(frame, Form::Body).is_err() && parse_order(frame, Form::Call).is_err());
        for (fields, wrong) in [
            (r#""product":null"#, "/product"),
            (r#""product":7"#, "/product"),
            (r#""product":"a","quantity":"2""#, "/quantity"),
            (r#""product":"a","qty":2"#, "/qty"),
            (r#""product":"a","items":["b"]"#, "/items"),
            (r#""product":"a","amount":2"#, "/amount"),
        ] {
            let text = format!(r#"{{"type":"order",{fields}}}"#);
            let error = parse_order(text.as_bytes(), Form::Frame).unwrap_err();
            assert_eq!(error.fields.iter().map(|field| &*field.pointer).collect::<Vec<_>>(), [wrong], "{text}");
        }
    }
}
