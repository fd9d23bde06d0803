//! From octets to values.

use super::compress::expand;
use super::cursor::Cursor;
use super::pack::{GROUP, unpack};
use super::{Decoded, Lane, VALUES_MAX, narrow_form, unzigzag, wide_form};
use crate::read::Damage;

/// Forms inside forms: a sequence of runs of differences of distinct values is the deepest that
/// is written.
const DEPTH_MAX: u32 = 8;

/// Divisors of sequences whose values are all multiples of one, by their number.
pub(crate) const SCALES: [u64; 4] = [1, 1_000, 1_000_000, 1_000_000_000];

/// Takes groups of numbers as they are decoded.
type Sink<'s> = &'s mut dyn FnMut(&[u32]) -> Decoded<()>;

/// Appends to `out` the sequence of `n` values that `cursor` stands at.
pub(crate) fn decode<T: Lane>(cursor: &mut Cursor<'_>, n: usize, out: &mut Vec<T>) -> Decoded<()> {
    if n > VALUES_MAX {
        return Err(Damage::Impossible("number of values"));
    }
    let wanted = out.len() + n;
    out.reserve(n);
    wide(cursor, n, DEPTH_MAX, out)?;
    if out.len() == wanted { Ok(()) } else { Err(Damage::Impossible("number of values")) }
}

fn wide<T: Lane>(cursor: &mut Cursor<'_>, n: usize, depth: u32, out: &mut Vec<T>) -> Decoded<()> {
    let depth = depth.checked_sub(1).ok_or(Damage::Impossible("nesting"))?;
    match cursor.u8()? {
        wide_form::CONSTANT => {
            let value = T::from_bits(cursor.varint()?);
            out.resize(out.len() + n, value);
            Ok(())
        }
        wide_form::NARROW => {
            let (base, scale) = base_and_scale(cursor)?;
            narrow(cursor, n, depth, &mut |group| {
                if scale == 1 {
                    out.extend(group.iter().map(|v| T::from_bits(base.wrapping_add((*v).into()))));
                } else {
                    let value = |v: &u32| base.wrapping_add(u64::from(*v).wrapping_mul(scale));
                    out.extend(group.iter().map(|v| T::from_bits(value(v))));
                }
                Ok(())
            })
        }
        wide_form::WIDE => halves(cursor, n, depth, out),
        wide_form::RUNS => runs(cursor, n, depth, out),
        wide_form::DELTA => deltas(cursor, n, depth, out),
        _ => Err(Damage::Impossible("form of a sequence")),
    }
}

fn base_and_scale(cursor: &mut Cursor<'_>) -> Decoded<(u64, u64)> {
    let base = cursor.varint()?;
    let scale = SCALES.get(usize::from(cursor.u8()?)).ok_or(Damage::Impossible("scale"))?;
    Ok((base, *scale))
}

fn halves<T: Lane>(cursor: &mut Cursor<'_>, n: usize, depth: u32, out: &mut Vec<T>) -> Decoded<()> {
    let (base, scale) = base_and_scale(cursor)?;
    let low = narrow_vec(cursor, n, depth)?;
    let high = narrow_vec(cursor, n, depth)?;
    out.extend(low.iter().zip(&high).map(|(low, high)| {
        let value = u64::from(*high) << 32 | u64::from(*low);
        T::from_bits(base.wrapping_add(value.wrapping_mul(scale)))
    }));
    Ok(())
}

fn runs<T: Lane>(cursor: &mut Cursor<'_>, n: usize, depth: u32, out: &mut Vec<T>) -> Decoded<()> {
    let count = cursor.count(n, "number of runs")?;
    let mut values: Vec<T> = Vec::with_capacity(count);
    wide(cursor, count, depth, &mut values)?;
    let lengths = narrow_vec(cursor, count, depth)?;
    let mut left = n;
    for (value, length) in values.into_iter().zip(lengths) {
        let length = length as usize + 1;
        left = left.checked_sub(length).ok_or(Damage::Impossible("length of a run"))?;
        out.resize(out.len() + length, value);
    }
    if left == 0 { Ok(()) } else { Err(Damage::Impossible("length of a run")) }
}

