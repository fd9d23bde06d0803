//! When to stop: SIGTERM, SIGINT, and a second one for the impatient.

use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinError, JoinHandle};

/// The signals that ask to stop. Made before anything else, so that none ends the process in the
/// middle of its start.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to listen.
    pub fn listen() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one and says which it was.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// Waits for `work`; another signal ends the process at once, and what is not committed is
    /// lost.
    pub async fn unless_asked_again<T>(&mut self, work: JoinHandle<T>) -> Result<T, JoinError> {
        tokio::select! {
            done = work => done,
            signal = self.next() => {
                tracing::error!(signal, "stopped at once: records not committed are lost");
                process::exit(1);
            }
        }
    }
}
