//! xtask of the Weir workspace.
fn main() {}
