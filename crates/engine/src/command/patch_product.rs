//! Changing the named fields of one product.

use std::sync::Arc;

use ordercast_access::Origin;
use ordercast_domain::decide::{self, Refusal};
use ordercast_domain::product::{Product, ProductPatch};
use ordercast_store::write::Keys;

use super::{Command, ROW_BYTES};
use crate::pass::Pass;

pub(crate) struct PatchProduct {
    pub(crate) sku: Arc<str>,
    pub(crate) patch: ProductPatch,
}

impl Command for PatchProduct {
    /// The product after it.
    type Decided = Box<Product>;
    type Answer = Box<Product>;

    fn weight(&self) -> usize {
        ROW_BYTES
    }

    fn keys(&self, keys: &mut Keys) {
        keys.catalogue.skus.push(Arc::clone(&self.sku));
    }

    fn decide(&self, _: &Origin, pass: &mut Pass<'_>) -> Result<Box<Product>, Refusal> {
        if decide::patch_product(&mut pass.set, &self.sku, &self.patch)? {
            pass.changed_products.insert(Arc::clone(&self.sku));
        }
        let product = pass.set.catalogue.products.get(&self.sku).cloned();
        product.map(Box::new).ok_or_else(|| Refusal::UnknownProduct { sku: self.sku.to_string() })
    }
}
