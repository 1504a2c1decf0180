//! Every rule is shown a tree that breaks it, and finds exactly what is wrong there; every other rule is
//! silent on that tree. The trees lie in `fixtures`, each with the `cargo metadata` it would have.

use std::path::Path;

use xtask::finding::Finding;
use xtask::project::Project;
use xtask::rules::check_all;

fn findings_in(fixture: &str) -> Vec<Finding> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(fixture);
    let metadata = std::fs::read_to_string(folder.join("metadata.json")).expect("a fixture");
    check_all(&Project::of_folder(&folder, &metadata).expect("a readable fixture"))
}

/// `expected` are the places, each followed by a part of its message.
#[track_caller]
fn check(fixture: &str, rule: &str, expected: &[(&str, &str)]) {
    let found = findings_in(fixture);
    let list = || found.iter().map(|finding| format!("{finding}\n")).collect::<String>();
    for (finding, (place, words)) in found.iter().zip(expected) {
        assert_eq!(finding.rule, rule, "another rule fired:\n{}", list());
        assert_eq!(format!("{}:{}", finding.path, finding.line), *place, "in:\n{}", list());
        assert!(finding.message.contains(words), "no `{words}` in: {finding}");
    }
    assert_eq!(found.len(), expected.len(), "in:\n{}", list());
}

#[test]
fn a_clean_tree_has_no_findings() {
    check("clean", "", &[]);
}

#[test]
fn imports_outside_the_table() {
    check(
        "imports",
        "imports",
        &[
            ("crates/domain/Cargo.toml:6", "`domain` must never import `tokio`"),
            ("crates/hub/Cargo.toml:5", "`hub` must not import `engine`, only store, broker, protocol"),
            ("crates/hub/Cargo.toml:7", "`hub` must never import `axum`"),
            ("crates/mystery/Cargo.toml:1", "not in the crate table"),
            ("crates/wire/Cargo.toml:1", "belongs in the folder `crates/protocol`"),
        ],
    );
}

#[test]
fn dependency_cycles() {
    check(
        "dependency-cycles",
        "dependency-cycles",
        &[("crates/store/Cargo.toml:5", "ordercast-store → ordercast-store-sqlite → ordercast-store;")],
    );
}

#[test]
fn module_cycles() {
    check(
        "module-cycles",
        "module-cycles",
        &[
            (
                "crates/access/src/left.rs:6",
                "`crate::left` uses `crate::right` at crates/access/src/left.rs:6, \
                 `crate::right` uses `crate::left` at crates/access/src/right.rs:6;",
            ),
            (
                "crates/broker/src/left.rs:1",
                "`crate::left` uses `crate::right` at crates/broker/src/left.rs:1, \
                 `crate::right` uses `crate::left` at crates/broker/src/right.rs:3;",
            ),
            ("crates/domain/src/left.rs:1", "`crate::right` uses `crate::left` at crates/domain/src/right.rs:3;"),
            (
                "crates/engine/src/work/left/deep.rs:4",
                "`crate::work::right` uses `crate::work::left` at crates/engine/src/work/mod.rs:4;",
            ),
            ("crates/loadgen/src/one.rs:1", "`crate::three` uses `crate::one` at crates/loadgen/src/three.rs:2;"),
        ],
    );
}

#[test]
fn rooms() {
    check(
        "rooms",
        "rooms",
        &[
            ("crates/server/src/access.rs:2", "`access` must not import from `resources`, only problem;"),
            ("crates/server/src/access.rs:4", "`access` must not import from `resources`"),
            ("crates/server/src/contract.rs:3", "`contract` must not import from `problem`"),
            ("crates/server/src/contract.rs:4", "`contract` must not import from `problem`"),
            ("crates/server/src/contract.rs:8", "`cellar` is not in the table"),
            ("web/src/live/store.ts:4", "`live` must not import from `pages/overview`, only protocol, stream;"),
            ("web/src/pages/desk/list.ts:2", "`pages/desk` must not import from `pages/overview`"),
            ("web/src/pages/desk/list.ts:4", "`attic` is not in the table"),
            ("web/src/pages/desk/page.css:1", "`pages/desk` must not import from `pages/overview`"),
        ],
    );
}

#[test]
fn file_length() {
    check(
        "file-length",
        "file-length",
        &[
            ("crates/hub/src/lib.rs:601", "601 lines, 600 are allowed"),
            ("web/src/feed.ts:601", "601 lines"),
            ("web/src/style.css:601", "601 lines"),
        ],
    );
}

