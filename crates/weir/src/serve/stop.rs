//! When to stop: SIGTERM, SIGINT, and a second one for the impatient.

use std::process;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinError, JoinHandle};

/// Waits for SIGTERM or SIGINT and says which came.
pub async fn requested() -> anyhow::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

/// Waits for `work`; a second signal ends the process at once, and what is not committed is lost.
pub async fn unless_asked_again<T>(work: JoinHandle<T>) -> Result<T, JoinError> {
    tokio::select! {
        done = work => done,
        asked = requested() => {
            tracing::error!(signal = asked.unwrap_or("none"), "stopped at once: records not committed are lost");
            process::exit(1);
        }
    }
}
