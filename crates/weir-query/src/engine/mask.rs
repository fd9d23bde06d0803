//! Which rows of a block are kept: one bit a row.

use weir_model::Bitmap;

/// A bit a row; bits past the last row are 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mask {
    words: Vec<u64>,
    rows: usize,
}

impl Mask {
    pub fn filled(rows: usize, bit: bool) -> Mask {
        let mut mask =
            Mask { words: vec![if bit { u64::MAX } else { 0 }; rows.div_ceil(64)], rows };
        mask.trim();
        mask
    }

    /// A bit for each value.
    #[inline]
    pub fn of<T: Copy>(values: &[T], keep: impl Fn(T) -> bool) -> Mask {
        let mut words = Vec::with_capacity(values.len().div_ceil(64));
        for chunk in values.chunks(64) {
            let mut word = 0u64;
            for (bit, value) in chunk.iter().enumerate() {
                word |= u64::from(keep(*value)) << bit;
            }
            words.push(word);
        }
        Mask { words, rows: values.len() }
    }

    /// The rows that have a value.
    pub fn of_validity(bits: &Bitmap, rows: usize) -> Mask {
        let mut words = bits.words().to_vec();
        words.resize(rows.div_ceil(64), 0);
        let mut mask = Mask { words, rows };
        mask.trim();
        mask
    }

    fn trim(&mut self) {
        if let (Some(last), tail @ 1..) = (self.words.last_mut(), self.rows % 64) {
            *last &= (1 << tail) - 1;
        }
    }

    pub fn and(&mut self, other: &Mask) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
    }

    pub fn or(&mut self, other: &Mask) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word |= other;
        }
    }

    pub fn not(&mut self) {
        for word in &mut self.words {
            *word = !*word;
        }
        self.trim();
    }

    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// The kept rows.
    pub fn selection(&self) -> Selection {
        let count = self.count();
        if count == self.rows {
            return Selection::All(self.rows);
        }
        let mut rows = Vec::with_capacity(count);
        for (at, word) in self.words.iter().enumerate() {
            let mut rest = *word;
            while rest != 0 {
                rows.push((at * 64) as u32 + rest.trailing_zeros());
                rest &= rest - 1;
            }
        }
        Selection::Rows(rows)
    }
}

/// The rows of a block that are kept, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    /// Every one of so many.
    All(usize),
    /// These.
    Rows(Vec<u32>),
}

impl Selection {
    pub fn len(&self) -> usize {
        match self {
            Selection::All(rows) => *rows,
            Selection::Rows(rows) => rows.len(),
        }
    }

    /// Appends what `map` makes of the value of every kept row. Values past the end are left out:
    /// a column has as many as its block has rows.
    #[inline]
    pub fn gather<T: Copy, U>(&self, values: &[T], out: &mut Vec<U>, mut map: impl FnMut(T) -> U) {
        match self {
            Selection::All(rows) => {
                let values = values.get(..*rows).unwrap_or(values);
                out.extend(values.iter().map(|value| map(*value)));
            }
            Selection::Rows(rows) => {
                let values = rows.iter().filter_map(|row| values.get(*row as usize));
                out.extend(values.map(|value| map(*value)));
            }
        }
    }

    /// The kept rows' numbers.
    pub fn rows(&self) -> impl Iterator<Item = usize> {
        let (all, some) = match self {
            Selection::All(rows) => (0..*rows, [].as_slice()),
            Selection::Rows(rows) => (0..0, rows.as_slice()),
        };
        all.chain(some.iter().map(|row| *row as usize))
    }
}
