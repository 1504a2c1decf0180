//! Nothing half done is kept: no call that stands in for code to come, and no print left from a hunt.

use crate::finding::Finding;
use crate::project::Project;
use crate::tokens::{Token, begins_with};

const RULE: &str = "placeholders";

const FORBIDDEN: [&str; 3] = ["todo", "unimplemented", "dbg"];

/// Finds calls of the macros above, in tests too.
#[must_use]
pub fn check(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in project.sources.values() {
        for index in 0..source.tokens.len() {
            let tokens = &source.tokens[index..];
            if let Some(name) = FORBIDDEN.iter().find(|name| is_call(tokens, name)) {
                let message = format!("`{name}!` must not stay; write what is missing or return an error");
                findings.push(Finding::new(&source.path, tokens[0].line, RULE, message));
            }
        }
    }
    findings
}

/// A bracket must follow: `todo != 0` compares a variable.
fn is_call(tokens: &[Token], name: &str) -> bool {
    ["(", "[", "{"].iter().any(|bracket| begins_with(tokens, &[name, "!", bracket]))
}
