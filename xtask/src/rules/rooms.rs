//! Which room of a large source tree may import from which.
//!
//! A room is a module right below the root of its tree, or a page of the web, with everything inside it. [`TREES`]
//! lists the rooms of each tree and the arrows allowed between them; the arrows of one tree form no cycle. A tree of
//! another language gets a row there and a function that finds its imports.

mod web_imports;

use std::collections::BTreeSet;

use crate::finding::Finding;
use crate::module_tree::ModuleTree;
use crate::project::Project;
use crate::uses;

const RULE: &str = "rooms";
/// Where the table is, for findings about the table itself.
const THIS_FILE: &str = "xtask/src/rules/rooms.rs";

/// A source tree that is divided into rooms.
struct Tree {
    /// Folder of the tree, relative to the workspace.
    folder: &'static str,
    /// Finds all imports between rooms, test code apart.
    imports: fn(&Project, &str) -> Vec<Import>,
    /// The rooms; each may import from rooms above it in the list only, so there is no cycle.
    rooms: &'static [Room],
}

/// One row of a tree's table.
struct Room {
    /// Name of the module or folder.
    name: &'static str,
    /// Rooms that it may import from.
    may_import: &'static [&'static str],
}

/// One import of a room from another.
struct Import {
    from: String,
    to: String,
    /// File and line of the import.
    place: (String, usize),
}

const TREES: [Tree; 2] = [
    Tree { folder: "crates/server/src", imports: rust_imports, rooms: &SERVER },
    Tree { folder: "web/src", imports: web_imports::of_folder, rooms: &WEB },
];

#[rustfmt::skip]
const SERVER: [Room; 15] = [
    Room { name: "problem", may_import: &[] },
    Room { name: "channels", may_import: &[] },
    Room { name: "access", may_import: &["problem"] },
    Room { name: "app", may_import: &["access", "channels", "problem"] },
    Room { name: "http", may_import: &["app", "problem"] },
    Room { name: "operations", may_import: &["app", "channels", "problem"] },
    Room { name: "upgrade", may_import: &["app", "problem"] },
    Room { name: "plain", may_import: &["access", "app", "http", "operations", "problem", "upgrade"] },
    Room { name: "centrifuge", may_import: &["access", "app", "channels", "http", "operations", "problem", "upgrade"] },
    Room { name: "server_api", may_import: &["access", "app", "centrifuge", "channels", "http", "operations", "problem"] },
    Room { name: "resources", may_import: &["app", "http", "operations", "problem", "upgrade"] },
    Room { name: "pages", may_import: &["http", "problem"] },
    Room { name: "telemetry", may_import: &["app", "http", "problem"] },
    Room { name: "contract", may_import: &["app", "centrifuge", "operations", "pages", "resources", "server_api", "telemetry"] },
    Room {
        name: "entrance",
        may_import: &[
            "access", "app", "centrifuge", "contract", "http", "pages", "plain", "problem", "resources", "server_api",
            "telemetry", "upgrade",
        ],
    },
];

#[rustfmt::skip]
const WEB: [Room; 9] = [
    Room { name: "protocol", may_import: &[] },
    Room { name: "text", may_import: &[] },
    Room { name: "styles", may_import: &[] },
    Room { name: "stream", may_import: &["protocol"] },
    Room { name: "live", may_import: &["protocol", "stream"] },
    Room { name: "charts", may_import: &["protocol", "text"] },
    Room { name: "views", may_import: &["live", "protocol", "stream"] },
    Room { name: "pages/overview", may_import: &["charts", "live", "protocol", "styles", "text", "views"] },
    Room { name: "pages/desk", may_import: &["live", "protocol", "styles", "text", "views"] },
];

/// Finds imports that the table forbids, rooms that it does not list, and arrows in it that nothing needs any more.
#[must_use]
pub fn check(project: &Project) -> Vec<Finding> {
    TREES.iter().flat_map(|tree| check_tree(tree, project)).collect()
}

