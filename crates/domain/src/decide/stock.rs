//! Stock that orders hold: reserved when they are accepted, released or consumed by later steps.

use super::refusal::Refusal;
use super::set::WorkingSet;
use crate::ids::Sku;
use crate::order::{Line, OrderSeq};
use crate::product::Product;

/// Reserves stock for every line whose product is counted: all of them or none.
pub(super) fn reserve(set: &mut WorkingSet, lines: &mut [Line]) -> Result<(), Refusal> {
    for at in 0..lines.len() {
        let line = &mut lines[at];
        if line.plain {
            continue;
        }
        let Some(product) = set.catalogue.products.get_mut(line.sku.as_str()) else { continue };
        let Some(left) = product.available() else { continue };
        if left < i64::from(line.quantity) {
            let refusal = Refusal::OutOfStock { line: at, sku: line.sku.clone(), left };
            give_back(set, &mut lines[..at]);
            return Err(refusal);
        }
        product.reserved += i64::from(line.quantity);
        check(product);
        line.reserved = line.quantity;
    }
    Ok(())
}

/// What holds of every product after every move of stock. A violation is a defect: the writer stops before anything of the
/// batch is written.
fn check(product: &Product) {
    let Product { sku, stock, reserved, .. } = product;
    assert!(*reserved >= 0, "{sku}: {reserved} units are reserved");
    assert!(stock.is_none_or(|stock| *reserved <= stock), "{sku}: {reserved} of {stock:?} units are reserved");
}

fn give_back(set: &mut WorkingSet, lines: &mut [Line]) {
    for line in lines.iter_mut().filter(|line| line.reserved > 0) {
        if let Some(product) = set.catalogue.products.get_mut(line.sku.as_str()) {
            product.reserved -= i64::from(line.reserved);
            check(product);
        }
        line.reserved = 0;
    }
}

/// Lets go of all that an order still holds: what was neither shipped nor called off. Returns the SKUs that changed.
pub(super) fn release(set: &mut WorkingSet, seq: OrderSeq) -> Vec<Sku> {
    let mut skus = Vec::new();
    let Some(known) = set.orders.lines.get(&seq) else { return skus };
    for (line, progress) in known.details.lines.iter().zip(&known.progress) {
        let held = line.reserved.saturating_sub(progress.shipped).saturating_sub(progress.cancelled);
        if held == 0 {
            continue;
        }
        if let Some(product) = set.catalogue.products.get_mut(line.sku.as_str()) {
            product.reserved -= i64::from(held);
            check(product);
            skus.push(product.sku.clone());
        }
    }
    skus
}

/// What happens to units of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Units {
    /// They leave the stock they were reserved in.
    Consumed,
    /// They can be sold again.
    Released,
    /// They are back in the stock.
    Restocked,
}

/// Moves units of a line; returns its SKU when stock is counted for it.
pub(super) fn move_units(set: &mut WorkingSet, line: &Line, units: Units, quantity: u32) -> Option<Sku> {
    if line.reserved == 0 {
        return None;
    }
    let product = set.catalogue.products.get_mut(line.sku.as_str())?;
    let quantity = i64::from(quantity);
    match units {
        Units::Consumed => {
            product.reserved -= quantity;
            product.stock = product.stock.map(|stock| stock - quantity);
        }
        Units::Released => product.reserved -= quantity,
        Units::Restocked => product.stock = product.stock.map(|stock| stock.saturating_add(quantity)),
    }
    check(product);
    Some(product.sku.clone())
}
