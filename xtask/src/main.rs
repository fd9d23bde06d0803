//! Tasks on the sources of the Weir workspace: `cargo xtask <task>`.
#![forbid(unsafe_code)]

mod check;
mod docs;
mod registry;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("check") => check::run(),
        Some("docs") => docs::generate(),
        Some("registry") => registry::generate(),
        other => {
            bail!("unknown task {}: one of `check`, `docs`, `registry`", other.unwrap_or("(none)"))
        }
    }
}
