//! The load of a round: connections that send one order after the other until the server is gone.

use std::net::SocketAddr;

use crate::dice::Dice;
use crate::http::Http;
use crate::json::{self, OrderAnswer};
use crate::orders::{self, Order};

/// Connections.
const CONNECTIONS: u64 = 16;
/// Most orders of one connection in one round.
const MOST_ORDERS: u64 = 20_000;

/// An order and the id it got.
#[derive(Clone, Debug)]
pub(super) struct Acknowledged {
    pub(super) id: String,
    pub(super) order: Order,
}

/// What became of what was sent.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) acknowledged: Vec<Acknowledged>,
    /// Sent, but nothing is known of them.
    pub(super) unanswered: Vec<Order>,
    /// Answers that a good order must not get.
    pub(super) refused: Vec<String>,
}

/// Sends until every connection broke.
pub(super) fn send(address: SocketAddr, seed: u64, round: u64) -> Sent {
    let mut all = Sent::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..CONNECTIONS).map(|connection| scope.spawn(move || one(address, seed, round, connection))).collect();
        for thread in threads {
            let Ok(sent) = thread.join() else {
                all.refused.push("a connection's thread panicked".to_owned());
                continue;
            };
            all.acknowledged.extend(sent.acknowledged);
            all.unanswered.extend(sent.unanswered);
            all.refused.extend(sent.refused);
        }
    });
    all
}

fn one(address: SocketAddr, seed: u64, round: u64, connection: u64) -> Sent {
    let mut sent = Sent::default();
    // A server that is killed this early takes no order.
    let Ok(mut http) = Http::connect(address) else { return sent };
    let mut dice = Dice::new(seed, (round << 8) + 1 + connection);
    for number in 0..MOST_ORDERS {
        let order = orders::make(&format!("t{seed}-{round}-{connection}-{number}"), &mut dice);
        let Ok(answer) = http.ask("POST", "/orders", &order.headers(), &order.body) else {
            sent.unanswered.push(order);
            break;
        };
        if answer.status != 201 {
            sent.refused.push(format!("a new order was answered with {}", answer.status));
            sent.unanswered.push(order);
            break;
        }
        match json::read::<OrderAnswer<'_>>("the answer to an order", &answer.body) {
            Ok(read) => {
                let id = read.id.into_owned();
                sent.acknowledged.push(Acknowledged { id, order });
            }
            Err(error) => sent.refused.push(error.to_string()),
        }
    }
    sent
}
