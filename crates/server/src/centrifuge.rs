//! The Centrifuge client protocol: every Centrifuge SDK can connect.
//!
//! [`endpoints`] opens transports. [`handler`] is one client's conversation on any of them: it takes commands in
//! their order, and each kind has a file of its own. What a client may do is decided by the
//! policy, as for every entrance. Other parts of the server reach sessions by a [`signal`].

pub(crate) mod endpoints;

mod handler;
mod stage;

mod begun;
mod connect;
mod history;
mod presence;
mod publish;
mod rpc;
mod subscribe;
mod subscription;

mod heartbeat;
mod refusal;

pub(crate) mod signal;

pub(crate) use history::read_history;
pub(crate) use presence::{read_presence, read_presence_stats};
