//! Histograms with fixed buckets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::exposition::Exposition;

#[derive(Debug)]
struct Inner {
    bounds: Box<[f64]>,
    /// One more than `bounds`: the last is the infinite bucket.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// Counts observations by size. Clones share the cells.
#[derive(Debug, Clone)]
pub struct Histogram(Arc<Inner>);

impl Histogram {
    pub(super) fn new(bounds: &[f64]) -> Histogram {
        Histogram(Arc::new(Inner {
            bounds: bounds.into(),
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0f64.to_bits()),
        }))
    }

    /// Counts one observation of `value`.
    pub fn observe(&self, value: f64) {
        let bucket = self.0.bounds.partition_point(|&bound| bound < value);
        self.0.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let add = |bits| Some((f64::from_bits(bits) + value).to_bits());
        // The closure always gives a value, so the update cannot fail.
        let _ = self.0.sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Number of observations.
    pub fn count(&self) -> u64 {
        self.0.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Sum of the observed values.
    pub fn sum(&self) -> f64 {
        f64::from_bits(self.0.sum.load(Ordering::Relaxed))
    }

    pub(super) fn expose(
        &self,
        out: &mut Exposition,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
    ) {
        let counts = self.0.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> =
            self.0.bounds.iter().copied().chain([f64::INFINITY]).zip(counts).collect();
        out.histogram(name, help, labels, &buckets, self.sum());
    }
}
