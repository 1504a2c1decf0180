//! Settings, resolved once at the start: default < file < environment < flag.
//!
//! [`Settings`] is what the rest of the program sees: plain values, already checked. Where each came from is
//! kept beside it in [`Origins`] for `ordercast config show` and for messages. Every problem is reported, not
//! only the first, with its place and the nearest name that exists.

mod access;
mod definitions;
mod demo;
mod document;
mod layers;
mod origin;
mod readable;
mod reference;
mod retention;
mod settings;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(crate) use demo::{WAVE_HEIGHT, WORK};
pub(crate) use origin::{Origin, Origins};
pub(crate) use reference::markdown;
pub(crate) use settings::{AuthMode, DemoSettings, Settings};

/// The file that is read when no other is named, if it exists.
const DEFAULT_FILE: &str = "ordercast.toml";
/// Names the file in the environment.
const FILE_VARIABLE: &str = "ORDERCAST_CONFIG";

/// Where settings are looked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    /// The file named by `--config`.
    pub file: Option<PathBuf>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// Flags by name, such as `--listen`.
    pub flags: Vec<(&'static str, String)>,
}

/// Settings and how they came about.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    /// The settings.
    pub settings: Settings,
    /// Each setting with its value and where it came from.
    pub origins: Origins,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
    /// What is odd but no error.
    pub warnings: Vec<String>,
}

/// Everything that is wrong with the settings, each with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConfigErrors(pub Vec<String>);

impl std::fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

/// Resolves the settings.
///
/// # Errors
/// [`ConfigErrors`] when the file cannot be read or any setting is unknown, of a wrong type or out of bounds.
pub(crate) fn resolve(sources: &Sources) -> Result<Resolved, ConfigErrors> {
    let file = file_of(sources);
    let document = match &file {
        None => document::Document::default(),
        Some(path) => document::Document::parse(&path.display().to_string(), &read(path)?)?,
    };
    let mut layers = layers::Layers::new(document, &sources.environment, &sources.flags);
    let settings = definitions::settings(&mut layers);
    let (origins, warnings) = layers.finish()?;
    Ok(Resolved { settings, origins, file, warnings })
}

/// All settings as they are when nobody sets any.
///
/// # Errors
/// None, unless a default breaks a bound of its own setting.
pub(crate) fn defaults() -> Result<Origins, ConfigErrors> {
    let environment = BTreeMap::new();
    let mut layers = layers::Layers::new(document::Document::default(), &environment, &[]);
    definitions::settings(&mut layers);
    layers.finish().map(|(origins, _)| origins)
}

fn file_of(sources: &Sources) -> Option<PathBuf> {
    let named = sources.file.clone();
    let from_environment = || sources.environment.get(FILE_VARIABLE).filter(|name| !name.is_empty()).map(PathBuf::from);
    let default = || Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists());
    named.or_else(from_environment).or_else(default)
}

fn read(path: &Path) -> Result<String, ConfigErrors> {
    std::fs::read_to_string(path).map_err(|error| {
        ConfigErrors(vec![format!(
            "cannot read the configuration file {}: {error}; name another with --config or {FILE_VARIABLE}",
            path.display()
        )])
    })
}

#[cfg(test)]
mod tests;
