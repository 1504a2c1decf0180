//! Times and spans as the protocol has them.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970.
pub(super) fn unix_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// A span for the wire.
pub(super) fn seconds(span: i64) -> u32 {
    u32::try_from(span.max(0)).unwrap_or(u32::MAX)
}
