//! What is told less often than every step: the process tree, and flows of pods.

use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::Duration;

use super::Task;
use crate::owner::tree::ProcessTree;

/// Shortest time after which new processes are told.
const TELL_PROCESSES: Duration = Duration::from_secs(1);
/// How often flows of pods are counted, for a metric.
const COUNT_PODS: Duration = Duration::from_secs(5);

/// When what was told.
#[derive(Debug)]
pub(super) struct Seldom {
    /// Where the process tree is.
    proc: PathBuf,
    /// Version of the process tree, and when it was told.
    processes: Option<(u64, Duration)>,
    /// When flows of pods were counted.
    pods: Option<Duration>,
}

impl Seldom {
    pub(super) fn new(proc: PathBuf) -> Seldom {
        Seldom { proc, processes: None, pods: None }
    }
}

impl Task {
    pub(super) fn tell_seldom(&mut self, now: Duration) {
        self.tell_processes(now);
        self.count_pods(now);
    }

    // Cost: a pointer copied for each of 4,096 processes, 50 µs, while new ones come.
    fn tell_processes(&mut self, now: Duration) {
        let version = self.owners.version();
        let is_told = |(told, at)| told == version || now.saturating_sub(at) < TELL_PROCESSES;
        if self.seldom.processes.is_some_and(is_told) {
            return;
        }
        self.seldom.processes = Some((version, now));
        let tree = ProcessTree::new(self.owners.known(), &self.seldom.proc);
        *self.shared.processes.lock().unwrap_or_else(PoisonError::into_inner) = tree;
    }

    // Cost: a look at every flow, as its expiry has.
    fn count_pods(&mut self, now: Duration) {
        if self.seldom.pods.is_some_and(|counted| now.saturating_sub(counted) < COUNT_PODS) {
            return;
        }
        self.seldom.pods = Some(now);
        let count = self.cache.flows_of_pods() as u64;
        self.shared.update(|status| status.flows_of_pods = count);
    }
}
