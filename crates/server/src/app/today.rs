//! Orders and sums of the current day. They are durable: what was accepted before this start is read from the store.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};

use ordercast_domain::money::Currency;
use ordercast_domain::order::OrderSeq;
use ordercast_engine::stats::Stats;
use ordercast_protocol::schedule::{Day, day_of};
use ordercast_store::StoreError;
use ordercast_store::clock::wall_now_ms;
use ordercast_store::read::{OrderQuery, ReadStore};

/// Accepted orders, and the sum of their amounts in minor units by rising currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) orders: u64,
    pub(crate) revenue: Vec<(Currency, i64)>,
}

impl Accepted {
    /// Since the start of the engine.
    fn counted(stats: &Stats) -> Self {
        Self { orders: stats.accepted.load(Relaxed), revenue: stats.revenue() }
    }

    fn add(&mut self, orders: i64, revenue: &[(Currency, i64)], sign: i64) {
        self.orders = self.orders.saturating_add_signed(orders * sign);
        for &(currency, sum) in revenue {
            let at = self.revenue.binary_search_by_key(&currency, |&(known, _)| known);
            let at = at.unwrap_or_else(|at| {
                self.revenue.insert(at, (currency, 0));
                at
            });
            self.revenue[at].1 = self.revenue[at].1.saturating_add(sum * sign);
        }
    }
}

/// The figures of the day, as the counters of the engine and of the store give them.
#[derive(Debug, Default)]
pub(crate) struct Today(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    day: Option<Day>,
    /// What the counters stood at when the day, or this run, began.
    before: Accepted,
    /// What the store has of this day from earlier runs; `None` until it is read.
    stored: Option<Accepted>,
}

impl Today {
    /// Begins to count, and gives what is to be read from the store: orders accepted since then, up to a number. Nothing
    /// must be accepted meanwhile.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn begin(&self, stats: &Stats, store: &dyn ReadStore, zone: &str) -> Result<Unread, StoreError> {
        let day = day_of(wall_now_ms(), zone);
        let newest = store.orders(OrderQuery { limit: 1, ..OrderQuery::default() }).await?;
        let last = newest.orders.first().map_or(0, |(order, _)| order.seq);
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.before = Accepted::counted(stats);
        let unread = Unread { from_ms: day.start_ms, last };
        state.day = Some(day);
        Ok(unread)
    }

    /// Reads what earlier runs have accepted on this day.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn read(&self, store: &dyn ReadStore, unread: Unread) -> Result<(), StoreError> {
        let sums = store.order_sums(unread.from_ms, unread.last).await?;
        let mut stored = Accepted::default();
        for sum in sums {
            stored.add(i64::try_from(sum.orders).unwrap_or(i64::MAX), &[(sum.currency, sum.amount)], 1);
        }
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A day that has ended meanwhile needs nothing of it.
        if state.day.as_ref().is_some_and(|day| day.start_ms == unread.from_ms) {
            state.stored = Some(stored);
        }
        Ok(())
    }

    /// The day and what was accepted on it; `None` until the store is read.
    pub(crate) fn figures(&self, stats: &Stats, zone: &str) -> Option<(Day, Accepted)> {
        let now_ms = wall_now_ms();
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now_ms >= state.day.as_ref()?.end_ms {
            state.before = Accepted::counted(stats);
            state.stored = Some(Accepted::default());
            state.day = Some(day_of(now_ms, zone));
        }
        let mut figures = state.stored.clone()?;
        let counted = Accepted::counted(stats);
        figures.add(i64::try_from(counted.orders).unwrap_or(i64::MAX), &counted.revenue, 1);
        figures.add(i64::try_from(state.before.orders).unwrap_or(i64::MAX), &state.before.revenue, -1);
        Some((state.day.clone()?, figures))
    }
}

/// What is still to be read from the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unread {
    from_ms: i64,
    last: OrderSeq,
}
