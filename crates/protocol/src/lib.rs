//! What travels between Ordercast and its clients, and between its own parts.
//!
//! Frames, event bodies, channel names, positions, error and close codes, and the limits of the wire.
//! This crate knows no runtime, no HTTP library and no database: it turns values into bytes and back.
//!
//! Bodies are encoded once, when an event is written ([`event`]), and wrapped by concatenation for each
//! protocol ([`envelope`]); everything a client may send is parsed in [`frame`] and [`intake`].

pub mod action;
pub mod call;
pub mod centrifuge;
pub mod channel;
pub mod close;
pub mod envelope;
pub mod error;
pub mod event;
pub mod excerpt;
pub mod fields;
pub mod frame;
pub mod intake;
pub mod json;
pub mod limits;
pub mod nearest;
pub mod order;
pub mod position;
pub mod redaction;
pub mod redrive;
pub mod schedule;
pub mod topic;
