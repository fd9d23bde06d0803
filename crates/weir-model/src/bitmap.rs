//! One bit a row: which values of a column are there.

/// A growable sequence of bits. Bit `i` set means that row `i` has a value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bitmap {
    words: Vec<u64>,
    len: usize,
}

impl Bitmap {
    /// `len` bits that are all `bit`.
    pub fn filled(len: usize, bit: bool) -> Bitmap {
        let mut bitmap = Bitmap::default();
        bitmap.extend_by(len, bit);
        bitmap
    }

    /// From 64-bit words, lowest bit first. Bits past `len` are cleared; missing words are 0.
    pub fn from_words(mut words: Vec<u64>, len: usize) -> Bitmap {
        words.resize(len.div_ceil(64), 0);
        if let (Some(last), tail @ 1..) = (words.last_mut(), len % 64) {
            *last &= (1 << tail) - 1;
        }
        Bitmap { words, len }
    }

    /// Number of bits.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True when it has no bits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The words that hold the bits, lowest bit first; bits past the length are 0.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Bit `i`; false past the end.
    #[inline]
    pub fn get(&self, i: usize) -> bool {
        self.words.get(i / 64).is_some_and(|word| word >> (i % 64) & 1 == 1)
    }

    /// Sets bit `i`. Past the end it does nothing.
    #[inline]
    pub fn set(&mut self, i: usize, bit: bool) {
        if i < self.len {
            let mask = 1u64 << (i % 64);
            let word = &mut self.words[i / 64];
            *word = if bit { *word | mask } else { *word & !mask };
        }
    }

    /// Appends one bit.
    #[inline]
    pub fn push(&mut self, bit: bool) {
        let at = self.len % 64;
        if at == 0 {
            self.words.push(0);
        }
        if let Some(word) = self.words.last_mut() {
            *word |= u64::from(bit) << at;
        }
        self.len += 1;
    }

    /// Appends `n` bits that are all `bit`.
    pub fn extend_by(&mut self, n: usize, bit: bool) {
        let start = self.len;
        self.len += n;
        self.words.resize(self.len.div_ceil(64), 0);
        if bit {
            let mut at = start;
            while at < self.len {
                let (word, from) = (at / 64, at % 64);
                let to = (self.len - word * 64).min(64);
                let mask =
                    if to - from == 64 { u64::MAX } else { ((1 << (to - from)) - 1) << from };
                self.words[word] |= mask;
                at = word * 64 + to;
            }
        }
    }

    /// Drops bits from `len` on.
    pub fn truncate(&mut self, len: usize) {
        if len < self.len {
            *self = Bitmap::from_words(std::mem::take(&mut self.words), len);
        }
    }

    /// Number of set bits.
    pub fn count_ones(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn extends_like_a_list_of_bools(runs in prop::collection::vec((prop_oneof![Just(1usize), 0usize..150], any::<bool>()), 0..20)) {
            let mut bitmap = Bitmap::default();
            let mut model = Vec::new();
            for (n, bit) in runs {
                if n == 1 {
                    bitmap.push(bit);
                } else {
                    bitmap.extend_by(n, bit);
                }
                model.extend(std::iter::repeat_n(bit, n));
            }
            prop_assert_eq!(bitmap.len(), model.len());
            prop_assert_eq!(bitmap.count_ones(), model.iter().filter(|b| **b).count());
            let cut = model.len() / 2;
            for (i, bit) in model.iter().enumerate() {
                prop_assert_eq!(bitmap.get(i), *bit);
            }
            bitmap.truncate(cut);
            prop_assert_eq!(bitmap.count_ones(), model[..cut].iter().filter(|b| **b).count());
        }
    }
}
