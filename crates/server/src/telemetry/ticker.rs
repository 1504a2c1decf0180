//! One tick a second on the channel `stats`, and the memory of the last quarter of an hour.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use ordercast_domain::money::Currency;
use ordercast_engine::encode;
use ordercast_protocol::event::{StatsTick, TodayTick, write_stats_tick};
use ordercast_protocol::json::Decimal;
use ordercast_store::clock::wall_now_ms;

use crate::app::App;

/// Ticks that are remembered: 15 minutes.
pub(crate) const MAX_TICKS: usize = 900;

/// Ticks until it is dropped.
pub(crate) async fn run(app: Arc<App>) {
    let mut interval = tokio::time::interval(Duration::from_secs(1));
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut before = StatsTick::default();
    loop {
        interval.tick().await;
        let tick = measure(&app, &before);
        let mut body = Vec::with_capacity(384);
        write_stats_tick(&tick, &mut body);
        let body = Bytes::from(body);
        {
            let mut ticks = app.ticks.lock().unwrap_or_else(PoisonError::into_inner);
            ticks.push_back(body.clone());
            if ticks.len() > MAX_TICKS {
                ticks.pop_front();
            }
        }
        app.hub.publish_ephemeral("stats", &body);
        before = tick;
    }
}

fn measure(app: &App, before: &StatsTick) -> StatsTick {
    let stats = app.engine.stats();
    let (accepted, completed) = (stats.accepted.load(Relaxed), stats.completed.load(Relaxed));
    let errors = stats.failed.load(Relaxed) + app.errors.failures();
    StatsTick {
        timestamp: wall_now_ms().div_euclid(1000),
        accepted,
        completed,
        errors,
        refused: app.errors.refusals().map(|(_, count)| count).sum(),
        accepted_per_s: accepted - before.accepted,
        completed_per_s: completed - before.completed,
        errors_per_s: errors - before.errors,
        revenue: sums(stats.revenue()),
        today: today(app),
        queue_length: stats.ready.load(Relaxed),
        active: stats.active.load(Relaxed),
        workers: app.engine.config().slots as u64,
        connections: app.hub.stats().active as u64,
        latency_us: stats.recent_latency_us(),
    }
}

fn sums(revenue: Vec<(Currency, i64)>) -> Vec<(String, Decimal)> {
    let sum = |(currency, sum): (Currency, i64)| (currency.code().to_owned(), encode::amount(sum, currency));
    revenue.into_iter().map(sum).collect()
}

/// The figures of the day, as they travel.
pub(crate) fn today(app: &App) -> Option<TodayTick> {
    let (day, accepted) = app.today.figures(app.engine.stats(), &app.config.time_zone)?;
    Some(TodayTick { date: day.date, accepted: accepted.orders, revenue: sums(accepted.revenue) })
}
