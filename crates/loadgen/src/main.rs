//! The command line of the load generator.

mod cli;

use std::fmt::Display;
use std::io::{Read, Write};
use std::process::ExitCode;

use clap::Parser;
use ordercast_loadgen::bench::{Bench, Effort};
use ordercast_loadgen::failure::LoadError;
use ordercast_loadgen::floor::{doorkeeper, writer};
use ordercast_loadgen::loads::floor_process::READY;
use ordercast_loadgen::server::find_binary;
use ordercast_loadgen::target::allow_connections;
use ordercast_loadgen::torture::Torture;

use cli::{BenchArgs, Cli, Command, FloorArgs, TortureArgs};

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

/// Prints a line; the run goes on when the reader of the output has closed it.
fn tell(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Tells how a long run is getting on.
fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Tells what a load gave.
fn told(report: &impl Display, is_clean: bool) -> Result<bool, LoadError> {
    tell(&report.to_string());
    Ok(is_clean)
}

/// Whether all is well.
fn run(command: Command) -> Result<bool, LoadError> {
    match command {
        Command::Idle(args) => args.load()?.run(&mut note).and_then(|report| told(&report, report.is_clean())),
        Command::Fanout(args) => {
            let (load, effort) = args.load()?;
            load.run(&effort, &mut note).and_then(|report| told(&report, report.is_clean()))
        }
        Command::Resume(args) => args.load()?.run(&mut note).and_then(|report| told(&report, report.is_clean())),
        Command::Storm(args) => args.load()?.run(&mut note).and_then(|report| told(&report, report.is_clean())),
        Command::Chaos(args) => args.load()?.run(&mut note).and_then(|report| told(&report, report.is_clean())),
        Command::Hoard(args) => args.load()?.run(&mut note).and_then(|report| told(&report, report.is_clean())),
        Command::Orders(args) => args.load()?.run().and_then(|report| told(&report, true)),
        Command::Workers(args) => args.load()?.run(&mut note).and_then(|report| told(&report, report.is_clean())),
        Command::Worker(args) => args.process().run().map(|()| true),
        Command::Bench(BenchArgs { quick, scratch }) => {
            let scratch = scratch.unwrap_or_else(std::env::temp_dir);
            let effort = if quick { Effort::QUICK } else { Effort::FULL };
            let floor = Some(std::env::current_exe()?);
            Bench { binary: find_binary()?, scratch, floor, effort }.run(&mut tell)?;
            Ok(true)
        }
        Command::Peers(args) => args.load()?.run(&mut note).and_then(|report| told(&report, true)),
        Command::Torture(TortureArgs { count, seed, workers, scratch }) => {
            let scratch = scratch.unwrap_or_else(std::env::temp_dir);
            let torture = Torture { binary: find_binary()?, count, seed, workers, scratch };
            let report = torture.run(&mut tell)?;
            told(&format_args!("\n{report}"), report.is_clean())
        }
        Command::Floor(FloorArgs { sockets, door }) => {
            allow_connections(sockets)?;
            end_with_stdin();
            let ready = &mut |port| tell(&format!("{READY}{port}"));
            if door { doorkeeper::serve(ready) } else { writer::serve(sockets, ready) }.map(|()| true)
        }
    }
}

/// Ends this process when its parent closes its standard input, or is gone.
fn end_with_stdin() {
    std::thread::spawn(|| {
        let mut byte = [0];
        while matches!(std::io::stdin().read(&mut byte), Ok(1..)) {}
        std::process::exit(0);
    });
}
