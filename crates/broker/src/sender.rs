//! Who sent a message.

use std::sync::Arc;

/// The hub that sent a message: one run of one process. A hub ignores what it has sent itself, because it has
/// delivered that to its own subscribers already.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sender(pub Arc<str>);
