//! The plain JSON protocol of `/ws`.

pub(crate) mod endpoint;
pub mod handler;
pub(crate) mod history;
mod permission;
pub(crate) mod snapshot;