#[test]
fn file_length_of_nine_in_ten() {
    check("file-length-p90", "file-length", &[("crates/hub/src/long_1.rs:401", "this file with 401")]);
}

#[test]
fn function_length() {
    check(
        "function-length",
        "function-length",
        &[
            ("crates/hub/src/lib.rs:4", "`too_long` has 71 lines"),
            ("crates/hub/src/lib.rs:150", "`too_long` has 71 lines"),
        ],
    );
}

#[test]
fn allow_reasons() {
    check(
        "allow-reasons",
        "allow-reasons",
        &[("crates/hub/src/lib.rs:1", ""), ("crates/hub/src/lib.rs:7", ""), ("crates/hub/src/lib.rs:12", "")],
    );
}

#[test]
fn docs() {
    check(
        "docs",
        "docs",
        &[
            ("crates/hub/src/lib.rs:3", "module `crate::silent`"),
            ("crates/hub/src/lib.rs:6", "struct `Silent`"),
            ("crates/hub/src/lib.rs:11", "constant `SILENT`"),
            ("crates/hub/src/lib.rs:13", "function `silent`"),
            ("crates/hub/src/lib.rs:18", "enum `Kind`"),
            ("crates/hub/src/lib.rs:22", "trait `Speak`"),
            ("crates/hub/src/lib.rs:24", "constant `SILENT`"),
            ("crates/hub/src/lib.rs:26", "type `Name`"),
            ("crates/hub/src/lib.rs:28", "function `silent`"),
        ],
    );
}

#[test]
fn names() {
    check(
        "names",
        "names",
        &[
            ("crates/hub/src/lib.rs:3", "a module must not be named `helpers`"),
            ("crates/hub/src/lib.rs:7", "a module must not be named `utils`"),
            ("crates/hub/src/utils.rs:1", "`utils.rs`"),
            ("web/src/common.test.ts:1", "`common.test.ts`"),
            ("web/src/types/order.ts:1", "`types`"),
        ],
    );
}

#[test]
fn placeholders() {
    check(
        "placeholders",
        "placeholders",
        &[
            ("crates/hub/src/lib.rs:4", "`todo!`"),
            ("crates/hub/src/lib.rs:8", "`dbg!`"),
            ("crates/hub/src/lib.rs:15", "`unimplemented!`"),
        ],
    );
}

#[test]
fn unsafe_code() {
    check("unsafe-code", "unsafe-code", &[("crates/hub/src/lib.rs:5", ""), ("crates/hub/src/lib.rs:10", "")]);
}

#[test]
fn unwrap_calls() {
    check(
        "unwrap-calls",
        "unwrap-calls",
        &[("crates/hub/src/lib.rs:9", ""), ("crates/hub/src/lib.rs:11", ""), ("crates/hub/src/lib.rs:16", "")],
    );
}

#[test]
fn machine_paths() {
    check("machine-paths", "machine-paths", &[("crates/hub/src/lib.rs:1", ""), ("docs/start.md:3", "")]);
}

#[test]
fn registry_hosts() {
    check(
        "registry-hosts",
        "registry-hosts",
        &[
            (".cargo/config.toml:1", "`[registries`"),
            ("Cargo.lock:9", "`registry+`"),
            ("crates/hub/Cargo.toml:3", "`crates.io`"),
            ("web/.npmrc:2", "`registry=`"),
            ("web/package-lock.json:4", "resolved"),
        ],
    );
}

#[test]
fn a_file_that_is_not_rust() {
    check("syntax", "syntax", &[("crates/hub/src/lib.rs:3", "not Rust")]);
}

/// The rules hold for the rules.
#[test]
fn this_package_is_tidy() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let metadata = r#"{
        "workspace_root": "",
        "packages": [{
            "name": "xtask",
            "manifest_path": "xtask/Cargo.toml",
            "dependencies": [],
            "targets": [
                { "kind": ["lib"], "src_path": "xtask/src/lib.rs" },
                { "kind": ["bin"], "src_path": "xtask/src/main.rs" }
            ]
        }]
    }"#;
    let project = Project::of_part(folder.parent().unwrap(), "xtask", metadata).unwrap();
    assert!(project.sources.contains_key("xtask/src/rules.rs"));
    assert!(project.trees[0].modules.len() > 20, "the tree of the library was not followed");
    assert_eq!(check_all(&project), []);
}
