//! The best groups by one figure. Ties are broken by the values of the keys, so that an answer
//! does not depend on which thread was first.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::keys::Layout;
use super::pool::Pool;
use crate::answer::AnswerValue;

/// A group that may be among the best.
#[derive(Debug)]
struct Entry {
    /// Lower is better.
    badness: u128,
    values: Vec<AnswerValue>,
    key: u128,
    sums: Vec<u64>,
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> Ordering {
        let values = || compare_rows(&self.values, &other.values);
        self.badness.cmp(&other.badness).then_with(values)
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

/// A group with its key's values and its sums.
pub(crate) struct Ranked {
    pub key: u128,
    pub values: Vec<AnswerValue>,
    pub sums: Vec<u64>,
}

/// Keeps the best groups of those it is shown.
pub(crate) struct Top<'a> {
    keep: usize,
    worst_first: BinaryHeap<Entry>,
    layout: &'a Layout,
    pool: &'a Pool,
}

impl<'a> Top<'a> {
    pub fn new(keep: usize, layout: &'a Layout, pool: &'a Pool) -> Top<'a> {
        Top { keep, worst_first: BinaryHeap::new(), layout, pool }
    }

    /// Shows a group; lower `badness` is better. True while all groups shown are kept.
    pub fn offer(&mut self, badness: u128, key: u128, sums: &[u64]) -> bool {
        let full = self.worst_first.len() >= self.keep;
        match self.worst_first.peek() {
            Some(worst) if full && badness > worst.badness => return false,
            _ => {}
        }
        let values = self.layout.unpack(key, self.pool);
        let entry = Entry { badness, values, key, sums: sums.to_vec() };
        if full {
            match self.worst_first.peek_mut() {
                Some(mut worst) if entry < *worst => *worst = entry,
                _ => {}
            }
            return false;
        }
        self.worst_first.push(entry);
        true
    }

    /// The groups kept, best first.
    pub fn into_ranked(self) -> Vec<Ranked> {
        let entries = self.worst_first.into_sorted_vec().into_iter();
        entries.map(|e| Ranked { key: e.key, values: e.values, sums: e.sums }).collect()
    }
}

/// Order of rows of values: column by column, nulls first.
pub(crate) fn compare_rows(a: &[AnswerValue], b: &[AnswerValue]) -> Ordering {
    let pairs = a.iter().zip(b).map(|(a, b)| compare(a, b));
    pairs.into_iter().find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
}

fn compare(a: &AnswerValue, b: &AnswerValue) -> Ordering {
    use AnswerValue::{Addr, F64, Hex, Mac, Null, Text, Time, U64};
    match (a, b) {
        (Null, Null) => Ordering::Equal,
        (Null, _) => Ordering::Less,
        (_, Null) => Ordering::Greater,
        (U64(a), U64(b)) => a.cmp(b),
        (F64(a), F64(b)) => a.total_cmp(b),
        (Time(a), Time(b)) => a.cmp(b),
        (Addr(a), Addr(b)) => a.cmp(b),
        (Mac(a), Mac(b)) => a.cmp(b),
        (Text(a), Text(b)) | (Hex(a), Hex(b)) => a.cmp(b),
        // Proof: a column has values of one kind.
        _ => Ordering::Equal,
    }
}
