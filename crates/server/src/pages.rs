//! Pages: those embedded in the binary, and those of the documentation that are made here.

pub(crate) mod embedded;
pub(crate) mod error_pages;
