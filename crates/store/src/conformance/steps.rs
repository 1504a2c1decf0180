//! Orders that change step by step, for the parts of the suite.

use ordercast_domain::decide::WorkingSet;
use ordercast_domain::money::Currency;
use ordercast_domain::order::{Order, OrderSeq};
use ordercast_domain::product::Product;

use super::event;
use crate::write::{LogWrites, OrderWrites, Writes};

/// So far away that it never comes.
pub(super) const FAR_MS: i64 = 1_000_000_000;
/// Some steady time.
pub(super) const STEADY_MS: i64 = 5_000_000;

pub(super) fn tea() -> Product {
    let currency = Currency::parse("GBP").expect("a currency");
    Product { sku: "tea".into(), name: "Tea".into(), price: 2_505_000, currency, stock: Some(20), reserved: 0 }
}

/// Changes an order that was loaded, and writes it with an event.
pub(super) fn changed(set: &WorkingSet, seq: OrderSeq, change: impl FnOnce(&mut Order)) -> (Order, Writes) {
    let mut order = set.orders.by_seq[&seq].clone();
    change(&mut order);
    order.version += 1;
    let writes = Writes {
        logs: LogWrites { events: vec![event(&order, "changed")], ..LogWrites::default() },
        orders: OrderWrites { changed: vec![order.clone()], ..OrderWrites::default() },
        ..Writes::default()
    };
    (order, writes)
}
