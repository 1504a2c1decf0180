//! Producers that share one WebSocket: each sends an order, waits for its answer and sends the next. Orders that are
//! ready go out in one write.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde::Deserialize;

use crate::closed_loop::Shared;
use crate::failure::LoadError;
use crate::json;
use crate::orders;
use crate::socket::{Message, Socket};

/// Without subscriptions: a producer that does not listen to others.
const PATH: &str = "/ws?channels=";
/// Longest time without any answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A frame, as far as a producer looks.
#[derive(Debug, Deserialize)]
struct Answer<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, rename = "ref", default)]
    reference: Option<Cow<'a, str>>,
    #[serde(default)]
    replayed: bool,
    #[serde(borrow, default)]
    order: Option<AnsweredOrder<'a>>,
}

#[derive(Debug, Deserialize)]
struct AnsweredOrder<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

/// The order that each producer waits for, and the numbers of those to come.
struct Producers {
    waits_for: Vec<Option<u64>>,
    numbers: Range<u64>,
}

/// Sends the orders of these numbers until there are no more, or [`Shared::stop`] is set.
///
/// # Errors
/// When the connection breaks, or an order is not acknowledged as a new one.
pub fn drive(address: SocketAddr, producers: usize, numbers: Range<u64>, shared: &Shared) -> Result<(), LoadError> {
    let mut socket = Socket::connect(address, PATH, PATIENCE)?;
    let mut producers = Producers { waits_for: vec![None; producers], numbers };
    let mut ready: Vec<_> = (0..producers.waits_for.len()).filter_map(|at| producers.next(at)).collect();
    while producers.waits_for.iter().any(Option::is_some) {
        if !ready.is_empty() {
            socket.send_together(&ready)?;
            ready.clear();
        }
        let mut message = Some(socket.receive()?);
        while let Some(heard) = message {
            if let Some(at) = producers.answered(&heard)? {
                shared.accepted.fetch_add(1, Relaxed);
                if !shared.stop.load(Relaxed) {
                    ready.extend(producers.next(at));
                }
            }
            message = socket.heard();
        }
    }
    Ok(())
}

impl Producers {
    /// The next frame of a producer, if there is one.
    fn next(&mut self, at: usize) -> Option<String> {
        let number = self.numbers.next()?;
        self.waits_for[at] = Some(number);
        let body = orders::body(number);
        Some(format!("{{\"type\":\"order\",\"ref\":\"{at}\",{}", &body[1..]))
    }

    /// The producer that has its answer now; `None` when a message is none.
    fn answered(&mut self, message: &Message) -> Result<Option<usize>, LoadError> {
        let Message::Text(text) = message else {
            return Err(LoadError::new(format!("the server ended the connection: {message:?}")));
        };
        let answer: Answer<'_> = json::read("a frame", text)?;
        let refused = || LoadError::new(format!("an order was answered with {}", String::from_utf8_lossy(text)));
        match (&*answer.kind, answer.order) {
            ("connect" | "products", _) => Ok(None),
            ("order_ack", Some(order)) if !answer.replayed => {
                let at = answer.reference.and_then(|at| at.parse::<usize>().ok()).ok_or_else(refused)?;
                let number = self.waits_for.get_mut(at).and_then(Option::take).ok_or_else(refused)?;
                if order.id == orders::id(number) { Ok(Some(at)) } else { Err(refused()) }
            }
            _ => Err(refused()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_acknowledgement_of_its_own_new_order_answers_a_producer() {
        let acknowledged = |more: &str, at: &str, id: &str| {
            format!("{{\"type\":\"order_ack\",\"ref\":{at}{more},\"order\":{{\"amount\":25.00,\"id\":\"{id}\"}}}}")
        };
        for (text, expected) in [
            ("{\"type\":\"connect\",\"id\":\"c1\"}".to_owned(), Some(None)),
            ("{\"type\":\"products\",\"products\":[]}".to_owned(), Some(None)),
            (acknowledged("", "\"1\"", "order-000000008"), Some(Some(1))),
            (acknowledged(",\"replayed\":true", "\"1\"", "order-000000008"), None),
            (acknowledged("", "\"1\"", "order-000000007"), None),
            (acknowledged("", "\"2\"", "order-000000008"), None),
            (acknowledged("", "null", "order-000000008"), None),
            ("{\"type\":\"error\",\"ref\":\"1\",\"code\":\"server-full\",\"message\":\"x\"}".to_owned(), None),
            ("{\"type\":\"order\",\"order_id\":\"order-000000008\"}".to_owned(), None),
        ] {
            let mut producers = Producers { waits_for: vec![None; 2], numbers: 7..9 };
            let frames: Vec<_> = (0..3).filter_map(|at| producers.next(at)).collect();
            assert!(
                frames.len() == 2
                    && frames[1].starts_with("{\"type\":\"order\",\"ref\":\"1\",\"id\":\"order-000000008\"")
            );
            let answered = producers.answered(&Message::Text(text.clone().into_bytes()));
            assert_eq!(answered.ok(), expected, "{text}");
        }
        let mut nobody = Producers { waits_for: vec![], numbers: 0..1 };
        assert!(nobody.answered(&Message::Close(Some(1001))).is_err());
    }
}
