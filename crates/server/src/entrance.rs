//! Accepts and admits connections, checks each request, and passes it to the room that answers it.

pub(crate) mod acceptor;
pub(crate) mod admission;
pub(crate) mod base_path;
pub(crate) mod cors;
pub(crate) mod echo;
pub(crate) mod front;
pub(crate) mod guard;
pub(crate) mod handshakes;
pub(crate) mod listener;
pub(crate) mod routes;
pub mod serve;

#[cfg(test)]
mod denial_tests;
