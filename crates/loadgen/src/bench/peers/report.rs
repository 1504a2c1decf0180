//! What a comparison gave.

use std::fmt;

use crate::measure::series::Series;

use super::reading::{Phase, Reading};

/// What the names of ours begin with.
const OWN: &str = "Ordercast";
/// Added to the name of a peer whose plain way is reported beside its fast one.
const SINGLE: &str = ", a call each";
/// The figures that are reported, in this order.
const SECTIONS: [(Phase, &str); 3] =
    [(Phase::Accepted, "accepted"), (Phase::Drained, "drained"), (Phase::Through, "accepted → in work → completed")];

/// Medians of everything that was measured, by place and number of producers.
#[derive(Debug, Default)]
pub struct Report {
    rounds: usize,
    cells: Vec<Cell>,
    /// Who did not take part, and why.
    pub left_out: Vec<String>,
}

#[derive(Debug)]
struct Cell {
    place: &'static str,
    producers: usize,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: String,
    /// Its heading.
    section: Phase,
    rate: Series,
    cpu_us: Series,
    /// Of ours: how many times the rate of each peer in the same round, by the peer's name.
    ratios: Vec<(String, Series)>,
}

impl Report {
    pub(super) fn new(rounds: usize) -> Self {
        Self { rounds, ..Self::default() }
    }

    /// Adds the readings of a round.
    pub(super) fn add(&mut self, place: &'static str, producers: usize, readings: &[Reading]) {
        let is_it = |cell: &Cell| cell.place == place && cell.producers == producers;
        let at = self.cells.iter().position(is_it).unwrap_or_else(|| {
            self.cells.push(Cell { place, producers, rows: Vec::new() });
            self.cells.len() - 1
        });
        self.cells[at].add(readings);
    }
}

impl Cell {
    fn add(&mut self, readings: &[Reading]) {
        for reading in readings {
            let (name, section) = named(reading);
            let peers = readings.iter().filter(|other| is_own(reading) && !is_own(other) && named(other).1 == section);
            let ratios: Vec<_> = peers.map(|peer| (named(peer).0, reading.figure.rate / peer.figure.rate)).collect();
            let row = self.row(name, section);
            row.rate.add(reading.figure.rate);
            row.cpu_us.add(reading.figure.cpu_us);
            for (peer, ratio) in ratios {
                row.ratio(peer).add(ratio);
            }
        }
    }

    fn row(&mut self, name: String, section: Phase) -> &mut Row {
        let is_it = |row: &Row| row.name == name && row.section == section;
        let at = self.rows.iter().position(is_it).unwrap_or_else(|| {
            let (rate, cpu_us) = (Series::default(), Series::default());
            self.rows.push(Row { name, section, rate, cpu_us, ratios: Vec::new() });
            self.rows.len() - 1
        });
        &mut self.rows[at]
    }
}

impl Row {
    fn ratio(&mut self, peer: String) -> &mut Series {
        let at = self.ratios.iter().position(|(name, _)| *name == peer).unwrap_or_else(|| {
            self.ratios.push((peer, Series::default()));
            self.ratios.len() - 1
        });
        &mut self.ratios[at].1
    }
}

fn is_own(reading: &Reading) -> bool {
    reading.name.starts_with(OWN)
}

/// The name of its row, and what that stands under.
fn named(reading: &Reading) -> (String, Phase) {
    match reading.phase {
        Phase::Single => (format!("{}{SINGLE}", reading.name), Phase::Accepted),
        phase => (reading.name.to_owned(), phase),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "orders/s and CPU µs of all server processes per order; medians (least–most) of {}", self.rounds)?;
        for Cell { place, producers, rows } in &self.cells {
            writeln!(f, "{place}, {producers} producers that each wait for a durable answer")?;
            for (section, title) in SECTIONS {
                writeln!(f, "  {title}")?;
                for row in rows.iter().filter(|row| row.section == section) {
                    writeln!(f, "    {row}")?;
                }
            }
        }
        self.left_out.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:.0} orders/s, {:.1} CPU µs", self.name, self.rate, self.cpu_us)?;
        self.ratios.iter().try_for_each(|(peer, ratio)| write!(f, "; {ratio:.1} × {peer}"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ratios_are_taken_within_a_round_and_medians_after() {
        let second = Duration::from_secs(1);
        let mut report = Report::new(3);
        for (own, bull, single) in [(100, 50, 10), (300, 100, 10), (900, 100, 30)] {
            let readings = [
                Reading::new("Ordercast", Phase::Accepted, own, second, 0.002),
                Reading::new("BullMQ", Phase::Accepted, bull, second, 0.001),
                Reading::new("graphile", Phase::Single, single, second, 0.001),
                Reading::new("Ordercast", Phase::Drained, own, second, 0.001),
            ];
            report.add("disk", 64, &readings);
        }
        report.left_out.push("pigeons are left out: none came".to_owned());
        let expected = "\
orders/s and CPU µs of all server processes per order; medians (least–most) of 3
disk, 64 producers that each wait for a durable answer
  accepted
    Ordercast: 300 (100–900) orders/s, 6.7 (2.2–20.0) CPU µs; 3.0 (2.0–9.0) × BullMQ; 30.0 (10.0–30.0) × graphile, a call each
    BullMQ: 100 (50–100) orders/s, 10.0 (10.0–20.0) CPU µs
    graphile, a call each: 10 (10–30) orders/s, 100.0 (33.3–100.0) CPU µs
  drained
    Ordercast: 300 (100–900) orders/s, 3.3 (1.1–10.0) CPU µs
  accepted → in work → completed
pigeons are left out: none came
";
        assert_eq!(report.to_string(), expected);
    }
}
