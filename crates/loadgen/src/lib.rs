//! Load from outside, over the public API only: benchmarks as ratios to a floor, and the torture test.
//!
//! A server is started from its binary ([`server`]), spoken to over HTTP ([`http`]) and WebSockets ([`socket`]),
//! and stopped by its own process id. [`torture`] kills it again and again and looks for anything lost;
//! [`bench`] measures what an order costs it. Everything is bounded in count and time, and stays on loopback.

pub mod bench;
pub mod dice;
pub mod failure;
pub mod http;
pub mod json;
pub mod orders;
pub mod server;
pub mod socket;
pub mod torture;
