//! Why a run could not go on: neither a figure nor a finding.

use std::fmt;
use std::io;

/// What went wrong, for people.
#[derive(Debug)]
pub struct LoadError(String);

impl LoadError {
    /// An error with its message.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LoadError {}

impl From<io::Error> for LoadError {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}
