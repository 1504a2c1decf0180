//! The catalogue in memory, as of the last commit: what connections are greeted with and drafts are made by.

use std::collections::{BTreeMap, HashMap};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use ordercast_domain::ids::Sku;
use ordercast_domain::product::Product;

/// Products by SKU and by hash.
#[derive(Debug, Default)]
pub struct Listing {
    /// Rises with every change.
    pub revision: u64,
    /// Products and their hashes, by SKU.
    pub products: BTreeMap<Sku, (String, Product)>,
    by_hash: HashMap<String, Sku>,
}

impl Listing {
    /// The product of a hash, or of a SKU.
    pub fn find(&self, product: &str) -> Option<&Product> {
        let sku = self.by_hash.get(product).map_or(product, |sku| sku);
        self.products.get(sku).map(|(_, product)| product)
    }
}

/// The catalogue, shared.
#[derive(Debug, Default)]
pub struct CatalogueMirror {
    listing: RwLock<Listing>,
}

impl CatalogueMirror {
    pub(crate) fn update(&self, products: Vec<Product>) {
        if products.is_empty() {
            return;
        }
        let mut listing = self.listing.write().unwrap_or_else(PoisonError::into_inner);
        listing.revision += 1;
        for product in products {
            let sku = product.sku.clone();
            if let Some(row) = listing.products.get_mut(&sku) {
                row.1 = product;
                continue;
            }
            let hash = product.hash();
            listing.by_hash.insert(hash.clone(), sku.clone());
            listing.products.insert(sku, (hash, product));
        }
    }

    /// The catalogue now. Hold the guard briefly: a commit that changes products waits for it.
    pub fn read(&self) -> RwLockReadGuard<'_, Listing> {
        self.listing.read().unwrap_or_else(PoisonError::into_inner)
    }
}
