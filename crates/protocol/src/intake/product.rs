//! Products as clients send them.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::error::{ErrorCode, FieldError};
use crate::fields::{BodyError, FieldReader, Object, check_nesting, without_byte_order_mark};
use crate::limits::{MAX_SKU_BYTES, MAX_TEXT_BYTES};

const PRODUCT_FIELDS: [&str; 5] = ["sku", "name", "price", "currency", "stock"];
/// Fields of a product that the server sets: they are read past, so that a product that the server has shown can be sent
/// as it is. The OpenAPI document calls them `readOnly`.
pub const PRODUCT_SERVER_FIELDS: [&str; 2] = ["hash", "reserved"];
const PATCH_FIELDS: [&str; 4] = ["name", "price", "stock", "stock_change"];
const EXAMPLE: &str = "{\"sku\":\"tea\",\"price\":2.5}";

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

/// Parses the body of `POST /products`: one product, or an array of up to `most`.
///
/// # Errors
/// [`BodyError`] as for [`super::parse_order`], with `invalid-product`.
pub fn parse_products(body: &[u8], most: usize) -> Result<Vec<ProductRequest<'_>>, BodyError> {
    let body = without_byte_order_mark(body);
    let mut fields = FieldReader::default();
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'[') {
        let object = fields.body(body, EXAMPLE)?;
        let is_object = fields.errors.is_empty();
        let product = if is_object { fields.product("", &object) } else { None };
        return fields.finish(product.into_iter().collect(), ErrorCode::InvalidProduct);
    }
    check_nesting(body)?;
    let rows: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| BodyError::malformed(error.to_string()))?;
    if rows.len() > most {
        let detail = format!("at most {most} products at a time; send the rest in another request");
        return Err(BodyError { code: ErrorCode::InvalidProduct, detail, fields: Vec::new() });
    }
    let mut products = Vec::with_capacity(rows.len());
    for (at, row) in rows.iter().enumerate() {
        let at = format!("/{at}");
        match fields.object(row) {
            Some(object) => products.extend(fields.product(&at, &object)),
            None => fields.errors.push(FieldError::new(at, format!("must be an object such as {EXAMPLE}"))),
        }
    }
    fields.finish(products, ErrorCode::InvalidProduct)
}

/// Fields of a product that a client wants to change.
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

/// Parses the body of `PATCH /products/{sku}`.
///
/// # Errors
/// [`BodyError`] as for [`super::parse_order`], with `invalid-product`.
pub fn parse_product_patch(body: &[u8]) -> Result<ProductPatchRequest<'_>, BodyError> {
    let mut fields = FieldReader::default();
    let object = fields.body(body, "{\"price\":2.5}")?;
    fields.check_known("", &object, &[&PATCH_FIELDS], &[]);
    // `null` and nothing are not the same here.
    let stock = match object.get("stock").map(RawValue::get) {
        None => None,
        Some("null") => Some(None),
        Some(_) => fields.integer("/stock", object.get("stock")).map(Some),
    };
    if stock.flatten().is_some_and(|stock| stock < 0) {
        fields.errors.push(FieldError::new("/stock", "must not be negative"));
    }
    let stock_change = fields.integer("/stock_change", object.get("stock_change"));
    if stock.is_some() && stock_change.is_some() {
        fields.errors.push(FieldError::new("/stock_change", "and stock cannot both be given"));
    }
    let patch = ProductPatchRequest {
        name: fields.text("/name", object.get("name"), MAX_TEXT_BYTES),
        price: fields.number("/price", object.get("price")),
        stock,
        stock_change,
    };
    fields.finish(patch, ErrorCode::InvalidProduct)
}

impl FieldReader {
    fn product<'a>(&mut self, at: &str, object: &Object<'a>) -> Option<ProductRequest<'a>> {
        self.check_known(at, object, &[&PRODUCT_FIELDS], &[&PRODUCT_SERVER_FIELDS]);
        let sku = self.required(format_args!("{at}/sku"), object.get("sku"), MAX_SKU_BYTES);
        let name = self.text(format_args!("{at}/name"), object.get("name"), MAX_TEXT_BYTES);
        let currency = self.text(format_args!("{at}/currency"), object.get("currency"), 16);
        let stock = self.integer(format_args!("{at}/stock"), object.get("stock"));
        if stock.is_some_and(|stock| stock < 0) {
            return self.refuse(format!("{at}/stock"), "must not be negative");
        }
        let before = self.errors.len();
        let price = self.number(format_args!("{at}/price"), object.get("price"));
        if price.is_none() && self.errors.len() == before {
            return self.refuse(format!("{at}/price"), "is required");
        }
        Some(ProductRequest { sku: sku?, name, price: price?, currency, stock })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_come_alone_or_in_an_array() {
        let one = parse_products(br#"{"sku":"tea","price":2.5,"stock":3}"#, 10).unwrap();
        assert_eq!((one[0].price, one[0].stock), ("2.5", Some(3)));
        let error = parse_products(br#"[{"sku":"tea","price":1},{"sku":"","price":1},{"sku":"b"},4]"#, 10).unwrap_err();
        let wrong: Vec<_> = error.fields.iter().map(|field| field.pointer.as_str()).collect();
        assert_eq!(wrong, ["/1/sku", "/2/price", "/3"]);
        assert!(parse_products(br#"[{"sku":"tea","price":1},{"sku":"b","price":1}]"#, 1).is_err());
    }

    #[test]
    fn fields_that_are_not_known_are_refused() {
        for (body, wrong) in [
            (r#"{"sku":"tea","price":2.5,"hash":"x","reserved":1}"#, None),
            (r#"[{"sku":"tea","price":1},{"sku":"b","price":1,"stok":3}]"#, Some("/1/stok")),
            ("7", Some("")),
        ] {
            let error = parse_products(body.as_bytes(), 10).err();
            assert_eq!(error.as_ref().map(|error| &*error.fields[0].pointer), wrong, "{body}");
        }
        let error = parse_product_patch(br#"{"stockChange":3}"#).unwrap_err();
        assert_eq!(error.detail, "/stockChange is not known; did you mean stock_change?");
    }
}
