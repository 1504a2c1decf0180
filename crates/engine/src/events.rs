//! The events of a batch: their bodies, encoded once, and what they are about.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use ordercast_broker::AnnouncedEvent;
use ordercast_domain::order::{Order, OrderSeq};
use ordercast_protocol::channel::Log;
use ordercast_store::write::EventInsert;

/// Bytes that are reserved for the bodies of each command: a usual order with a few lines takes about as many.
const BODY_BYTES: usize = 640;

/// Where the body of an event is.
enum Body {
    /// Encoded, but not yet cut out of the batch's buffer.
    InBuffer(Range<usize>),
    /// As it came.
    Given(Bytes),
}

struct Event {
    log: Log,
    order: Option<(OrderSeq, Arc<str>)>,
    customer_id: Option<Arc<str>>,
    channel: Option<Arc<str>>,
    body: Body,
}

/// Events in the order of their offsets.
pub(crate) struct Events {
    /// All bodies, one behind the other: one allocation, shared by disk and sockets.
    bodies: Vec<u8>,
    events: Vec<Event>,
}

impl Events {
    pub(crate) fn with_capacity(commands: usize) -> Self {
        Self { bodies: Vec::with_capacity(commands * BODY_BYTES), events: Vec::with_capacity(commands) }
    }

    /// Adds an event of an order; `write` appends its body.
    pub(crate) fn of_order(&mut self, order: &Order, write: impl FnOnce(&mut Vec<u8>)) {
        let about = Some((order.seq, Arc::clone(&order.id)));
        self.encoded(Log::Orders, about, Some(Arc::clone(&order.customer_id)), write);
    }

    /// Adds an event of a log other than the orders'; `write` appends its body.
    pub(crate) fn of_log(&mut self, log: Log, customer_id: Option<Arc<str>>, write: impl FnOnce(&mut Vec<u8>)) {
        self.encoded(log, None, customer_id, write);
    }

    /// Adds a publication, whose body is encoded already.
    pub(crate) fn publication(&mut self, channel: Arc<str>, body: Bytes) {
        let (log, body) = (Log::Publications, Body::Given(body));
        self.events.push(Event { log, order: None, customer_id: None, channel: Some(channel), body });
    }

    fn encoded(
        &mut self,
        log: Log,
        order: Option<(OrderSeq, Arc<str>)>,
        customer_id: Option<Arc<str>>,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let from = self.bodies.len();
        write(&mut self.bodies);
        let body = Body::InBuffer(from..self.bodies.len());
        self.events.push(Event { log, order, customer_id, channel: None, body });
    }

    /// The events for the store and for the broker, which share their bodies.
    pub(crate) fn end(self) -> (Vec<EventInsert>, Vec<(Log, AnnouncedEvent)>) {
        let bodies = Bytes::from(self.bodies);
        let (mut stored, mut announced) =
            (Vec::with_capacity(self.events.len()), Vec::with_capacity(self.events.len()));
        for Event { log, order, customer_id, channel, body } in self.events {
            let body = match body {
                Body::InBuffer(range) => bodies.slice(range),
                Body::Given(body) => body,
            };
            let event = AnnouncedEvent {
                body: body.clone(),
                order_id: order.as_ref().map(|(_, id)| Arc::clone(id)),
                customer_id: customer_id.clone(),
                channel: channel.clone(),
            };
            announced.push((log, event));
            stored.push(EventInsert { log, order, customer_id, channel, body });
        }
        (stored, announced)
    }
}
