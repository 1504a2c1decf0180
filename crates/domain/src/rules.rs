//! The rules that ship as default, and the settings that change them.

use std::collections::BTreeMap;

use crate::money::Currency;
use crate::status::Lane;

/// How urgent an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// 1.
    High,
    /// 2, the default.
    Medium,
    /// 3.
    Low,
}

impl Priority {
    /// The priority of its outward number.
    pub fn from_number(number: i64) -> Option<Self> {
        match number {
            1 => Some(Self::High),
            2 => Some(Self::Medium),
            3 => Some(Self::Low),
            _ => None,
        }
    }

    /// The outward number.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }
}

/// Bounds of amounts in one currency, in major units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AmountLimits {
    /// Larger orders are refused.
    pub max_amount: i64,
    /// Larger orders go first and by the lane `priority_processing`.
    pub priority_above: i64,
    /// Larger orders are held for a person.
    pub hold_above: Option<i64>,
}

/// How many orders may be in work at a time; without a number, as many as there are workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Concurrency {
    /// Of all customers together; the slots in the process and the leases of external workers count alike.
    pub max_active: Option<usize>,
    /// Of each customer.
    pub max_active_per_customer: Option<usize>,
}

impl Concurrency {
    /// Whether there is any limit.
    pub fn is_limited(&self) -> bool {
        self.max_active.is_some() || self.max_active_per_customer.is_some()
    }
}

/// When and how often failed work is tried again: exponential backoff with full jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Attempts after which an order fails for good.
    pub max_attempts: u32,
    /// Longest wait after the first attempt, in milliseconds; it doubles with each.
    pub base_ms: i64,
    /// Longest wait after any, in milliseconds.
    pub most_ms: i64,
}

impl Default for Retries {
    /// Five attempts, up to a second after the first and five minutes after any.
    fn default() -> Self {
        Self { max_attempts: 5, base_ms: 1_000, most_ms: 300_000 }
    }
}

impl Retries {
    /// The wait after this number of attempts, in milliseconds: `dice`, a random number, picks evenly between 0 and the
    /// longest wait, so that what failed together does not come back together.
    pub fn delay_ms(&self, attempts: u32, dice: u64) -> i64 {
        let doublings = attempts.saturating_sub(1).min(32);
        let longest = self.base_ms.saturating_mul(1 << doublings).min(self.most_ms).max(0);
        let spread = u64::try_from(longest).unwrap_or(0).saturating_add(1);
        i64::try_from(dice % spread).unwrap_or(0)
    }
}

/// The rules of one server. They are its settings, never chosen by a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The currency of orders that name none.
    pub default_currency: Currency,
    /// Bounds in every currency that has none of its own.
    pub amounts: AmountLimits,
    /// Bounds by currency.
    pub amounts_by_currency: BTreeMap<Currency, AmountLimits>,
    /// Most lines of an order.
    pub max_items: usize,
    /// Whether an order may cost nothing.
    pub allows_zero: bool,
    /// When and how often failed work is tried again.
    pub retries: Retries,
    /// How many orders may be in work at a time.
    pub concurrency: Concurrency,
    /// How long an order is held unless it is said, in milliseconds; then it is rejected and its stock released. `None`
    /// holds it until a person moves it.
    pub hold_ms: Option<i64>,
    /// Head start by level (high, medium, low), in milliseconds: an order waits behind none that was accepted
    /// later than the difference of their head starts.
    pub bonus_ms: [i64; 3],
}

impl Rules {
    /// The default limits: 10,000 and 50 lines.
    pub fn standard(default_currency: Currency) -> Self {
        Self {
            default_currency,
            amounts: AmountLimits { max_amount: 10_000, priority_above: 1_000, hold_above: None },
            amounts_by_currency: BTreeMap::new(),
            max_items: 50,
            allows_zero: false,
            retries: Retries::default(),
            concurrency: Concurrency::default(),
            hold_ms: None,
            bonus_ms: [600_000, 300_000, 0],
        }
    }

    /// The limits of a wholesaler: 1,000,000 and 1,000 lines.
    pub fn wholesale(default_currency: Currency) -> Self {
        Self {
            amounts: AmountLimits { max_amount: 1_000_000, priority_above: 1_000, hold_above: None },
            max_items: 1_000,
            ..Self::standard(default_currency)
        }
    }

