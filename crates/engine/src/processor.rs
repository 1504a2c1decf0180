//! What the workers in the process do with an order.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use ordercast_domain::decide::WorkResult;
use ordercast_domain::order::Order;

/// The work on one order, under way.
pub type Work = Pin<Box<dyn Future<Output = WorkResult> + Send>>;

/// Does the work on orders that were claimed for it. A panic fails the order, not the server.
pub trait Processor: Send + Sync + 'static {
    /// Starts the work on an order.
    fn process(&self, order: &Order) -> Work;
}

/// The built-in processor: the rules were applied at intake, so there is nothing left to do but, if wanted,
/// to take as long as a kitchen or a warehouse would.
#[derive(Clone, Copy, Debug, Default)]
pub struct TimedProcessor {
    /// Shortest work.
    pub least: Duration,
    /// Longest work.
    pub most: Duration,
}

impl Processor for TimedProcessor {
    fn process(&self, order: &Order) -> Work {
        if self.most.is_zero() {
            return Box::pin(std::future::ready(WorkResult::Completed));
        }
        // Spread by the order's number: no randomness, yet no two neighbours take equally long.
        let share = f64::from(u32::try_from(order.seq.wrapping_mul(2_654_435_761) % 1000).unwrap_or(0)) / 1000.0;
        let duration = self.least + self.most.saturating_sub(self.least).mul_f64(share);
        Box::pin(async move {
            tokio::time::sleep(duration).await;
            WorkResult::Completed
        })
    }
}
