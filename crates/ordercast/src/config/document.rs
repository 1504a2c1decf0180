//! The configuration file, flattened: `[workers] slots = 4` is the entry `workers.slots`, with its place.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ConfigErrors;
use super::readable::Raw;

/// One key of the file.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) raw: Raw,
    /// `file:line:column` of the key.
    pub(super) key_place: String,
    /// `file:line:column` of the value.
    pub(super) value_place: String,
    /// `file:line`, which is enough to find a good setting.
    pub(super) line_place: String,
}

/// All keys of the file by their dotted names.
#[derive(Clone, Debug, Default)]
pub(super) struct Document {
    pub(super) entries: BTreeMap<String, Entry>,
}

impl Document {
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, ConfigErrors> {
        let places = Places { name, text };
        let (table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            let lines = errors.iter().map(|error| {
                let at = error.span().map_or(0, |span| span.start);
                format!("{}: {}", places.column(at), error.message())
            });
            return Err(ConfigErrors(lines.collect()));
        }
        let mut document = Self::default();
        document.flatten("", table.get_ref(), &places);
        Ok(document)
    }

    fn flatten(&mut self, prefix: &str, table: &DeTable<'_>, places: &Places<'_>) {
        for (key, value) in table.iter() {
            let path = format!("{prefix}{}", key.get_ref());
            match value.get_ref() {
                // An empty table sets nothing, but its name may be a mistake: it stays an entry.
                DeValue::Table(inner) if !inner.is_empty() => self.flatten(&format!("{path}."), inner, places),
                _ => {
                    let entry = Entry {
                        raw: raw_of(value),
                        key_place: places.column(key.span().start),
                        value_place: places.column(value.span().start),
                        line_place: places.line(value.span().start),
                    };
                    self.entries.insert(path, entry);
                }
            }
        }
    }
}

fn raw_of(value: &Spanned<DeValue<'_>>) -> Raw {
    match value.get_ref() {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Raw::Other("an integer beyond 64 bits"), Raw::Integer),
        DeValue::Float(number) => number.as_str().parse().map_or(Raw::Other("a float"), Raw::Float),
        DeValue::Boolean(value) => Raw::Boolean(*value),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Array(values) => Raw::List(values.iter().map(raw_of).collect()),
        DeValue::Table(_) => Raw::Other("a table"),
    }
}

/// Turns byte offsets into places that an editor can jump to.
struct Places<'a> {
    name: &'a str,
    text: &'a str,
}

impl Places<'_> {
    fn line_and_column(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    fn column(&self, at: usize) -> String {
        let (line, column) = self.line_and_column(at);
        format!("{}:{line}:{column}", self.name)
    }

    fn line(&self, at: usize) -> String {
        format!("{}:{}", self.name, self.line_and_column(at).0)
    }
}
