//! Products that a batch touches.

use std::collections::HashMap;

use crate::ids::Sku;
use crate::product::Product;

/// What the store knows of the catalogue.
#[derive(Clone, Debug, Default)]
pub struct CatalogueSet {
    /// Products by SKU.
    pub products: HashMap<Sku, Product>,
    /// Whether the catalogue has any product.
    pub has_products: bool,
}
