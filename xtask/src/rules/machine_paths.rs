//! Nothing that holds on one machine only.

use crate::finding::Finding;
use crate::project::Project;

const RULE: &str = "machine-paths";

/// Beginnings of paths into somebody's own folders. They are put together here so that this file does
/// not find itself.
const BEGINNINGS: [&str; 3] = [concat!("/", "home/"), concat!("/", "root/"), concat!("/", "Users/")];

/// Finds such paths in every tracked text file. A path after a host or another folder is not absolute.
#[must_use]
pub fn check(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in &project.files {
        for (index, line) in text.iter().flat_map(|text| text.lines()).enumerate() {
            if let Some(beginning) = BEGINNINGS.iter().find(|beginning| holds_path(line, beginning)) {
                let message = format!("`{beginning}…` is a path of one machine; write it relative to the repository");
                findings.push(Finding::new(path, index + 1, RULE, message));
            }
        }
    }
    findings
}

fn holds_path(line: &str, beginning: &str) -> bool {
    line.match_indices(beginning).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || "._-}~$".contains(before))
    })
}
