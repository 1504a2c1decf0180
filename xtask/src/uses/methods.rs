//! Method calls between files that hold parts of one type.
//!
//! A type whose inherent `impl` lies in several modules hides a cycle from paths: `self.read()` names no module. So such a
//! call, inside any `impl` of the type, counts as a use of the module that has the method. The receiver is `self`, or a
//! variable (the same object in a closure) when no other type of the crate has a method of that name.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};
use syn::{Expr, ExprMethodCall, ExprPath, ImplItem, ItemImpl, ItemMod, Macro, Type};

use super::Use;
use super::names::Names;
use crate::module_tree::{ModuleTree, Sources};
use crate::source::Source;
use crate::tokens::flatten;

/// A type: the module that it is defined in, and its name.
type Owner = (usize, String);

/// The modules of each type's inherent methods, by name.
type Methods = BTreeMap<Owner, BTreeMap<String, usize>>;

/// All calls of methods of a type within its `impl` blocks, outside of test code.
pub(super) fn of_tree(tree: &ModuleTree, sources: &Sources, names: &Names) -> Vec<Use> {
    let mut walker = Walker { tree, names, module: 0, source: None, impls: Vec::new() };
    for (index, module) in tree.modules.iter().enumerate() {
        if !module.is_inline && !module.is_test {
            let source = &sources[&module.file];
            (walker.module, walker.source) = (index, Some(source));
            walker.visit_file(&source.syntax);
        }
    }
    let mut methods = Methods::new();
    let mut owners: BTreeMap<String, BTreeSet<Owner>> = BTreeMap::new();
    for found in walker.impls.iter().filter(|found| found.item.trait_.is_none()) {
        for item in &found.item.items {
            if let ImplItem::Fn(method) = item {
                let name = method.sig.ident.to_string();
                owners.entry(name.clone()).or_default().insert(found.owner.clone());
                methods.entry(found.owner.clone()).or_default().insert(name, found.module);
            }
        }
    }
    let mut uses = Vec::new();
    for found in &walker.impls {
        let Some(own) = methods.get(&found.owner) else {
            continue;
        };
        let mut caller = Caller { own, owners: &owners, module: found.module, source: found.source, uses: &mut uses };
        caller.visit_item_impl(found.item);
    }
    uses
}

/// An `impl` block.
struct Impl<'a> {
    owner: Owner,
    module: usize,
    source: &'a Source,
    item: &'a ItemImpl,
}

/// Finds the `impl` blocks of each module.
struct Walker<'a> {
    tree: &'a ModuleTree,
    names: &'a Names,
    module: usize,
    source: Option<&'a Source>,
    impls: Vec<Impl<'a>>,
}

impl<'a> Visit<'a> for Walker<'a> {
    fn visit_item_mod(&mut self, item: &'a ItemMod) {
        if let Some(&child) = self.tree.modules[self.module].children.get(&item.ident.to_string())
            && item.content.is_some()
        {
            let outer = std::mem::replace(&mut self.module, child);
            visit::visit_item_mod(self, item);
            self.module = outer;
        }
    }

    fn visit_item_impl(&mut self, item: &'a ItemImpl) {
        let Type::Path(path) = &*item.self_ty else {
            return;
        };
        let segments: Vec<_> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let (Some(source), Some(name)) = (self.source, segments.last())
            && !source.is_test_line(item.impl_token.span.start().line)
            && let Some(defined_in) = self.names.module_of(self.tree, self.module, &segments)
        {
            let owner = (defined_in, name.clone());
            self.impls.push(Impl { owner, module: self.module, source, item });
        }
    }
}

/// Finds the calls in one `impl` block.
struct Caller<'a> {
    own: &'a BTreeMap<String, usize>,
    owners: &'a BTreeMap<String, BTreeSet<Owner>>,
    module: usize,
    source: &'a Source,
    uses: &'a mut Vec<Use>,
}

impl Caller<'_> {
    fn note(&mut self, method: &str, line: usize) {
        if let Some(&to) = self.own.get(method)
            && !self.source.is_test_line(line)
        {
            self.uses.push(Use { from: self.module, to, line });
        }
    }

    fn is_unambiguous(&self, method: &str) -> bool {
        self.owners.get(method).is_some_and(|owners| owners.len() == 1)
    }
}

impl<'ast> Visit<'ast> for Caller<'_> {
    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        let method = call.method.to_string();
        if let Expr::Path(receiver) = &*call.receiver
            && let Some(name) = receiver.path.get_ident()
            && (name == "self" || self.is_unambiguous(&method))
        {
            self.note(&method, call.method.span().start().line);
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_path(&mut self, path: &'ast ExprPath) {
        let segments: Vec<_> = path.path.segments.iter().collect();
        if let [first, method] = &segments[..]
            && first.ident == "Self"
        {
            self.note(&method.ident.to_string(), method.ident.span().start().line);
        }
        visit::visit_expr_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        for window in flatten(call.tokens.clone()).windows(4) {
            let [receiver, dot, method, bracket] = window else {
                continue;
            };
            if receiver.text == "self" && dot.text == "." && bracket.text == "(" {
                self.note(&method.text, method.line);
            }
        }
    }
}
