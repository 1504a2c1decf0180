//! Changing the named fields of one product.

use ordercast_access::Origin;
use ordercast_domain::decide::{self, Refusal};
use ordercast_domain::ids::Sku;
use ordercast_domain::product::{Product, ProductPatch};
use ordercast_store::write::Keys;

use super::{Command, ROW_BYTES};
use crate::pass::Pass;

pub(crate) struct PatchProduct {
    pub(crate) sku: Sku,
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
        keys.catalogue.skus.push(self.sku.clone());
    }

    fn decide(&self, _: &Origin, pass: &mut Pass<'_>) -> Result<Box<Product>, Refusal> {
        if decide::patch_product(&mut pass.set, &self.sku, &self.patch)? {
            pass.changed_products.insert(self.sku.clone());
        }
        let product = pass.set.catalogue.products.get(&self.sku).cloned();
        product.map(Box::new).ok_or_else(|| Refusal::UnknownProduct { sku: self.sku.to_string() })
    }
}
