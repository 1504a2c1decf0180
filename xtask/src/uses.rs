//! Which module uses which: every path that the code of a module tree writes, with the module it leads to.
//!
//! Names are followed through `use` and `pub use`, so a detour over the crate root hides nothing; methods are followed from
//! one file of a type to the others.

mod methods;
mod names;
mod references;

use crate::module_tree::{ModuleTree, Sources};

use names::Names;

/// One module uses another, or itself, by a path or a method call that is written in one place.
pub struct Use {
    /// Index of the module that the path is written in.
    pub from: usize,
    /// Index of the module that it leads to.
    pub to: usize,
    /// Line of the path or call in the file of the module `from`.
    pub line: usize,
}

/// All uses within a tree, outside of test code.
#[must_use]
pub fn of_tree(tree: &ModuleTree, sources: &Sources) -> Vec<Use> {
    let names = Names::of_tree(tree, sources);
    let resolve = |reference: references::Reference| {
        let to = names.module_of(tree, reference.module, &reference.segments)?;
        Some(Use { from: reference.module, to, line: reference.line })
    };
    let mut uses: Vec<_> = references::of_tree(tree, sources).into_iter().filter_map(resolve).collect();
    uses.extend(methods::of_tree(tree, sources, &names));
    uses
}
