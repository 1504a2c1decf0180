//! The chores of this repository. `cargo xtask tidy` holds the code to the house limits: who may
//! import whom, how long things may be, what must not be written.
//!
//! [`project::Project`] is everything a rule may look at, read once; each module under [`rules`] is
//! one rule, a pure function from it to [`finding::Finding`]s.

pub mod project;
pub mod rules;

pub mod finding;

pub mod metadata;
pub mod module_tree;
pub mod source;
pub mod tokens;
pub mod uses;

pub mod graph;
