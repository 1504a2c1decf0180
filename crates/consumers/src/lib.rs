//! Durable readers of logs.
//!
//! A *consumer* has a name, reads one log or a view of it, and keeps its cursor in the store. Of many nodes that run the same
//! consumer one at a time is its owner, by a lease; the next takes over when the lease has ended. Events are delivered in
//! order and at least once: the cursor moves after the [`Handler`] has done its work, so events whose owner died in between
//! come again, and a handler must be able to bear that.
//!
//! Nothing is passed over silently: a handler is asked to accept each [`Gap`], and a consumer whose handler fails for good
//! ends with [`Ended::GaveUp`].
//!
//! Cursors and leases are written through [`Cursors`], which the binary implements with the engine's commands; this crate
//! knows the read half of the store alone. [`conformance`] is the suite for it.
//!
//! To add a consumer: implement [`Handler`], and start a [`Consumer`] with a name that no other has.

pub mod conformance;
mod consumer;
mod cursors;
mod handler;
mod lease;
mod settings;

pub use consumer::{Consumer, Ended, Running};
pub use cursors::{CursorError, CursorFuture, Cursors};
pub use handler::{Gap, Handler, HandlerError, HandlerFuture};
pub use settings::{ConsumerSettings, Retries, StartAt};
