//! The demo's workers: most orders are done after a while, some only at the second try, and a few need a person.

use ordercast_domain::decide::WorkResult;
use ordercast_domain::order::Order;
use ordercast_engine::processor::{Processor, TimedProcessor, Work};

/// Of a thousand orders, how many fail once and are tried again.
const RETRIED: u64 = 50;
/// How many fail for good.
const FAILED: u64 = 12;
/// How many are held.
const HELD: u64 = 10;

/// Works on made-up orders; real ones are done as without the demo.
#[derive(Debug)]
pub(crate) struct Kitchen {
    pub(crate) timed: TimedProcessor,
}

impl Processor for Kitchen {
    fn process(&self, order: &Order) -> Work {
        let work = self.timed.process(order);
        if !order.demo {
            return work;
        }
        let result = result_of(order.seq, order.attempts);
        Box::pin(async move {
            work.await;
            result
        })
    }
}

/// What becomes of the work, by the order's number: the same in every run.
fn result_of(seq: u64, attempts: u32) -> WorkResult {
    let share = seq.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let share = share % 1_000;
    let retry = || WorkResult::Retry { reason: "the oven was not hot yet".into(), after_ms: None };
    match share {
        _ if share < FAILED && attempts < 2 => WorkResult::Failed { reason: "the last one was dropped".into() },
        _ if share < FAILED + HELD && attempts < 2 => WorkResult::Held { reason: "which size is meant?".into() },
        _ if share < FAILED + HELD + RETRIED && attempts < 2 => retry(),
        _ => WorkResult::Completed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_of_many_need_a_second_try_or_a_person() {
        let count =
            |is: fn(&WorkResult) -> bool, attempts| (0..100_000).filter(|seq| is(&result_of(*seq, attempts))).count();
        let near = |count: usize, per_mille: u64| count.abs_diff(per_mille as usize * 100) < 150;
        assert!(near(count(|result| matches!(result, WorkResult::Failed { .. }), 1), FAILED));
        assert!(near(count(|result| matches!(result, WorkResult::Held { .. }), 1), HELD));
        assert!(near(count(|result| matches!(result, WorkResult::Retry { .. }), 1), RETRIED));
        assert_eq!(count(|result| *result == WorkResult::Completed, 2), 100_000, "the second try does it");
    }
}
