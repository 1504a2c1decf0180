//! The server about itself: health, counts, metrics and the tick of each second.

pub(crate) mod metrics;
pub(crate) mod observe;
pub(crate) mod ticker;
