//! The two threads of a store: one commits, one does everything that can wait.

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use super::core::Core;
use crate::error::StoreError;

/// How often the commit thread looks at the disk and at the age of open segments.
const IDLE: Duration = Duration::from_secs(1);
/// How long it waits after a commit that failed.
const RETRY: Duration = Duration::from_millis(250);

/// Handles of the threads.
#[derive(Debug)]
pub(crate) struct Threads {
    commit: JoinHandle<()>,
    maintain: JoinHandle<()>,
    end: Sender<()>,
}

impl Threads {
    pub(crate) fn start(core: &Arc<Core>) -> Result<Threads, StoreError> {
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            let dir = &core.policy.dir;
            Builder::new().name(name.into()).spawn(run).map_err(StoreError::io("start", dir))
        };
        let (end, ended) = bounded(1);
        let shared = Arc::clone(core);
        let maintain = spawn("store-maintain", Box::new(move || maintain(&shared, &ended)))?;
        let shared = Arc::clone(core);
        let commit = spawn("store-commit", Box::new(move || commit(&shared)))?;
        Ok(Threads { commit, maintain, end })
    }

    /// Calls off what can be called off and waits for the threads.
    pub(crate) fn stop(self, core: &Core) {
        core.stop.store(true, std::sync::atomic::Ordering::Release);
        core.pulse.stop();
        drop(self.end);
        for thread in [self.commit, self.maintain] {
            if thread.join().is_err() {
                tracing::error!("a thread of the store ended with a panic");
            }
        }
    }
}

fn commit(core: &Core) {
    let policy = &core.policy;
    let mut checked = None;
    while core.pulse.wait_for_work(policy.commit_interval, policy.commit_octets, IDLE) {
        let now = core.clock.now();
        if checked.is_none_or(|at| now.since(at) >= IDLE || now < at) {
            checked = Some(now);
            core.check_space();
        }
        if core.commit(false).is_err() {
            // Why: the error was counted and told; a disk that refuses is not asked in a loop.
            std::thread::sleep(RETRY);
        }
    }
}

fn maintain(core: &Core, ended: &crossbeam_channel::Receiver<()>) {
    let mut told = None;
    loop {
        let share = core.policy.compaction.core_share.clamp(0.05, 1.0);
        // Why: sleeping in proportion keeps a merge to its share of one core.
        let pace = |took: Duration| std::thread::sleep(took.mul_f64(1.0 / share - 1.0));
        let text = match core.maintain(&pace) {
            Ok(()) | Err(StoreError::Cancelled) => None,
            Err(error) => Some(error.to_string()),
        };
        if text != told
            && let Some(error) = &text
        {
            tracing::error!(error, "background work of the store is tried again later");
        }
        told = text;
        match ended.recv_timeout(core.policy.maintenance_interval) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
