//! Doing something to an order: cancel, hold, fulfil and the like.

use ordercast_access::Origin;
use ordercast_domain::decide::{self, Acted, Refusal, Request};
use ordercast_domain::order::Order;
use ordercast_store::write::Keys;

use super::{Command, Demand, ROW_BYTES};
use crate::pass::Pass;

/// An order that something was done to.
#[derive(Clone, Debug)]
pub struct Changed {
    /// As it is now.
    pub order: Box<Order>,
    /// Whether the same was asked for and done before.
    pub replayed: bool,
}

pub(crate) struct Act {
    pub(crate) request: Request,
}

impl Command for Act {
    type Decided = Changed;
    type Answer = Changed;

    fn weight(&self) -> usize {
        ROW_BYTES
    }

    fn keys(&self, keys: &mut Keys) {
        keys.orders.acted_on.push(self.request.order_id.clone());
        keys.orders.action_keys.extend(self.request.key.clone());
    }

    fn demand(&self) -> Demand {
        Demand { acts: true, ..Demand::default() }
    }

    fn decide(&self, origin: &Origin, pass: &mut Pass<'_>) -> Result<Changed, Refusal> {
        match decide::act(&mut pass.set, (&self.request, &origin.principal), pass.rules, pass.now_ms)? {
            Acted::Step { step, key } => {
                pass.writes.orders.action_keys.extend(key);
                pass.step(&step);
                Ok(Changed { order: Box::new(step.order), replayed: false })
            }
            Acted::Unchanged { order, replayed } => Ok(Changed { order, replayed }),
        }
    }
}
