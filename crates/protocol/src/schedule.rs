//! Times of schedules: with an offset, or local in a time zone.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::json::parse_instant;

/// A calendar day in a time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// Its date, such as `2026-03-01`.
    pub date: String,
    /// Its first instant, in milliseconds since 1970.
    pub start_ms: i64,
    /// The first instant of the next day, in milliseconds since 1970.
    pub end_ms: i64,
}

/// Whether a text is the IANA name of a time zone.
pub fn is_time_zone(name: &str) -> bool {
    TimeZone::get(name).is_ok()
}

/// The day of an instant, in milliseconds since 1970, in a time zone by its IANA name; in UTC when there is no such zone.
pub fn day_of(unix_ms: i64, zone: &str) -> Day {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let at = Timestamp::from_millisecond(unix_ms).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone);
    // Only at the ends of the years that are known there is no such day.
    let start = at.start_of_day().unwrap_or_else(|_| at.clone());
    let end = at.tomorrow().and_then(|next| next.start_of_day()).unwrap_or_else(|_| at.clone());
    let ms = |at: &Zoned| at.timestamp().as_millisecond();
    Day { date: at.date().to_string(), start_ms: ms(&start), end_ms: ms(&end) }
}

/// Reads a time, in milliseconds since 1970: RFC 3339 with an offset, or local time and the IANA name of its zone. A
/// local time that a change of clocks skips is taken as much later as the clocks jump; one that comes twice is taken the
/// first time (RFC 5545 §3.3.5). An error tells whether it is the zone's, and what is wrong.
pub(crate) fn instant_of(text: &str, zone: Option<&str>) -> Result<i64, (bool, String)> {
    let instant = parse_instant(text);
    let Some(zone) = zone else {
        let detail = "must be an RFC 3339 time such as 2026-03-01T09:00:00+01:00, or local with a time_zone";
        return instant.ok_or_else(|| (false, detail.to_owned()));
    };
    if instant.is_some() {
        return Err((
            false,
            "has an offset; with a time_zone it must be local, such as 2026-03-01T09:00:00".to_owned(),
        ));
    }
    let local: DateTime =
        text.parse().map_err(|_| (false, "must be a local time such as 2026-03-01T09:00:00".to_owned()))?;
    let zone = TimeZone::get(zone).map_err(|_| (true, "must be an IANA time zone such as Europe/Berlin".to_owned()))?;
    let zoned = local.to_zoned(zone).map_err(|_| (false, "lies outside the years that are known".to_owned()))?;
    Ok(zoned.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_as_long_as_their_zone_has_them() {
        for (at, zone, date, start, hours) in [
            ("2026-03-01T23:30:00Z", "UTC", "2026-03-01", "2026-03-01T00:00:00Z", 24),
            ("2026-03-01T23:30:00Z", "Europe/Berlin", "2026-03-02", "2026-03-01T23:00:00Z", 24),
            ("2026-03-29T12:00:00Z", "Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00Z", 23),
            ("2026-10-25T12:00:00Z", "Europe/Berlin", "2026-10-25", "2026-10-24T22:00:00Z", 25),
            ("2026-03-01T00:00:00Z", "Nowhere", "2026-03-01", "2026-03-01T00:00:00Z", 24),
        ] {
            let start_ms = parse_instant(start).unwrap();
            let day = Day { date: date.to_owned(), start_ms, end_ms: start_ms + hours * 3_600_000 };
            assert_eq!(day_of(parse_instant(at).unwrap(), zone), day, "{at} {zone}");
        }
    }

    #[test]
    fn times_have_an_offset_or_a_zone() {
        let (berlin, kathmandu) = (Some("Europe/Berlin"), Some("Asia/Kathmandu"));
        for (text, zone, expected) in [
            ("2026-03-01T09:00:00+01:00", None, Ok("2026-03-01T08:00:00Z")),
            ("2026-03-01T09:00:00", None, Err(false)),
            ("2026-03-01T09:00:00", berlin, Ok("2026-03-01T08:00:00Z")),
            ("2026-07-01T09:00", berlin, Ok("2026-07-01T07:00:00Z")),
            ("2026-07-01T09:00:00", kathmandu, Ok("2026-07-01T03:15:00Z")),
            // Clocks jump from 2 to 3, and back from 3 to 2.
            ("2026-03-29T02:30:00", berlin, Ok("2026-03-29T01:30:00Z")),
            ("2026-10-25T02:30:00", berlin, Ok("2026-10-25T00:30:00Z")),
            ("2026-03-01T09:00:00+01:00", berlin, Err(false)),
            ("2026-03-01T09:00:00", Some("Europe/Nowhere"), Err(true)),
            ("soon", berlin, Err(false)),
        ] {
            let expected = expected.map(|instant| parse_instant(instant).unwrap());
            assert_eq!(instant_of(text, zone).map_err(|(is_zone, _)| is_zone), expected, "{text} {zone:?}");
        }
    }
}
