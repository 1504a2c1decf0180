//! Orders and the rules they follow, as pure functions.
//!
//! State, command, time and ids come in; changes or a refusal come out. Nothing here reads a clock, draws a
//! random number, touches a disk or waits. [`decide`] is the entrance: one function a command over the
//! [`decide::WorkingSet`] that the store loaded.

pub mod adjustment;
pub mod consumer;
pub mod decide;
pub mod draft;
pub mod ids;
pub mod lease;
pub mod money;
pub mod order;
pub mod pause;
pub mod product;
pub mod rules;
pub mod status;
pub mod transition;

/// A field of a command that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer (RFC 6901) to the field.
    pub pointer: String,
    /// What is wrong and what would be right.
    pub detail: String,
}

impl Violation {
    /// Names a field and what is wrong with it.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}
