//! Exact sums of money.

use std::ops::{Add, AddAssign};

use ordercast_domain::money::{MILLIONTHS, parse_price};

/// An amount in millionths of the major unit: exact for every price and every rounding that can be stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Exact(pub i128);

impl Exact {
    /// Reads the text of a JSON number; `None` when it is none, or finer than millionths, or beyond 64 bits of them.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        parse_price(text).ok().map(|millionths| Self(millionths.into()))
    }

    /// The price of a quantity at a unit price in millionths.
    pub(crate) fn of_line(quantity: i64, price: i64) -> Self {
        Self(i128::from(quantity) * i128::from(price))
    }

    /// The whole part and the digits after the point: at least two, as many as there are.
    pub(crate) fn parts(self) -> (bool, u128, String) {
        let unit = u128::from(MILLIONTHS.unsigned_abs());
        let (whole, rest) = (self.0.unsigned_abs() / unit, self.0.unsigned_abs() % unit);
        let mut digits = format!("{rest:06}");
        while digits.len() > 2 && digits.ends_with('0') {
            digits.pop();
        }
        (self.0 < 0, whole, digits)
    }
}

impl Add for Exact {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Exact {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl std::fmt::Display for Exact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (is_negative, whole, digits) = self.parts();
        write!(f, "{}{whole}.{digits}", if is_negative { "-" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_keep_every_digit() {
        for (texts, expected) in [
            (&["0.1", "0.2"][..], "0.30"),
            (&["6293764", "0.002"], "6293764.002"),
            (&["0.005", "-0.005"], "0.00"),
            (&["-11062.06", "-11062.06", "11062.06"], "-11062.06"),
            (&["-0.000001"], "-0.000001"),
            (&["9000000000000", "9000000000000"], "18000000000000.00"),
        ] {
            let sum = texts.iter().map(|text| Exact::parse(text).unwrap()).fold(Exact::default(), Add::add);
            assert_eq!(sum.to_string(), expected);
        }
        assert_eq!(Exact::parse("0.0000001"), None);
        assert_eq!(Exact::of_line(3, 335_000).to_string(), "1.005");
    }
}
