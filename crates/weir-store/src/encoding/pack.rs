//! Bit-packing of 32-bit numbers, in groups of 512.
//!
//! A full group is packed in 16 lanes side by side: lane `l` holds values `l`, `l + 16`, … of the
//! group, lowest bits first, and 32-bit word `w` of lane `l` is word `16 w + l` of the group. One
//! operation thus serves 16 neighbours, which compilers turn into vector instructions of whatever
//! width the machine has. What is left after full groups is packed one value after the other.

use super::Decoded;
use super::cursor::Cursor;

/// Values of a full group.
pub(crate) const GROUP: usize = 512;
const LANES: usize = 16;
const ROWS: usize = GROUP / LANES;

/// Octets that `n` values of `width` bits take.
pub(crate) const fn packed_len(n: usize, width: u32) -> usize {
    n / GROUP * GROUP / 8 * width as usize + (n % GROUP * width as usize).div_ceil(8)
}

/// Calls `$kernel::<W>` with the width as a constant.
macro_rules! dispatch {
    ($width:expr, $kernel:ident $args:tt) => {
        dispatch!($width, $kernel $args,
            1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32)
    };
    ($width:expr, $kernel:ident $args:tt, $($w:literal)*) => {
        match $width {
            $($w => $kernel::<$w> $args,)*
            _ => {}
        }
    };
}

/// Appends `values`, of which the lowest `width` bits are kept.
pub(crate) fn pack(values: &[u32], width: u32, out: &mut Vec<u8>) {
    if width == 0 {
        return;
    }
    let mut groups = values.chunks_exact(GROUP);
    let mut words = [0u32; GROUP];
    for group in &mut groups {
        let Ok(group) = <&[u32; GROUP]>::try_from(group) else { continue };
        let used = LANES * width as usize;
        words[..used].fill(0);
        dispatch!(width, pack_group(group, &mut words));
        let start = out.len();
        out.resize(start + used * 4, 0);
        for (octets, word) in out[start..].chunks_exact_mut(4).zip(&words) {
            octets.copy_from_slice(&word.to_le_bytes());
        }
    }
    pack_rest(groups.remainder(), width, out);
}

fn pack_rest(values: &[u32], width: u32, out: &mut Vec<u8>) {
    let mask = u64::from(u32::MAX >> (32 - width));
    let (mut bits, mut count) = (0u64, 0);
    for &value in values {
        bits |= (u64::from(value) & mask) << count;
        count += width;
        while count >= 8 {
            out.push(bits as u8);
            bits >>= 8;
            count -= 8;
        }
    }
    if count > 0 {
        out.push(bits as u8);
    }
}

/// Reads `n` values of `width` bits and hands them to `sink`, at most a group at a time.
#[inline]
pub(crate) fn unpack(
    cursor: &mut Cursor<'_>,
    n: usize,
    width: u32,
    mut sink: impl FnMut(&[u32]) -> Decoded<()>,
) -> Decoded<()> {
    let octets = cursor.take(packed_len(n, width))?;
    let mut out = [0u32; GROUP];
    if width == 0 {
        for start in (0..n).step_by(GROUP) {
            sink(&out[..GROUP.min(n - start)])?;
        }
        return Ok(());
    }
    let (full, rest) = octets.split_at(n / GROUP * GROUP / 8 * width as usize);
    let mut words = [0u32; GROUP];
    for group in full.chunks_exact(GROUP / 8 * width as usize) {
        for (word, octets) in words.iter_mut().zip(group.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*octets);
        }
        dispatch!(width, unpack_group(&words, &mut out));
        sink(&out)?;
    }
    let left = n % GROUP;
    if left > 0 {
        unpack_rest(rest, width, &mut out[..left]);
        sink(&out[..left])?;
    }
    Ok(())
}

fn unpack_rest(octets: &[u8], width: u32, out: &mut [u32]) {
    let mask = u64::from(u32::MAX >> (32 - width));
    let (mut bits, mut count) = (0u64, 0);
    let mut octets = octets.iter();
    for value in out {
        while count < width {
            bits |= u64::from(octets.next().copied().unwrap_or(0)) << count;
            count += 8;
        }
        *value = (bits & mask) as u32;
        bits >>= width;
        count -= width;
    }
}

#[inline(never)]
fn pack_group<const W: usize>(values: &[u32; GROUP], words: &mut [u32; GROUP]) {
    let mask = u32::MAX >> (32 - W);
    for row in 0..ROWS {
        let (word, shift) = (row * W / 32, row * W % 32);
        for lane in 0..LANES {
            let value = values[row * LANES + lane] & mask;
            words[word * LANES + lane] |= value << shift;
            if shift + W > 32 {
                words[(word + 1) * LANES + lane] = value >> (32 - shift);
            }
        }
    }
}

#[inline(never)]
fn unpack_group<const W: usize>(words: &[u32; GROUP], values: &mut [u32; GROUP]) {
    let mask = u32::MAX >> (32 - W);
    for row in 0..ROWS {
        let (word, shift) = (row * W / 32, row * W % 32);
        for lane in 0..LANES {
            let mut value = words[word * LANES + lane] >> shift;
            if shift + W > 32 {
                value |= words[(word + 1) * LANES + lane] << (32 - shift);
            }
            values[row * LANES + lane] = value & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_width_and_length_round_trips() {
        for width in 0..=32 {
            for n in [0, 1, 7, 8, 511, 512, 513, 1_500] {
                let mask = if width == 0 { 0 } else { u32::MAX >> (32 - width) };
                let values: Vec<u32> =
                    (0..n as u32).map(|i| i.wrapping_mul(0x9e37_79b9) & mask).collect();
                let mut octets = Vec::new();
                pack(&values, width, &mut octets);
                assert_eq!(octets.len(), packed_len(n, width), "{n} values of {width} bits");
                let mut read = Vec::new();
                let mut cursor = Cursor::new(&octets);
                let sink = |group: &[u32]| {
                    read.extend_from_slice(group);
                    Ok(())
                };
                unpack(&mut cursor, n, width, sink).unwrap();
                assert_eq!(read, values, "{n} values of {width} bits");
                assert!(cursor.is_empty());
            }
        }
    }

    proptest! {
        #[test]
        fn values_are_cut_to_the_width(values in prop::collection::vec(any::<u32>(), 0..1_100), width in 1u32..=32) {
            let mut octets = Vec::new();
            pack(&values, width, &mut octets);
            let mut read = Vec::new();
            unpack(&mut Cursor::new(&octets), values.len(), width, |group| {
                read.extend_from_slice(group);
                Ok(())
            }).unwrap();
            let cut: Vec<u32> = values.iter().map(|v| v & (u32::MAX >> (32 - width))).collect();
            prop_assert_eq!(read, cut);
        }
    }
}
