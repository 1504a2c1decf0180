//! Placing an order.

use std::sync::Arc;

use ordercast_access::{Origin, Resource, Right, may};
use ordercast_domain::decide::{self, OrderLines, Placement, Refusal};
use ordercast_domain::draft::Draft;
use ordercast_domain::ids::{OrderId, Sku};
use ordercast_domain::order::{Details, Order};
use ordercast_store::write::{Keys, OrderInsert};

use super::{Command, LINE_BYTES, ROW_BYTES};
use crate::encode;
use crate::pass::Pass;

/// An accepted or found order.
#[derive(Clone, Debug)]
pub enum Placed {
    /// It is new.
    Accepted {
        /// Its changing part, as accepted.
        order: Arc<Order>,
        /// Its lasting part.
        details: Arc<Details>,
    },
    /// It was accepted before, under this id.
    Replayed {
        /// The order's id.
        order_id: OrderId,
    },
}

pub(crate) struct Place {
    pub(crate) draft: Draft,
}

impl Command for Place {
    type Decided = Placed;
    type Answer = Placed;

    fn weight(&self) -> usize {
        ROW_BYTES + self.draft.details.lines.len() * LINE_BYTES
    }

    fn keys(&self, keys: &mut Keys) {
        let draft = &self.draft;
        keys.orders.ids.extend(draft.id.clone());
        keys.orders.keys.extend(draft.key.clone());
        // What this process knows of the catalogue is only a hint: the store passes over SKUs while it has no products.
        let lines = draft.details.lines.iter().filter(|line| !line.plain);
        keys.catalogue.skus.extend(lines.map(|line| Sku::from(line.sku.as_str())));
    }

    fn decide(&self, origin: &Origin, pass: &mut Pass<'_>) -> Result<Placed, Refusal> {
        let draft = &self.draft;
        let (now_ms, ids) = (pass.now_ms, &mut *pass.ids);
        // Whether the order may have other prices than the catalogue's.
        let may_set_prices = may(&origin.principal, Right::SetPrices, Resource::AllOrders);
        let rules = (pass.rules, may_set_prices);
        let (order, details, reason) =
            match decide::place(&mut pass.set, draft, rules, now_ms, || ids.draw(now_ms).into())? {
                Placement::Replayed { order_id, key_for } => {
                    pass.writes.orders.keys.extend(draft.key.clone().zip(key_for));
                    pass.decided.replayed += 1;
                    return Ok(Placed::Replayed { order_id });
                }
                Placement::Accepted { order, details, reason } => (order, details, reason),
            };
        let by = (&origin.principal, reason.as_deref());
        pass.events.of_order(&order, |out| encode::placed_event(&order, &details, by, out));
        for line in details.lines.iter().filter(|line| line.reserved > 0) {
            if !pass.changed_products.contains(line.sku.as_str()) {
                pass.changed_products.insert(Sku::from(line.sku.as_str()));
            }
        }
        pass.decided.count_move(None, &order);
        if pass.keeps_lines {
            pass.set.orders.lines.insert(order.seq, OrderLines::new(Arc::clone(&details), &[]));
        }
        *pass.decided.revenue.entry(order.currency).or_default() += order.amount;
        pass.decided.accepted += 1;
        pass.writes.orders.keys.extend(draft.key.clone().map(|key| (key, order.seq)));
        pass.writes.orders.new.push(OrderInsert { order: Arc::clone(&order), details: Arc::clone(&details) });
        Ok(Placed::Accepted { order, details })
    }
}
