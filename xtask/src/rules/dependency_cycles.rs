//! No cycle among the crates of the workspace. Cargo refuses cycles of ordinary dependencies but lets
//! a dev-dependency close one; then the crate under test is compiled twice and its types differ.

use std::collections::BTreeMap;

use crate::finding::Finding;
use crate::graph::{Graph, cycles};
use crate::project::Project;

use super::imports::dependency_line;

const RULE: &str = "dependency-cycles";

/// Finds cycles over dependencies of every kind.
#[must_use]
pub fn check(project: &Project) -> Vec<Finding> {
    let mut graph = Graph::new();
    let mut places = BTreeMap::new();
    for package in &project.packages {
        for dependency in package.dependencies.iter().filter(|dependency| dependency.ours) {
            graph.entry(package.name.clone()).or_default().insert(dependency.name.clone());
            let place = (package.manifest.clone(), dependency_line(project, package, dependency));
            places.insert((package.name.clone(), dependency.name.clone()), place);
        }
    }
    let describe = |cycle: Vec<String>| {
        let next = cycle.get(1).unwrap_or(&cycle[0]);
        let (path, line) = &places[&(cycle[0].clone(), next.clone())];
        let message = format!(
            "crates import each other: {} → {}; move the tests that need both to a crate above them",
            cycle.join(" → "),
            cycle[0]
        );
        Finding::new(path, *line, RULE, message)
    };
    cycles(&graph).into_iter().map(describe).collect()
}
