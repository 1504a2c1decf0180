//! From the command line to settings: `check-config`, `config show`, and what `serve` and `verify` start with.

use std::io::{self, Write};

use crate::cli::{SettingFlags, VerifyArgs};
use crate::config::{self, Resolved, Sources};
use crate::failure::{Failure, USAGE};

/// Resolves the settings of this process from flags, environment and file.
///
/// # Errors
/// [`USAGE`] with every problem on a line of its own.
pub(crate) fn resolve(flags: &SettingFlags) -> Result<Resolved, Failure> {
    refuse_what_is_not_built(flags)?;
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let sources = Sources { file: flags.config.clone(), environment, flags: words(flags) };
    let resolved = config::resolve(&sources).map_err(|errors| Failure { code: USAGE, message: errors.to_string() })?;
    for warning in &resolved.warnings {
        eprintln!("ordercast: warning: {warning}");
    }
    Ok(resolved)
}

/// The settings' part that `verify` needs.
///
/// # Errors
/// As [`resolve`].
pub(crate) fn resolve_for_verify(args: &VerifyArgs) -> Result<Resolved, Failure> {
    resolve(&SettingFlags { config: args.config.clone(), data_dir: args.data_dir.clone(), ..SettingFlags::default() })
}

fn refuse_what_is_not_built(flags: &SettingFlags) -> Result<(), Failure> {
    for (flag, is_given, what) in [
        ("--database-url", flags.database_url.is_some(), "SQLite in --data-dir"),
        ("--broker-url", flags.broker_url.is_some(), "the in-process broker, for a single node"),
    ] {
        if is_given {
            return Err(Failure::usage(format!(
                "{flag} is not supported by this build, which has only {what}; leave it out"
            )));
        }
    }
    Ok(())
}

fn words(flags: &SettingFlags) -> Vec<(&'static str, String)> {
    let demo = flags.demo.then(|| "true".to_owned());
    let echo = flags.echo.then(|| "true".to_owned());
    let insecure_open = flags.insecure_open.then(|| "true".to_owned());
    [
        ("--listen", &flags.listen),
        ("--data-dir", &flags.data_dir),
        ("--workers", &flags.workers),
        ("--intake", &flags.intake),
        ("--limits", &flags.limits),
        ("--currency", &flags.currency),
        ("--max-connections", &flags.max_connections),
        ("--demo", &demo),
        ("--demo-rate", &flags.demo_rate),
        ("--demo-seed", &flags.demo_seed),
        ("--echo", &echo),
        ("--insecure-open", &insecure_open),
        ("--log", &flags.log),
    ]
    .into_iter()
    .filter_map(|(flag, word)| Some((flag, word.clone()?)))
    .collect()
}

/// `ordercast check-config`.
///
/// # Errors
/// As [`resolve`].
pub(crate) fn check(flags: &SettingFlags) -> Result<(), Failure> {
    let resolved = resolve(flags)?;
    let file = resolved.file.map_or_else(|| "no configuration file".to_owned(), |file| file.display().to_string());
    let set = resolved.origins.0.iter().filter(|setting| setting.origin != config::Origin::Default).count();
    writeln!(io::stdout(), "ok: {file}; {set} of {} settings are set", resolved.origins.0.len())?;
    Ok(())
}

/// `ordercast config reference`.
///
/// # Errors
/// When the output cannot be written.
pub(crate) fn reference() -> Result<(), Failure> {
    let defaults = config::defaults().map_err(|errors| Failure::usage(errors.to_string()))?;
    write!(io::stdout(), "{}", config::markdown(&defaults.0))?;
    Ok(())
}

/// `ordercast config show`.
///
/// # Errors
/// As [`resolve`].
pub(crate) fn show(flags: &SettingFlags, with_origin: bool) -> Result<(), Failure> {
    let resolved = resolve(flags)?;
    let mut out = io::stdout().lock();
    let settings = resolved.origins.0.iter().map(|setting| (format!("{} = {}", setting.name, setting.value), setting));
    let settings: Vec<_> = settings.collect();
    let width = settings.iter().map(|(text, _)| text.chars().count()).max().unwrap_or(0);
    for (text, setting) in &settings {
        if with_origin {
            writeln!(out, "{text:width$}  # {}", setting.origin)?;
        } else {
            writeln!(out, "{text}")?;
        }
    }
    Ok(())
}
