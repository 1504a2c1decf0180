//! From the domain's values to what travels.

use ordercast_access::Principal;
use ordercast_domain::adjustment::Adjustment;
use ordercast_domain::decide::Step;
use ordercast_domain::money::Currency;
use ordercast_domain::order::{Details, Fulfilment, Line, Order, Progress};
use ordercast_domain::product::Product;
use ordercast_domain::transition::ActionName;
use ordercast_protocol::event::{
    Actor, AdjustmentView, OrderEvent, ProductView, write_adjustment_event, write_market_event, write_order_event,
};
use ordercast_protocol::json::Decimal;
use ordercast_protocol::limits::MAX_EVENT_LINES;
use ordercast_protocol::order::{
    ChargeView, LedgerView, LineView, OrderDetails, OrderExtent, OrderSummary, Processing, ProgressView, write_order,
};

/// Digits after the point in millionths.
const PRICE_SCALE: u8 = 6;

/// An amount in minor units as a decimal of the major unit.
pub fn amount(minor: i64, currency: Currency) -> Decimal {
    Decimal { value: minor, scale: currency.digits() }
}

/// A price in millionths as a decimal of the major unit, with at least the currency's digits.
pub fn price(millionths: i64, currency: Currency) -> Decimal {
    Decimal { value: millionths, scale: PRICE_SCALE }.trimmed(currency.digits())
}

/// The fields of an order that an event may hold.
pub fn summary(order: &Order) -> OrderSummary<'_> {
    let processing = order.worker.as_deref().zip(order.started_at_ms);
    OrderSummary {
        id: &order.id,
        number: order.seq,
        amount: amount(order.amount, order.currency),
        currency: order.currency.code(),
        customer_id: &order.customer_id,
        item_count: order.item_count,
        status: order.outward_status(),
        priority: order.priority.number(),
        version: order.version,
        attempts: order.attempts,
        created_at_ms: order.accepted_at_ms,
        updated_at_ms: order.updated_at_ms,
        placed_at_ms: order.placed_at_ms,
        demo: order.demo,
        processing: processing.map(|(worker, started_at_ms)| Processing {
            worker,
            started_at_ms,
            duration_ms: order.duration_ms,
        }),
        due_at_ms: order.due_at_ms,
        cancel_requested: order.cancel_requested,
        refunded: (order.refunded > 0).then(|| amount(order.refunded, order.currency)),
    }
}

fn line_views<'a>(lines: &'a [Line], order: &Order) -> Vec<LineView<'a>> {
    let view = |line: &'a Line| LineView {
        sku: &line.sku,
        quantity: line.quantity,
        price: line.price.map(|millionths| price(millionths, order.currency)),
        plain: line.plain,
    };
    lines.iter().map(view).collect()
}

/// Appends an order as its readers see it.
pub fn order_json(order: &Order, details: &Details, out: &mut Vec<u8>) {
    write_details(order, details, None, out);
}

/// Appends an order with its lines, shipments and refunds, and the actions that the asking principal may take.
pub fn whole_order_json(
    order: &Order,
    details: &Details,
    fulfilment: &Fulfilment,
    allowed: &[ActionName],
    out: &mut Vec<u8>,
) {
    let lines = Progress::of_lines(details.lines.len(), &fulfilment.moves);
    let view = |(line, done): (usize, Progress)| ProgressView {
        line,
        shipped: done.shipped,
        cancelled: done.cancelled,
        returned: done.returned,
    };
    let is_moved = |(_, done): &(usize, Progress)| *done != Progress::default();
    let progress: Vec<_> = lines.into_iter().enumerate().filter(is_moved).map(view).collect();
    let entries = fulfilment.ledger.iter().map(|entry| LedgerView {
        kind: entry.kind.name(),
        amount: amount(entry.amount, order.currency),
        version: entry.version,
        actor: &entry.actor,
        reason: entry.reason.as_deref(),
        at_ms: entry.at_ms,
    });
    let (ledger, captured) = (entries.collect::<Vec<_>>(), order.captured());
    let allowed: Vec<_> = allowed.iter().map(|action| action.name()).collect();
    let extent = OrderExtent {
        progress: &progress,
        captured: (captured > 0).then(|| amount(captured, order.currency)),
        ledger: &ledger,
        allowed: &allowed,
    };
    write_details(order, details, Some(extent), out);
}

