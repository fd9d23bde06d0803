//! Where the captures of real exporters are, if this machine has them.

use std::path::PathBuf;

/// The folder that holds `corpus`, `corpus-ovs` and `corpus-sflow`: the value of `WEIR_CORPUS`.
/// `None` when it is unset or no such folder is there.
pub fn corpus() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("WEIR_CORPUS")?);
    folder.is_dir().then_some(folder)
}

/// Says on standard error what a test left out and why. A test that cannot run is heard, not
/// silently green.
#[expect(clippy::print_stderr, reason = "the whole point is to be seen in the test's output")]
pub fn skip_aloud(what: &str, why: &str) {
    eprintln!("SKIPPED {what}: {why}");
}