fn deltas<T: Lane>(cursor: &mut Cursor<'_>, n: usize, depth: u32, out: &mut Vec<T>) -> Decoded<()> {
    let mut value = cursor.varint()?;
    let rest = n.checked_sub(1).ok_or(Damage::Impossible("number of values"))?;
    let mut differences: Vec<u64> = Vec::with_capacity(rest);
    wide(cursor, rest, depth, &mut differences)?;
    out.push(T::from_bits(value));
    out.extend(differences.into_iter().map(|difference| {
        value = value.wrapping_add(unzigzag(difference));
        T::from_bits(value)
    }));
    Ok(())
}

/// A sequence of 32-bit numbers, whole.
pub(crate) fn narrow_vec(cursor: &mut Cursor<'_>, n: usize, depth: u32) -> Decoded<Vec<u32>> {
    let mut values = Vec::with_capacity(n.min(VALUES_MAX));
    narrow(cursor, n, depth, &mut |group| {
        values.extend_from_slice(group);
        Ok(())
    })?;
    if values.len() == n { Ok(values) } else { Err(Damage::Impossible("number of values")) }
}

fn narrow(cursor: &mut Cursor<'_>, n: usize, depth: u32, sink: Sink<'_>) -> Decoded<()> {
    let depth = depth.checked_sub(1).ok_or(Damage::Impossible("nesting"))?;
    match cursor.u8()? {
        narrow_form::PACKED => packed(cursor, n, sink),
        narrow_form::GROUPED => grouped(cursor, n, sink),
        narrow_form::PLANES => planes(cursor, n, sink),
        narrow_form::DISTINCT => distinct(cursor, n, depth, sink),
        narrow_form::COMPRESSED => {
            let len = cursor.count(4 * VALUES_MAX + GROUP, "length of a compressed part")?;
            let compressed = cursor.count(len, "length of a compressed part")?;
            let mut octets = Vec::new();
            expand(cursor.take(compressed)?, len, &mut octets)?;
            narrow(&mut Cursor::new(&octets), n, depth, sink)
        }
        _ => Err(Damage::Impossible("form of a sequence")),
    }
}

fn width(cursor: &mut Cursor<'_>) -> Decoded<u32> {
    let width = u32::from(cursor.u8()?);
    if width <= 32 { Ok(width) } else { Err(Damage::Impossible("width")) }
}

fn packed(cursor: &mut Cursor<'_>, n: usize, sink: Sink<'_>) -> Decoded<()> {
    let low_width = width(cursor)?;
    let count = cursor.count(n, "number of exceptions")?;
    if count == 0 {
        return unpack(cursor, n, low_width, sink);
    }
    let exceptions = Exceptions::read(cursor, n, count, low_width)?;
    let mut exceptions = exceptions.into_iter().peekable();
    let mut patched = [0u32; GROUP];
    let mut start = 0;
    unpack(cursor, n, low_width, |group| {
        let end = start + group.len();
        let patched = &mut patched[..group.len()];
        patched.copy_from_slice(group);
        while let Some((at, high)) = exceptions.next_if(|(at, _)| *at < end) {
            patched[at - start] |= high;
        }
        start = end;
        sink(patched)
    })
}

/// Values that did not fit: position and the bits above the width.
struct Exceptions;

impl Exceptions {
    fn read(
        cursor: &mut Cursor<'_>,
        n: usize,
        count: usize,
        low_width: u32,
    ) -> Decoded<Vec<(usize, u32)>> {
        let high_width = width(cursor)?;
        if low_width + high_width > 32 {
            return Err(Damage::Impossible("width"));
        }
        let mut exceptions = Vec::with_capacity(count);
        let mut next = 0;
        for _ in 0..count {
            let at = next + cursor.count(n, "position of an exception")?;
            if at >= n {
                return Err(Damage::Impossible("position of an exception"));
            }
            exceptions.push((at, 0));
            next = at + 1;
        }
        let mut slots = exceptions.iter_mut();
        unpack(cursor, count, high_width, |group| {
            for (high, slot) in group.iter().zip(slots.by_ref()) {
                // A width of 32 leaves no bits above it; both widths were checked to fit.
                slot.1 = high.checked_shl(low_width).unwrap_or(0);
            }
            Ok(())
        })?;
        Ok(exceptions)
    }
}

