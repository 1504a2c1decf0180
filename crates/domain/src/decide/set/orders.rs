//! Orders that a batch touches, with the idempotency keys that stand for them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ids::OrderId;
use crate::order::{Details, Digest, LineMove, Order, OrderSeq, Progress};

/// What the store knows of the orders that a batch touches.
#[derive(Clone, Debug, Default)]
pub struct OrderSet {
    /// Orders by number.
    pub by_seq: HashMap<OrderSeq, Order>,
    /// Numbers of the orders whose ids were asked for.
    pub by_id: HashMap<OrderId, OrderSeq>,
    /// Lines of the orders that may be moved in a way that touches stock; their products are in the
    /// [`CatalogueSet`](super::CatalogueSet).
    pub lines: HashMap<OrderSeq, OrderLines>,
    /// Orders by the idempotency keys that were asked for.
    pub keys: HashMap<Arc<str>, KeyRecord>,
    /// Actions by the idempotency keys that were asked for.
    pub actions: HashMap<Arc<str>, ActionRecord>,
    /// The number of the next new order.
    pub next_seq: OrderSeq,
}

/// The lines of an order and how far each is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderLines {
    /// As they were accepted.
    pub details: Arc<Details>,
    /// One for each line.
    pub progress: Vec<Progress>,
}

impl OrderLines {
    /// The lines of an order after these moves.
    pub fn new(details: Arc<Details>, moves: &[LineMove]) -> Self {
        let progress = Progress::of_lines(details.lines.len(), moves);
        Self { details, progress }
    }

    /// SKUs of the lines that hold stock, or did.
    pub fn reserved_skus(&self) -> impl Iterator<Item = &str> {
        self.details.lines.iter().filter(|line| line.reserved > 0).map(|line| line.sku.as_str())
    }
}

/// What an idempotency key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// The order that was accepted under it.
    pub order_id: OrderId,
    /// What was asked for then.
    pub digest: Digest,
}

/// What an idempotency key of an action stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionRecord {
    /// The order it was done to.
    pub seq: OrderSeq,
    /// Its id.
    pub order_id: OrderId,
    /// What was asked for then.
    pub digest: Digest,
}
