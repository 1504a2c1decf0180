//! `ordercast demo purge`: takes away a data directory that holds nothing but the demo's.

use std::io::{self, Write};
use std::path::Path;

use ordercast_store_sqlite::census::{self, Census};

use super::is_on_menu_name;
use crate::failure::Failure;
use crate::terminal::visible;

/// Removes the store of a data directory that no server is using.
///
/// # Errors
/// When there is none, a server has it, or it holds something that the demo did not make: then nothing is removed.
pub(crate) fn run(data_dir: &Path) -> Result<(), Failure> {
    let store = census::take(data_dir).map_err(|error| Failure::new(error.to_string()))?;
    let Census { orders, demo_orders, other_orders, products, adjustments, publications } = store.census();
    let others: Vec<_> = other_orders.iter().map(|id| visible(id).into_owned()).collect();
    let foreign: Vec<_> = products.iter().filter(|sku| !is_on_menu_name(sku)).collect();
    let mut found = Vec::new();
    if demo_orders < orders {
        found.push(format!(
            "{} orders that the demo did not place, such as {}",
            orders - demo_orders,
            others.join(", ")
        ));
    }
    if let Some(first) = foreign.first() {
        found.push(format!("{} products that are not the demo's, such as {}", foreign.len(), visible(first)));
    }
    if *adjustments > 0 {
        found.push(format!("{adjustments} adjustments"));
    }
    if *publications > 0 {
        found.push(format!("{publications} publications"));
    }
    if !found.is_empty() {
        return Err(Failure::new(format!(
            "{} holds {}; nothing was removed. To be rid of all of it, stop the server and remove the folder yourself",
            data_dir.display(),
            found.join(", ")
        )));
    }
    let count = *demo_orders;
    store.remove().map_err(|error| Failure::new(format!("cannot remove the demo's store: {error}")))?;
    writeln!(io::stdout(), "{count} demo orders were removed from {}; the next start begins anew", data_dir.display())?;
    Ok(())
}
