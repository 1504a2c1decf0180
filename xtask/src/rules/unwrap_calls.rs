//! No `.unwrap()` outside of tests: it stops the process and does not say why.

use crate::finding::Finding;
use crate::project::Project;
use crate::tokens::begins_with;

const RULE: &str = "unwrap-calls";

/// Finds the call, inside macro calls too.
#[must_use]
pub fn check(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in project.production_sources() {
        for tokens in source.tokens.windows(4) {
            let line = tokens[1].line;
            if begins_with(tokens, &[".", "unwrap", "(", ")"]) && !source.is_test_line(line) {
                let message = "`.unwrap()` outside of tests; return the error, or `expect` what rules it out";
                findings.push(Finding::new(&source.path, line, RULE, message));
            }
        }
    }
    findings
}
