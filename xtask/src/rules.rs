//! The house rules, one module each. A rule takes the project and returns what breaks it; it reads
//! nothing else and changes nothing.

pub mod dependency_cycles;
pub mod imports;
pub mod module_cycles;
pub mod rooms;

pub mod file_length;
pub mod function_length;

pub mod allow_reasons;
pub mod docs;
pub mod names;
pub mod placeholders;
pub mod unsafe_code;
pub mod unwrap_calls;

pub mod machine_paths;
pub mod registry_hosts;

use crate::finding::Finding;
use crate::project::Project;

/// A rule: what in the project breaks it.
pub type Rule = fn(&Project) -> Vec<Finding>;

/// All rules.
pub const RULES: [Rule; 14] = [
    imports::check,
    dependency_cycles::check,
    module_cycles::check,
    rooms::check,
    file_length::check,
    function_length::check,
    allow_reasons::check,
    docs::check,
    names::check,
    placeholders::check,
    unsafe_code::check,
    unwrap_calls::check,
    machine_paths::check,
    registry_hosts::check,
];

/// Runs every rule; sorted by place, each finding once. A file that is not Rust is a finding too,
/// because no rule could look into it.
#[must_use]
pub fn check_all(project: &Project) -> Vec<Finding> {
    let mut findings = project.unreadable.clone();
    findings.extend(RULES.iter().flat_map(|rule| rule(project)));
    findings.sort();
    findings.dedup();
    findings
}
