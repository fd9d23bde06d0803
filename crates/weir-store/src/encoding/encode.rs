//! From values to octets.

use super::choose::{Choice, bounds, choose, entropy};
use super::compress::Squeezer;
use super::cursor::put_varint;
use super::decode::{SCALES, plane};
use super::distinct::{DISTINCT_MAX, Distinct};
use super::pack::{GROUP, pack};
use super::{Lane, narrow_form, wide_form, width_of, zigzag};

/// Fewer values than this in a run on average, and runs do not pay.
const RUN_MIN: usize = 3;
/// Neighbours that are compared side by side to tell how long runs are.
const WINDOW: usize = 64;

/// Writes sequences, with memory that is used again.
pub(crate) struct Encoder {
    squeezer: Squeezer,
    distinct: Distinct,
    /// Memory for values above the lowest one.
    residuals: Vec<u32>,
    compress: bool,
}

/// What one pass over a sequence tells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Profile {
    pub(crate) min: u64,
    pub(crate) max: u64,
    pub(crate) runs: usize,
}

impl Profile {
    /// Bits that a value takes above the lowest one.
    pub(crate) fn width(&self) -> usize {
        64 - (self.max - self.min).leading_zeros() as usize
    }
}

/// Looks at every value.
pub(crate) fn profile<T: Lane>(values: &[T]) -> Profile {
    let (min, max) = T::bounds(values);
    Profile { min, max, runs: runs(values) }
}

/// About how many runs of equal values there are: counted in one window of eight.
pub(crate) fn runs<T: Lane>(values: &[T]) -> usize {
    let changes = |values: &[T]| {
        let after = values.get(1..).unwrap_or_default();
        values.iter().zip(after).filter(|(a, b)| a.to_bits() != b.to_bits()).count()
    };
    if values.len() < 8 * WINDOW {
        return changes(values) + usize::from(!values.is_empty());
    }
    let windows = values.windows(WINDOW + 1).step_by(8 * WINDOW);
    let (count, sum) = windows.fold((0, 0), |(n, sum), window| (n + 1, sum + changes(window)));
    1 + sum * (values.len() - 1) / (count * WINDOW)
}

impl Encoder {
    pub(crate) fn new() -> Encoder {
        Encoder {
            squeezer: Squeezer::new(),
            distinct: Distinct::new(),
            residuals: Vec::new(),
            compress: true,
        }
    }

    /// Whether what follows may be compressed: light encoding is for frames that are soon
    /// written again.
    pub(crate) fn set_compress(&mut self, compress: bool) {
        self.compress = compress;
    }

    /// Octets compressed, if that is allowed and saves a tenth.
    pub(crate) fn squeeze(&mut self, octets: &[u8]) -> Option<&[u8]> {
        if self.compress { self.squeezer.squeeze(octets) } else { None }
    }

    /// Appends `values` to `out` as a sequence of 64-bit numbers.
    pub(crate) fn wide<T: Lane>(&mut self, values: &[T], out: &mut Vec<u8>) {
        self.wide_profiled(values, profile(values), out, true);
    }

    /// The same, when `values` were looked at already. Only an `outermost` sequence is cut into
    /// runs or differences.
    pub(crate) fn wide_profiled<T: Lane>(
        &mut self,
        values: &[T],
        profile: Profile,
        out: &mut Vec<u8>,
        outermost: bool,
    ) {
        if profile.min == profile.max {
            out.push(wide_form::CONSTANT);
            put_varint(out, profile.min);
            return;
        }
        if outermost && self.runs_pay(values, profile) {
            self.runs(values, profile.runs, out);
            return;
        }
        let range = profile.max - profile.min;
        let scale = if outermost { scale_of(values, profile.min, range) } else { 0 };
        let divisor = SCALES[scale];
        if outermost && deltas_pay(values, profile.min, divisor) {
            self.deltas(values, out);
            return;
        }
        let highest = range / divisor;
        let narrow = u32::try_from(highest);
        out.push(if narrow.is_ok() { wide_form::NARROW } else { wide_form::WIDE });
        put_varint(out, profile.min);
        out.push(scale as u8);
        match narrow {
            Ok(highest) => {
                let mut above = std::mem::take(&mut self.residuals);
                above.clear();
                residuals(values, profile.min, scale, |bits| bits as u32, &mut above);
                self.narrow(&above, highest, out, true);
                self.residuals = above;
            }
            Err(_) => {
                let mut all: Vec<u64> = Vec::with_capacity(values.len());
                residuals(values, profile.min, scale, |bits| bits, &mut all);
                let low: Vec<u32> = all.iter().map(|v| *v as u32).collect();
                let high: Vec<u32> = all.iter().map(|v| (v >> 32) as u32).collect();
                let low_max = bounds(&low).1;
                self.narrow(&low, low_max, out, true);
                self.narrow(&high, (highest >> 32) as u32, out, true);
            }
        }
    }

