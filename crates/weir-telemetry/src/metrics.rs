//! The registry of metrics and the handles that code increments.
//!
//! Invariant: one name is one family with one kind and one help text; asking again for the same
//! name and labels gives the same cell. A name with a second kind is refused by a detached handle
//! (it counts, but is not shown) and an ERROR in the log: wrong metrics must not stop a collector.

mod histogram;

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::exposition::{Exposition, Kind};
pub use histogram::Histogram;

/// A number that only grows. Clones share the cell.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `n`; wraps at 2^64.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The sum so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down. Clones share the cell.
#[derive(Debug, Clone, Default)]
pub struct Gauge(Arc<AtomicU64>);

impl Gauge {
    /// Replaces the value.
    #[inline]
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    /// The value last set; 0 before.
    pub fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

/// A closed set of label values: the only kind of label that a handle can have.
pub trait Label: Copy + 'static {
    /// Name of the label.
    const NAME: &'static str;
    /// Every value, in the order of [`Label::index`].
    const ALL: &'static [Self];
    /// Position in [`Label::ALL`].
    fn index(self) -> usize;
    /// Text of the value.
    fn value(self) -> &'static str;
}

/// One counter for each value of a label.
#[derive(Debug, Clone)]
pub struct ByLabel<L> {
    cells: Arc<[Counter]>,
    label: PhantomData<L>,
}

impl<L: Label> ByLabel<L> {
    /// The counter of `value`.
    #[inline]
    pub fn of(&self, value: L) -> &Counter {
        &self.cells[value.index()]
    }
}

#[derive(Debug, Clone)]
enum Cell {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

#[derive(Debug)]
struct Family {
    help: &'static str,
    kind: Kind,
    cells: BTreeMap<Labels, Cell>,
}

type Labels = Vec<(&'static str, String)>;
type Source = Box<dyn Fn(&mut Exposition) + Send + Sync>;

#[derive(Default)]
struct Inner {
    families: BTreeMap<&'static str, Family>,
    sources: Vec<Source>,
}

/// All metrics of the process. Clones share it.
#[derive(Clone, Default)]
pub struct Registry(Arc<Mutex<Inner>>);

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("families", &self.lock().families.len()).finish()
    }
}

impl Registry {
    /// An empty registry.
    pub fn new() -> Registry {
        Registry::default()
    }

    /// The counter `name` with these labels; `name` ends in `_total`.
    pub fn counter(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &str)],
    ) -> Counter {
        match self.cell(name, help, Kind::Counter, labels, || Cell::Counter(Counter::default())) {
            Cell::Counter(counter) => counter,
            _ => Counter::default(),
        }
    }

    /// One counter `name` for every value of the label `L`, all shown from the start, so that a
    /// rate over a reason that has not happened yet is 0 and not absent.
    pub fn counter_by<L: Label>(&self, name: &'static str, help: &'static str) -> ByLabel<L> {
        let cell = |value: &L| self.counter(name, help, &[(L::NAME, value.value())]);
        ByLabel { cells: L::ALL.iter().map(cell).collect(), label: PhantomData }
    }

    /// The gauge `name` with these labels.
    pub fn gauge(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &str)],
    ) -> Gauge {
        match self.cell(name, help, Kind::Gauge, labels, || Cell::Gauge(Gauge::default())) {
            Cell::Gauge(gauge) => gauge,
            _ => Gauge::default(),
        }
    }

    /// The histogram `name` with these labels; `bounds` are the upper bounds of its buckets,
    /// ascending, without the infinite one.
    pub fn histogram(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&'static str, &str)],
        bounds: &[f64],
    ) -> Histogram {
        let make = || Cell::Histogram(Histogram::new(bounds));
        match self.cell(name, help, Kind::Histogram, labels, make) {
            Cell::Histogram(histogram) => histogram,
            _ => Histogram::new(bounds),
        }
    }

    /// Adds a source that is asked at every scrape: for figures that live elsewhere (a ledger
    /// behind its own lock, the store's health). It must not register metrics.
    pub fn on_collect(&self, source: impl Fn(&mut Exposition) + Send + Sync + 'static) {
        self.lock().sources.push(Box::new(source));
    }

    /// Everything, in Prometheus text format 0.0.4 (`text/plain; version=0.0.4`).
    pub fn render(&self) -> String {
        let inner = self.lock();
        let mut out = Exposition::default();
        for (name, family) in &inner.families {
            for (labels, cell) in &family.cells {
                let pairs: Vec<_> = labels.iter().map(|(k, v)| (*k, v.as_str())).collect();
                match cell {
                    Cell::Counter(c) => out.counter(name, family.help, &pairs, c.get()),
                    Cell::Gauge(g) => out.gauge(name, family.help, &pairs, g.get()),
                    Cell::Histogram(h) => h.expose(&mut out, name, family.help, &pairs),
                }
            }
        }
        for source in &inner.sources {
            source(&mut out);
        }
        out.finish()
    }

    fn cell(
        &self,
        name: &'static str,
        help: &'static str,
        kind: Kind,
        labels: &[(&'static str, &str)],
        make: impl FnOnce() -> Cell,
    ) -> Cell {
        let mut inner = self.lock();
        let family = inner.families.entry(name).or_insert_with(|| Family {
            help,
            kind,
            cells: BTreeMap::new(),
        });
        if family.kind != kind {
            tracing::error!(metric = name, "metric registered twice with different kinds");
            return make();
        }
        let labels = labels.iter().map(|(k, v)| (*k, (*v).to_owned())).collect();
        family.cells.entry(labels).or_insert_with(make).clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while holding the lock leaves counters as they were: nothing to repair.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
