//! What a consumer does with events.

use std::future::Future;
use std::pin::Pin;

use ordercast_protocol::position::Epoch;
use ordercast_store::log::StoredEvent;

/// Why a handler could not do its work; it is tried again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HandlerError(pub String);

/// The end of a handler's work.
pub type HandlerFuture<'a> = Pin<Box<dyn Future<Output = Result<(), HandlerError>> + Send + 'a>>;

/// Events that can never be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
    /// Retention removed events before they were read: those above `after`, up to `floor`.
    Removed {
        /// The last offset that was handled.
        after: u64,
        /// The last offset that is gone.
        floor: u64,
    },
    /// The log began another life, such as by a backup that was put back. What was handled of the old one may not be in it.
    /// Delivery goes on with the first event that it has.
    Replaced {
        /// The life that the cursor belonged to.
        before: Epoch,
        /// The log's life now.
        now: Epoch,
    },
}

/// Does the work of a consumer.
///
/// A future may be dropped before it ends: when the lease was lost, or the process stops. What it was given is delivered
/// again, here or on another node.
pub trait Handler: Send + 'static {
    /// Handles consecutive events, by rising offset; never empty. Some of them may have been handled before.
    fn handle<'a>(&'a mut self, events: &'a [StoredEvent]) -> HandlerFuture<'a>;

    /// Accepts that events are missing, such as by building its state anew. Delivery goes on after it.
    fn on_gap<'a>(&'a mut self, gap: &'a Gap) -> HandlerFuture<'a>;
}
