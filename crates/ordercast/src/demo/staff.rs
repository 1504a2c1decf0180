//! The demo's people: they ship what is done, call orders off, look at what was held or failed, and give money back.
//!
//! What happens to an order is drawn when it is placed, and done when its time has come. Something else may have happened to
//! the order by then; what the rules refuse is passed over.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ordercast_domain::decide::{Action, LineQuantity, Request};
use ordercast_domain::ids::OrderId;
use ordercast_engine::Engine;
use ordercast_server::access::authenticate::in_process;

use super::{CLIENT, Random};

/// Most deeds that wait for their time; orders beyond that are left alone.
const MAX_WAITING: usize = 50_000;
/// Most deeds that are done at one time, so that they never stand in the way of orders.
const MAX_AT_ONCE: usize = 200;

/// What a person does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    Cancel,
    Hold,
    Release,
    Reject,
    Retry,
    ShipOne,
    ShipRest,
    Refund,
}

/// The people, with what they are going to do.
#[derive(Debug, Default)]
pub(super) struct Staff {
    waiting: BinaryHeap<Reverse<(Instant, OrderId, Deed)>>,
}

impl Staff {
    /// Draws what is going to happen to an order that was placed now.
    pub(super) fn draw(&mut self, id: &OrderId, random: &mut Random) {
        for (least_s, most_s, deed) in fate(random.below(1_000)) {
            let after = *least_s + random.unit() * (most_s - least_s);
            if self.waiting.len() < MAX_WAITING {
                let at = Instant::now() + Duration::from_secs_f64(after);
                self.waiting.push(Reverse((at, id.clone(), *deed)));
            }
        }
    }

    /// Does what has come. Nobody waits for the answers.
    pub(super) fn act(&mut self, engine: &Engine) {
        for _ in 0..MAX_AT_ONCE {
            if self.waiting.peek().is_none_or(|Reverse((at, ..))| *at > Instant::now()) {
                return;
            }
            let Some(Reverse((_, id, deed))) = self.waiting.pop() else { return };
            engine.submit_action(in_process(CLIENT), request(id, deed), Box::new(|_| {}));
        }
    }
}

/// When, in seconds after the order, from and to; and what.
type Plan = &'static [(f64, f64, Deed)];

/// What happens to an order, by a number below 1,000.
fn fate(share: u64) -> Plan {
    match share {
        // Ordered twice.
        0..=24 => &[(0.2, 4.0, Deed::Cancel)],
        // Somebody wants to ask, and then it goes on, or not.
        25..=39 => &[(0.1, 0.6, Deed::Hold), (8.0, 40.0, Deed::Release), (45.0, 70.0, Deed::ShipRest)],
        40..=44 => &[(0.1, 0.6, Deed::Hold), (8.0, 40.0, Deed::Reject)],
        // A part of it first.
        45..=144 => &[(12.0, 30.0, Deed::ShipOne), (40.0, 90.0, Deed::ShipRest)],
        // Something was wrong with it.
        145..=174 => &[(10.0, 25.0, Deed::ShipRest), (30.0, 90.0, Deed::Refund)],
        // Waits for somebody to come by.
        175..=274 => &[],
        // What failed is tried again, what was held is let go, and all is shipped.
        _ => &[
            (20.0, 60.0, Deed::Retry),
            (20.0, 60.0, Deed::Release),
            (10.0, 30.0, Deed::ShipRest),
            (80.0, 120.0, Deed::ShipRest),
        ],
    }
}

fn request(order_id: OrderId, deed: Deed) -> Request {
    let reason = |text: &str| Some(Arc::from(text));
    let (action, reason) = match deed {
        Deed::Cancel => (Action::Cancel, reason("ordered twice")),
        Deed::Hold => (Action::Hold { until_ms: None }, reason("the address looks wrong")),
        Deed::Release => (Action::Release, reason("the customer was asked")),
        Deed::Reject => (Action::Reject, reason("nobody answers")),
        Deed::Retry => (Action::Retry, reason("made anew")),
        Deed::ShipOne => {
            let one = vec![LineQuantity { line: 0, quantity: 1 }];
            (Action::Fulfil { lines: Some(one), closes: false }, None)
        }
        Deed::ShipRest => (Action::Fulfil { lines: None, closes: false }, None),
        Deed::Refund => (Action::Refund { amount: Some("1".into()) }, reason("it was cold")),
    };
    Request { order_id, action, reason, if_versions: None, key: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_deed_happens_to_some_and_in_time() {
        let plans: Vec<_> = (0..1_000).map(fate).collect();
        for deed in [
            Deed::Cancel,
            Deed::Hold,
            Deed::Release,
            Deed::Reject,
            Deed::Retry,
            Deed::ShipOne,
            Deed::ShipRest,
            Deed::Refund,
        ] {
            assert!(plans.iter().any(|plan| plan.iter().any(|(.., planned)| *planned == deed)), "{deed:?}");
        }
        assert!(plans.iter().all(|plan| plan.iter().all(|(least, most, _)| least < most && *most <= 120.0)));
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut staff = Staff::default();
        let mut random = Random(1);
        for number in 0..MAX_WAITING {
            staff.draw(&OrderId::from(&*format!("d-{number}")), &mut random);
        }
        assert_eq!(staff.waiting.len(), MAX_WAITING);
    }
}
