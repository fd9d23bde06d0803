//! Names of containers: asked of their runtime, away from metering.
//!
//! Metering wants a name and goes on; one thread asks docker's or podman's socket, or reads the
//! state that containerd, CRI-O and podman keep of containers, and puts what it finds into the
//! [`Container`] that all its processes share. Invariants: waiting look-ups, remembered containers,
//! the time of a look-up and every text are bounded; nothing is asked but "what is this container".

mod docker;
mod list;
mod policy;
mod state;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::cgroup::Cgroup;
use super::process::{Owner, clean};
pub use policy::{RuntimePolicy, StateFolder};

/// Look-ups that may wait.
const WAITING_MAX: usize = 256;
/// Containers remembered, those included of which nothing was found.
const CONTAINERS_MAX: usize = 4_096;
/// Pause before a container of which nothing was found is asked for again; four times as long
/// after every further try.
const RETRY: Duration = Duration::from_secs(5);
/// Longest such pause.
const RETRY_MAX: Duration = Duration::from_secs(600);
/// Longest text that is kept, in characters.
const TEXT_MAX: usize = 256;

/// What a runtime calls a container. Texts are cleaned and cut.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Named {
    /// The word of the runtime that knew it.
    pub runtime: &'static str,
    /// Name; in a pod that of the container in the pod's specification.
    pub name: Option<String>,
    /// Image.
    pub image: Option<String>,
    /// Name of the pod.
    pub pod: Option<String>,
    /// Namespace of the pod.
    pub namespace: Option<String>,
}

/// A container: its names come once its runtime was asked.
#[derive(Debug, Default)]
pub struct Container {
    named: OnceLock<Named>,
    is_waiting: AtomicBool,
}

impl PartialEq for Container {
    fn eq(&self, other: &Container) -> bool {
        self.named == other.named
    }
}

impl Eq for Container {}

impl Container {
    /// What its runtime said, if it has by now.
    pub fn named(&self) -> Option<&Named> {
        self.named.get()
    }
}

/// How look-ups went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RuntimeCounts {
    /// Containers that were named.
    pub named: u64,
    /// Look-ups in which no runtime knew the container, or none could be asked.
    pub unknown: u64,
    /// Look-ups not made because too many waited.
    pub refused: u64,
    /// Containers forgotten because there were too many.
    pub evicted: u64,
}

/// Why a runtime told nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookupError {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("it answered with status {0}")]
    Status(u16),
    #[error("its answer is no JSON that is expected")]
    Json(#[from] serde_json::Error),
    #[error("its answer is not HTTP that is expected")]
    Http,
    #[error("its answer is longer than {0} octets")]
    TooLong(u64),
    #[error("its list does not have the container")]
    Unlisted,
}

#[derive(Debug, Default)]
struct Tally {
    named: AtomicU64,
    unknown: AtomicU64,
}

struct Wanted {
    id: String,
    runtime: Option<String>,
    container: Arc<Container>,
}

#[derive(Debug)]
struct Known {
    container: Arc<Container>,
    tries: u32,
    asked: Option<Duration>,
}

/// The side of metering: what is known, and the way to the thread that asks.
#[derive(Debug)]
pub(super) struct Runtimes {
    policy: RuntimePolicy,
    known: HashMap<String, Known>,
    thread: Option<SyncSender<Wanted>>,
    tally: Arc<Tally>,
    refused: u64,
    evicted: u64,
}

impl Runtimes {
    pub(super) fn new(policy: RuntimePolicy) -> Runtimes {
        Runtimes {
            policy,
            known: HashMap::new(),
            thread: None,
            tally: Arc::default(),
            refused: 0,
            evicted: 0,
        }
    }

    pub(super) fn counts(&self) -> RuntimeCounts {
        RuntimeCounts {
            named: self.tally.named.load(Ordering::Relaxed),
            unknown: self.tally.unknown.load(Ordering::Relaxed),
            refused: self.refused,
            evicted: self.evicted,
        }
    }

    /// The container of a control group, whose runtime is asked if it was not yet.
    pub(super) fn container(&mut self, cgroup: &Cgroup, now: Duration) -> Option<Arc<Container>> {
        let id = cgroup.container_id.as_deref()?;
        if self.policy.is_none() {
            return None;
        }
        if !self.known.contains_key(id) {
            self.make_room();
            let known = Known { container: Arc::default(), tries: 0, asked: None };
            self.known.insert(id.to_owned(), known);
        }
        self.ask(id, cgroup.runtime.as_deref(), now)
    }

    /// Asks again for the container of a process, if nothing was found so far and it is time.
    pub(super) fn again(&mut self, owner: &Owner, now: Duration) {
        let is_unnamed = owner.container.as_ref().is_some_and(|known| known.named().is_none());
        if let (true, Some(id)) = (is_unnamed, owner.cgroup.container_id.as_deref()) {
            self.ask(id, owner.cgroup.runtime.as_deref(), now);
        }
    }

