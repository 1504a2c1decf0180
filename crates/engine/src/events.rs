//! The events of a batch: their bodies, encoded once, and what they are about.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use ordercast_broker::AnnouncedEvent;
use ordercast_domain::order::{Order, OrderSeq};
use ordercast_protocol::channel::Log;
use ordercast_protocol::topic::{Topic, TopicKind, Topics};
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
    order: Option<OrderSeq>,
    topics: Topics,
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
        let topics = Topics::pair(
            Topic::new(TopicKind::Order, order.id.clone()),
            Topic::new(TopicKind::Customer, order.customer_id.clone()),
        );
        self.encoded(Log::Orders, Some(order.seq), topics, write);
    }

    /// Adds an event of a log other than the orders'; `write` appends its body.
    pub(crate) fn of_log(&mut self, log: Log, topics: Topics, write: impl FnOnce(&mut Vec<u8>)) {
        self.encoded(log, None, topics, write);
    }

    /// Adds a publication, whose body is encoded already.
    pub(crate) fn publication(&mut self, channel: Arc<str>, body: Bytes) {
        let topics = Topic::new(TopicKind::Channel, channel).into();
        self.events.push(Event { log: Log::Publications, order: None, topics, body: Body::Given(body) });
    }

    fn encoded(&mut self, log: Log, order: Option<OrderSeq>, topics: Topics, write: impl FnOnce(&mut Vec<u8>)) {
        let from = self.bodies.len();
        write(&mut self.bodies);
        let body = Body::InBuffer(from..self.bodies.len());
        self.events.push(Event { log, order, topics, body });
    }

    /// The events for the store and for the broker, which share their bodies.
    pub(crate) fn end(self) -> (Vec<EventInsert>, Vec<(Log, AnnouncedEvent)>) {
        let bodies = Bytes::from(self.bodies);
        let (mut stored, mut announced) =
            (Vec::with_capacity(self.events.len()), Vec::with_capacity(self.events.len()));
        for Event { log, order, topics, body } in self.events {
            let body = match body {
                Body::InBuffer(range) => bodies.slice(range),
                Body::Given(body) => body,
            };
            announced.push((log, AnnouncedEvent { body: body.clone(), topics: topics.clone() }));
            stored.push(EventInsert { log, order, topics, body });
        }
        (stored, announced)
    }
}
