//! How the values of a column become octets and come back. Knows numbers only: what they mean,
//! and which rows they belong to, is [`crate::block`]'s business.
//!
//! A column is turned into 64-bit numbers that sort as its values do ([`Lane`]); a sequence of
//! them is written in one of a few forms, chosen from one pass over the values and a sample
//! ([`choose`]), never by trying all. Every form is described in `docs/formats/store.md`.
//!
//! Invariant: decoding what was encoded gives the same values, and decoding anything else gives
//! an error or other values, in time and memory bounded by the number of values asked for.

use crate::read::Damage;

pub(crate) mod choose;
pub(crate) mod compress;
pub(crate) mod cursor;
pub(crate) mod decode;
pub(crate) mod distinct;
pub(crate) mod encode;
pub(crate) mod pack;
pub(crate) mod validity;

#[cfg(test)]
mod tests;

pub(crate) use cursor::Cursor;
pub(crate) use decode::decode;
pub(crate) use encode::Encoder;

/// What decoding gives.
pub(crate) type Decoded<T> = Result<T, Damage>;

/// Most values that a sequence may have.
pub(crate) const VALUES_MAX: usize = weir_model::batch::ROWS_MAX;

/// First octet of a sequence of 64-bit numbers.
pub(crate) mod wide_form {
    /// All the same: the value.
    pub const CONSTANT: u8 = 0;
    /// Base, scale, and a sequence of 32-bit numbers.
    pub const NARROW: u8 = 1;
    /// Base, scale, and two sequences of 32-bit numbers: low and high halves.
    pub const WIDE: u8 = 2;
    /// Runs of equal values: a sequence of values and one of lengths less one.
    pub const RUNS: u8 = 3;
    /// First value and the sequence of zigzag differences.
    pub const DELTA: u8 = 4;
}

/// First octet of a sequence of 32-bit numbers.
pub(crate) mod narrow_form {
    /// Bit-packed at one width, with patched exceptions.
    pub const PACKED: u8 = 0;
    /// Bit-packed, each group with its own base and width.
    pub const GROUPED: u8 = 1;
    /// Octet by octet, lowest of all values first, each plane compressed where it pays.
    pub const PLANES: u8 = 2;
    /// Distinct values in rising order and a sequence of indexes.
    pub const DISTINCT: u8 = 3;
    /// Another form, compressed.
    pub const COMPRESSED: u8 = 4;
}

/// A type that columns are stored as: to and from 64-bit numbers in the same order.
pub(crate) trait Lane: Copy + Default + PartialEq {
    /// As a number.
    fn to_bits(self) -> u64;
    /// From a number; what does not fit is cut.
    fn from_bits(bits: u64) -> Self;

    /// Lowest and highest of `values`, as numbers; 0 of none.
    fn bounds(values: &[Self]) -> (u64, u64) {
        let bits = |value: &Self| value.to_bits();
        side_by_side::<Self, u64, 4>(values, bits)
    }
}

/// Lowest and highest of some values: `N` of each side by side, for a chain of comparisons is what
/// takes the time, and so that compilers use vectors.
#[inline(always)]
fn side_by_side<T: Copy, U: Ord + Copy + Default, const N: usize>(
    values: &[T],
    number: impl Fn(&T) -> U,
) -> (U, U) {
    let Some(first) = values.first().map(&number) else { return (U::default(), U::default()) };
    let (mut mins, mut maxs) = ([first; N], [first; N]);
    let (groups, rest) = values.as_chunks::<N>();
    for group in groups {
        for ((min, max), value) in mins.iter_mut().zip(&mut maxs).zip(group) {
            let value = number(value);
            *min = (*min).min(value);
            *max = (*max).max(value);
        }
    }
    let rest = || rest.iter().map(&number);
    let min = mins.into_iter().chain(rest()).fold(first, Ord::min);
    (min, maxs.into_iter().chain(rest()).fold(first, Ord::max))
}

macro_rules! unsigned_lane {
    ($($type:ident by $lanes:literal),*) => {$(
        impl Lane for $type {
            #[inline(always)]
            fn to_bits(self) -> u64 {
                u64::from(self)
            }
            #[inline(always)]
            fn from_bits(bits: u64) -> Self {
                bits as $type
            }
            fn bounds(values: &[$type]) -> (u64, u64) {
                let (min, max) = side_by_side::<$type, $type, $lanes>(values, |value| *value);
                (u64::from(min), u64::from(max))
            }
        }
    )*};
}

unsigned_lane!(u8 by 32, u16 by 16, u32 by 8, u64 by 4);

impl Lane for i64 {
    #[inline(always)]
    fn to_bits(self) -> u64 {
        self as u64 ^ 1 << 63
    }
    #[inline(always)]
    fn from_bits(bits: u64) -> Self {
        (bits ^ 1 << 63) as i64
    }
}

impl Lane for f64 {
    /// The order of [`f64::total_cmp`].
    #[inline(always)]
    fn to_bits(self) -> u64 {
        let bits = f64::to_bits(self);
        if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
    }
    #[inline(always)]
    fn from_bits(bits: u64) -> Self {
        f64::from_bits(if bits >> 63 == 1 { bits & !(1 << 63) } else { !bits })
    }
}

impl Lane for weir_model::Code {
    #[inline(always)]
    fn to_bits(self) -> u64 {
        u64::from(self.0)
    }
    #[inline(always)]
    fn from_bits(bits: u64) -> Self {
        weir_model::Code(bits as u32)
    }
    fn bounds(values: &[weir_model::Code]) -> (u64, u64) {
        let (min, max) = side_by_side::<_, u32, 8>(values, |code| code.0);
        (u64::from(min), u64::from(max))
    }
}

/// Bits that `value` needs.
#[inline]
pub(crate) fn width_of(value: u32) -> u32 {
    32 - value.leading_zeros()
}

/// A signed difference as a number that is small when the difference is.
#[inline]
pub(crate) fn zigzag(difference: u64) -> u64 {
    difference << 1 ^ (difference as i64 >> 63) as u64
}

/// The inverse of [`zigzag`].
#[inline]
pub(crate) fn unzigzag(value: u64) -> u64 {
    value >> 1 ^ (value & 1).wrapping_neg()
}
