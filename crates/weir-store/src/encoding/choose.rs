//! Which form a sequence of 32-bit numbers is written in: estimated from the values' widths and
//! a sample, so that the choice costs a fraction of the writing.

use super::distinct::Distinct;
use super::pack::GROUP;
use super::width_of;

/// Values that a sample has at most: where compression is worth its time, and where it is not.
const SAMPLES: [usize; 2] = [2_048, 512];
/// Fewer values than this are not worth a table or a compressor.
const SAMPLED_MIN: usize = 512;
/// Octets of tables and lengths that a compressed plane costs.
const PLANE_OVERHEAD: f64 = 90.0;
/// What planes must come down to: reading them costs three times what reading packed values does,
/// so that saving a tenth is not enough.
const PLANES_WORTH: f64 = 0.8;

/// What a sequence is written as.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Choice {
    /// Bit-packed at this width; wider values are exceptions.
    Packed(u32),
    /// Bit-packed by groups.
    Grouped,
    /// So many planes of octets.
    Planes(u32),
    /// A table of distinct values.
    Distinct,
}

/// The choice for `values`, of which `max` is the highest, and whether what is packed should be
/// tried for compression. `compress` allows what needs zstd.
pub(crate) fn choose(
    values: &[u32],
    max: u32,
    compress: bool,
    distinct: Option<&mut Distinct>,
) -> (Choice, bool) {
    let step = values.len().div_ceil(SAMPLES[usize::from(!compress)]).max(1);
    let (width, packed) = packed_cost(values, max, step);
    let (mut choice, mut cost) = (Choice::Packed(width), packed);
    let grouped = grouped_cost(values);
    if grouped < cost * 0.97 {
        (choice, cost) = (Choice::Grouped, grouped);
    }
    if values.len() < SAMPLED_MIN {
        return (choice, false);
    }
    let mut squeeze = false;
    let sampled = values.len().div_ceil(step);
    // A sample that finds a new value every eighth time has not seen them all.
    let few = sampled / 8;
    let sample = values.iter().step_by(step).copied();
    if let Some(counts) = distinct.and_then(|d| d.counts(sample, few)) {
        let entropy = if compress { entropy(counts.iter().copied(), sampled) } else { 32.0 };
        let table = counts.len() as f64 * f64::from(width_of(max)) / 8.0 + 40.0;
        let width = f64::from(width_of(counts.len() as u32 - 1));
        let index_bits = if compress { width.min(entropy.max(0.1) * 1.05) } else { width };
        let split = values.len() as f64 * index_bits / 8.0 + table;
        if split < cost * 0.93 {
            (choice, cost) = (Choice::Distinct, split);
        }
        let value_bits = 8.0 * cost / values.len() as f64;
        squeeze = compress && entropy < 0.85 * value_bits && value_bits <= 6.0;
    }
    if compress {
        let (count, planes) = planes_cost(values, max, step);
        if planes < cost * PLANES_WORTH && choice != Choice::Distinct {
            return (Choice::Planes(count), false);
        }
    }
    (choice, squeeze)
}

/// Octets that the best width takes, and the width.
fn packed_cost(values: &[u32], max: u32, step: usize) -> (u32, f64) {
    let mut widths = [0u32; 33];
    for value in values.iter().step_by(step) {
        widths[width_of(*value) as usize] += 1;
    }
    let most = width_of(max);
    // The highest value was seen, whether it is in the sample or not.
    widths[most as usize] = widths[most as usize].max(1);
    let (n, scale) = (values.len() as f64, step as f64);
    let (mut best, mut cost) = (most, n * f64::from(most) / 8.0);
    let mut exceptions = 0.0;
    for width in (0..most).rev() {
        exceptions += f64::from(widths[width as usize + 1]) * scale;
        // An exception takes 8 to 16 bits for its place, and as long to read as many values.
        let position = 16.0;
        let bits = n * f64::from(width) + exceptions * (position + f64::from(most - width));
        if bits / 8.0 + 2.0 < cost {
            (best, cost) = (width, bits / 8.0 + 2.0);
        }
    }
    (best, cost)
}

fn grouped_cost(values: &[u32]) -> f64 {
    let cost = values.chunks(GROUP).map(|group| {
        let (min, max) = bounds(group);
        let width = width_of(max - min) as usize;
        (group.len() * width).div_ceil(8) + 1 + (width_of(min).max(1) as usize).div_ceil(7)
    });
    cost.sum::<usize>() as f64
}

/// Lowest and highest of some values; 0 of none.
#[inline]
pub(crate) fn bounds(values: &[u32]) -> (u32, u32) {
    let Some(first) = values.first() else { return (0, 0) };
    // Eight of each side by side, so that compilers use vectors.
    let (mut mins, mut maxs) = ([*first; 8], [*first; 8]);
    let (eights, rest) = values.as_chunks::<8>();
    for eight in eights {
        for ((min, max), value) in mins.iter_mut().zip(&mut maxs).zip(eight) {
            *min = (*min).min(*value);
            *max = (*max).max(*value);
        }
    }
    let low = mins.iter().chain(rest).fold(*first, |min, v| min.min(*v));
    (low, maxs.iter().chain(rest).fold(*first, |max, v| max.max(*v)))
}

fn planes_cost(values: &[u32], max: u32, step: usize) -> (u32, f64) {
    let count = width_of(max).div_ceil(8).max(1);
    let mut octets = [[0u32; 256]; 4];
    for value in values.iter().step_by(step) {
        for (histogram, octet) in octets.iter_mut().zip(value.to_le_bytes()) {
            histogram[usize::from(octet)] += 1;
        }
    }
    let sampled = values.len().div_ceil(step);
    let n = values.len() as f64;
    let mut cost = 0.0;
    for histogram in octets.iter().take(count as usize) {
        // A sample makes a plane look up to (distinct - 1) / 2 n nats more orderly than it is.
        let kinds = histogram.iter().filter(|count| **count > 0).count() as f64;
        let bias = (kinds - 1.0) / (2.0 * sampled as f64) * std::f64::consts::LOG2_E;
        let bits = entropy(histogram.iter().copied(), sampled) + bias;
        let common = histogram.iter().max().copied().unwrap_or(0) as f64 / sampled as f64;
        cost += match bits {
            // Few others are listed, at two octets each.
            _ if common > 0.97 => n * (1.0 - common) * 2.0 + 4.0,
            bits if bits > 7.2 => n,
            // No symbol of a Huffman code is shorter than a bit.
            bits => n * bits.max(1.05) / 8.0 + PLANE_OVERHEAD,
        };
    }
    (count, cost)
}

/// Bits that a value carries on average, if the next does not depend on the one before.
pub(crate) fn entropy(counts: impl Iterator<Item = u32>, total: usize) -> f64 {
    let total = total as f64;
    let bits = counts.filter(|count| *count > 0).map(|count| {
        let share = f64::from(count) / total;
        -share * share.log2()
    });
    bits.sum()
}
