//! The ordercast binary: the command line, the settings, and the wiring of the parts.

mod api;
mod cli;
mod config;
mod demo;
mod encoding;
mod exact;
mod failure;
mod import;
mod interrupt;
mod log;
mod node;
mod orders;
mod products;
mod progress;
mod serve;
mod settings_commands;
mod terminal;
mod verify;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use cli::{Cli, Command, ConfigCommand, DemoCommand, OrdersCommand, ProductsCommand};
use failure::Failure;

/// Gives memory back to the system after a peak, which the C library's allocator does not; see docs/benchmarks.md.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(failure) => {
            if !failure.message.is_empty() {
                for line in failure.message.lines() {
                    eprintln!("ordercast: {}", terminal::visible(line));
                }
            }
            ExitCode::from(failure.code)
        }
    }
}

fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Serve(args) => {
            let settings = settings_commands::resolve(&args.settings)?.settings;
            return Ok(serve::run(&settings, args.new_epoch));
        }
        Command::Import(args) => import::run(&args.send, None)?,
        Command::Replay(args) => import::run(&args.send, Some(args.speed))?,
        Command::Products(args) => match args.command {
            ProductsCommand::Import(args) => products::import(&args)?,
        },
        Command::Orders(args) => match args.command {
            OrdersCommand::List(args) => orders::list(&args)?,
            OrdersCommand::Show(args) => orders::show(&args)?,
            OrdersCommand::Retry(args) => orders::retry(&args)?,
            OrdersCommand::Watch(args) => orders::watch(&args)?,
        },
        Command::Verify(args) => verify::run(&settings_commands::resolve_for_verify(&args)?.settings.data_dir)?,
        Command::Demo(args) => match args.command {
            DemoCommand::Purge(args) => {
                demo::purge::run(&settings_commands::resolve_for_verify(&args)?.settings.data_dir)?
            }
        },
        Command::CheckConfig(flags) => settings_commands::check(&flags)?,
        Command::Config(args) => match args.command {
            ConfigCommand::Reference => settings_commands::reference()?,
            ConfigCommand::Show { origin, flags } => settings_commands::show(&flags, origin)?,
        },
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "ordercast", &mut script);
            std::io::stdout().write_all(&script)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
