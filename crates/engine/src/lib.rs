//! The write side: from a command to a durable commit, and from there to the broker.
//!
//! Every change goes through one door. [`Engine`] takes commands into a bounded queue ([`intake`]); one thread
//! ([`writer`]) commits whatever is queued as a batch ([`batch`], [`pass`]), acknowledges every submitter and announces
//! the events. [`command`] has one file for each command. Workers ([`pool`]) claim and complete by commands like any other. The engine ends at the
//! broker: who listens is the hub's business.

mod batch;
pub mod catalogue;
mod command;
mod commit;
mod decided;
pub mod encode;
mod engine;
mod events;
mod health;
mod ids;
mod intake;
mod leases;
mod node;
mod parking;
mod pass;
mod pool;
pub mod processor;
pub mod retention;
mod shared;
pub mod stats;
mod timers;
mod waiting;
mod writer;

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod time_tests;

pub use command::{Adjusted, Changed, Claim, Claimed, CommandError, Placed, Renewed, Reply, Report};
pub use engine::{Engine, EngineParts};
pub use shared::EngineConfig;
