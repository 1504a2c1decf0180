//! Products, and money facts that are no orders.

use std::sync::Arc;

use super::refusal::Refusal;
use super::set::WorkingSet;
use crate::Violation;
use crate::adjustment::Adjustment;
use crate::product::{Product, ProductPatch};

/// Stores a product, or changes its name, price and stock. Returns whether anything changed.
///
/// # Errors
/// [`Refusal::Invalid`] when orders hold more than the new stock.
pub fn put_product(set: &mut WorkingSet, product: &Product) -> Result<bool, Refusal> {
    let Some(known) = set.catalogue.products.get_mut(&product.sku) else {
        set.catalogue.products.insert(product.sku.clone(), product.clone());
        set.catalogue.has_products = true;
        return Ok(true);
    };
    if product.stock.is_some_and(|stock| stock < known.reserved) {
        let detail = format!("must be at least {}, which accepted orders of {} hold", known.reserved, known.sku);
        return Err(Refusal::Invalid(vec![Violation::new("/stock", detail)]));
    }
    let changed = Product { reserved: known.reserved, ..product.clone() };
    if *known == changed {
        return Ok(false);
    }
    *known = changed;
    Ok(true)
}

/// Stores an adjustment, or finds the same one. Returns it as it is stored, and whether it is new.
///
/// # Errors
/// [`Refusal::Conflict`] when its id has another content.
pub fn adjust(set: &mut WorkingSet, adjustment: &Adjustment, now_ms: i64) -> Result<(Adjustment, bool), Refusal> {
    match set.money.adjustments.get(&adjustment.id) {
        Some(known) if known.digest == adjustment.digest => Ok((known.clone(), false)),
        Some(_) => Err(Refusal::Conflict { id: Arc::clone(&adjustment.id) }),
        None => {
            let placed_at_ms = Some(adjustment.placed_at_ms.unwrap_or(now_ms));
            let stored = Adjustment { placed_at_ms, created_at_ms: now_ms, ..adjustment.clone() };
            set.money.adjustments.insert(Arc::clone(&stored.id), stored.clone());
            Ok((stored, true))
        }
    }
}

/// Changes the named fields of a product. Returns whether anything changed.
///
/// # Errors
/// [`Refusal::UnknownProduct`], or [`Refusal::Invalid`] when orders hold more than the new stock.
pub fn patch_product(set: &mut WorkingSet, sku: &str, patch: &ProductPatch) -> Result<bool, Refusal> {
    let known = set.catalogue.products.get(sku).ok_or_else(|| Refusal::UnknownProduct { sku: sku.to_owned() })?;
    let mut product = known.clone();
    if let Some(name) = &patch.name {
        product.name.clone_from(name);
    }
    if let Some(price) = patch.price {
        product.price = price;
    }
    if let Some(stock) = patch.stock {
        product.stock = stock;
    }
    if let Some(change) = patch.stock_change {
        let wrong = |detail: &str| Refusal::Invalid(vec![Violation::new("/stock_change", detail)]);
        let stock = product.stock.ok_or_else(|| wrong("changes a stock that nobody counts; set \"stock\" first"))?;
        let stock = stock.checked_add(change).filter(|stock| *stock >= 0);
        product.stock = Some(stock.ok_or_else(|| wrong("leaves less than nothing"))?);
    }
    put_product(set, &product)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Currency;

    #[test]
    fn products_change_but_never_below_what_is_held() {
        let tea = |stock| Product {
            sku: "tea".into(),
            name: "Tea".into(),
            price: 2_505_000,
            currency: Currency::parse("USD").unwrap(),
            stock: Some(stock),
            reserved: 0,
        };
        let mut set = WorkingSet::default();
        assert_eq!(put_product(&mut set, &tea(5)), Ok(true));
        assert_eq!(put_product(&mut set, &tea(5)), Ok(false));
        set.catalogue.products.get_mut("tea").unwrap().reserved = 4;
        assert!(matches!(put_product(&mut set, &tea(3)), Err(Refusal::Invalid(_))));
        let none = ProductPatch::default();
        for (patch, expected) in [
            (ProductPatch { stock: Some(Some(3)), ..none.clone() }, None),
            (ProductPatch { stock_change: Some(-2), ..none.clone() }, None),
            (ProductPatch { stock_change: Some(-1), ..none.clone() }, Some((true, Some(4)))),
            (ProductPatch { stock_change: Some(7), price: Some(1), ..none.clone() }, Some((true, Some(11)))),
            (ProductPatch { price: Some(1), ..none.clone() }, Some((false, Some(11)))),
            (ProductPatch { stock: Some(None), name: Some("Leaf".into()), ..none.clone() }, Some((true, None))),
            (ProductPatch { stock_change: Some(1), ..none.clone() }, None),
        ] {
            let changed = patch_product(&mut set, "tea", &patch).ok();
            assert_eq!(changed.map(|changed| (changed, set.catalogue.products["tea"].stock)), expected, "{patch:?}");
        }
        assert_eq!(set.catalogue.products["tea"].reserved, 4);
        assert!(matches!(patch_product(&mut set, "none", &none), Err(Refusal::UnknownProduct { .. })));
    }
}
