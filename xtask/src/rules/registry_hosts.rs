//! Where packages are fetched from is a setting of the machine, not of the repository: a host written
//! down here breaks the build of everyone who uses a mirror.

use crate::finding::Finding;
use crate::project::Project;

const RULE: &str = "registry-hosts";

/// Files that Cargo and the package managers of Node read, by name; in any folder.
const PACKAGE_FILES: [&str; 9] = [
    "Cargo.toml",
    "Cargo.lock",
    "config.toml",
    "package.json",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    ".npmrc",
];

/// Cargo writes this address whatever mirror is in use.
const CARGO_LOCK_SOURCE: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

/// What tells a host, or a setting that names one. Short words of settings stand with their `=`.
const SIGNS: [&str; 10] = [
    "crates.io",
    "npmjs.org",
    "npmjs.com",
    "yarnpkg.com",
    "registry+",
    "\"resolved\": \"http",
    "registry=",
    "registry =",
    "[registries",
    "[source.",
];

/// Finds registry hosts and the settings that name them in package files.
#[must_use]
pub fn check(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in project.files.iter().filter(|(path, _)| is_package_file(path)) {
        for (index, line) in text.iter().flat_map(|text| text.lines()).enumerate() {
            let is_allowed = path.ends_with("Cargo.lock") && line.trim() == CARGO_LOCK_SOURCE;
            if !is_allowed && let Some(sign) = SIGNS.iter().find(|sign| line.contains(**sign)) {
                let message = format!(
                    "`{sign}` names a package registry; leave it out (for npm: omit-lockfile-registry-resolved=true)"
                );
                findings.push(Finding::new(path, index + 1, RULE, message));
            }
        }
    }
    findings
}

fn is_package_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    // Cargo's own settings, not those of the server.
    let is_settings_of_another = name == "config.toml" && !path.ends_with(".cargo/config.toml");
    PACKAGE_FILES.contains(&name) && !is_settings_of_another
}
