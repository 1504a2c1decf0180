//! The plain JSON protocol of `/ws`.

pub(crate) mod endpoint;
pub(crate) mod history;
mod permission;
pub mod session;
pub(crate) mod snapshot;
