//! The catalogue: products with their prices and stock.

use ordercast_domain::ids::Sku;
use ordercast_domain::product::Product;

use super::{Keys, Writes};

/// Which products a batch touches, beside those of the lines that it loads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogueKeys {
    /// Products by SKU.
    pub skus: Vec<Sku>,
}

/// What a batch changes of the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogueWrites {
    /// Products, new or changed, each once.
    pub products: Vec<Product>,
}

impl CatalogueWrites {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        let Self { products } = self;
        products.is_empty()
    }
}

impl From<CatalogueKeys> for Keys {
    fn from(catalogue: CatalogueKeys) -> Self {
        Self { catalogue, ..Self::default() }
    }
}

impl From<CatalogueWrites> for Writes {
    fn from(catalogue: CatalogueWrites) -> Self {
        Self { catalogue, ..Self::default() }
    }
}
