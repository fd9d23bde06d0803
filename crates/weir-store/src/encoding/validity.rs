//! Which rows have a value: a bit a row, or the lengths of alternating runs where that is shorter.

use weir_model::Bitmap;

use super::Decoded;
use super::cursor::{Cursor, put_varint};
use super::decode::decode;
use super::encode::Encoder;
use crate::read::Damage;

const BITS: u8 = 0;
const RUNS: u8 = 1;

/// Appends `bits`.
pub(crate) fn encode_validity(bits: &Bitmap, encoder: &mut Encoder, out: &mut Vec<u8>) {
    let changes = changes(bits);
    if changes * 2 < bits.len() / 8 {
        out.push(RUNS);
        out.push(u8::from(bits.get(0)));
        let mut lengths: Vec<u32> = Vec::with_capacity(changes + 1);
        let mut start = 0;
        for at in 1..=bits.len() {
            if at == bits.len() || bits.get(at) != bits.get(at - 1) {
                lengths.push((at - start) as u32);
                start = at;
            }
        }
        put_varint(out, lengths.len() as u64);
        encoder.wide(&lengths, out);
        return;
    }
    out.push(BITS);
    let octets: Vec<u8> = bits.words().iter().flat_map(|word| word.to_le_bytes()).collect();
    out.extend_from_slice(&octets[..bits.len().div_ceil(8)]);
}

/// How often neighbours differ.
fn changes(bits: &Bitmap) -> usize {
    let mut carry = u64::from(bits.get(0));
    let mut count = 0;
    for word in bits.words() {
        count += (word ^ (word << 1 | carry)).count_ones() as usize;
        carry = word >> 63;
    }
    count
}

/// Reads the bits of `rows` rows.
pub(crate) fn decode_validity(cursor: &mut Cursor<'_>, rows: usize) -> Decoded<Bitmap> {
    match cursor.u8()? {
        BITS => {
            let octets = cursor.take(rows.div_ceil(8))?;
            let words = octets.chunks(8).map(|chunk| {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                u64::from_le_bytes(word)
            });
            Ok(Bitmap::from_words(words.collect(), rows))
        }
        RUNS => {
            let mut bit = cursor.u8()? == 1;
            let count = cursor.count(rows, "number of runs")?;
            let mut lengths: Vec<u32> = Vec::new();
            decode(cursor, count, &mut lengths)?;
            let mut bits = Bitmap::default();
            for length in lengths {
                if length as usize > rows - bits.len() {
                    return Err(Damage::Impossible("length of a run"));
                }
                bits.extend_by(length as usize, bit);
                bit = !bit;
            }
            if bits.len() == rows { Ok(bits) } else { Err(Damage::Impossible("length of a run")) }
        }
        _ => Err(Damage::Impossible("form of a validity")),
    }
}
