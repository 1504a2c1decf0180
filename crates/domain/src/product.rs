//! Products and their stock.

use sha2::{Digest, Sha256};

use crate::ids::Sku;
use crate::money::Currency;

/// A product of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Stock keeping unit.
    pub sku: Sku,
    /// What it is called.
    pub name: String,
    /// Millionths of the major unit for one.
    pub price: i64,
    /// The currency of the price.
    pub currency: Currency,
    /// Units there are, reserved ones included; `None` when nobody counts them.
    pub stock: Option<i64>,
    /// Units that accepted orders hold.
    pub reserved: i64,
}

impl Product {
    /// Units that can still be sold; `None` when nobody counts them.
    pub fn available(&self) -> Option<i64> {
        self.stock.map(|stock| stock - self.reserved)
    }

    /// The name of the product on the wire: see [`hash_of`].
    pub fn hash(&self) -> String {
        hash_of(&self.sku)
    }
}

/// Fields of a product to change; the others stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProductPatch {
    /// What it is called from now on.
    pub name: Option<String>,
    /// Millionths of the major unit for one, in the currency it has.
    pub price: Option<i64>,
    /// Units there are, or `None` when nobody is to count them.
    pub stock: Option<Option<i64>>,
    /// Units that came (or, below 0, went): unlike `stock` it cannot undo what was sold meanwhile.
    pub stock_change: Option<i64>,
}

/// First 16 hexadecimal digits of the SHA-256 of a SKU.
pub fn hash_of(sku: &str) -> String {
    hex(&Sha256::digest(sku.as_bytes())[..8])
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_the_start_of_sha_256() {
        // `printf %s 85123A | sha256sum`
        assert_eq!(hash_of("85123A"), "562714821209e95d");
    }
}
