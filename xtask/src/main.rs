//! Command line of the chores; see the library for what they do.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use xtask::project::Project;
use xtask::rules;

const USAGE: &str = "usage: cargo xtask tidy    hold the sources to the house limits";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [command] if command == "tidy" => tidy(),
        _ => Err(USAGE.into()),
    };
    outcome.unwrap_or_else(|error| {
        // Nothing is left to do when even the error cannot be written.
        let _ = writeln!(io::stderr(), "{error}");
        ExitCode::from(2)
    })
}

/// Prints one line per finding; fails when there is any.
fn tidy() -> Result<ExitCode, Box<dyn Error>> {
    let project = Project::of_current_workspace()?;
    let findings = rules::check_all(&project);
    let mut out = io::stdout().lock();
    for finding in &findings {
        writeln!(out, "{finding}")?;
    }
    writeln!(
        io::stderr(),
        "tidy: {} findings in {} packages, {} Rust files, {} files in all",
        findings.len(),
        project.packages.len(),
        project.sources.len(),
        project.files.len(),
    )?;
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
