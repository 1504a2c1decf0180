//! Several measurements of the same thing.

use std::fmt;

/// Values of one cell, one a round.
#[derive(Clone, Debug, Default)]
pub struct Series(Vec<f64>);

impl Series {
    /// Adds the value of a round.
    pub fn add(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The largest. Not a number when there is none.
    pub fn most(&self) -> f64 {
        self.0.last().copied().unwrap_or(f64::NAN)
    }

    /// The median; of an even number the upper of the two in the middle. Not a number when there is none.
    pub fn median(&self) -> f64 {
        self.0.get(self.0.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

impl fmt::Display for Series {
    /// The median and, behind it, the least and the most.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("unknown");
        }
        let digits = f.precision().unwrap_or(1);
        let (least, most) = self.0.first().zip(self.0.last()).unwrap_or((&f64::NAN, &f64::NAN));
        write!(f, "{:.digits$} ({least:.digits$}–{most:.digits$})", self.median())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_ignores_the_odd_one_out() {
        let mut series = Series::default();
        [3.0, 900.0, 1.0].into_iter().for_each(|value| series.add(value));
        assert_eq!(format!("{series:.0}"), "3 (1–900)");
    }
}