    /// True when the values of runs and their lengths are less than the values. Values of which one
    /// is frequent come in runs too, but are smaller without them.
    fn runs_pay<T: Lane>(&mut self, values: &[T], profile: Profile) -> bool {
        if profile.runs * RUN_MIN > values.len() {
            return false;
        }
        let step = values.len().div_ceil(2_048).max(1);
        let folded = |value: &T| (value.to_bits() ^ value.to_bits() >> 32) as u32;
        let counts = self.distinct.counts(values.iter().step_by(step).map(folded), DISTINCT_MAX);
        let width = profile.width() as f64;
        let sampled = values.len().div_ceil(step);
        let bits = counts.map_or(width, |c| entropy(c.iter().copied(), sampled).min(width));
        let length = values.len() as f64 / profile.runs as f64;
        (width.min(bits + 1.0) + length.log2() + 2.0) / length < bits * 0.9
    }

    fn runs<T: Lane>(&mut self, values: &[T], runs: usize, out: &mut Vec<u8>) {
        let mut heads: Vec<u64> = Vec::with_capacity(runs);
        let mut lengths: Vec<u32> = Vec::with_capacity(runs);
        let mut length = 0u32;
        for value in values {
            let bits = value.to_bits();
            if heads.last() == Some(&bits) {
                length += 1;
            } else {
                if !heads.is_empty() {
                    lengths.push(length);
                }
                heads.push(bits);
                length = 0;
            }
        }
        lengths.push(length);
        out.push(wide_form::RUNS);
        put_varint(out, heads.len() as u64);
        let lowest = heads.iter().min().copied().unwrap_or(0);
        if deltas_pay(&heads, lowest, 1) {
            self.deltas(&heads, out);
        } else {
            self.wide_profiled(&heads, profile(&heads), out, false);
        }
        let longest = bounds(&lengths).1;
        self.narrow(&lengths, longest, out, true);
    }

    fn deltas<T: Lane>(&mut self, values: &[T], out: &mut Vec<u8>) {
        let first = values.first().map_or(0, |value| value.to_bits());
        let differences: Vec<u64> = values
            .windows(2)
            .map(|pair| zigzag(pair[1].to_bits().wrapping_sub(pair[0].to_bits())))
            .collect();
        out.push(wide_form::DELTA);
        put_varint(out, first);
        self.wide_profiled(&differences, profile(&differences), out, false);
    }

    /// Appends `values`, of which `max` is the highest, as a sequence of 32-bit numbers.
    pub(crate) fn narrow(&mut self, values: &[u32], max: u32, out: &mut Vec<u8>, split: bool) {
        let distinct = if split { Some(&mut self.distinct) } else { None };
        let (choice, squeeze) = choose(values, max, self.compress, distinct);
        let start = out.len();
        match choice {
            Choice::Packed(width) => packed(values, max, width, out),
            Choice::Grouped => grouped(values, out),
            Choice::Planes(count) => self.planes(values, count, out),
            Choice::Distinct => match self.distinct.split(values) {
                Some((table, indexes)) => {
                    out.push(narrow_form::DISTINCT);
                    put_varint(out, table.len() as u64);
                    self.narrow(&table, bounds(&table).1, out, false);
                    self.narrow(&indexes, table.len() as u32 - 1, out, false);
                }
                None => packed(values, max, width_of(max), out),
            },
        }
        // Indexes of distinct values are narrow, and some of them frequent.
        let narrow = !split && self.compress && matches!(choice, Choice::Packed(0..=5));
        if narrow || (squeeze && choice != Choice::Distinct) {
            self.squeeze_tail(start, out);
        }
    }

    /// Compresses what was written from `start` on, if that saves a tenth.
    fn squeeze_tail(&mut self, start: usize, out: &mut Vec<u8>) {
        let len = out.len() - start;
        if len < 256 {
            return;
        }
        let Some(squeezed) = self.squeezer.squeeze_noise(&out[start..]) else { return };
        out.truncate(start);
        out.push(narrow_form::COMPRESSED);
        put_varint(out, len as u64);
        put_varint(out, squeezed.len() as u64);
        out.extend_from_slice(squeezed);
    }

    fn planes(&mut self, values: &[u32], count: u32, out: &mut Vec<u8>) {
        out.push(narrow_form::PLANES);
        out.push(count as u8);
        let mut octets = Vec::with_capacity(values.len());
        for index in 0..count {
            octets.clear();
            octets.extend(values.iter().map(|value| (value >> (8 * index)) as u8));
            if sparse_plane(&octets, out) {
                continue;
            }
            if let Some(squeezed) = self.squeezer.squeeze_noise(&octets) {
                out.push(plane::COMPRESSED);
                put_varint(out, squeezed.len() as u64);
                out.extend_from_slice(squeezed);
            } else {
                out.push(plane::RAW);
                out.extend_from_slice(&octets);
            }
        }
    }
}

