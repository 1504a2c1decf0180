//! What a store must do, without saying how.
//!
//! Two halves: [`write::WriteStore`] is one call, the group commit; [`log::ReadLogs`] and
//! [`read::ReadStore`] are what readers live on. [`model`] is the store in memory that the drivers are
//! compared with, and [`conformance`] is the suite that every one of them passes.
//!
//! State is kept by *aggregate*: orders, queue, catalogue, money, work, consumers, logs. To add one:
//!
//! 1. write `write/NAME.rs`: its keys (what a batch loads of it) and its writes (what a batch changes), each with its field in
//!    [`write::Keys`] and [`write::Writes`];
//! 2. write `decide/set/NAME.rs` in the domain, with its field in
//!    [`WorkingSet`](ordercast_domain::decide::WorkingSet), and what decides on it;
//! 3. keep it in [`model`], and write `conformance/NAME.rs`: what every store must do with it;
//! 4. write `writer/NAME.rs` in each driver, and its migration.
//!
//! The places that name every aggregate destructure, so that the compiler points at each one that is missing. No aggregate
//! needs a change in the file of another.

pub mod clock;
pub mod conformance;
pub mod log;
pub mod model;
pub mod read;
pub mod search;
pub mod verify;
pub mod write;

/// Why a store could not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Reading or writing failed.
    #[error("the store failed: {0}")]
    Failed(String),
    /// What was read is not what was written.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// An event is not what was written. What is before and behind it can be read.
    #[error("event {offset} of {log} is damaged: its checksum does not match its body; `ordercast verify` lists all")]
    DamagedEvent {
        /// Name of the log.
        log: &'static str,
        /// Its place in the log.
        offset: u64,
    },
    /// Another process has the store.
    #[error("the store is in use: {0}")]
    InUse(String),
    /// Too many reads wait already; try again a little later.
    #[error("the store is busy: too many reads wait")]
    Busy,
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}
