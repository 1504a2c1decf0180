//! The ordercast binary.

fn main() {}
