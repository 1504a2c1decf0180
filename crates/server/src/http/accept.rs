//! What a client says it prefers: the headers `Accept` and `Accept-Encoding` (RFC 9110 §12.4.2, §12.5).

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

/// The highest weight, in thousandths.
pub(crate) const MOST: u16 = 1_000;

/// The weight that the headers of a name give to a member, in thousandths; `None` when they do not name it. Ranges such as
/// `*/*` and parameters other than `q` are passed over.
pub(crate) fn weight(headers: &HeaderMap, header: &HeaderName, name: &str) -> Option<u16> {
    headers.get_all(header).into_iter().filter_map(|value| weight_in(value, name)).max()
}

/// The same, of one header.
pub(crate) fn weight_in(value: &HeaderValue, name: &str) -> Option<u16> {
    value.to_str().ok()?.split(',').filter_map(|member| weight_of(member, name)).max()
}

fn weight_of(member: &str, name: &str) -> Option<u16> {
    let mut parts = member.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case(name) {
        return None;
    }
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    Some(quality.map_or(MOST, thousandths))
}

/// `0.25` is 250. What is no weight is the least one that still says yes.
fn thousandths(quality: &str) -> u16 {
    let parsed = quality.parse::<f32>().ok().filter(|quality| (0.0..=1.0).contains(quality));
    // At most 1,000.
    parsed.map_or(1, |quality| (quality * f32::from(MOST)).round() as u16)
}

#[cfg(test)]
mod tests {
    use hyper::header::ACCEPT;

    use super::*;

    #[test]
    fn weights_are_those_of_the_header() {
        for (accept, name, expected) in [
            ("text/html", "text/html", Some(1_000)),
            ("TEXT/HTML;q=0.5", "text/html", Some(500)),
            ("text/html;level=1;q=0.25, text/html;q=0.2", "text/html", Some(250)),
            ("gzip;q=0", "gzip", Some(0)),
            ("gzip;q=much", "gzip", Some(1)),
            ("*/*", "text/html", None),
            ("", "text/html", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(weight(&headers, &ACCEPT, name), expected, "{accept}");
        }
        assert_eq!(weight(&HeaderMap::new(), &ACCEPT, "text/html"), None);
    }
}
