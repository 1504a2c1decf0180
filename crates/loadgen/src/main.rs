//! The command line of the load generator.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use ordercast_loadgen::bench::{Bench, Effort};
use ordercast_loadgen::failure::LoadError;
use ordercast_loadgen::server::find_binary;
use ordercast_loadgen::torture::Torture;

/// Load for Ordercast, on this machine only. The server is the binary that ORDERCAST_BIN names, or `ordercast`
/// beside this program.
#[derive(Debug, Parser)]
#[command(name = "ordercast-loadgen", version)]
struct Cli {
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Kill the server at random moments under load, and look for anything lost
    Torture(TortureArgs),
    /// Measure what an order costs, as ratios to a floor of the same run
    Bench(BenchArgs),
}

#[derive(Debug, Args)]
struct BenchArgs {
    /// Only see whether everything works; the figures mean nothing
    #[arg(long)]
    quick: bool,
    /// A folder on the disk to measure [default: the system's folder for temporary files]
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct TortureArgs {
    /// Kills
    #[arg(long, value_name = "N", default_value_t = 200)]
    count: u64,
    /// Where chance begins
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Worker slots of the server
    #[arg(long, value_name = "N", default_value_t = 10)]
    workers: u32,
    /// Where the data directories are made [default: the system's folder for temporary files]
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("ordercast-loadgen: {error}");
            ExitCode::from(2)
        }
    }
}

/// Prints a line; whoever reads may have seen enough, and the run goes on.
fn tell(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Whether all is well.
fn run(command: Command) -> Result<bool, LoadError> {
    match command {
        Command::Bench(BenchArgs { quick, scratch }) => {
            let scratch = scratch.unwrap_or_else(std::env::temp_dir);
            let effort = if quick { Effort::QUICK } else { Effort::FULL };
            Bench { binary: find_binary()?, scratch, effort }.run(&mut tell)?;
            Ok(true)
        }
        Command::Torture(TortureArgs { count, seed, workers, scratch }) => {
            let scratch = scratch.unwrap_or_else(std::env::temp_dir);
            let torture = Torture { binary: find_binary()?, count, seed, workers, scratch };
            let report = torture.run(&mut tell)?;
            tell(&format!("\n{report}"));
            Ok(report.is_clean())
        }
    }
}
