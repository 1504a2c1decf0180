//! Load from outside, over the public API only: benchmarks as ratios to a floor, loads that look for anything lost,
//! and the torture test.
//!
//! A server is started from its binary ([`server`], [`target`]), spoken to over HTTP ([`http`]) and WebSockets
//! ([`socket`] for one, [`client`] for thousands), and stopped by its own process id. [`torture`] kills it again and
//! again and looks for anything lost, [`workers`] does so to worker processes; [`bench`] measures what an order costs it; [`loads`] are what many clients do
//! to it. Everything is bounded in count and time, and stays on loopback.

pub mod bench;
pub mod client;
pub mod closed_loop;
pub mod dice;
pub mod failure;
pub mod floor;
pub mod http;
pub mod json;
pub mod loads;
pub mod measure;
pub mod one_socket;
pub mod open_loop;
pub mod orders;
pub mod server;
pub mod socket;
pub mod target;
pub mod torture;
pub mod workers;
