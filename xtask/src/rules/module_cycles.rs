//! No cycle among the modules of a crate.
//!
//! A child may use its parent and a parent its children: that is what a module tree is. What must not
//! be is two siblings whose subtrees refer to each other, at any level of the tree. A method call refers to the
//! file that has the method, so a type whose methods lie in several files and call each other is a cycle as well: it
//! wants to be several types that own their fields.

use std::collections::BTreeMap;

use crate::finding::Finding;
use crate::graph::{Graph, cycles};
use crate::module_tree::{ModuleTree, Sources};
use crate::project::Project;
use crate::uses::{self, Use};

const RULE: &str = "module-cycles";

/// Finds cycles between sibling modules.
#[must_use]
pub fn check(project: &Project) -> Vec<Finding> {
    project.trees.iter().flat_map(|tree| check_tree(tree, &project.sources)).collect()
}

/// First reference from one module's subtree into its sibling's, by their paths.
type Edges = BTreeMap<(String, String), Place>;

/// A file and a line in it.
type Place = (String, usize);

fn check_tree(tree: &ModuleTree, sources: &Sources) -> Vec<Finding> {
    let mut edges = Edges::new();
    for found in uses::of_tree(tree, sources) {
        note_edge(tree, &found, &mut edges);
    }
    let mut graph = Graph::new();
    for (from, to) in edges.keys() {
        graph.entry(from.clone()).or_default().insert(to.clone());
    }
    cycles(&graph).iter().map(|cycle| describe(cycle, &edges)).collect()
}

/// Adds the edge between the two siblings that hold both ends. When one end lies around the other, there
/// are no such siblings and nothing is added.
fn note_edge(tree: &ModuleTree, found: &Use, edges: &mut Edges) {
    let outward = |module| tree.with_ancestors(module).collect::<Vec<_>>();
    let (from, to) = (outward(found.from), outward(found.to));
    let mut inward = from.iter().rev().zip(to.iter().rev());
    if let Some((from, to)) = inward.find(|(from, to)| from != to) {
        let key = (tree.modules[*from].path.clone(), tree.modules[*to].path.clone());
        let place = (tree.modules[found.from].file.clone(), found.line);
        edges.entry(key).or_insert(place);
    }
}

fn describe(cycle: &[String], edges: &Edges) -> Finding {
    let next = cycle.iter().cycle().skip(1);
    let uses: Vec<_> = cycle
        .iter()
        .zip(next)
        .map(|(from, to)| {
            let place = &edges[&(from.clone(), to.clone())];
            (format!("`{from}` uses `{to}` at {}:{}", place.0, place.1), place)
        })
        .collect();
    let (path, line) = uses[0].1;
    let list = uses.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join(", ");
    let message = format!("modules use each other: {list}; move what both need into a module below them");
    Finding::new(path, *line, RULE, message)
}
