//! The modules of one library or binary, found the way the compiler finds them: from the root file
//! along its `mod` items.

use std::collections::BTreeMap;

use syn::{Attribute, Expr, ExprLit, Item, ItemMod, Lit, Meta, Visibility};

use crate::source::{Source, has_test_attribute};

/// Parsed files by their path relative to the workspace root.
pub type Sources = BTreeMap<String, Source>;

/// All modules of one crate root. Module 0 is the root itself.
pub struct ModuleTree {
    /// The modules; a child stands after its parent.
    pub modules: Vec<Module>,
}

/// One module, in a file of its own or inline.
pub struct Module {
    /// As paths name it: `crate`, `crate::orders`, …
    pub path: String,
    /// Index of the module that declares it; none for the root.
    pub parent: Option<usize>,
    /// Modules it declares, by name.
    pub children: BTreeMap<String, usize>,
    /// File its items stand in.
    pub file: String,
    /// Whether its items stand between braces inside the file of its parent.
    pub is_inline: bool,
    /// File and line of its `mod` item; of line 1 for the root.
    pub declared_at: (String, usize),
    /// Whether it exists in test builds only, by its own attributes or those of a module around it.
    pub is_test: bool,
    /// Whether it is declared plain `pub`.
    pub is_public: bool,
    /// Whether it has a doc comment, outside or inside.
    pub is_documented: bool,
}

impl ModuleTree {
    /// Follows the `mod` items from `root_file`; a file that is not there is left out.
    #[must_use]
    pub fn build(root_file: &str, sources: &Sources) -> Self {
        let mut tree = Self { modules: Vec::new() };
        let Some(source) = sources.get(root_file) else {
            return tree;
        };
        tree.modules.push(Module {
            path: "crate".to_owned(),
            parent: None,
            children: BTreeMap::new(),
            file: root_file.to_owned(),
            is_inline: false,
            declared_at: (root_file.to_owned(), 1),
            is_test: source.is_test,
            is_public: false,
            is_documented: is_documented(&source.syntax.attrs),
        });
        let folder = parent_folder(root_file).to_owned();
        tree.add_children(0, &source.syntax.items, &folder, sources);
        tree
    }

    /// The module and those around it, innermost first.
    pub fn with_ancestors(&self, module: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(module), |&inner| self.modules[inner].parent)
    }

    /// `folder` is where the files of child modules are looked for.
    fn add_children(&mut self, parent: usize, items: &[Item], folder: &str, sources: &Sources) {
        for item in items {
            if let Item::Mod(item) = item {
                self.add_child(parent, item, folder, sources);
            }
        }
    }

    fn add_child(&mut self, parent: usize, item: &ItemMod, folder: &str, sources: &Sources) {
        let name = item.ident.to_string();
        let parent_file = self.modules[parent].file.clone();
        let file = match &item.content {
            Some(_) => Some(parent_file.clone()),
            None => module_files(item, &parent_file, folder).into_iter().find(|file| sources.contains_key(file)),
        };
        let Some(file) = file else { return };
        let own_source = item.content.is_none().then(|| &sources[&file]);
        let index = self.modules.len();
        self.modules.push(Module {
            path: format!("{}::{name}", self.modules[parent].path),
            parent: Some(parent),
            children: BTreeMap::new(),
            file: file.clone(),
            is_inline: item.content.is_some(),
            declared_at: (parent_file, item.ident.span().start().line),
            is_test: self.modules[parent].is_test
                || has_test_attribute(&item.attrs)
                || own_source.is_some_and(|source| source.is_test),
            is_public: matches!(item.vis, Visibility::Public(_)),
            is_documented: is_documented(&item.attrs)
                || own_source.is_some_and(|source| is_documented(&source.syntax.attrs)),
        });
        self.modules[parent].children.insert(name.clone(), index);
        match (&item.content, own_source) {
            (Some((_, items)), _) => self.add_children(index, items, &format!("{folder}/{name}"), sources),
            (None, Some(source)) => {
                let folder = folder_of_children(&file);
                self.add_children(index, &source.syntax.items, &folder, sources);
            }
            (None, None) => {}
        }
    }
}

/// Whether there is a doc comment; an item hidden from the documentation needs none.
#[must_use]
pub fn is_documented(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident("doc"))
}

/// The files a `mod name;` may stand for, in the compiler's order.
fn module_files(item: &ItemMod, parent_file: &str, folder: &str) -> Vec<String> {
    let name = item.ident.to_string();
    let explicit = item.attrs.iter().find_map(path_attribute);
    match explicit {
        Some(path) => vec![format!("{}/{path}", parent_folder(parent_file))],
        None => vec![format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")],
    }
}

fn path_attribute(attribute: &Attribute) -> Option<String> {
    match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

fn folder_of_children(file: &str) -> String {
    match file.strip_suffix("/mod.rs") {
        Some(folder) => folder.to_owned(),
        None => file.strip_suffix(".rs").unwrap_or(file).to_owned(),
    }
}

fn parent_folder(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}
