//! Products: reading what a batch touches, writing what it changed.

use ordercast_domain::decide::CatalogueSet;
use ordercast_store::write::CatalogueWrites;
use rusqlite::{Connection, OptionalExtension};

use crate::rows;

/// Loads products. Without a catalogue none is looked for.
pub(super) fn by_sku<'k>(
    connection: &Connection,
    mut skus: impl Iterator<Item = &'k str>,
    set: &mut CatalogueSet,
) -> rusqlite::Result<()> {
    if !set.has_products {
        return Ok(());
    }
    let Some(first) = skus.next() else { return Ok(()) };
    let mut select =
        connection.prepare_cached("SELECT sku, name, price, currency, stock, reserved FROM products WHERE sku = ?1")?;
    for sku in std::iter::once(first).chain(skus) {
        if set.products.contains_key(sku) {
            continue;
        }
        if let Some(product) = select.query_row([sku], rows::product).optional()? {
            set.products.insert(product.sku.clone(), product);
        }
    }
    Ok(())
}

/// Writes products.
pub(super) fn write(connection: &Connection, writes: &CatalogueWrites) -> rusqlite::Result<()> {
    if !writes.products.is_empty() {
        let mut upsert = connection.prepare_cached(
            "INSERT INTO products VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (sku) DO UPDATE SET \
             name = ?2, price = ?3, currency = ?4, stock = ?5, reserved = ?6",
        )?;
        for product in &writes.products {
            let (sku, currency) = (&*product.sku, product.currency.code());
            upsert.execute((sku, &product.name, product.price, currency, product.stock, product.reserved))?;
        }
    }
    Ok(())
}
