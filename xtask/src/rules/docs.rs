//! Every `pub` item says what it is.

use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, Visibility};

use crate::finding::Finding;
use crate::module_tree::is_documented;
use crate::project::Project;
use crate::source::Source;

const RULE: &str = "docs";

/// Finds `pub` functions, structs, enums, unions, traits, constants, statics, type names and modules
/// without a doc comment; test code apart. Fields and enum variants may speak for themselves.
#[must_use]
pub fn check(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in project.production_sources() {
        let mut visitor = Visitor { source, findings: &mut findings };
        visitor.visit_file(&source.syntax);
    }
    // The comment of a module may stand in its own file, so modules are taken from the trees.
    let modules = project.trees.iter().flat_map(|tree| &tree.modules);
    for module in modules.filter(|module| module.is_public && !module.is_test && !module.is_documented) {
        let (file, line) = &module.declared_at;
        findings.push(finding(file, *line, &format!("module `{}`", module.path)));
    }
    findings
}

fn finding(path: &str, line: usize, what: &str) -> Finding {
    let message =
        format!("public {what} has no doc comment; say what it is, with units, errors and the source of rules");
    Finding::new(path, line, RULE, message)
}

struct Visitor<'a> {
    source: &'a Source,
    findings: &'a mut Vec<Finding>,
}

impl Visitor<'_> {
    fn check(&mut self, visibility: &Visibility, attributes: &[Attribute], kind: &str, name: &syn::Ident) {
        let line = name.span().start().line;
        let is_public = matches!(visibility, Visibility::Public(_));
        if is_public && !is_documented(attributes) && !self.source.is_test_line(line) {
            self.findings.push(finding(&self.source.path, line, &format!("{kind} `{name}`")));
        }
    }
}

impl<'ast> Visit<'ast> for Visitor<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Fn(item) => self.check(&item.vis, &item.attrs, "function", &item.sig.ident),
            Item::Struct(item) => self.check(&item.vis, &item.attrs, "struct", &item.ident),
            Item::Enum(item) => self.check(&item.vis, &item.attrs, "enum", &item.ident),
            Item::Union(item) => self.check(&item.vis, &item.attrs, "union", &item.ident),
            Item::Trait(item) => self.check(&item.vis, &item.attrs, "trait", &item.ident),
            Item::Const(item) => self.check(&item.vis, &item.attrs, "constant", &item.ident),
            Item::Static(item) => self.check(&item.vis, &item.attrs, "static", &item.ident),
            Item::Type(item) => self.check(&item.vis, &item.attrs, "type", &item.ident),
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        match item {
            ImplItem::Fn(item) => self.check(&item.vis, &item.attrs, "function", &item.sig.ident),
            ImplItem::Const(item) => self.check(&item.vis, &item.attrs, "constant", &item.ident),
            _ => {}
        }
        visit::visit_impl_item(self, item);
    }
}
