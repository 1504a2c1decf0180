//! Orders: what a batch loads and changes of them, with the idempotency keys that stand for them.

use std::sync::Arc;

use ordercast_domain::decide::ActionRecord;
use ordercast_domain::ids::OrderId;
use ordercast_domain::order::{Details, LineMove, Order, OrderSeq};

use super::{Keys, Writes};

/// Which orders and idempotency keys a batch touches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderKeys {
    /// Orders by the ids that clients know.
    pub ids: Vec<OrderId>,
    /// Orders by number.
    pub seqs: Vec<OrderSeq>,
    /// Orders by the ids that clients know, loaded with their lines and the products of the lines that hold stock.
    pub acted_on: Vec<OrderId>,
    /// Orders by number, loaded with their lines and the products of the lines that hold stock.
    pub lines_of: Vec<OrderSeq>,
    /// Idempotency keys of orders.
    pub keys: Vec<Arc<str>>,
    /// Idempotency keys of actions.
    pub action_keys: Vec<Arc<str>>,
}

/// A new order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderInsert {
    /// Its changing part.
    pub order: Arc<Order>,
    /// Its lasting part.
    pub details: Arc<Details>,
}

/// What a batch changes of orders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderWrites {
    /// New orders, by rising number.
    pub new: Vec<OrderInsert>,
    /// New idempotency keys, and the orders they stand for.
    pub keys: Vec<(Arc<str>, OrderSeq)>,
    /// New idempotency keys of actions, and what they stand for.
    pub action_keys: Vec<(Arc<str>, ActionRecord)>,
    /// Orders that changed, each once, as they are after the batch; they may be new in it.
    pub changed: Vec<Order>,
    /// Units that were shipped, cancelled or returned.
    pub moves: Vec<LineMove>,
}

impl OrderWrites {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        let Self { new, keys, action_keys, changed, moves } = self;
        new.is_empty() && keys.is_empty() && action_keys.is_empty() && changed.is_empty() && moves.is_empty()
    }
}

impl From<OrderKeys> for Keys {
    fn from(orders: OrderKeys) -> Self {
        Self { orders, ..Self::default() }
    }
}

impl From<OrderWrites> for Writes {
    fn from(orders: OrderWrites) -> Self {
        Self { orders, ..Self::default() }
    }
}
