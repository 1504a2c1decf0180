//! Names that say nothing and so draw everything in.

use syn::ItemMod;
use syn::visit::{self, Visit};

use crate::finding::Finding;
use crate::metadata::Package;
use crate::project::Project;

const RULE: &str = "names";

/// No crate, module, file or folder has one of these names.
const FORBIDDEN: [&str; 8] = ["utils", "util", "common", "helpers", "misc", "types", "manager", "base"];

/// Finds forbidden names of packages, of modules and of tracked files and folders.
#[must_use]
pub fn check(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(project.packages.iter().filter_map(check_package));
    findings.extend(project.files.keys().filter_map(|path| check_path(path)));
    for source in project.sources.values() {
        let mut visitor = ModuleVisitor { path: &source.path, findings: &mut findings };
        visitor.visit_file(&source.syntax);
    }
    findings
}

fn finding(path: &str, line: usize, what: &str, name: &str) -> Finding {
    let message = format!("a {what} must not be named `{name}`; name it after what it does");
    Finding::new(path, line, RULE, message)
}

fn check_package(package: &Package) -> Option<Finding> {
    let last = package.name.rsplit('-').next()?;
    FORBIDDEN.contains(&last).then(|| finding(&package.manifest, 1, "crate", &package.name))
}

fn check_path(path: &str) -> Option<Finding> {
    let bad = path.split('/').find(|part| {
        let stem = part.split('.').next().unwrap_or(part);
        FORBIDDEN.contains(&stem)
    })?;
    Some(finding(path, 1, "file or folder", bad))
}

struct ModuleVisitor<'a> {
    path: &'a str,
    findings: &'a mut Vec<Finding>,
}

impl<'ast> Visit<'ast> for ModuleVisitor<'_> {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let name = item.ident.to_string();
        if FORBIDDEN.contains(&name.as_str()) {
            self.findings.push(finding(self.path, item.ident.span().start().line, "module", &name));
        }
        visit::visit_item_mod(self, item);
    }
}
