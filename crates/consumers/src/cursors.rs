//! How cursors and leases are written.

use std::future::Future;
use std::pin::Pin;

use ordercast_domain::consumer::{Acquire, Acquired, MoveCursor};

/// Why a cursor was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// The consumer has another owner by now: the node that asked must stop reading.
    #[error("another node reads for this consumer now")]
    Fenced,
    /// It makes no sense, and never will.
    #[error("{0}")]
    Refused(String),
    /// It may or may not have been written; it can be tried again.
    #[error("the cursor could not be written: {0}")]
    Unavailable(String),
}

/// The answer, once it is durable.
pub type CursorFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, CursorError>> + Send + 'a>>;

/// Writes cursors and leases, by the rules of [`ordercast_domain::decide`] and the steady time of the store.
///
/// # Errors
/// Every call fails as [`CursorError`] says.
pub trait Cursors: Send + Sync + 'static {
    /// Makes a node the owner of a consumer, unless another one is.
    fn acquire(&self, wish: Acquire) -> CursorFuture<'_, Acquired>;

    /// Moves the cursor of a consumer on, renews the lease or gives it back.
    fn advance(&self, step: MoveCursor) -> CursorFuture<'_, ()>;
}
