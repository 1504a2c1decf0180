//! Storing products, all or none.

use ordercast_access::Origin;
use ordercast_domain::decide::{self, Refusal};
use ordercast_domain::product::Product;
use ordercast_store::write::Keys;

use super::{Command, ROW_BYTES};
use crate::pass::Pass;

pub(crate) struct PutProducts {
    pub(crate) products: Vec<Product>,
}

impl Command for PutProducts {
    /// How many changed.
    type Decided = usize;
    type Answer = usize;

    fn weight(&self) -> usize {
        self.products.len() * ROW_BYTES
    }

    fn keys(&self, keys: &mut Keys) {
        keys.catalogue.skus.extend(self.products.iter().map(|product| product.sku.clone()));
    }

    fn decide(&self, _: &Origin, pass: &mut Pass<'_>) -> Result<usize, Refusal> {
        // All or none: what an earlier product changed is put back when a later one is refused.
        let known = |product: &'_ Product| pass.set.catalogue.products.get(&product.sku).cloned();
        let before: Vec<_> = self.products.iter().map(|product| (&product.sku, known(product))).collect();
        let mut changed = Vec::new();
        for (at, product) in self.products.iter().enumerate() {
            match decide::put_product(&mut pass.set, product) {
                Ok(true) => changed.push(product.sku.clone()),
                Ok(false) => {}
                Err(mut refusal) => {
                    for (sku, known) in before.into_iter().rev() {
                        match known {
                            Some(known) => pass.set.catalogue.products.insert(sku.clone(), known),
                            None => pass.set.catalogue.products.remove(sku),
                        };
                    }
                    if let Refusal::Invalid(violations) = &mut refusal {
                        violations.iter_mut().for_each(|violation| violation.pointer.insert_str(0, &format!("/{at}")));
                    }
                    return Err(refusal);
                }
            }
        }
        let count = changed.len();
        pass.changed_products.extend(changed);
        Ok(count)
    }
}
