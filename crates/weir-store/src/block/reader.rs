//! From the column data of a block to columns.

use weir_model::{Bitmap, ColumnId, Physical, Scalar, Values};

use super::mapped::Ordinals;
use super::source::{count, spread};
use super::{ColumnEntry, Directory, Form, check_rows};
use crate::encoding::validity::decode_validity;
use crate::encoding::{Cursor, Decoded, Lane, decode};
use crate::read::{BlockColumn, Damage};

/// Stretches of a frame that were read: where each starts in the frame, and its octets.
pub(crate) struct Chunks<'a>(pub(crate) Vec<(u32, &'a [u8])>);

impl<'a> Chunks<'a> {
    fn of(&self, entry: &ColumnEntry) -> Decoded<&'a [u8]> {
        let octets = self.0.iter().find_map(|(start, octets)| {
            let from = entry.offset.checked_sub(*start)? as usize;
            octets.get(from..)?.get(..entry.len as usize)
        });
        let octets = octets.ok_or(Damage::Truncated)?;
        if crc32c::crc32c(octets) == entry.crc { Ok(octets) } else { Err(Damage::Checksum) }
    }
}

/// Damage, and where in the frame.
pub(crate) type Damaged = (Damage, u32);

/// Decodes columns of one block. What several columns need is decoded once.
pub(crate) struct BlockReader<'a> {
    rows: usize,
    directory: &'a Directory,
    chunks: Chunks<'a>,
    ordinals: Vec<(ColumnId, Ordinals)>,
}

impl<'a> BlockReader<'a> {
    pub(crate) fn new(rows: usize, directory: &'a Directory, chunks: Chunks<'a>) -> Self {
        BlockReader { rows, directory, chunks, ordinals: Vec::new() }
    }

    /// Column `id`, which must be of type `physical` if the block has it.
    pub(crate) fn column(
        &mut self,
        id: ColumnId,
        physical: Option<Physical>,
    ) -> Result<BlockColumn, Damaged> {
        let Some(entry) = self.directory.column(id) else { return Ok(BlockColumn::Absent) };
        if physical.is_some_and(|physical| physical != entry.physical) {
            return Err((Damage::Impossible("type of a column"), entry.offset));
        }
        if entry.form == Form::Constant {
            return Ok(BlockColumn::Constant(match entry.physical {
                Physical::Addr => Scalar::Code(entry.code),
                _ => entry.zone.min,
            }));
        }
        let (data, validity) = self.values(entry).map_err(|damage| (damage, entry.offset))?;
        let data = match &validity {
            Some(bits) => spread(data, bits),
            None => data,
        };
        Ok(BlockColumn::Values { data, validity })
    }

    /// The values of a column without gaps, and the rows that have one.
    fn values(&mut self, entry: &ColumnEntry) -> Decoded<(Values, Option<Bitmap>)> {
        let mut cursor = Cursor::new(self.chunks.of(entry)?);
        let mut validity = None;
        let mut n = self.rows;
        if entry.zone.nulls > 0 {
            let bits = decode_validity(&mut cursor, self.rows)?;
            n = bits.count_ones();
            if n + entry.zone.nulls as usize != self.rows {
                return Err(Damage::Impossible("number of nulls"));
            }
            validity = Some(bits);
        }
        let values = match entry.physical {
            Physical::U8 => Values::U8(self.lanes(entry, cursor, n)?),
            Physical::U16 => Values::U16(self.lanes(entry, cursor, n)?),
            Physical::U32 => Values::U32(self.lanes(entry, cursor, n)?),
            Physical::U64 => Values::U64(self.lanes(entry, cursor, n)?),
            Physical::F64 => Values::F64(self.lanes(entry, cursor, n)?),
            Physical::Addr | Physical::Code => Values::Code(self.lanes(entry, cursor, n)?),
            Physical::I64 => match entry.form {
                Form::Minus(reference) => Values::I64(self.minus(reference, cursor, n)?),
                _ => Values::I64(self.lanes(entry, cursor, n)?),
            },
        };
        if count(&values) == n {
            Ok((values, validity))
        } else {
            Err(Damage::Impossible("number of values"))
        }
    }

    fn lanes<T: Lane>(
        &mut self,
        entry: &ColumnEntry,
        mut cursor: Cursor<'_>,
        n: usize,
    ) -> Decoded<Vec<T>> {
        match entry.form {
            Form::Values => {
                let mut values = Vec::new();
                decode(&mut cursor, n, &mut values)?;
                Ok(values)
            }
            Form::Mapped(reference) => self.ordinals(reference)?.decode(&mut cursor),
            Form::Constant | Form::Minus(_) => Err(Damage::Impossible("form of a column")),
        }
    }

    /// The entry of a column that another is written by. It stands on its own, so that
    /// references never go in circles.
    fn reference(&self, id: ColumnId) -> Decoded<&'a ColumnEntry> {
        let entry = self.directory.column(id).filter(|entry| entry.form == Form::Values);
        entry.ok_or(Damage::Impossible("reference"))
    }

    fn ordinals(&mut self, id: ColumnId) -> Decoded<&Ordinals> {
        let at = match self.ordinals.iter().position(|(known, _)| *known == id) {
            Some(at) => at,
            None => {
                let (Values::Code(codes), _) = self.values(self.reference(id)?)? else {
                    return Err(Damage::Impossible("reference"));
                };
                let ordinals = Ordinals::of(&codes).ok_or(Damage::Impossible("reference"))?;
                self.ordinals.push((id, ordinals));
                self.ordinals.len() - 1
            }
        };
        Ok(&self.ordinals[at].1)
    }

    fn minus(&mut self, id: ColumnId, mut cursor: Cursor<'_>, n: usize) -> Decoded<Vec<i64>> {
        let (Values::I64(other), _) = self.values(self.reference(id)?)? else {
            return Err(Damage::Impossible("reference"));
        };
        let mut distances: Vec<i64> = Vec::new();
        decode(&mut cursor, n, &mut distances)?;
        Ok(other.iter().zip(distances).map(|(other, own)| other.wrapping_sub(own)).collect())
    }
}

/// Decodes every column of a block given as 4 octets of rows, a directory and column data, none
/// of them trusted. For fuzzing: must return, whatever the octets are. Tells how many columns
/// could be decoded.
pub fn check_block(octets: &[u8]) -> usize {
    let mut cursor = Cursor::new(octets);
    let Ok(Ok(rows)) = cursor.u32().map(|rows| check_rows(rows % (1 << 17))) else { return 0 };
    let Ok(directory) = Directory::decode(&mut cursor, 0, u32::MAX) else { return 0 };
    let Ok(data) = cursor.take(cursor.len()) else { return 0 };
    // Fuzzers do not guess checksums: give every column the one that fits.
    let columns = directory.columns().iter().cloned().map(|mut entry| {
        let end = (entry.offset as usize).saturating_add(entry.len as usize);
        entry.crc = data.get(entry.offset as usize..end).map_or(0, crc32c::crc32c);
        entry
    });
    let directory = Directory::new(columns.collect());
    let mut reader = BlockReader::new(rows, &directory, Chunks(vec![(0, data)]));
    let ids = directory.columns().iter().map(|entry| entry.id);
    ids.filter(|id| reader.column(*id, None).is_ok()).count()
}
