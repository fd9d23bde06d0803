//! When to stop: SIGTERM, SIGINT, and a second one for the impatient.

use std::process;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinError, JoinHandle};

/// Signals that come sooner after the first are the same wish to stop: `timeout` sends one to the
/// process and one to its group, and wrappers hand on what the terminal has sent to all.
const ONE_WISH: Duration = Duration::from_millis(500);

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
        let first = Instant::now();
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                signal = self.next() => if first.elapsed() >= ONE_WISH {
                    tracing::error!(signal, "stopped at once: what was not safe yet is lost");
                    process::exit(1);
                },
            }
        }
    }
}
