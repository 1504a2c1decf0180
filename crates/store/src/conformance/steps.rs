//! What steps of orders need of a store. Each part begins with the orders that the part before it has left.

use ordercast_domain::decide::WorkingSet;
use ordercast_domain::money::Currency;
use ordercast_domain::order::{Order, OrderSeq};
use ordercast_domain::product::Product;

use super::{event, money, queue, work};
use crate::read::ReadStore;
use crate::write::{LogWrites, OrderWrites, WriteStore, Writes};

/// So far away that it never comes.
pub(super) const FAR_MS: i64 = 1_000_000_000;
/// Some steady time.
pub(super) const STEADY_MS: i64 = 5_000_000;

/// Runs the part of the suite about steps on an empty store.
///
/// # Panics
/// When the store does not conform.
pub fn check_steps(writer: &mut dyn WriteStore, reader: &dyn ReadStore) {
    queue::finds_what_is_due(writer, reader);
    queue::finds_waits_that_are_over(writer, reader);
    work::finds_leases_and_what_they_hold(writer, reader);
    money::keeps_what_was_moved(writer, reader);
    money::keeps_adjustments(writer, reader);
    work::keeps_reports(writer);
    queue::keeps_pauses_and_what_they_park(writer, reader);
    queue::keeps_what_limits_park(writer, reader);
}

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
