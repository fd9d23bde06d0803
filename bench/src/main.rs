//! Benchmarks of the Weir workspace.
fn main() {}
