//! Standard output, with a closed pipe (`weir query | head`) as an ordinary end.

use std::io::{self, Write};

/// Writes `text` to standard output.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => result,
    }
}

/// Writes `text` to standard error; there is nowhere to report that this failed.
pub fn say(text: &str) {
    let _best_effort = io::stderr().lock().write_all(text.as_bytes());
}
