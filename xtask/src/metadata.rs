//! What `cargo metadata --no-deps --format-version 1` says about the workspace, cut down to what the
//! rules need.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// A member of the workspace.
#[derive(Debug)]
pub struct Package {
    /// Name in its `Cargo.toml`.
    pub name: String,
    /// `Cargo.toml`, relative to the workspace root.
    pub manifest: String,
    /// Everything it depends on, dev-dependencies included.
    pub dependencies: Vec<Dependency>,
    /// Root files of its libraries and binaries (not of tests, benches, examples or build scripts).
    pub roots: Vec<String>,
}

impl Package {
    /// Folder of the package, relative to the workspace root, without a trailing `/`.
    #[must_use]
    pub fn folder(&self) -> &str {
        self.manifest.strip_suffix("/Cargo.toml").unwrap_or("")
    }
}

/// One line of a dependency table.
#[derive(Debug)]
pub struct Dependency {
    /// Name of the package depended on, not the name it is renamed to.
    pub name: String,
    /// Which table it stands in.
    pub kind: DependencyKind,
    /// Whether it is a member of this workspace.
    pub ours: bool,
}

/// The three dependency tables of Cargo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DependencyKind {
    /// `[dependencies]`
    Normal,
    /// `[build-dependencies]`
    Build,
    /// `[dev-dependencies]`
    Dev,
}

/// Reads the JSON of `cargo metadata`. Paths outside the workspace root are kept as they are.
///
/// # Errors
/// Says which field is missing or of another kind than Cargo documents.
pub fn parse(json: &str) -> Result<Vec<Package>, String> {
    let value = document(json)?;
    let root = Path::new(text(&value, "workspace_root")?);
    let packages = list(&value, "packages")?;
    let names = packages.iter().map(|package| text(package, "name")).collect::<Result<Vec<_>, _>>()?;
    packages.iter().map(|package| parse_package(package, root, &names)).collect()
}

/// Where the workspace lies on this machine.
///
/// # Errors
/// As [`parse`].
pub fn workspace_root(json: &str) -> Result<PathBuf, String> {
    Ok(PathBuf::from(text(&document(json)?, "workspace_root")?))
}

fn document(json: &str) -> Result<Value, String> {
    serde_json::from_str(json).map_err(|error| format!("cargo metadata: {error}"))
}

fn parse_package(package: &Value, root: &Path, names: &[&str]) -> Result<Package, String> {
    let dependencies = list(package, "dependencies")?;
    let targets = list(package, "targets")?;
    let mut roots = Vec::new();
    for target in targets {
        if list(target, "kind")?.iter().any(is_library_or_binary) {
            roots.push(relative(text(target, "src_path")?, root));
        }
    }
    Ok(Package {
        name: text(package, "name")?.to_owned(),
        manifest: relative(text(package, "manifest_path")?, root),
        dependencies: dependencies
            .iter()
            .map(|dependency| parse_dependency(dependency, names))
            .collect::<Result<_, _>>()?,
        roots,
    })
}

fn parse_dependency(dependency: &Value, names: &[&str]) -> Result<Dependency, String> {
    let name = text(dependency, "name")?;
    let kind = match dependency.get("kind").and_then(Value::as_str) {
        None | Some("normal") => DependencyKind::Normal,
        Some("build") => DependencyKind::Build,
        Some("dev") => DependencyKind::Dev,
        Some(other) => return Err(format!("cargo metadata: unknown dependency kind `{other}`")),
    };
    Ok(Dependency { name: name.to_owned(), kind, ours: names.contains(&name) })
}

fn is_library_or_binary(kind: &Value) -> bool {
    const KINDS: [&str; 7] = ["lib", "rlib", "dylib", "cdylib", "staticlib", "proc-macro", "bin"];
    kind.as_str().is_some_and(|kind| KINDS.contains(&kind))
}

fn relative(path: &str, root: &Path) -> String {
    let path = Path::new(path);
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str, String> {
    value.get(key).and_then(Value::as_str).ok_or_else(|| format!("cargo metadata: no text `{key}`"))
}

fn list<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>, String> {
    value.get(key).and_then(Value::as_array).ok_or_else(|| format!("cargo metadata: no list `{key}`"))
}