fn grouped(cursor: &mut Cursor<'_>, n: usize, sink: Sink<'_>) -> Decoded<()> {
    let groups = n.div_ceil(GROUP);
    let mut bounds = Vec::with_capacity(groups);
    for _ in 0..groups {
        let width = width(cursor)?;
        bounds.push((width, cursor.count(u32::MAX as usize, "base")? as u32));
    }
    let mut left = n;
    let mut shifted = [0u32; GROUP];
    for (width, base) in bounds {
        let len = left.min(GROUP);
        unpack(cursor, len, width, |group| {
            let shifted = &mut shifted[..group.len()];
            for (slot, value) in shifted.iter_mut().zip(group) {
                *slot = base.wrapping_add(*value);
            }
            sink(shifted)
        })?;
        left -= len;
    }
    Ok(())
}

/// How one plane of octets is stored.
pub(crate) mod plane {
    /// As it is.
    pub const RAW: u8 = 0;
    /// Compressed: length, octets.
    pub const COMPRESSED: u8 = 1;
    /// Nearly all the same: that octet, the number of others, and for each of them its distance
    /// from the one before and the octet.
    pub const SPARSE: u8 = 2;
}

fn planes(cursor: &mut Cursor<'_>, n: usize, sink: Sink<'_>) -> Decoded<()> {
    let count = usize::from(cursor.u8()?);
    if !(1..=4).contains(&count) {
        return Err(Damage::Impossible("number of planes"));
    }
    let mut buffers: [Vec<u8>; 4] = Default::default();
    let mut planes: [&[u8]; 4] = [&[]; 4];
    for (plane, buffer) in planes.iter_mut().zip(&mut buffers).take(count) {
        *plane = match cursor.u8()? {
            plane::RAW => cursor.take(n)?,
            plane::COMPRESSED => {
                let len = cursor.count(n, "length of a compressed part")?;
                expand(cursor.take(len)?, n, buffer)?;
                buffer
            }
            plane::SPARSE => {
                sparse(cursor, n, buffer)?;
                buffer
            }
            _ => return Err(Damage::Impossible("form of a plane")),
        };
    }
    let mut values = [0u32; GROUP];
    for start in (0..n).step_by(GROUP) {
        let len = GROUP.min(n - start);
        let values = &mut values[..len];
        values.fill(0);
        for (index, plane) in planes.iter().take(count).enumerate() {
            for (value, octet) in values.iter_mut().zip(&plane[start..start + len]) {
                *value |= u32::from(*octet) << (8 * index);
            }
        }
        sink(values)?;
    }
    Ok(())
}

fn sparse(cursor: &mut Cursor<'_>, n: usize, plane: &mut Vec<u8>) -> Decoded<()> {
    plane.resize(n, cursor.u8()?);
    let count = cursor.count(n, "number of exceptions")?;
    let mut next = 0;
    for _ in 0..count {
        let at = next + cursor.count(n, "position of an exception")?;
        let octet = cursor.u8()?;
        *plane.get_mut(at).ok_or(Damage::Impossible("position of an exception"))? = octet;
        next = at + 1;
    }
    Ok(())
}

fn distinct(cursor: &mut Cursor<'_>, n: usize, depth: u32, sink: Sink<'_>) -> Decoded<()> {
    let count = cursor.count(n, "number of distinct values")?;
    let table = narrow_vec(cursor, count, depth)?;
    let mut values = [0u32; GROUP];
    narrow(cursor, n, depth, &mut |group| {
        let values = &mut values[..group.len()];
        for (slot, index) in values.iter_mut().zip(group) {
            let value = table.get(*index as usize);
            *slot = *value.ok_or(Damage::Impossible("index of a distinct value"))?;
        }
        sink(values)
    })
}
