//! Products that a batch touches.

use std::collections::HashMap;
use std::sync::Arc;

use crate::product::Product;

/// What the store knows of the catalogue.
#[derive(Clone, Debug, Default)]
pub struct CatalogueSet {
    /// Products by SKU.
    pub products: HashMap<Arc<str>, Product>,
    /// Whether the catalogue has any product.
    pub has_products: bool,
}
