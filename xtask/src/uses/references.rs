//! Every path that the code of a module tree writes, inside macro calls too.

use proc_macro2::Span;
use syn::visit::{self, Visit};
use syn::{ItemMod, ItemUse, Macro, Path, UseTree, VisRestricted};

use crate::module_tree::{ModuleTree, Sources};
use crate::source::Source;
use crate::tokens::{Token, flatten};

/// A path as written in one place.
pub(super) struct Reference {
    /// Module it is written in.
    pub(super) module: usize,
    /// Its parts: `crate`, `orders`, `Order`.
    pub(super) segments: Vec<String>,
    /// Line in the module's file.
    pub(super) line: usize,
}

/// One name that a `use` brings in, or all names of a module.
pub(super) struct Import {
    /// The name in the importing module; none for `*`.
    pub(super) name: Option<String>,
    /// The path of what is imported, or of the module before `*`.
    pub(super) segments: Vec<String>,
}

/// All references outside of test code.
pub(super) fn of_tree(tree: &ModuleTree, sources: &Sources) -> Vec<Reference> {
    let mut found = Vec::new();
    for (index, module) in tree.modules.iter().enumerate() {
        if !module.is_inline && !module.is_test {
            let source = &sources[&module.file];
            let mut collector = Collector { tree, source, module: index, found: Vec::new() };
            collector.visit_file(&source.syntax);
            found.extend(collector.found);
        }
    }
    found
}

/// The single imports of a `use` item.
pub(super) fn imports(item: &ItemUse) -> Vec<Import> {
    let mut found = Vec::new();
    push_imports(&item.tree, &mut Vec::new(), &mut found);
    found
}

fn push_imports(tree: &UseTree, prefix: &mut Vec<String>, found: &mut Vec<Import>) {
    match tree {
        UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            push_imports(&path.tree, prefix, found);
            prefix.pop();
        }
        UseTree::Group(group) => {
            for item in &group.items {
                push_imports(item, prefix, found);
            }
        }
        UseTree::Glob(_) => found.push(Import { name: None, segments: prefix.clone() }),
        UseTree::Name(name) => found.push(import(&name.ident.to_string(), None, prefix)),
        UseTree::Rename(rename) => {
            found.push(import(&rename.ident.to_string(), Some(rename.rename.to_string()), prefix));
        }
    }
}

/// `self` in braces stands for the module before the braces.
fn import(name: &str, renamed: Option<String>, prefix: &[String]) -> Import {
    let mut segments = prefix.to_vec();
    if name != "self" || prefix.is_empty() {
        segments.push(name.to_owned());
    }
    Import { name: renamed.or_else(|| segments.last().cloned()), segments }
}

struct Collector<'a> {
    tree: &'a ModuleTree,
    source: &'a Source,
    module: usize,
    found: Vec<Reference>,
}

impl Collector<'_> {
    fn note(&mut self, segments: Vec<String>, line: usize) {
        if is_telling(&segments) && !self.source.is_test_line(line) {
            self.found.push(Reference { module: self.module, segments, line });
        }
    }
}

/// A lone lower-case name is most often a variable; taking it for a module would find cycles that are
/// not there.
fn is_telling(segments: &[String]) -> bool {
    match segments {
        [] => false,
        [name] => name.starts_with(char::is_uppercase),
        _ => true,
    }
}

impl<'ast> Visit<'ast> for Collector<'_> {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let Some(&child) = self.tree.modules[self.module].children.get(&item.ident.to_string()) else {
            return;
        };
        if item.content.is_some() {
            let outer = std::mem::replace(&mut self.module, child);
            visit::visit_item_mod(self, item);
            self.module = outer;
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        for import in imports(item) {
            self.note(import.segments, line_of(item.use_token.span));
        }
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let segments: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let Some(first) = path.segments.first() {
            self.note(segments, line_of(first.ident.span()));
        }
        visit::visit_path(self, path);
    }

    /// `pub(in crate::orders)` limits who sees an item; it uses nothing.
    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {}

    fn visit_macro(&mut self, call: &'ast Macro) {
        for (segments, line) in paths_in_tokens(&flatten(call.tokens.clone())) {
            self.note(segments, line);
        }
        visit::visit_macro(self, call);
    }
}

fn line_of(span: Span) -> usize {
    span.start().line
}

/// Runs of `word::word::…`; what stands in a macro call has no other structure.
fn paths_in_tokens(tokens: &[Token]) -> Vec<(Vec<String>, usize)> {
    let mut paths = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        let first = &tokens[index];
        index += 1;
        if !first.is_word() {
            continue;
        }
        let mut segments = vec![first.text.clone()];
        while let [colon, second, word, ..] = &tokens[index..]
            && colon.text == ":"
            && second.text == ":"
            && word.is_word()
        {
            segments.push(word.text.clone());
            index += 3;
        }
        paths.push((segments, first.line));
    }
    paths
}
