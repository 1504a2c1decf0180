//! Exact money: amounts in minor units, unit prices in millionths of the major unit.
//!
//! Real price lists have thousandths, so prices are finer than amounts. Line sums are exact; an amount rounds
//! once, half to even, and what the rounding left over is kept.

use std::fmt;

/// Millionths in one major unit.
pub const MILLIONTHS: i64 = 1_000_000;
const PRICE_SCALE: u8 = 6;

/// Why a number was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberError {
    /// Not the text of a JSON number.
    Malformed,
    /// More digits after the point than there may be.
    TooPrecise,
    /// Beyond what 64 bits hold.
    TooLarge,
}

/// An ISO 4217 currency.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The currency of a code of three capital letters.
    pub fn parse(code: &str) -> Option<Self> {
        let bytes: [u8; 3] = code.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_uppercase).then_some(Self(bytes))
    }

    /// The three letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).expect("`parse` lets only ASCII capitals through")
    }

    /// Digits after the point in an amount (ISO 4217, list one).
    pub fn digits(self) -> u8 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG" | b"RWF" | b"UGX"
            | b"UYI" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            _ => 2,
        }
    }

    /// Minor units in one major unit.
    pub fn minor_per_major(self) -> i64 {
        10i64.pow(u32::from(self.digits()))
    }

    /// Millionths in one minor unit.
    pub fn millionths_per_minor(self) -> i64 {
        MILLIONTHS / self.minor_per_major()
    }

    /// Reads an amount in the major unit as minor units.
    ///
    /// # Errors
    /// [`NumberError::TooPrecise`] when it has more digits than the currency.
    pub fn parse_amount(self, text: &str) -> Result<i64, NumberError> {
        parse_decimal(text, self.digits())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Reads a unit price in the major unit as millionths.
///
/// # Errors
/// [`NumberError`] when it is no number, too precise or too large.
pub fn parse_price(text: &str) -> Result<i64, NumberError> {
    parse_decimal(text, PRICE_SCALE)
}

/// Reads the text of a JSON number (RFC 8259 §6) as an integer of `10^-scale`, exactly.
///
/// # Errors
/// [`NumberError`] when it is no number, not a multiple of `10^-scale`, or beyond 64 bits.
pub fn parse_decimal(text: &str, scale: u8) -> Result<i64, NumberError> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || (whole.len() > 1 && whole.starts_with('0')) {
        return Err(NumberError::Malformed);
    }
    let mut value: i128 = 0;
    let mut shift = exponent.saturating_add(i64::from(scale));
    // Trailing zeros of the fraction say nothing and must not count as digits.
    let fraction = fraction.trim_end_matches('0');
    for digit in whole.bytes().chain(fraction.bytes()) {
        value = value.checked_mul(10).ok_or(NumberError::TooLarge)? + i128::from(digit - b'0');
        if value > i128::MAX / 100 {
            return Err(NumberError::TooLarge);
        }
    }
    shift -= fraction.len() as i64;
    while shift > 0 && value != 0 {
        value = value.checked_mul(10).ok_or(NumberError::TooLarge)?;
        shift -= 1;
    }
    while shift < 0 && value != 0 {
        if value % 10 != 0 {
            return Err(NumberError::TooPrecise);
        }
        value /= 10;
        shift += 1;
    }
    let value = if negative { -value } else { value };
    i64::try_from(value).map_err(|_| NumberError::TooLarge)
}

fn parse_exponent(text: &str) -> Result<i64, NumberError> {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NumberError::Malformed);
    }
    // An exponent that does not fit is as good as endless.
    let size = digits.parse().unwrap_or(i64::MAX / 2).min(i64::MAX / 2);
    Ok(if negative { -size } else { size })
}

/// A price in millionths as decimal text, with at least the digits of its currency.
pub fn price_text(millionths: i64, currency: Currency) -> String {
    let digits = format!("{:06}", millionths.unsigned_abs() % 1_000_000);
    let least = usize::from(currency.digits());
    let fraction = digits.trim_end_matches('0');
    let fraction = &digits[..fraction.len().max(least)];
    let sign = if millionths < 0 { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction}", millionths.unsigned_abs() / 1_000_000)
}

