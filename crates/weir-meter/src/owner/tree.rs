//! The processes that are remembered, as a tree can be drawn of them: who owns sockets, and who
//! began whom up to the first process.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::memory::Key;
use super::process::{Owner, Stat};

/// One process of the tree. Its parent is the one with the pid and start that its owner says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// What is known of it.
    pub owner: Arc<Owner>,
    /// It owns metered sockets, or did; else it is an ancestor of one that does.
    pub owns_sockets: bool,
    /// It is gone.
    pub exited: bool,
}

/// What was remembered at one moment, within a second.
#[derive(Debug, Clone, Default)]
pub struct ProcessTree {
    known: Arc<[(Arc<Owner>, bool)]>,
    proc: PathBuf,
}

impl ProcessTree {
    pub(crate) fn new(known: Vec<(Arc<Owner>, bool)>, proc: &Path) -> ProcessTree {
        ProcessTree { known: known.into(), proc: proc.to_owned() }
    }

    /// Every process, in the order of their starts: a parent comes before its children.
    // Cost: a file of /proc is read of each, to see whether it is there: 4,096 take about 50 ms.
    pub fn all(&self) -> Vec<Process> {
        self.tell((0..self.known.len()).collect())
    }

    /// The processes that have or had the id `pid`, each with its ancestors, in the same order.
    pub fn chain(&self, pid: u32) -> Vec<Process> {
        let places = self.known.iter().enumerate();
        let places: HashMap<Key, usize> =
            places.map(|(place, (owner, _))| ((owner.pid, owner.started), place)).collect();
        let mut chain = BTreeSet::new();
        for (key, place) in &places {
            let mut next = (key.0 == pid).then_some(*place);
            // An ancestor that is in the chain ends the walk, and so does a circle.
            while let Some(place) = next.filter(|place| chain.insert(*place)) {
                let parent = self
                    .known
                    .get(place)
                    .and_then(|(owner, _)| owner.parent_pid.zip(owner.parent_started));
                next = parent.and_then(|parent| places.get(&parent)).copied();
            }
        }
        self.tell(chain.into_iter().collect())
    }

    /// The process that has or had the id `pid` last. Looks at no file.
    pub fn latest(&self, pid: u32) -> Option<&Arc<Owner>> {
        let of_pid = self.known.iter().map(|(owner, _)| owner).filter(|owner| owner.pid == pid);
        of_pid.max_by_key(|owner| owner.started)
    }

    fn tell(&self, places: Vec<usize>) -> Vec<Process> {
        let known = places.into_iter().filter_map(|place| self.known.get(place));
        let mut told: Vec<Process> = known
            .map(|(owner, owns_sockets)| {
                let stat = Stat::of(&self.proc.join(owner.pid.to_string()));
                Process {
                    owner: Arc::clone(owner),
                    owns_sockets: *owns_sockets,
                    exited: stat.map_or(true, |stat| stat.started != owner.started),
                }
            })
            .collect();
        told.sort_by_key(|process| (process.owner.started, process.owner.pid));
        told
    }
}
