//! States of measures that are not plain sums: quantiles and numbers of different values.
//! All merge in any order to the same state.

use hashbrown::{HashMap, HashSet};

/// Bits of a value that a quantile keeps: it is told within 1/256 of itself.
const MANTISSA: u32 = 7;

/// Counts of values by their leading bits. Values below 256 are exact.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Histogram {
    counts: HashMap<u16, u64>,
    total: u64,
}

impl Histogram {
    pub fn add(&mut self, value: u64) {
        *self.counts.entry(slot(value)).or_default() += 1;
        self.total += 1;
    }

    pub fn merge(&mut self, other: &Histogram) {
        for (slot, count) in &other.counts {
            *self.counts.entry(*slot).or_default() += count;
        }
        self.total += other.total;
    }

    /// The value at rank ⌈q · n⌉; none without values.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let rank = ((q * self.total as f64).ceil() as u64).clamp(1, self.total.max(1));
        let mut slots: Vec<_> = self.counts.iter().map(|(slot, count)| (*slot, *count)).collect();
        slots.sort_unstable();
        let mut seen = 0;
        slots.into_iter().find_map(|(slot, count)| {
            seen += count;
            (seen >= rank).then(|| value(slot))
        })
    }

    pub fn octets(&self) -> usize {
        self.counts.capacity() * 17
    }
}

fn slot(value: u64) -> u16 {
    if value < 256 {
        return value as u16;
    }
    let shift = 63 - MANTISSA - value.leading_zeros();
    (shift as u16) * 128 + (value >> shift) as u16
}

/// The middle of a slot.
fn value(slot: u16) -> u64 {
    if slot < 256 {
        return slot.into();
    }
    let shift = u32::from(slot / 128) - 1;
    let low = u64::from(slot % 128 + 128) << shift;
    low + (1u64 << shift) / 2
}

/// Different values seen, by 64-bit stand-ins that are equal only for equal values.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Distinct(HashSet<u64>);

impl Distinct {
    pub fn add(&mut self, value: u64) {
        self.0.insert(value);
    }

    pub fn merge(&mut self, other: &Distinct) {
        self.0.extend(&other.0);
    }

    pub fn count(&self) -> u64 {
        self.0.len() as u64
    }

    pub fn octets(&self) -> usize {
        self.0.capacity() * 9
    }
}

/// Registers of an estimate: 4,096, for a standard error of 1.6 %.
const REGISTER_BITS: u32 = 12;
/// Hashes kept as they are before there are registers.
const EXACT_MAX: usize = 256;

/// Estimated number of different values (HyperLogLog). Exact up to 256.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Estimate {
    Exact(HashSet<u64>),
    Registers(Vec<u8>),
}

impl Default for Estimate {
    fn default() -> Estimate {
        Estimate::Exact(HashSet::default())
    }
}

impl Estimate {
    /// Adds a value by its hash.
    pub fn add(&mut self, hash: u64) {
        match self {
            Estimate::Exact(hashes) => {
                hashes.insert(hash);
                if hashes.len() > EXACT_MAX {
                    *self = Estimate::Registers(self.registers());
                }
            }
            Estimate::Registers(registers) => note(registers, hash),
        }
    }

    fn registers(&self) -> Vec<u8> {
        match self {
            Estimate::Exact(hashes) => {
                let mut registers = vec![0; 1 << REGISTER_BITS];
                hashes.iter().for_each(|hash| note(&mut registers, *hash));
                registers
            }
            Estimate::Registers(registers) => registers.clone(),
        }
    }

    pub fn merge(&mut self, other: &Estimate) {
        if let Estimate::Exact(hashes) = other {
            return hashes.iter().for_each(|hash| self.add(*hash));
        }
        let mut registers = self.registers();
        for (register, other) in registers.iter_mut().zip(other.registers()) {
            *register = (*register).max(other);
        }
        *self = Estimate::Registers(registers);
    }

    pub fn count(&self) -> u64 {
        let registers = match self {
            Estimate::Exact(hashes) => return hashes.len() as u64,
            Estimate::Registers(registers) => registers,
        };
        let m = registers.len() as f64;
        let sum: f64 = registers.iter().map(|register| 2f64.powi(-i32::from(*register))).sum();
        let raw = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
        let zeros = registers.iter().filter(|register| **register == 0).count();
        let estimate = if raw <= 2.5 * m && zeros > 0 { m * (m / zeros as f64).ln() } else { raw };
        estimate.round() as u64
    }

    pub fn octets(&self) -> usize {
        match self {
            Estimate::Exact(hashes) => hashes.capacity() * 9,
            Estimate::Registers(registers) => registers.len(),
        }
    }
}

fn note(registers: &mut [u8], hash: u64) {
    let at = (hash >> (64 - REGISTER_BITS)) as usize;
    let rank = ((hash << REGISTER_BITS) | 1 << (REGISTER_BITS - 1)).leading_zeros() as u8 + 1;
    if let Some(register) = registers.get_mut(at) {
        *register = (*register).max(rank);
    }
}

/// A well-mixed hash of a number, the same in every run.
pub(crate) fn mix(value: u64) -> u64 {
    let mut x = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A well-mixed hash of octets, the same in every run.
pub(crate) fn mix_octets(octets: &[u8]) -> u64 {
    octets.chunks(8).fold(octets.len() as u64, |hash, chunk| {
        let mut word = [0; 8];
        word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
        mix(hash ^ u64::from_le_bytes(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn estimates_are_within_five_percent() {
        for n in [10u64, 256, 1_000, 50_000, 1_000_000] {
            let mut estimate = Estimate::default();
            (0..n).for_each(|value| estimate.add(mix(value)));
            let error = estimate.count().abs_diff(n) as f64 / n as f64;
            assert!(error < 0.05, "{n}: {}", estimate.count());
        }
    }

    proptest! {
        #[test]
        fn slots_keep_a_value_within_a_256th(v: u64, shift in 0u32..64) {
            let v = v >> shift;
            prop_assert!(value(slot(v)).abs_diff(v) <= v / 256 + 1, "{} {}", v, value(slot(v)));
            prop_assert!(v == 0 || slot(v - 1) <= slot(v));
        }

        #[test]
        fn merged_estimates_are_those_of_all_values(a in 0u64..2_000, b in 0u64..2_000) {
            let of = |range: std::ops::Range<u64>| {
                let mut estimate = Estimate::default();
                range.for_each(|value| estimate.add(mix(value)));
                estimate
            };
            let mut merged = of(0..a);
            merged.merge(&of(a..a + b));
            prop_assert_eq!(merged, of(0..a + b));
        }
    }
}
