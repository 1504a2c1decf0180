//! The write side: from a command to a durable commit, and from there to the broker.
//!
//! Every change goes through one door. [`Engine`] takes commands into a bounded queue ([`intake`]); one thread
//! ([`writer`]) commits whatever is queued as a batch ([`batch`], [`run`]), acknowledges every submitter and announces
//! the events. Workers ([`pool`]) claim and complete by commands like any other. The engine ends at the
//! broker: who listens is the hub's business.

mod batch;
pub mod catalogue;
pub mod encode;
mod engine;
mod external;
mod health;
mod ids;
pub mod intake;
mod outcome;
mod pausing;
mod pool;
pub mod processor;
pub mod retention;
mod run;
mod shared;
pub mod stats;
mod timers;
mod waiting;
mod writer;

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod time_tests;

pub use engine::{Engine, EngineParts};
pub use intake::{ClientKey, CommandError};
pub use shared::EngineConfig;
