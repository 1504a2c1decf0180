//! Dates as people's files have them. What could be two dates is neither until the file or the user says which.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::cli::DateOrder;

/// Times without an offset, as they follow a date.
const TIMES: [&str; 5] = ["", " %H:%M:%S", " %H:%M", "T%H:%M:%S", "T%H:%M"];

/// What a text says of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    /// Local to the shop, without an offset.
    Local(DateTime),
    /// Exact.
    Exact(Timestamp),
}

impl Time {
    /// In milliseconds since 1970; a time without an offset is taken as UTC.
    pub(super) fn unix_ms(self) -> Option<i64> {
        match self {
            Self::Exact(at) => Some(at.as_millisecond()),
            Self::Local(at) => at.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp().as_millisecond()),
        }
    }
}

/// Why a text is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoTime {
    /// It is none in any order.
    Wrong,
    /// It is one in more than one order.
    Ambiguous,
}

/// The orders of day and month that a file's dates allow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Orders {
    day_first: bool,
    month_first: bool,
}

impl Orders {
    /// All that there are.
    #[cfg(test)]
    pub(super) const ANY: Self = Self { day_first: true, month_first: true };

    /// As the user says, or both until dates rule one out.
    pub(super) fn new(order: Option<DateOrder>) -> Self {
        let is = |one: DateOrder| order.is_none_or(|order| order == one);
        Self { day_first: is(DateOrder::Dmy), month_first: is(DateOrder::Mdy) }
    }

    /// Learns from a date which orders the file has not.
    pub(super) fn learn(&mut self, text: &str) {
        if let Some((first, second)) = parts(text) {
            self.day_first &= second <= 12;
            self.month_first &= first <= 12;
        }
    }

    /// Reads a time.
    pub(super) fn read(self, text: &str) -> Result<Time, NoTime> {
        if let Some(exact) = exact(text) {
            return Ok(Time::Exact(exact));
        }
        if let Some(local) = local(text, &["%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y"]) {
            return Ok(Time::Local(local));
        }
        let day_first = self.day_first.then(|| local(text, &["%d/%m/%Y", "%d-%m-%Y"])).flatten();
        let month_first = self.month_first.then(|| local(text, &["%m/%d/%Y", "%m-%d-%Y"])).flatten();
        match (day_first, month_first) {
            (Some(one), Some(other)) if one != other => Err(NoTime::Ambiguous),
            (Some(at), _) | (None, Some(at)) => Ok(Time::Local(at)),
            (None, None) => Err(NoTime::Wrong),
        }
    }
}

/// The first two numbers of a date with a year at its end, written with strokes.
fn parts(text: &str) -> Option<(u8, u8)> {
    let date = text.split([' ', 'T']).next()?;
    let mut parts = date.split(['/', '-']);
    let (first, second, year) = (parts.next()?, parts.next()?, parts.next()?);
    (year.len() == 4 && first.len() <= 2).then_some(())?;
    Some((first.parse().ok()?, second.parse().ok()?))
}

fn exact(text: &str) -> Option<Timestamp> {
    let spaced = || Timestamp::strptime("%Y-%m-%d %H:%M:%S %z", text).ok();
    let joined = || Timestamp::strptime("%Y-%m-%d %H:%M:%S%:z", text).ok();
    text.parse().ok().or_else(spaced).or_else(joined)
}

fn local(text: &str, dates: &[&str]) -> Option<DateTime> {
    let formats = dates.iter().flat_map(|date| TIMES.iter().map(move |time| format!("{date}{time}")));
    formats.into_iter().find_map(|format| {
        let is_date = !format.contains("%H");
        match is_date {
            true => jiff::civil::Date::strptime(&format, text).ok().map(|date| date.at(0, 0, 0, 0)),
            false => DateTime::strptime(&format, text).ok(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Result<Time, NoTime> {
        Ok(text.parse().map_or_else(|_| Time::Local(text.parse().unwrap()), Time::Exact))
    }

    #[test]
    fn dates_that_could_be_two_are_refused() {
        use DateOrder::{Dmy, Mdy};
        for (text, order, expected) in [
            ("2026-03-04", None, at("2026-03-04T00:00:00")),
            ("2026-03-04T08:05:00", None, at("2026-03-04T08:05:00")),
            ("2026-03-04 08:05", None, at("2026-03-04T08:05:00")),
            ("2021-05-13 11:01:12 +0200", None, at("2021-05-13T09:01:12Z")),
            ("2021-05-13T11:01:12+02:00", None, at("2021-05-13T09:01:12Z")),
            ("4.3.2026", None, at("2026-03-04T00:00:00")),
            ("03/04/2026", None, Err(NoTime::Ambiguous)),
            ("03/04/2026 10:30", Some(Dmy), at("2026-04-03T10:30:00")),
            ("03/04/2026 10:30", Some(Mdy), at("2026-03-04T10:30:00")),
            ("13/04/2026", None, at("2026-04-13T00:00:00")),
            ("13/04/2026", Some(Mdy), Err(NoTime::Wrong)),
            ("12/25/2026 8:26", None, at("2026-12-25T08:26:00")),
            ("05/05/2026", None, at("2026-05-05T00:00:00")),
            ("soon", None, Err(NoTime::Wrong)),
            ("", None, Err(NoTime::Wrong)),
        ] {
            assert_eq!(Orders::new(order).read(text), expected, "{text} {order:?}");
        }
    }

    #[test]
    fn one_date_tells_the_order_of_all() {
        let mut orders = Orders::new(None);
        orders.learn("03/04/2026 8:00");
        assert_eq!(orders.read("03/04/2026 8:00"), Err(NoTime::Ambiguous));
        orders.learn("12/25/2026 8:00");
        assert_eq!(orders.read("03/04/2026 8:00"), at("2026-03-04T08:00:00"));
        orders.learn("2026-12-25");
        orders.learn("25/12/2026");
        assert_eq!(orders.read("03/04/2026"), Err(NoTime::Wrong), "a file with both orders has none");
    }
}
