//! Medians, and how they are told.

use std::collections::BTreeMap;

use crate::flight::Spent;
use crate::subject::{Ids, Run};

/// What a floor is measured with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    /// Orders per sync.
    pub(crate) batch: usize,
    /// Bytes per order.
    pub(crate) bytes: usize,
}

/// Measurements by row and column.
#[derive(Default)]
pub(crate) struct Figures(BTreeMap<(&'static str, &'static str), Vec<f64>>);

fn name(ids: Ids) -> &'static str {
    match ids {
        Ids::Server => "server's ids",
        Ids::Client => "client's ids",
    }
}

impl Figures {
    fn add(&mut self, ids: Ids, what: &'static str, value: f64) {
        self.0.entry((name(ids), what)).or_default().push(value);
    }

    pub(crate) fn engine(&mut self, ids: Ids, run: &Run) {
        self.add(ids, "engine cpu", cpu_us(&run.spent));
        self.add(ids, "engine rate", rate(&run.spent));
        self.add(ids, "batch", run.batch as f64);
        self.add(ids, "bytes", run.stored_bytes as f64);
        self.add(ids, "sync share", run.sync_share);
    }

    pub(crate) fn floors(&mut self, ids: Ids, bare: &Spent, queued: &Spent) {
        // Ratios are taken within a round, where both sides had the same neighbours.
        let engine = self.0.get(&(name(ids), "engine cpu")).and_then(|runs| runs.last().copied()).unwrap_or(0.0);
        for (cpu, speed, ratio, spent) in [
            ("bare cpu", "bare rate", "bare ratio", bare),
            ("queued cpu", "queued rate", "queued ratio", queued),
        ] {
            self.add(ids, cpu, cpu_us(spent));
            self.add(ids, speed, rate(spent));
            self.add(ids, ratio, engine / cpu_us(spent).max(1e-6));
        }
    }

    fn median(&self, ids: Ids, what: &'static str) -> f64 {
        let mut values = self.0.get(&(name(ids), what)).cloned().unwrap_or_default();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn range(&self, ids: Ids, what: &'static str) -> String {
        let values = self.0.get(&(name(ids), what)).cloned().unwrap_or_default();
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(0.0, f64::max);
        format!("{least:.2}–{most:.2}")
    }

    pub(crate) fn print(&self, place: &str) {
        for ids in [Ids::Server, Ids::Client] {
            let median = |what| self.median(ids, what);
            println!(
                "\n{place}, {}: {:.0} orders per commit, {:.0} bytes per order, {:.0} % of the time in COMMIT",
                name(ids),
                median("batch"),
                median("bytes"),
                median("sync share") * 100.0
            );
            println!("  {:<28} {:>12} {:>16} {:>12} {:>10}", "", "CPU µs/order", "(least–most)", "orders/s", "× floor");
            for (row, cpu, speed, ratio) in [
                ("append only", "bare cpu", "bare rate", None),
                ("append behind a queue", "queued cpu", "queued rate", None),
                ("engine", "engine cpu", "engine rate", Some(("bare ratio", "queued ratio"))),
            ] {
                let ratio = ratio.map(|(bare, queued)| format!("{:.1} / {:.2}", median(bare), median(queued)));
                let (range, ratio) = (self.range(ids, cpu), ratio.unwrap_or_default());
                println!("  {row:<28} {:>12.2} {range:>16} {:>12.0} {ratio:>10}", median(cpu), median(speed));
            }
        }
    }
}

fn cpu_us(spent: &Spent) -> f64 {
    spent.cpu_s * 1e6 / spent.orders.max(1) as f64
}

fn rate(spent: &Spent) -> f64 {
    spent.orders as f64 / spent.wall.as_secs_f64()
}
