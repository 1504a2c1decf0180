//! What a rule reports.

use std::fmt;

/// One broken rule at one place. Sorts by place, so that output is stable and reads along the tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// File, relative to the workspace root, with `/` between folders.
    pub path: String,
    /// Line in that file, counted from 1.
    pub line: usize,
    /// Name of the rule, as in its module under `rules`.
    pub rule: &'static str,
    /// What is wrong and how to mend it.
    pub message: String,
}

impl Finding {
    /// A finding of `rule` at `path:line`.
    #[must_use]
    pub fn new(path: &str, line: usize, rule: &'static str, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, rule, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}: {}", self.path, self.line, self.rule, self.message)
    }
}
