//! `ordercast verify`.

use crate::terminal::Visible;
use std::io::{self, Write};
use std::path::Path;

use ordercast_store::StoreError;

use crate::failure::{Failure, IN_USE, STORE_FAILED};

/// Checks the store of a data directory and says what it found.
///
/// # Errors
/// Exit code 1 when something is wrong in the store, 75 when a server has it, 74 when it cannot be read.
pub(crate) fn run(data_dir: &Path) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let report = ordercast_store_sqlite::verify::verify(data_dir, |check| eprintln!("checking {check} …"))
        .map_err(|error| failure_of(&error))?;
    write!(Visible(&mut out), "{report}")?;
    if report.is_clean() {
        writeln!(out, "{} is clean", data_dir.display())?;
        return Ok(());
    }
    let problems: usize = report.findings.iter().map(|finding| finding.problems.len()).sum();
    writeln!(out, "{} has {problems} problems; keep a copy of it before you do anything else", data_dir.display())?;
    Err(Failure::told())
}

fn failure_of(error: &StoreError) -> Failure {
    let code = if matches!(error, StoreError::InUse(_)) { IN_USE } else { STORE_FAILED };
    Failure { code, message: error.to_string() }
}
