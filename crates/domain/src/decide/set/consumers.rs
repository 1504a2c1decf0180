//! Consumers of logs that a batch touches.

use std::collections::HashMap;
use std::sync::Arc;

use crate::consumer::Consumer;

/// What the store knows of consumers.
#[derive(Clone, Debug, Default)]
pub struct ConsumerSet {
    /// Those that were asked for, as far as they exist.
    pub by_name: HashMap<Arc<str>, Consumer>,
}
