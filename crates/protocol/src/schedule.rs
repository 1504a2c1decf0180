//! Times of schedules: with an offset, or local in a time zone.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::json::parse_instant;

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
