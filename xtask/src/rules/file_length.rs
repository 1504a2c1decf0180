//! No file that takes more than a sitting to read, and few that come near it.

use crate::finding::Finding;
use crate::project::Project;
use crate::source::{Source, is_generated};

const RULE: &str = "file-length";

/// Longest file, in lines, test code inside it apart.
const MAX_LINES: usize = 600;
/// Nine of ten Rust files are no longer than this, in lines.
const MAX_P90_LINES: usize = 400;
/// Below this many files the 90th percentile is just the longest one, and says nothing of its own.
const MIN_FILES_FOR_P90: usize = 10;

/// Where the pages' sources lie, and what they end with.
const WEB_FOLDER: &str = "web/src/";
const WEB_ENDINGS: [&str; 3] = [".ts", ".tsx", ".css"];

/// Finds files that are too long and, in all Rust files together, too many long ones. Tests and generated
/// files may be of any length.
#[must_use]
pub fn check(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut lengths = Vec::new();
    for source in project.production_sources().filter(|source| !source.is_generated) {
        let lines = source.production_lines();
        findings.extend(too_long(&source.path, lines));
        lengths.push((lines, source));
    }
    findings.extend(too_many_long(lengths));
    for (path, text) in &project.files {
        if let Some(text) = text
            && is_web_source(path)
            && !is_generated(text)
        {
            findings.extend(too_long(path, text.lines().count()));
        }
    }
    findings
}

fn too_long(path: &str, lines: usize) -> Option<Finding> {
    let message = format!("{lines} lines, {MAX_LINES} are allowed; split it by what it does");
    (lines > MAX_LINES).then(|| Finding::new(path, MAX_LINES + 1, RULE, message))
}

fn too_many_long(mut lengths: Vec<(usize, &Source)>) -> Option<Finding> {
    lengths.sort_by_key(|(lines, _)| *lines);
    if lengths.len() < MIN_FILES_FOR_P90 {
        return None;
    }
    // Nearest rank: the smallest length that at least nine of ten files do not pass.
    let rank = (lengths.len() * 9).div_ceil(10);
    let (lines, source) = lengths[rank - 1];
    let message = format!(
        "nine of ten files may have {MAX_P90_LINES} lines at most, but the 90th percentile is this file with {lines}; \
         split the longest ones"
    );
    (lines > MAX_P90_LINES).then(|| Finding::new(&source.path, MAX_P90_LINES + 1, RULE, message))
}

fn is_web_source(path: &str) -> bool {
    path.starts_with(WEB_FOLDER) && WEB_ENDINGS.iter().any(|ending| path.ends_with(ending)) && !path.contains(".test.")
}
