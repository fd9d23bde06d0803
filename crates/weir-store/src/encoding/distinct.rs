//! Finding the few distinct values of a sequence.

/// Most distinct values that are worth a table of their own.
pub(crate) const DISTINCT_MAX: usize = 1_024;
const SLOTS: usize = 4 * DISTINCT_MAX;
const FREE: u32 = u32::MAX;

/// Values below this are looked up by themselves.
const DIRECT: u32 = 1_024;

/// [`Distinct::split`] of values below [`DIRECT`].
fn split_direct(values: &[u32]) -> Option<(Vec<u32>, Vec<u32>)> {
    let mut seen = [false; DIRECT as usize];
    values.iter().for_each(|value| seen[(value % DIRECT) as usize] = true);
    let table: Vec<u32> = (0..DIRECT).filter(|value| seen[*value as usize]).collect();
    let mut ranks = [0u32; DIRECT as usize];
    for (rank, value) in table.iter().enumerate() {
        ranks[*value as usize] = rank as u32;
    }
    let indexes = values.iter().map(|value| ranks[(value % DIRECT) as usize]).collect();
    Some((table, indexes))
}

/// A set of at most [`DISTINCT_MAX`] numbers with the order they were found in.
pub(crate) struct Distinct {
    slots: Box<[u32; SLOTS]>,
    /// Slots that are taken, by index.
    taken: Vec<u16>,
    found: Vec<u32>,
}

impl Distinct {
    pub(crate) fn new() -> Distinct {
        Distinct { slots: Box::new([FREE; SLOTS]), taken: Vec::new(), found: Vec::new() }
    }

    fn clear(&mut self) {
        for slot in self.taken.drain(..) {
            self.slots[usize::from(slot)] = FREE;
        }
        self.found.clear();
    }

    /// Index of `value`, which is added if it is new; `None` when there are too many.
    #[inline]
    fn index(&mut self, value: u32) -> Option<u32> {
        let mut at = value.wrapping_mul(0x9e37_79b1) as usize >> 20;
        loop {
            let index = self.slots[at % SLOTS];
            if index == FREE {
                if self.found.len() == DISTINCT_MAX {
                    return None;
                }
                let index = self.found.len() as u32;
                self.slots[at % SLOTS] = index;
                self.taken.push((at % SLOTS) as u16);
                self.found.push(value);
                return Some(index);
            }
            if self.found[index as usize] == value {
                return Some(index);
            }
            at += 1;
        }
    }

    /// The distinct values of `values` in rising order, and which of them each value is.
    /// `None` when there are too many of them.
    pub(crate) fn split(&mut self, values: &[u32]) -> Option<(Vec<u32>, Vec<u32>)> {
        if values.iter().fold(0, |all, value| all | value) < DIRECT {
            return split_direct(values);
        }
        self.clear();
        let mut indexes = Vec::with_capacity(values.len());
        for &value in values {
            indexes.push(self.index(value)?);
        }
        let mut table = self.found.clone();
        table.sort_unstable();
        let rank = |value: &u32| table.binary_search(value).unwrap_or(0) as u32;
        let ranks: Vec<u32> = self.found.iter().map(rank).collect();
        for index in &mut indexes {
            *index = ranks[*index as usize];
        }
        Some((table, indexes))
    }

    /// How often each distinct value of `values` occurs; `None` when there are more than `most`,
    /// or too many anyway.
    pub(crate) fn counts(
        &mut self,
        values: impl Iterator<Item = u32>,
        most: usize,
    ) -> Option<Vec<u32>> {
        self.clear();
        let mut counts = Vec::new();
        for value in values {
            let index = self.index(value)? as usize;
            if index == counts.len() {
                if index == most {
                    return None;
                }
                counts.push(0);
            }
            counts[index] += 1;
        }
        Some(counts)
    }
}
