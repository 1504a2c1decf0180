//! Which module a path leads to, as far as names alone tell.

use std::collections::{BTreeMap, BTreeSet};

use syn::Item;

use crate::module_tree::{ModuleTree, Sources};

use super::references::{Import, imports};

/// The names that each module of a tree knows.
pub(super) struct Names {
    scopes: Vec<Scope>,
}

#[derive(Default)]
struct Scope {
    items: BTreeSet<String>,
    /// Path behind an imported name.
    imports: BTreeMap<String, Vec<String>>,
    /// Modules imported whole.
    globs: Vec<Vec<String>>,
}

/// What a name stands for.
#[derive(Clone, Copy)]
enum Found {
    /// The module itself.
    Module(usize),
    /// Something defined in that module.
    Item(usize),
}

impl Names {
    /// Reads the names of every module, test code apart.
    pub(super) fn of_tree(tree: &ModuleTree, sources: &Sources) -> Self {
        let mut names = Self { scopes: Vec::new() };
        names.scopes.resize_with(tree.modules.len(), Scope::default);
        for (index, module) in tree.modules.iter().enumerate() {
            if !module.is_inline && !module.is_test {
                names.read_items(tree, index, &sources[&module.file].syntax.items);
            }
        }
        names
    }

    fn read_items(&mut self, tree: &ModuleTree, module: usize, items: &[Item]) {
        for item in items {
            let scope = &mut self.scopes[module];
            match item {
                Item::Use(item) => imports(item).into_iter().for_each(|import| scope.add_import(import)),
                Item::Mod(item) => {
                    let child = tree.modules[module].children.get(&item.ident.to_string());
                    if let (Some(&child), Some((_, items))) = (child, &item.content)
                        && !tree.modules[child].is_test
                    {
                        self.read_items(tree, child, items);
                    }
                }
                other => scope.items.extend(item_name(other)),
            }
        }
    }

    /// The module that `segments`, written in `module`, leads to; none when it leads out of the crate or to
    /// a name that is not known.
    pub(super) fn module_of(&self, tree: &ModuleTree, module: usize, segments: &[String]) -> Option<usize> {
        let mut search = Search { names: self, tree, open: BTreeSet::new() };
        match search.resolve(module, segments)? {
            Found::Module(module) | Found::Item(module) => Some(module),
        }
    }
}

/// The search for one path.
struct Search<'a> {
    names: &'a Names,
    tree: &'a ModuleTree,
    /// Names being looked for, or looked for in vain, by module: glob imports may go in circles.
    open: BTreeSet<(usize, String)>,
}

impl Search<'_> {
    fn resolve(&mut self, module: usize, segments: &[String]) -> Option<Found> {
        let (first, mut rest) = segments.split_first()?;
        let mut found = match first.as_str() {
            "crate" => Found::Module(0),
            "self" => Found::Module(module),
            "super" => Found::Module(self.tree.modules[module].parent?),
            name => self.look_up(module, name)?,
        };
        while let (Found::Module(module), Some((name, after))) = (found, rest.split_first()) {
            found = if name == "super" {
                Found::Module(self.tree.modules[module].parent?)
            } else {
                // A name made by a macro is not known here; it is in this module all the same.
                self.look_up(module, name).unwrap_or(Found::Item(module))
            };
            rest = after;
        }
        Some(found)
    }

    fn look_up(&mut self, module: usize, name: &str) -> Option<Found> {
        let key = (module, name.to_owned());
        if !self.open.insert(key.clone()) {
            return None;
        }
        let found = self.look_up_first(module, name)?;
        self.open.remove(&key);
        Some(found)
    }

    fn look_up_first(&mut self, module: usize, name: &str) -> Option<Found> {
        if let Some(&child) = self.tree.modules[module].children.get(name) {
            return Some(Found::Module(child));
        }
        let scope = &self.names.scopes[module];
        if scope.items.contains(name) {
            return Some(Found::Item(module));
        }
        if let Some(path) = scope.imports.get(name) {
            return self.resolve(module, path);
        }
        scope.globs.iter().find_map(|path| {
            let Found::Module(source) = self.resolve(module, path)? else { return None };
            self.look_up(source, name)
        })
    }
}

impl Scope {
    fn add_import(&mut self, import: Import) {
        match import.name {
            Some(name) => {
                self.imports.insert(name, import.segments);
            }
            None => self.globs.push(import.segments),
        }
    }
}

fn item_name(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}
