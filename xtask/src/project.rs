//! Everything the rules look at, read once. This is the only module that touches the disk.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::finding::Finding;
use crate::metadata::{self, Package};
use crate::module_tree::{ModuleTree, Sources};
use crate::source::Source;

/// Trees that break the rules on purpose, for the tests of the rules.
const FIXTURES: &str = "xtask/fixtures/";

/// Folders never looked into when there is no git to ask.
const IGNORED_FOLDERS: [&str; 5] = [".git", "target", "node_modules", "dist", "data"];

/// The workspace as the rules see it. Paths are relative to its root, with `/` between folders.
pub struct Project {
    /// Members of the workspace.
    pub packages: Vec<Package>,
    /// Parsed Rust files.
    pub sources: Sources,
    /// Module trees of every library and binary.
    pub trees: Vec<ModuleTree>,
    /// Every file under version control (or about to be), with its text; none when it is not UTF-8.
    pub files: BTreeMap<String, Option<String>>,
    /// Rust files that could not be parsed.
    pub unreadable: Vec<Finding>,
}

impl Project {
    /// Reads the workspace that the current folder belongs to.
    ///
    /// # Errors
    /// When `cargo metadata` fails or a file cannot be read.
    pub fn of_current_workspace() -> Result<Self, Box<dyn Error>> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut metadata = Command::new(cargo);
        metadata.args(["metadata", "--no-deps", "--format-version", "1"]);
        let metadata = standard_output(&mut metadata)?;
        let root = metadata::workspace_root(&metadata)?;
        let files = match tracked_files(&root) {
            Ok(files) => files,
            // A source archive without git, or without the program.
            Err(_) => all_files(&root, "")?,
        };
        Self::read(&root, &metadata, files)
    }

    /// Reads a folder with the given output of `cargo metadata`; all its files count as tracked.
    ///
    /// # Errors
    /// When a file cannot be read or the metadata is not as documented.
    pub fn of_folder(root: &Path, metadata: &str) -> Result<Self, Box<dyn Error>> {
        Self::of_part(root, "", metadata)
    }

    /// As [`Project::of_folder`], with the files of one folder below the root only.
    ///
    /// # Errors
    /// As [`Project::of_folder`].
    pub fn of_part(root: &Path, folder: &str, metadata: &str) -> Result<Self, Box<dyn Error>> {
        Self::read(root, metadata, all_files(root, folder)?)
    }

    fn read(root: &Path, metadata: &str, paths: Vec<String>) -> Result<Self, Box<dyn Error>> {
        let mut files = BTreeMap::new();
        for path in paths.into_iter().filter(|path| !path.starts_with(FIXTURES)) {
            // A tracked file may be deleted but not yet committed so, and a link may point nowhere.
            if root.join(&path).is_file() {
                files.insert(path.clone(), String::from_utf8(fs::read(root.join(&path))?).ok());
            }
        }
        let (mut sources, unreadable) = parse_all(&files);
        let packages = metadata::parse(metadata)?;
        let roots = packages.iter().flat_map(|package| &package.roots);
        let trees: Vec<_> = roots.map(|root| ModuleTree::build(root, &sources)).collect();
        mark_test_files(&mut sources, &trees);
        Ok(Self { packages, sources, trees, files, unreadable })
    }

    /// Sources that are not test code as a whole.
    pub fn production_sources(&self) -> impl Iterator<Item = &Source> {
        self.sources.values().filter(|source| !source.is_test)
    }
}

fn parse_all(files: &BTreeMap<String, Option<String>>) -> (Sources, Vec<Finding>) {
    let mut sources = Sources::new();
    let mut unreadable = Vec::new();
    for (path, text) in files {
        let (true, Some(text)) = (path.ends_with(".rs"), text) else { continue };
        match Source::parse(path, text) {
            Ok(source) => {
                sources.insert(path.clone(), source);
            }
            Err((line, error)) => {
                unreadable.push(Finding::new(path, line, "syntax", format!("not Rust: {error}")));
            }
        }
    }
    (sources, unreadable)
}

/// `#[cfg(test)] mod fakes;` makes a test file of `fakes.rs`, which its own text does not tell.
fn mark_test_files(sources: &mut Sources, trees: &[ModuleTree]) {
    let modules = trees.iter().flat_map(|tree| &tree.modules);
    for module in modules.filter(|module| module.is_test && !module.is_inline) {
        if let Some(source) = sources.get_mut(&module.file) {
            source.is_test = true;
        }
    }
}

/// What git tracks and what it would add: a new file is checked before it is committed.
fn tracked_files(root: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listing = standard_output(&mut git)?;
    Ok(listing.split_terminator('\0').map(str::to_owned).collect())
}

/// Every file below a folder of the root, by its path from the root.
fn all_files(root: &Path, folder: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if !entry.file_type()?.is_dir() {
                files.push(path.to_string_lossy().replace('\\', "/"));
            } else if !IGNORED_FOLDERS.iter().any(|ignored| entry.file_name() == *ignored) {
                folders.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn standard_output(command: &mut Command) -> Result<String, Box<dyn Error>> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
