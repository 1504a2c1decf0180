//! Where connections come in: they are accepted, admitted, looked at, and handed to whoever answers.

pub(crate) mod acceptor;
pub(crate) mod admission;
pub(crate) mod echo;
pub(crate) mod front;
pub(crate) mod guard;
pub(crate) mod handshakes;
pub(crate) mod listener;
pub(crate) mod routes;
pub mod serve;

#[cfg(test)]
mod denial_tests;