fn check_tree(tree: &Tree, project: &Project) -> Vec<Finding> {
    let imports = (tree.imports)(project, tree.folder);
    let mut findings: Vec<_> = imports.iter().filter_map(|import| objection(tree, import)).collect();
    findings.extend(unused_arrows(tree.rooms, &imports).into_iter().map(|(from, to)| {
        let message =
            format!("room `{from}` of {} no longer imports from `{to}`; take the arrow out of the table", tree.folder);
        Finding::new(THIS_FILE, 1, RULE, message)
    }));
    findings
}

fn objection(tree: &Tree, import: &Import) -> Option<Finding> {
    let Import { from, to, place: (file, line) } = import;
    let finding = |message| Some(Finding::new(file, *line, RULE, message));
    for name in [from, to] {
        if !tree.rooms.iter().any(|room| room.name == name) {
            return finding(format!("room `{name}` is not in the table of {THIS_FILE}; add its row"));
        }
    }
    let allowed = tree.rooms.iter().find(|room| room.name == from).map_or(&[][..], |room| room.may_import);
    if from == to || allowed.contains(&to.as_str()) {
        return None;
    }
    let list = if allowed.is_empty() { "no other room".to_owned() } else { format!("only {}", allowed.join(", ")) };
    finding(format!(
        "room `{from}` must not import from `{to}`, {list}; move the code to a room that both may import from"
    ))
}

/// Arrows of the table that no import needs. A tree that lacks a room of the table is a part of the project, as in
/// tests, and has none.
fn unused_arrows(rooms: &[Room], imports: &[Import]) -> Vec<(&'static str, &'static str)> {
    let present: BTreeSet<_> = imports.iter().flat_map(|import| [&*import.from, &*import.to]).collect();
    if rooms.iter().any(|room| !present.contains(room.name)) {
        return Vec::new();
    }
    let used: BTreeSet<_> = imports.iter().map(|import| (&*import.from, &*import.to)).collect();
    let arrows = rooms.iter().flat_map(|room| room.may_import.iter().map(|to| (room.name, *to)));
    arrows.filter(|arrow| !used.contains(arrow)).collect()
}

/// Imports between the modules right below the root of the Rust tree in a folder. The root itself is no room: it
/// declares the rooms and gives their public names to others.
fn rust_imports(project: &Project, folder: &str) -> Vec<Import> {
    let is_inside = |tree: &&ModuleTree| {
        tree.modules.first().is_some_and(|root| root.file.rsplit_once('/').is_some_and(|(parent, _)| parent == folder))
    };
    let mut imports = Vec::new();
    for tree in project.trees.iter().filter(is_inside) {
        for found in uses::of_tree(tree, &project.sources) {
            if let (Some(from), Some(to)) = (room_of(tree, found.from), room_of(tree, found.to)) {
                let place = (tree.modules[found.from].file.clone(), found.line);
                imports.push(Import { from: from.to_owned(), to: to.to_owned(), place });
            }
        }
    }
    imports
}

/// Name of the room that a module lies in; none for the root.
fn room_of(tree: &ModuleTree, module: usize) -> Option<&str> {
    tree.modules[module].path.split("::").nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The order of the list proves that there is no cycle.
    #[test]
    fn every_room_imports_from_rooms_above_it() {
        for tree in &TREES {
            for (at, room) in tree.rooms.iter().enumerate() {
                for to in room.may_import {
                    let above = tree.rooms[..at].iter().any(|other| other.name == *to);
                    assert!(above, "{}: `{to}` is not above `{}`", tree.folder, room.name);
                }
            }
        }
    }

    #[test]
    fn an_arrow_that_nothing_needs_is_found() {
        let rooms = [Room { name: "low", may_import: &[] }, Room { name: "high", may_import: &["low"] }];
        let import = |from: &str, to: &str| Import {
            from: from.to_owned(),
            to: to.to_owned(),
            place: ("src/high.rs".to_owned(), 1),
        };
        assert_eq!(unused_arrows(&rooms, &[import("low", "low"), import("high", "high")]), [("high", "low")]);
        assert_eq!(unused_arrows(&rooms, &[import("low", "low"), import("high", "low")]), []);
        assert_eq!(unused_arrows(&rooms, &[import("high", "high")]), [], "a part of the tree");
    }
}
