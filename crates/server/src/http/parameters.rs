//! Values of addresses: of their paths and queries.

use std::ops::RangeInclusive;

use ordercast_protocol::channel::Channel;
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::excerpt::excerpt;

use crate::app::App;
use crate::problem::Problem;

/// A path or query that cannot even be taken apart.
pub(crate) fn bad_query(rejection: impl std::fmt::Display) -> Problem {
    Problem::new(ErrorCode::InvalidQuery, rejection.to_string())
}

/// A whole number of a query within its bounds, or the default.
pub(crate) fn number(
    name: &str,
    text: Option<&str>,
    default: u64,
    bounds: RangeInclusive<u64>,
) -> Result<u64, Problem> {
    let Some(text) = text else { return Ok(default) };
    // Rust reads a plus sign, too.
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u64>() {
        Ok(number) if is_plain && bounds.contains(&number) => Ok(number),
        _ => {
            let detail = format!("{name} must be a whole number from {} to {}", bounds.start(), bounds.end());
            Err(Problem::new(ErrorCode::InvalidQuery, detail))
        }
    }
}

/// The channels of a comma-separated list.
pub(crate) fn parse_channels(app: &App, names: &str) -> Result<Vec<Channel>, Problem> {
    let parse = |name: &str| {
        app.config
            .channels
            .resolve(name)
            .map_err(|error| Problem::new(ErrorCode::UnknownChannel, format!("{:?}: {error}", excerpt(name))))
    };
    names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(parse).collect()
}

/// The first value of a name in a query, percent-decoded.
pub(crate) fn query_value(query: Option<&str>, name: &str) -> Option<String> {
    let pair = query?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then_some(value)
    })?;
    let mut bytes = Vec::with_capacity(pair.len());
    let mut rest = pair.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = (byte == b'%').then(|| tail.get(..2)).flatten().and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &tail[2..];
            }
            None => {
                bytes.push(if byte == b'+' { b' ' } else { byte });
                rest = tail;
            }
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        for (query, value) in [
            (Some("channels=orders%2Cstats&x=1"), Some("orders,stats")),
            (Some("x=1&channels=a+b%zz"), Some("a b%zz")),
            (Some("channels"), Some("")),
            (Some("x=1"), None),
            (None, None),
        ] {
            assert_eq!(query_value(query, "channels").as_deref(), value, "{query:?}");
        }
    }
}
