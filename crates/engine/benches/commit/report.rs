//! Medians, and how they are told.

use std::collections::BTreeMap;

use crate::flight::Spent;
use crate::subject::{Ids, Run};

const ENGINE: &str = "engine, SQLite";

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
pub(crate) struct Figures(BTreeMap<(&'static str, &'static str, &'static str), Vec<f64>>);

fn name(ids: Ids) -> &'static str {
    match ids {
        Ids::Server => "server's ids",
        Ids::Client => "client's ids",
    }
}

impl Figures {
    fn add(&mut self, ids: Ids, row: &'static str, what: &'static str, value: f64) {
        self.0.entry((name(ids), row, what)).or_default().push(value);
    }

    pub(crate) fn engine(&mut self, ids: Ids, run: &Run) {
        self.add(ids, ENGINE, "cpu", cpu_us(&run.spent));
        self.add(ids, ENGINE, "rate", rate(&run.spent));
        self.add(ids, ENGINE, "batch", run.batch as f64);
        self.add(ids, ENGINE, "bytes", run.stored_bytes as f64);
        self.add(ids, ENGINE, "sync share", run.sync_share);
    }

    pub(crate) fn floor(&mut self, ids: Ids, floor: &'static str, spent: &Spent) {
        // Ratios are taken within a round, where both sides had the same neighbours.
        let engine = self.0.get(&(name(ids), ENGINE, "cpu")).and_then(|runs| runs.last().copied()).unwrap_or(0.0);
        self.add(ids, floor, "cpu", cpu_us(spent));
        self.add(ids, floor, "rate", rate(spent));
        self.add(ids, floor, "ratio", engine / cpu_us(spent).max(1e-6));
    }

    fn sorted(&self, ids: Ids, row: &'static str, what: &'static str) -> Vec<f64> {
        let mut values = self.0.get(&(name(ids), row, what)).cloned().unwrap_or_default();
        values.sort_by(f64::total_cmp);
        values
    }

    fn median(&self, ids: Ids, row: &'static str, what: &'static str) -> f64 {
        let values = self.sorted(ids, row, what);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn range(&self, ids: Ids, row: &'static str, what: &'static str) -> String {
        let values = self.sorted(ids, row, what);
        let (least, most) = values.first().zip(values.last()).unwrap_or((&f64::NAN, &f64::NAN));
        format!("{least:.2}–{most:.2}")
    }

    pub(crate) fn print(&self, place: &str) {
        for ids in [Ids::Server, Ids::Client] {
            let engine = |what| self.median(ids, ENGINE, what);
            println!(
                "\n{place}, {}: {:.0} orders per commit, {:.0} bytes per order, {:.0} % of the time in COMMIT",
                name(ids),
                engine("batch"),
                engine("bytes"),
                engine("sync share") * 100.0
            );
            println!(
                "  {:<26} {:>12} {:>14} {:>10} {:>14}",
                "", "CPU µs/order", "least–most", "orders/s", "engine's ratio"
            );
            for row in [ENGINE, "engine, append-only file", "append behind a queue", "append only"] {
                let ratio =
                    if row == ENGINE { String::new() } else { format!("{:.2}", self.median(ids, row, "ratio")) };
                let (cpu, rate, range) =
                    (self.median(ids, row, "cpu"), self.median(ids, row, "rate"), self.range(ids, row, "cpu"));
                println!("  {row:<26} {cpu:>12.2} {range:>14} {rate:>10.0} {ratio:>14}");
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
