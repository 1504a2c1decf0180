//! Cycles in a small directed graph.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A directed graph over names: node to the nodes it points at.
pub type Graph = BTreeMap<String, BTreeSet<String>>;

/// Shortest cycles, each as the nodes in order without the repeated first one. Every node that lies on
/// any cycle is covered only as far as needed: a node already reported is not the start of another
/// report, so one tangle gives few lines.
#[must_use]
pub fn cycles(graph: &Graph) -> Vec<Vec<String>> {
    let mut reported = BTreeSet::new();
    let mut found = Vec::new();
    for start in graph.keys() {
        if reported.contains(start) {
            continue;
        }
        if let Some(cycle) = shortest_cycle_through(graph, start) {
            reported.extend(cycle.iter().cloned());
            found.push(cycle);
        }
    }
    found
}

fn shortest_cycle_through(graph: &Graph, start: &String) -> Option<Vec<String>> {
    let mut came_from: BTreeMap<&String, &String> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for next in graph.get(node).into_iter().flatten() {
            if next == start {
                return Some(path_back(&came_from, start, node));
            }
            if !came_from.contains_key(next) {
                came_from.insert(next, node);
                queue.push_back(next);
            }
        }
    }
    None
}

fn path_back(came_from: &BTreeMap<&String, &String>, start: &String, end: &String) -> Vec<String> {
    let mut path = vec![end.clone()];
    let mut node = end;
    while node != start {
        node = came_from[node];
        path.push(node.clone());
    }
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::{Graph, cycles};

    fn check(edges: &[(&str, &str)], expected: &[&[&str]]) {
        let mut graph = Graph::new();
        for (from, to) in edges {
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        assert_eq!(cycles(&graph), expected, "{edges:?}");
    }

    #[test]
    fn finds_shortest_cycles() {
        check(&[("a", "b"), ("b", "c"), ("a", "c")], &[]);
        check(&[("a", "a")], &[&["a"]]);
        check(&[("a", "b"), ("b", "a")], &[&["a", "b"]]);
        check(&[("x", "a"), ("a", "b"), ("b", "a")], &[&["a", "b"]]);
        check(&[("a", "b"), ("b", "c"), ("c", "a"), ("b", "a")], &[&["a", "b"], &["c", "a", "b"]]);
    }
}