    /// The bounds of amounts in `currency`.
    pub fn amounts_in(&self, currency: Currency) -> AmountLimits {
        self.amounts_by_currency.get(&currency).copied().unwrap_or(self.amounts)
    }

    /// The largest amount, in minor units.
    pub fn max_minor(&self, currency: Currency) -> i64 {
        self.amounts_in(currency).max_amount.saturating_mul(currency.minor_per_major())
    }

    /// Whether an amount, in minor units, is above the bound that gives priority.
    pub fn is_large(&self, amount: i64, currency: Currency) -> bool {
        amount > self.amounts_in(currency).priority_above.saturating_mul(currency.minor_per_major())
    }

    /// Judges an order once, when it is accepted: whether it is held, its lane, its level and its place in the queue.
    pub fn judge(&self, facts: &Facts) -> Judgement {
        let Facts { amount, currency, priority } = *facts;
        let is_large = self.is_large(amount, currency);
        let lane = match (is_large, priority) {
            (true, _) => Lane::PriorityProcessing,
            (false, Priority::High) => Lane::Expedited,
            (false, Priority::Medium | Priority::Low) => Lane::Processing,
        };
        let level = if is_large { Priority::High } else { priority };
        let hold_above = self.amounts_in(currency).hold_above;
        let is_held = |above: &i64| amount > above.saturating_mul(currency.minor_per_major());
        let held = hold_above.filter(is_held);
        Judgement {
            hold_reason: held.map(|above| format!("amounts above {above} {} wait for a person", currency.code())),
            lane,
            level,
            bonus_ms: self.bonus_ms[level as usize],
        }
    }
}

/// What the rules look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The order's amount, in minor units.
    pub amount: i64,
    /// Its currency.
    pub currency: Currency,
    /// The priority that was asked for.
    pub priority: Priority,
}

/// What the rules say of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Why it is held for a person from the start, if it is.
    pub hold_reason: Option<String>,
    /// Its lane: by amount first, then by priority.
    pub lane: Lane,
    /// Its level in the queue: a large order has the highest, whatever priority was asked for.
    pub level: Priority,
    /// Its head start in the queue, in milliseconds.
    bonus_ms: i64,
}

impl Judgement {
    /// The key by which orders start, smallest first, for an order that queues up at `queues_up_ms`, in milliseconds since
    /// 1970. Static, so that it can be indexed and needs no sweep.
    pub fn sort_key(&self, queues_up_ms: i64) -> i64 {
        queues_up_ms - self.bonus_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_at_their_boundaries() {
        let usd = Currency::parse("USD").unwrap();
        let rules = Rules::standard(usd);
        for (amount, priority, lane) in [
            (100_000, Priority::Medium, Lane::Processing),
            (100_000, Priority::High, Lane::Expedited),
            (100_001, Priority::High, Lane::PriorityProcessing),
            (100_001, Priority::Low, Lane::PriorityProcessing),
            (1, Priority::Low, Lane::Processing),
        ] {
            let judgement = rules.judge(&Facts { amount, currency: usd, priority });
            assert_eq!((judgement.lane, judgement.hold_reason), (lane, None), "{amount} {priority:?}");
        }
        assert_eq!(rules.max_minor(usd), 1_000_000);
    }

    #[test]
    fn waits_double_up_to_the_longest_and_are_spread() {
        let retries = Retries { max_attempts: 5, base_ms: 1_000, most_ms: 10_000 };
        for (attempts, longest) in [(1, 1_000), (2, 2_000), (4, 8_000), (5, 10_000), (u32::MAX, 10_000)] {
            let spread = u64::try_from(longest).unwrap();
            assert_eq!(retries.delay_ms(attempts, spread), longest, "{attempts}");
            assert_eq!(retries.delay_ms(attempts, spread + 1), 0, "{attempts}");
            assert!((0..=longest).contains(&retries.delay_ms(attempts, u64::MAX)));
        }
    }

    #[test]
    fn ageing_overtakes_by_no_more_than_the_bonus() {
        let usd = Currency::parse("USD").unwrap();
        let rules = Rules::standard(usd);
        let key = |at, amount, priority| rules.judge(&Facts { amount, currency: usd, priority }).sort_key(at);
        assert!(key(599_999, 1, Priority::High) < key(0, 1, Priority::Low));
        assert!(key(600_001, 1, Priority::High) > key(0, 1, Priority::Low));
        assert_eq!(key(0, 100_001, Priority::Low), key(0, 1, Priority::High));
    }
}