    fn ask(&mut self, id: &str, word: Option<&str>, now: Duration) -> Option<Arc<Container>> {
        let known = self.known.get_mut(id)?;
        let container = Arc::clone(&known.container);
        let pause = RETRY.saturating_mul(4u32.saturating_pow(known.tries.saturating_sub(1)));
        let is_due =
            known.asked.is_none_or(|asked| now.saturating_sub(asked) >= pause.min(RETRY_MAX));
        if container.named().is_some() || !is_due || container.is_waiting.load(Ordering::Acquire) {
            return Some(container);
        }
        let thread = match self.thread.take() {
            Some(thread) => thread,
            None => start(&self.policy, &self.tally)?,
        };
        container.is_waiting.store(true, Ordering::Release);
        let runtime = word.map(str::to_owned);
        let wanted = Wanted { id: id.to_owned(), runtime, container: Arc::clone(&container) };
        match thread.try_send(wanted) {
            Ok(()) => {
                known.asked = Some(now);
                known.tries = known.tries.saturating_add(1);
                self.thread = Some(thread);
            }
            // Why: It is asked for again with the next process of the container.
            Err(TrySendError::Full(_)) => {
                container.is_waiting.store(false, Ordering::Release);
                self.refused += 1;
                self.thread = Some(thread);
            }
            // A thread that is gone is started again with the next container.
            Err(TrySendError::Disconnected(_)) => {
                container.is_waiting.store(false, Ordering::Release);
                self.refused += 1;
            }
        }
        Some(container)
    }

    /// Makes room for one more: those that no process is remembered of go first, else any.
    fn make_room(&mut self) {
        if self.known.len() < CONTAINERS_MAX {
            return;
        }
        let before = self.known.len();
        self.known.retain(|_, known| Arc::strong_count(&known.container) > 1);
        if self.known.len() >= CONTAINERS_MAX {
            let any = self.known.keys().next().cloned();
            any.and_then(|id| self.known.remove(&id));
        }
        self.evicted += (before - self.known.len()) as u64;
    }
}

/// Starts the thread. It ends when metering does.
fn start(policy: &RuntimePolicy, tally: &Arc<Tally>) -> Option<SyncSender<Wanted>> {
    let (sender, receiver) = sync_channel(WAITING_MAX);
    let (policy, tally) = (policy.clone(), Arc::clone(tally));
    let run = move || answer(&receiver, &policy, &tally);
    match std::thread::Builder::new().name("weir-containers".to_owned()).spawn(run) {
        Ok(_detached) => Some(sender),
        Err(error) => {
            tracing::debug!(%error, "the thread that asks for containers did not start");
            None
        }
    }
}

fn answer(receiver: &Receiver<Wanted>, policy: &RuntimePolicy, tally: &Tally) {
    while let Ok(wanted) = receiver.recv() {
        let found = look_up(&wanted.id, wanted.runtime.as_deref(), policy);
        match found {
            Some(named) => {
                tally.named.fetch_add(1, Ordering::Relaxed);
                // Asked for once at a time, so nobody has set it meanwhile.
                let _first = wanted.container.named.set(named);
            }
            None => {
                tally.unknown.fetch_add(1, Ordering::Relaxed);
            }
        }
        wanted.container.is_waiting.store(false, Ordering::Release);
    }
}

/// Asks the runtime that the control group names, then the others: docker may run on containerd,
/// and a path may name none.
fn look_up(id: &str, word: Option<&str>, policy: &RuntimePolicy) -> Option<Named> {
    let first = |runtime: &&'static str| word == Some(*runtime);
    let mut words: Vec<&'static str> = policy.sockets.iter().map(|(word, _)| *word).collect();
    words.extend(policy.folders.iter().map(|folder| folder.runtime));
    words.extend(policy.lists.iter().map(|(word, _)| *word));
    words.sort_by_key(|runtime| (!first(runtime), *runtime));
    words.dedup();
    words.into_iter().find_map(|runtime| ask(id, runtime, policy))
}

fn ask(id: &str, runtime: &'static str, policy: &RuntimePolicy) -> Option<Named> {
    let sockets = policy.sockets.iter().filter(|(word, _)| *word == runtime);
    let folders = policy.folders.iter().filter(|folder| folder.runtime == runtime);
    let asked = sockets.map(|(_, path)| docker::ask(path, id, policy.patience));
    let lists = policy.lists.iter().filter(|(word, _)| *word == runtime);
    let told = asked.chain(folders.map(|folder| state::read(folder, id)));
    let told = told.chain(lists.map(|(_, path)| list::read(path, id)));
    let mut told = told.filter_map(|told| match told {
        Ok(told) if told == Told::default() => None,
        Ok(told) => Some(told),
        Err(error) => {
            tracing::debug!(runtime, %error, "a runtime did not name a container");
            None
        }
    });
    let Told { name, image, pod, namespace } = told.next()?;
    let cleaned = |text: Option<String>| {
        text.filter(|text| !text.is_empty()).map(|text| clean(&text, TEXT_MAX))
    };
    let (name, image) = (cleaned(name), cleaned(image));
    Some(Named { runtime, name, image, pod: cleaned(pod), namespace: cleaned(namespace) })
}

/// What a runtime told, as it came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Told {
    name: Option<String>,
    image: Option<String>,
    pod: Option<String>,
    namespace: Option<String>,
}

#[cfg(test)]
mod tests;
