//! The four sources of settings, read by name, the strongest first, with every problem gathered.

use std::collections::BTreeMap;

use super::ConfigErrors;
use super::document::Document;
use super::origin::{Origin, Origins, SettingOrigin};
use super::readable::{Raw, Readable};

/// A setting's names in the sources.
#[derive(Clone, Debug)]
pub(super) struct Name {
    file: String,
    environment: Option<&'static str>,
    flag: Option<&'static str>,
}

/// A setting by its dotted name in the file.
pub(super) fn setting(file: impl Into<String>) -> Name {
    Name { file: file.into(), environment: None, flag: None }
}

impl Name {
    pub(super) fn environment(self, name: &'static str) -> Self {
        Self { environment: Some(name), ..self }
    }

    pub(super) fn flag(self, name: &'static str) -> Self {
        Self { flag: Some(name), ..self }
    }
}

/// The sources, and what reading them brought to light.
pub(super) struct Layers<'a> {
    document: Document,
    environment: &'a BTreeMap<String, String>,
    flags: &'a [(&'static str, String)],
    origins: Origins,
    errors: Vec<String>,
    warnings: Vec<String>,
}

impl<'a> Layers<'a> {
    pub(super) fn new(
        document: Document,
        environment: &'a BTreeMap<String, String>,
        flags: &'a [(&'static str, String)],
    ) -> Self {
        Self { document, environment, flags, origins: Origins::default(), errors: Vec::new(), warnings: Vec::new() }
    }

    /// Reads a setting: the strongest source that has it, or the default. A value of a wrong type or one that
    /// `check` refuses is noted, and the default stands in for it until [`Layers::finish`] refuses all.
    pub(super) fn read<T: Readable>(
        &mut self,
        name: Name,
        default: T,
        check: impl FnOnce(&T) -> Result<(), String>,
    ) -> T {
        let (value, origin) = match self.find(&name) {
            None => (default, Origin::Default),
            Some((raw, place, origin)) => match T::read(&raw) {
                None => {
                    let what = raw.describe();
                    self.errors.push(format!("{place}: `{}` must be {}, not {what}", name.file, T::WANTED));
                    (default, origin)
                }
                Some(value) => {
                    if let Err(problem) = check(&value) {
                        self.errors.push(format!("{place}: `{}` is {}: {problem}", name.file, value.show()));
                    }
                    (value, origin)
                }
            },
        };
        let Name { file, environment, flag } = name;
        self.origins.0.push(SettingOrigin { name: file, value: value.show(), origin, environment, flag });
        value
    }

    fn find(&self, name: &Name) -> Option<(Raw, String, Origin)> {
        let flag = name.flag.and_then(|flag| self.flags.iter().find(|(given, _)| *given == flag));
        if let Some((flag, word)) = flag {
            let origin = Origin::Flag(flag);
            return Some((Raw::Word(word.clone()), origin.to_string(), origin));
        }
        if let Some((variable, word)) = name.environment.and_then(|variable| self.variable(variable)) {
            let origin = Origin::Environment(variable.to_owned());
            return Some((Raw::Word(word.to_owned()), origin.to_string(), origin));
        }
        let entry = self.document.entries.get(&name.file)?;
        Some((entry.raw.clone(), entry.value_place.clone(), Origin::File(entry.line_place.clone())))
    }

    /// A variable of the environment; an empty one counts as not set.
    pub(super) fn variable(&self, name: &'static str) -> Option<(&'static str, &'a str)> {
        self.environment.get(name).filter(|word| !word.is_empty()).map(|word| (name, word.as_str()))
    }

    /// The next part of the names in the file that begin with `prefix`.
    pub(super) fn keys_below(&self, prefix: &str) -> Vec<String> {
        let below = self.document.entries.keys().filter_map(|name| name.strip_prefix(prefix));
        let mut keys: Vec<_> = below.filter_map(|rest| Some(rest.split_once('.')?.0.to_owned())).collect();
        keys.dedup();
        keys
    }

    /// As [`Layers::keys_below`], with tables that set nothing.
    pub(super) fn tables_below(&self, prefix: &str) -> Vec<String> {
        let is_empty_table = |raw: &Raw| matches!(raw, Raw::Other("a table"));
        let empty = self.document.entries.iter().filter(|(_, entry)| is_empty_table(&entry.raw));
        let empty = empty.filter_map(|(name, _)| name.strip_prefix(prefix)).filter(|rest| !rest.contains('.'));
        let mut names: Vec<_> = self.keys_below(prefix).into_iter().chain(empty.map(str::to_owned)).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Where a setting came from; default for one that was not read yet.
    pub(super) fn origin(&self, name: &str) -> Origin {
        self.origins.of(name).clone()
    }

    /// Notes that a setting has another value than its own sources gave it.
    pub(super) fn replace(&mut self, name: &str, value: &impl Readable, origin: Origin) {
        if let Some(setting) = self.origins.0.iter_mut().find(|setting| setting.name == name) {
            (setting.value, setting.origin) = (value.show(), origin);
        }
    }

    /// Notes a problem of a setting that only shows beside others.
    pub(super) fn refuse(&mut self, name: &str, problem: &str) {
        let origin = self.origin(name);
        self.errors.push(format!("{origin}: `{name}` {problem}"));
    }

    pub(super) fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// Refuses what the file sets and nobody read, and every problem noted.
    pub(super) fn finish(mut self) -> Result<(Origins, Vec<String>), ConfigErrors> {
        let known: Vec<_> = self.origins.0.iter().map(|setting| setting.name.clone()).collect();
        for (name, entry) in &self.document.entries {
            let is_empty_table = matches!(entry.raw, Raw::Other("a table"));
            let is_table = known.iter().any(|known| known.starts_with(&format!("{name}.")));
            if known.contains(name) || (is_empty_table && is_table) {
                continue;
            }
            let place = &entry.key_place;
            self.errors.push(match nearest(name, &known) {
                _ if is_table => format!("{place}: `{name}` is a group of settings: write it as a table, [{name}]"),
                Some(known) => format!("{place}: unknown setting `{name}`; did you mean `{known}`?"),
                None => {
                    format!("{place}: unknown setting `{name}`; `ordercast config show` lists those that exist")
                }
            });
        }
        if self.errors.is_empty() { Ok((self.origins, self.warnings)) } else { Err(ConfigErrors(self.errors)) }
    }
}

/// The known name that is most like `name`, if one is like enough: by the whole name, or by its last part for
/// a setting that was put into the wrong table.
fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let by_distance = |distance: &dyn Fn(&str) -> usize, most: usize| {
        let candidates = known.iter().map(|known| (distance(known), known.as_str()));
        candidates.min().filter(|(distance, _)| *distance <= most).map(|(_, known)| known)
    };
    by_distance(&|known| edits(name, known), name.len() / 4 + 1)
        .or_else(|| by_distance(&|known| edits(&last(name), &last(known)), 1))
}

/// How many letters must be added, removed or changed to make one word of the other (Levenshtein).
fn edits(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, a) in from.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (at, b) in to.bytes().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[at + 1];
            row[at + 1] = changed.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[to.len()]
}
