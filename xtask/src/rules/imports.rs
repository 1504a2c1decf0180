//! Who may import whom: the crate table of the design, section "The parts, and who may import whom".

use crate::finding::Finding;
use crate::metadata::{Dependency, DependencyKind, Package};
use crate::project::Project;

const RULE: &str = "imports";

/// Crates of the workspace are named by this and their folder.
const PREFIX: &str = "ordercast-";
/// The binary, the one crate that is named by its folder alone.
const BINARY: &str = "ordercast";
/// The chores, the one package that lies beside the crates.
const CHORES: &str = "xtask";
/// Where the crates lie.
const CRATES_FOLDER: &str = "crates/";

const AXUM: &[&str] = &["axum", "axum-core", "axum-extra"];
const HYPER: &[&str] = &["hyper", "hyper-util"];
const DATABASES: &[&str] = &["rusqlite", "libsqlite3-sys", "sqlx", "tokio-postgres", "deadpool-postgres"];
const BROKERS: &[&str] = &["redis", "async-nats"];
const TOKIO: &[&str] = &["tokio"];
const CLOCKS: &[&str] = &["jiff", "chrono", "time"];
const CHANCE: &[&str] = &["rand", "fastrand", "getrandom", "uuid"];
const JSON: &[&str] = &["serde_json"];

/// One row of the table.
struct Part {
    /// Folder, and last part of the crate's name.
    name: &'static str,
    /// Parts it may import.
    ours: Ours,
    /// Crates of others that it must not import, by kind.
    never: &'static [&'static [&'static str]],
}

/// Which parts a part may import.
enum Ours {
    /// These and no others.
    Only(&'static [&'static str]),
    /// Every part of the table.
    All,
}

use Ours::{All, Only};

#[rustfmt::skip]
const TABLE: [Part; 17] = [
    Part { name: "access", ours: Only(&[]), never: &[JSON, TOKIO, CLOCKS, CHANCE, AXUM, HYPER, DATABASES, BROKERS] },
    Part { name: "protocol", ours: Only(&[]), never: &[TOKIO, AXUM, HYPER, DATABASES, BROKERS] },
    Part { name: "domain", ours: Only(&["access"]), never: &[JSON, TOKIO, CLOCKS, CHANCE, AXUM, HYPER, DATABASES, BROKERS] },
    Part { name: "store", ours: Only(&["protocol", "domain", "access"]), never: &[DATABASES, BROKERS, AXUM, HYPER] },
    Part { name: "store-sqlite", ours: Only(&["store", "protocol", "domain"]), never: &[BROKERS, AXUM, HYPER] },
    Part { name: "store-postgres", ours: Only(&["store", "protocol", "domain"]), never: &[BROKERS, AXUM, HYPER] },
    Part { name: "broker", ours: Only(&["protocol"]), never: &[DATABASES, BROKERS, AXUM, HYPER] },
    Part { name: "broker-redis", ours: Only(&["broker", "protocol"]), never: &[DATABASES, AXUM, HYPER] },
    Part { name: "broker-nats", ours: Only(&["broker", "protocol"]), never: &[DATABASES, AXUM, HYPER] },
    Part { name: "engine", ours: Only(&["domain", "store", "broker", "protocol", "access"]), never: &[DATABASES, BROKERS, AXUM, HYPER] },
    Part { name: "consumers", ours: Only(&["store", "protocol", "domain", "access"]), never: &[DATABASES, BROKERS, AXUM, HYPER] },
    Part { name: "hub", ours: Only(&["store", "broker", "protocol", "access"]), never: &[DATABASES, BROKERS, AXUM] },
    Part { name: "server", ours: Only(&["engine", "hub", "store", "protocol", "domain", "access"]), never: &[DATABASES, BROKERS] },
    Part { name: BINARY, ours: All, never: &[] },
    Part { name: "simulation", ours: All, never: &[] },
    Part { name: "loadgen", ours: Only(&["protocol"]), never: &[] },
    Part { name: CHORES, ours: Only(&[]), never: &[] },
];

/// Finds dependencies that the table forbids and packages it does not know. Dev-dependencies may go
/// further than the table: a test may bring in what its crate must not know.
#[must_use]
pub fn check(project: &Project) -> Vec<Finding> {
    project.packages.iter().flat_map(|package| check_package(package, project)).collect()
}

fn check_package(package: &Package, project: &Project) -> Vec<Finding> {
    let name = part_name(&package.name);
    let Some(part) = TABLE.iter().find(|part| Some(part.name) == name) else {
        let message = format!(
            "package `{}` is not in the crate table; add its row to ARCHITECTURE.md and to xtask/src/rules/imports.rs",
            package.name
        );
        return vec![Finding::new(&package.manifest, 1, RULE, message)];
    };
    let mut findings = Vec::new();
    let expected_folder = if part.name == CHORES { CHORES.to_owned() } else { format!("{CRATES_FOLDER}{}", part.name) };
    if package.folder() != expected_folder {
        let message = format!("package `{}` belongs in the folder `{expected_folder}`", package.name);
        findings.push(Finding::new(&package.manifest, 1, RULE, message));
    }
    for dependency in &package.dependencies {
        if let Some(message) = objection(part, dependency) {
            let line = dependency_line(project, package, dependency);
            findings.push(Finding::new(&package.manifest, line, RULE, message));
        }
    }
    findings
}

fn objection(part: &Part, dependency: &Dependency) -> Option<String> {
    if dependency.kind == DependencyKind::Dev {
        return None;
    }
    let (importer, name) = (part.name, &dependency.name);
    if dependency.ours {
        let imported = part_name(name).unwrap_or(name);
        let (allowed, list) = match part.ours {
            All => (TABLE.iter().any(|part| part.name == imported), "every part of the table".to_owned()),
            Only([]) => (false, "none of ours".to_owned()),
            Only(parts) => (parts.contains(&imported), parts.join(", ")),
        };
        return (!allowed).then(|| {
            format!("`{importer}` must not import `{imported}`, only {list}; move the code or invert the dependency")
        });
    }
    part.never.iter().any(|kind| kind.contains(&name.as_str())).then(|| {
        format!("`{importer}` must never import `{name}`; it belongs behind a trait, in the crate of its driver")
    })
}

/// The name in the table; none for a package that is not named as the table names them.
fn part_name(package: &str) -> Option<&str> {
    match package {
        BINARY | CHORES => Some(package),
        _ => package.strip_prefix(PREFIX),
    }
}

/// Line of the dependency in its manifest; 1 when it stands there under another name.
pub(super) fn dependency_line(project: &Project, package: &Package, dependency: &Dependency) -> usize {
    let table = match dependency.kind {
        DependencyKind::Normal => "dependencies",
        DependencyKind::Build => "build-dependencies",
        DependencyKind::Dev => "dev-dependencies",
    };
    let text = project.files.get(&package.manifest).and_then(Option::as_deref).unwrap_or_default();
    let mut in_table = false;
    for (index, line) in text.lines().enumerate() {
        if let Some(header) = line.trim().strip_prefix('[') {
            // `[dependencies]`, `[target.'cfg(unix)'.dependencies]` or `[dependencies.name]`
            let header = header.trim_end_matches(']');
            let (outer, last) = header.rsplit_once('.').unwrap_or(("", header));
            in_table = last == table;
            if last == dependency.name && outer.rsplit('.').next() == Some(table) {
                return index + 1;
            }
        } else if in_table && line.split(['.', '=', ' ']).next() == Some(dependency.name.as_str()) {
            return index + 1;
        }
    }
    1
}