/// Writes a plane in which nearly all octets are the same by those that are not.
fn sparse_plane(octets: &[u8], out: &mut Vec<u8>) -> bool {
    // The median of three is the common octet, if there is one that is common enough.
    let at = |share: usize| octets.get(octets.len() * share / 4).copied().unwrap_or(0);
    let (a, b, c) = (at(1), at(2), at(3));
    let common = a.min(b).max(a.max(b).min(c));
    let others = octets.iter().filter(|octet| **octet != common).count();
    if others * 32 > octets.len() {
        return false;
    }
    out.extend([plane::SPARSE, common]);
    put_varint(out, others as u64);
    let mut next = 0;
    for (at, octet) in octets.iter().enumerate().filter(|(_, octet)| **octet != common) {
        put_varint(out, (at - next) as u64);
        out.push(*octet);
        next = at + 1;
    }
    true
}

/// Appends what is left of values above `min`, divided by scale `scale`.
fn residuals<T: Lane, R>(
    values: &[T],
    min: u64,
    scale: usize,
    cast: impl Fn(u64) -> R,
    out: &mut Vec<R>,
) {
    let above = values.iter().map(|value| value.to_bits() - min);
    // Cost: a division by a constant is a multiplication; by a variable it is 20 times that.
    match scale {
        0 => out.extend(above.map(cast)),
        1 => out.extend(above.map(|above| cast(above / SCALES[1]))),
        2 => out.extend(above.map(|above| cast(above / SCALES[2]))),
        _ => out.extend(above.map(|above| cast(above / SCALES[3]))),
    }
}

/// The largest scale that every value above `min` is a multiple of.
fn scale_of<T: Lane>(values: &[T], min: u64, range: u64) -> usize {
    // Cost: divisors are constants here, for a division by a variable takes 30 times as long.
    fn divides<const BY: u64, T: Lane>(values: &[T], min: u64) -> bool {
        values.iter().all(|value| (value.to_bits() - min).is_multiple_of(BY))
    }
    // Limit: times only. Smaller numbers that are all multiples of a thousand are an accident.
    if range < 100_000 {
        return 0;
    }
    let few = &values[..values.len().min(16)];
    if divides::<1_000_000_000, T>(few, min) && divides::<1_000_000_000, T>(values, min) {
        3
    } else if divides::<1_000_000, T>(few, min) && divides::<1_000_000, T>(values, min) {
        2
    } else if divides::<1_000, T>(few, min) && divides::<1_000, T>(values, min) {
        1
    } else {
        0
    }
}

/// True when neighbours are much nearer to each other than they are to the lowest value `min`,
/// and differ: values that often stay the same are smaller in other forms.
fn deltas_pay<T: Lane>(values: &[T], min: u64, scale: u64) -> bool {
    if values.len() < 8 {
        return false;
    }
    let step = values.len().div_ceil(256).max(1);
    let width = |value: u64| u64::from(64 - value.leading_zeros());
    let (mut near, mut far, mut same, mut pairs) = (0, 0, 0, 0);
    for pair in values.windows(2).step_by(step) {
        let difference = zigzag(pair[1].to_bits().wrapping_sub(pair[0].to_bits()));
        near += width(difference);
        // Differences are written without a scale.
        far += width((pair[1].to_bits() - min) / scale);
        same += u64::from(difference == 0);
        pairs += 1;
    }
    // A difference is written at the width of the wider ones: two bits above the mean.
    same * 2 < pairs && near + 3 * pairs < far
}

fn packed(values: &[u32], max: u32, width: u32, out: &mut Vec<u8>) {
    out.push(narrow_form::PACKED);
    out.push(width as u8);
    let most = width_of(max);
    if most <= width {
        put_varint(out, 0);
        pack(values, width, out);
        return;
    }
    let limit = 1u32 << width;
    let mut positions = Vec::new();
    let mut highs = Vec::new();
    for (at, value) in values.iter().enumerate() {
        if *value >= limit {
            positions.push(at);
            highs.push(value >> width);
        }
    }
    put_varint(out, positions.len() as u64);
    if !positions.is_empty() {
        out.push((most - width) as u8);
        let mut next = 0;
        for at in positions {
            put_varint(out, (at - next) as u64);
            next = at + 1;
        }
        pack(&highs, most - width, out);
    }
    pack(values, width, out);
}

fn grouped(values: &[u32], out: &mut Vec<u8>) {
    out.push(narrow_form::GROUPED);
    let limits: Vec<(u32, u32)> = values.chunks(GROUP).map(bounds).collect();
    for (min, max) in &limits {
        out.push(width_of(max - min) as u8);
        put_varint(out, u64::from(*min));
    }
    let mut shifted = [0u32; GROUP];
    for (group, (min, max)) in values.chunks(GROUP).zip(limits) {
        for (slot, value) in shifted.iter_mut().zip(group) {
            *slot = value - min;
        }
        pack(&shifted[..group.len()], width_of(max - min), out);
    }
}
