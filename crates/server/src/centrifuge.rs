//! The Centrifuge client protocol: every Centrifuge SDK can connect.
//!
//! [`endpoints`] opens transports. [`handler`] is one client's conversation on any of them: it takes commands in
//! their order, and each kind has a module of its own that works on the [`client`]. What a client may do is decided by the
//! policy, as for every entrance. Other parts of the server reach clients by a [`signal`].

pub(crate) mod endpoints;

mod handler;

mod client;
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
mod times;

pub(crate) mod signal;

pub(crate) use history::read_history;
pub(crate) use presence::{read_presence, read_presence_stats};