fn write_details(order: &Order, details: &Details, extent: Option<OrderExtent<'_>>, out: &mut Vec<u8>) {
    let lines = line_views(&details.lines, order);
    let charges = details.charges.iter().map(|charge| ChargeView {
        kind: charge.kind.name(),
        name: charge.name.as_deref(),
        amount: price(charge.amount, order.currency),
    });
    let view = OrderDetails {
        lines: &lines,
        customer: &details.customer,
        address: &details.address,
        notes: details.notes.as_deref(),
        price_override: details.price_override.as_deref(),
        charges: &charges.collect::<Vec<_>>(),
        rounding: Decimal { value: order.rounding, scale: PRICE_SCALE },
        last_error: order.last_error.as_deref(),
        extent,
    };
    write_order(&summary(order), &view, out);
}

/// Appends the body of an order's first event; the reason is that of a rule which holds it.
pub(crate) fn placed_event(
    order: &Order,
    details: &Details,
    (actor, reason): (&Principal, Option<&str>),
    out: &mut Vec<u8>,
) {
    // Lines that the event will not list need not be gathered.
    let lines = (details.lines.len() <= MAX_EVENT_LINES).then(|| line_views(&details.lines, order));
    let event = OrderEvent {
        order: summary(order),
        from: None,
        actor: name_of(actor),
        action: None,
        reason,
        lines: lines.as_deref(),
    };
    write_order_event(&event, out);
}

/// Appends the body of a later event.
pub(crate) fn step_event(step: &Step, out: &mut Vec<u8>) {
    let event = OrderEvent {
        order: summary(&step.order),
        from: Some(step.from),
        actor: name_of(&step.actor),
        action: is_told(step.action).then(|| step.action.name()),
        reason: step.reason.as_deref(),
        lines: None,
    };
    write_order_event(&event, out);
}

fn name_of(principal: &Principal) -> Actor<'_> {
    let (kind, id) = principal.name_parts();
    Actor { kind, id }
}

/// The ordinary way through the workers goes without saying: from and to tell it.
fn is_told(action: ActionName) -> bool {
    !matches!(action, ActionName::Claim | ActionName::Finish | ActionName::GiveBack)
}

/// A product as readers and events see it; `hash` is its [`Product::hash`].
pub fn product_view<'a>(product: &'a Product, hash: &'a str) -> ProductView<'a> {
    ProductView {
        sku: &product.sku,
        hash,
        name: &product.name,
        price: price(product.price, product.currency),
        currency: product.currency.code(),
        stock: product.stock,
        reserved: product.reserved,
    }
}

/// Appends the body of a price or stock change.
pub(crate) fn market_event(product: &Product, now_ms: i64, out: &mut Vec<u8>) {
    write_market_event(&product_view(product, &product.hash()), now_ms, out);
}

/// An adjustment as readers and events see it.
pub fn adjustment_view(adjustment: &Adjustment) -> AdjustmentView<'_> {
    AdjustmentView {
        id: &adjustment.id,
        kind: adjustment.kind.name(),
        amount: amount(adjustment.amount, adjustment.currency),
        rounding: Decimal { value: adjustment.rounding, scale: PRICE_SCALE },
        currency: adjustment.currency.code(),
        customer_id: adjustment.customer_id.as_deref(),
        line_count: u32::try_from(adjustment.lines.len()).unwrap_or(u32::MAX),
        placed_at_ms: adjustment.placed_at_ms.unwrap_or(adjustment.created_at_ms),
        created_at_ms: adjustment.created_at_ms,
    }
}

/// Appends the body of an adjustment's event.
pub(crate) fn adjustment_event(adjustment: &Adjustment, out: &mut Vec<u8>) {
    write_adjustment_event(&adjustment_view(adjustment), out);
}
