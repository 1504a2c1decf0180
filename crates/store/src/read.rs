//! The read half beside the logs: orders, products, adjustments.

use ordercast_domain::adjustment::Adjustment;
use ordercast_domain::ids::{CustomerId, LeaseId, OrderId};
use ordercast_domain::lease::Lease;
use ordercast_domain::money::Currency;
use ordercast_domain::order::{Details, Fulfilment, Order, OrderSeq};
use ordercast_domain::pause::Pause;
use ordercast_domain::product::Product;
use ordercast_domain::rules::Priority;
use ordercast_domain::status::{Lane, Status};

use crate::log::{LogState, ReadFuture, ReadLogs};
use crate::search::OrderSearch;

/// Which orders, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderQuery {
    /// Only those in this status; for an active one, on this lane if given.
    pub status: Option<(Status, Option<Lane>)>,
    /// Only those of this customer, by opaque id.
    pub customer_id: Option<CustomerId>,
    /// Only those of this priority.
    pub priority: Option<Priority>,
    /// Only those accepted at this time or later, in milliseconds since 1970.
    pub from_ms: Option<i64>,
    /// Only those accepted before this time, in milliseconds since 1970.
    pub to_ms: Option<i64>,
    /// Only those that a text finds. Those that it names by number or by the beginning of the id come first.
    pub search: Option<OrderSearch>,
    /// Only those accepted before this number: the cursor of the next page.
    pub before: Option<OrderSeq>,
    /// Most orders.
    pub limit: usize,
}

impl OrderQuery {
    /// Whether an order is asked for, the cursor and the search apart.
    pub fn matches(&self, order: &Order) -> bool {
        let status = self
            .status
            .is_none_or(|(status, lane)| order.status == status && lane.is_none_or(|lane| order.lane == lane));
        let time = self.from_ms.is_none_or(|from_ms| order.accepted_at_ms >= from_ms)
            && self.to_ms.is_none_or(|to_ms| order.accepted_at_ms < to_ms);
        let priority = self.priority.is_none_or(|priority| order.priority == priority);
        status
            && time
            && priority
            && self.customer_id.as_ref().is_none_or(|customer_id| order.customer_id == *customer_id)
    }
}

/// A page of orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderPage {
    /// The orders, newest first.
    pub orders: Vec<(Order, Details)>,
    /// The cursor of the next page, if there may be one; also after a page that is not full, for a store may look
    /// through so many orders only at a time.
    pub next: Option<OrderSeq>,
    /// The log of orders at the time of this page: the page and the events after it join without a hole.
    pub as_of: LogState,
}

/// Accepted orders of one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderSum {
    /// Their currency.
    pub currency: Currency,
    /// How many they are.
    pub orders: u64,
    /// The sum of their amounts, in minor units.
    pub amount: i64,
}

/// The whole catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    /// Products by rising SKU.
    pub products: Vec<Product>,
    /// The log of products at the time of this list.
    pub as_of: LogState,
}

/// What the engine needs to know before its first commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartState {
    /// Orders that wait for a worker, for statistics.
    pub ready: u64,
    /// Orders in work, left over from the last run or held by workers elsewhere, for statistics.
    pub active: u64,
    /// The pauses.
    pub pauses: Vec<Pause>,
    /// Steady time as it was left, in milliseconds: it goes on from here, and leases have been given their whole length.
    pub steady_ms: i64,
    /// 32 random bytes, drawn when the store was created, that customers' opaque ids are made with.
    pub secret: [u8; 32],
    /// How the store makes commits durable, for people.
    pub durability: String,
}

/// Reads everything that is no log. Only durable state is ever seen.
///
/// # Errors
/// Every call fails when the store cannot be read.
pub trait ReadStore: ReadLogs {
    /// What the engine starts from.
    fn start_state(&self) -> ReadFuture<'_, StartState>;

    /// A lease by id.
    fn lease(&self, id: LeaseId) -> ReadFuture<'_, Option<Lease>>;

    /// An order by id.
    fn order(&self, id: OrderId) -> ReadFuture<'_, Option<(Order, Details)>>;

    /// What was sent, returned and given back of an order, oldest first.
    fn fulfilment(&self, seq: OrderSeq) -> ReadFuture<'_, Fulfilment>;

    /// A page of orders.
    fn orders(&self, query: OrderQuery) -> ReadFuture<'_, OrderPage>;

    /// How many orders were accepted at a time (milliseconds since 1970) or later, up to a number, and the sum of their
    /// amounts, by rising currency.
    fn order_sums(&self, from_ms: i64, last: OrderSeq) -> ReadFuture<'_, Vec<OrderSum>>;

    /// The catalogue.
    fn catalogue(&self) -> ReadFuture<'_, Catalogue>;

    /// The pauses by scope, and how many orders each has parked: those whose turn has come.
    fn pauses(&self) -> ReadFuture<'_, Vec<(Pause, u64)>>;

    /// Adjustments in the order they were stored, those after the first `skip`, at most `limit`.
    fn adjustments(&self, skip: u64, limit: usize) -> ReadFuture<'_, Vec<Adjustment>>;
}