/// Rounds an exact sum in millionths to minor units, half to even.
///
/// Returns the amount and what was left over, in millionths: `amount + rounding = sum`. `None` beyond 64 bits.
pub fn round_sum(sum_millionths: i128, currency: Currency) -> Option<(i64, i64)> {
    let unit = i128::from(currency.millionths_per_minor());
    let floor = sum_millionths.div_euclid(unit);
    let rest = sum_millionths.rem_euclid(unit);
    let up = rest * 2 > unit || (rest * 2 == unit && floor % 2 != 0);
    let amount = if up { floor + 1 } else { floor };
    let rounding = if up { rest - unit } else { rest };
    Some((i64::try_from(amount).ok()?, i64::try_from(rounding).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use NumberError::{Malformed, TooLarge, TooPrecise};

    #[test]
    fn prices_have_at_least_the_digits_of_their_currency() {
        for (millionths, code, text) in [
            (2_500_000, "USD", "2.50"),
            (2_955_000, "USD", "2.955"),
            (0, "USD", "0.00"),
            (-5_000, "USD", "-0.005"),
            (300_000_000, "JPY", "300"),
            (500_000, "JPY", "0.5"),
            (1_000_000, "KWD", "1.000"),
        ] {
            assert_eq!(price_text(millionths, Currency::parse(code).unwrap()), text);
        }
    }

    #[test]
    fn numbers_are_read_exactly() {
        for (text, scale, expected) in [
            ("99.99", 2, Ok(9999)),
            ("1000", 2, Ok(100_000)),
            ("1e3", 2, Ok(100_000)),
            ("1.5E+1", 2, Ok(1500)),
            ("99.990000", 2, Ok(9999)),
            ("0.005", 2, Err(TooPrecise)),
            ("0.005", 3, Ok(5)),
            ("12e-1", 0, Err(TooPrecise)),
            ("120e-1", 0, Ok(12)),
            ("-0.01", 2, Ok(-1)),
            ("0e999999999999999999999", 2, Ok(0)),
            ("1e400", 2, Err(TooLarge)),
            ("1e-400", 2, Err(TooPrecise)),
            ("92233720368547758.07", 2, Ok(i64::MAX)),
            ("92233720368547758.08", 2, Err(TooLarge)),
            ("-92233720368547758.08", 2, Ok(i64::MIN)),
            ("NaN", 2, Err(Malformed)),
            ("Infinity", 2, Err(Malformed)),
            ("", 2, Err(Malformed)),
            ("-", 2, Err(Malformed)),
            ("1.", 2, Err(Malformed)),
            (".5", 2, Err(Malformed)),
            ("01", 2, Err(Malformed)),
            ("1e", 2, Err(Malformed)),
            ("+1", 2, Err(Malformed)),
            ("1_0", 2, Err(Malformed)),
        ] {
            assert_eq!(parse_decimal(text, scale), expected, "{text} at scale {scale}");
        }
    }

    #[test]
    fn sums_round_half_to_even_and_keep_the_rest() {
        let (gbp, jpy, kwd) =
            (Currency::parse("GBP").unwrap(), Currency::parse("JPY").unwrap(), Currency::parse("KWD").unwrap());
        for (sum, currency, expected) in [
            (2_550_000, gbp, (255, 0)),
            (5_000, gbp, (0, 5_000)),
            (15_000, gbp, (2, -5_000)),
            (25_000, gbp, (2, 5_000)),
            (25_001, gbp, (3, -4_999)),
            (-5_000, gbp, (0, -5_000)),
            (-15_000, gbp, (-2, 5_000)),
            (500_000, jpy, (0, 500_000)),
            (1_500_000, jpy, (2, -500_000)),
            (1_234_500, kwd, (1234, 500)),
        ] {
            assert_eq!(round_sum(sum, currency), Some(expected), "{sum} {currency:?}");
        }
        assert_eq!(round_sum(i128::MAX, gbp), None);
    }

    #[test]
    fn codes_are_three_capitals() {
        assert!(Currency::parse("usd").is_none() && Currency::parse("USDX").is_none() && Currency::parse("").is_none());
        assert_eq!(Currency::parse("USD").unwrap().code(), "USD");
    }
}
