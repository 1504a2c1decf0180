//! How a command ends when it does not end well.

use std::io;

/// Something was found or something failed.
pub(crate) const FAILED: u8 = 1;
/// The command line or the settings are wrong.
pub(crate) const USAGE: u8 = 2;
/// The store failed (`EX_IOERR` of sysexits.h).
pub(crate) const STORE_FAILED: u8 = 74;
/// Another process has the data directory; a retry later may help (`EX_TEMPFAIL` of sysexits.h).
pub(crate) const IN_USE: u8 = 75;

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The exit code of the process.
    pub code: u8,
    /// What is wrong, where, and how to mend it; empty when everything has been said.
    pub message: String,
}

impl Failure {
    /// A failure with exit code [`FAILED`].
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { code: FAILED, message: message.into() }
    }

    /// A wrong command line or setting.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, message: message.into() }
    }

    /// Problems were found, and they are in the output already.
    pub(crate) fn told() -> Self {
        Self { code: FAILED, message: String::new() }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            // The program that read the output has seen enough, as `head` does.
            return Self { code: 0, message: String::new() };
        }
        Self::new(format!("cannot write the output: {error}"))
    }
}
