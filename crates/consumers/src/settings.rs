//! How a consumer reads.

use std::sync::Arc;
use std::time::Duration;

use ordercast_protocol::channel::{Log, View};
use ordercast_store::log::PageLimit;

/// Where a consumer begins that has never run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// With the first event that the log still has.
    First,
    /// With the next event that comes.
    Next,
}

/// How often a handler that fails is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Most attempts at the same events, the first one included; at least 1.
    pub attempts: u32,
    /// The wait after the first failure; doubled after each further one in a row.
    pub first_wait: Duration,
    /// The longest wait.
    pub max_wait: Duration,
}

impl Retries {
    /// The wait after this number of failures in a row; `None` when it is not tried again.
    pub(crate) fn wait(&self, failures: u32) -> Option<Duration> {
        /// A wait is not doubled more often than this.
        const MAX_DOUBLINGS: u32 = 20;
        let doublings = failures.saturating_sub(1).min(MAX_DOUBLINGS);
        (failures < self.attempts).then(|| self.first_wait.saturating_mul(1 << doublings).min(self.max_wait))
    }
}

/// What a consumer reads, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerSettings {
    /// Its name in the store.
    pub name: Arc<str>,
    /// The name of this node; two runs of one node must not be alive at once.
    pub owner: Arc<str>,
    /// The log.
    pub log: Log,
    /// Which of its events.
    pub view: View,
    /// Where it begins when it has never run.
    pub start: StartAt,
    /// Most events, and bytes of their bodies, that are delivered at once.
    pub page: PageLimit,
    /// How long the lease lasts. It is renewed three times as often, which is a commit each time.
    pub lease: Duration,
    /// How often the log, or the lease of another node, is looked at when there is nothing to do.
    pub poll: Duration,
    /// What happens when the handler fails.
    pub retries: Retries,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_doubled_up_to_a_bound() {
        let ms = Duration::from_millis;
        let retries = Retries { attempts: 5, first_wait: ms(10), max_wait: ms(35) };
        let waits: Vec<_> = (1..=6).map(|failures| retries.wait(failures)).collect();
        assert_eq!(waits, [Some(ms(10)), Some(ms(20)), Some(ms(35)), Some(ms(35)), None, None]);
        let endless = Retries { attempts: u32::MAX, max_wait: Duration::MAX, ..retries };
        assert_eq!(endless.wait(1_000), endless.wait(21), "it does not overflow");
    }
}
