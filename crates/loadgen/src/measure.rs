//! Figures: what a process uses, how long things took, and several measurements of the same thing.

pub mod histogram;
pub mod process;
pub mod series;
pub mod tree;
