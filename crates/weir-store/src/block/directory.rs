//! The directory of a block: which columns it has, between what bounds, and where.

use weir_model::{Addr, Code, ColumnId, Physical, Scalar};

use super::Form;
use crate::encoding::cursor::put_varint;
use crate::encoding::{Cursor, Decoded, Lane};
use crate::read::Damage;
use crate::zone::Zone;

/// What the directory says of one column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ColumnEntry {
    pub(crate) id: ColumnId,
    pub(crate) physical: Physical,
    pub(crate) form: Form,
    pub(crate) zone: Zone,
    /// Code of the address that a constant column of addresses has.
    pub(crate) code: Code,
    /// Where the column's data start, counted from the start of the frame.
    pub(crate) offset: u32,
    pub(crate) len: u32,
    pub(crate) crc: u32,
}

/// The columns of a block, in the order of their ids.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Directory {
    columns: Box<[ColumnEntry]>,
}

impl Directory {
    pub(crate) fn new(columns: Vec<ColumnEntry>) -> Directory {
        Directory { columns: columns.into() }
    }

    pub(crate) fn columns(&self) -> &[ColumnEntry] {
        &self.columns
    }

    pub(crate) fn column(&self, id: ColumnId) -> Option<&ColumnEntry> {
        let at = self.columns.binary_search_by_key(&id, |entry| entry.id).ok()?;
        self.columns.get(at)
    }

    /// Appends the directory. Offsets are not written: columns follow one another.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.columns.len() as u64);
        let mut entry = Vec::new();
        for column in &self.columns {
            entry.clear();
            column.encode(&mut entry);
            put_varint(out, entry.len() as u64);
            out.extend_from_slice(&entry);
        }
    }

    /// Reads the directory of a block whose column data take octets `start..end` of its frame.
    pub(crate) fn decode(cursor: &mut Cursor<'_>, start: u32, end: u32) -> Decoded<Directory> {
        let count = cursor.count(cursor.len(), "number of columns")?;
        let mut columns: Vec<ColumnEntry> = Vec::new();
        let mut offset = start;
        for _ in 0..count {
            let len = cursor.count(cursor.len(), "length of an entry")?;
            let entry = ColumnEntry::decode(Cursor::new(cursor.take(len)?), offset)?;
            let next = offset.checked_add(entry.len).filter(|next| *next <= end);
            offset = next.ok_or(Damage::Impossible("length of a column"))?;
            if columns.last().is_some_and(|last| last.id >= entry.id) {
                return Err(Damage::Impossible("order of columns"));
            }
            columns.push(entry);
        }
        Ok(Directory::new(columns))
    }
}

const PHYSICALS: [Physical; 8] = [
    Physical::U8,
    Physical::U16,
    Physical::U32,
    Physical::U64,
    Physical::I64,
    Physical::F64,
    Physical::Addr,
    Physical::Code,
];

impl ColumnEntry {
    /// The entry of a column of addresses, from that of their codes.
    pub(crate) fn of_addrs(mut self, (min, max): (Addr, Addr), first: Code) -> ColumnEntry {
        self.zone.min = Scalar::Addr(min);
        self.zone.max = Scalar::Addr(max);
        self.code = first;
        self
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.id.0.into());
        let physical = PHYSICALS.iter().position(|known| *known == self.physical).unwrap_or(0);
        out.push(physical as u8);
        out.push(self.form.number());
        if let Some(reference) = self.form.reference() {
            put_varint(out, reference.0.into());
        }
        put_varint(out, self.zone.nulls.into());
        encode_scalar(self.zone.min, out);
        if self.form == Form::Constant {
            if self.physical == Physical::Addr {
                put_varint(out, self.code.0.into());
            }
            return;
        }
        encode_scalar(self.zone.max, out);
        put_varint(out, self.len.into());
        out.extend(self.crc.to_le_bytes());
    }

    fn decode(mut cursor: Cursor<'_>, offset: u32) -> Decoded<ColumnEntry> {
        let id = ColumnId(cursor.count(u16::MAX.into(), "column id")? as u16);
        let physical = PHYSICALS.get(usize::from(cursor.u8()?));
        let physical = *physical.ok_or(Damage::Impossible("type of a column"))?;
        let form = match cursor.u8()? {
            0 => Form::Constant,
            1 => Form::Values,
            number @ (2 | 3) => {
                let reference = ColumnId(cursor.count(u16::MAX.into(), "column id")? as u16);
                if number == 2 { Form::Mapped(reference) } else { Form::Minus(reference) }
            }
            _ => return Err(Damage::Impossible("form of a column")),
        };
        let nulls = cursor.count(crate::encoding::VALUES_MAX, "number of nulls")? as u32;
        let min = decode_scalar(&mut cursor, physical)?;
        let mut entry = ColumnEntry {
            id,
            physical,
            form,
            zone: Zone { min, max: min, nulls },
            code: Code(0),
            offset,
            len: 0,
            crc: 0,
        };
        if form == Form::Constant {
            if physical == Physical::Addr {
                entry.code = Code(cursor.count(u32::MAX as usize, "code")? as u32);
            }
            return Ok(entry);
        }
        entry.zone.max = decode_scalar(&mut cursor, physical)?;
        entry.len = cursor.count(u32::MAX as usize, "length of a column")? as u32;
        entry.crc = cursor.u32()?;
        Ok(entry)
    }
}

fn encode_scalar(scalar: Scalar, out: &mut Vec<u8>) {
    match scalar {
        Scalar::U64(value) => put_varint(out, value),
        Scalar::Code(code) => put_varint(out, code.0.into()),
        Scalar::I64(value) => out.extend(value.to_le_bytes()),
        Scalar::F64(value) => out.extend(value.to_bits().to_le_bytes()),
        Scalar::Addr(addr) => match addr.as_v4() {
            Some(v4) => {
                out.push(4);
                out.extend(v4.to_be_bytes());
            }
            None => {
                out.push(16);
                out.extend(addr.octets());
            }
        },
    }
}

fn decode_scalar(cursor: &mut Cursor<'_>, physical: Physical) -> Decoded<Scalar> {
    Ok(match physical {
        Physical::U8 | Physical::U16 | Physical::U32 | Physical::U64 => {
            Scalar::U64(cursor.varint()?)
        }
        Physical::Code => Scalar::Code(Code(cursor.count(u32::MAX as usize, "code")? as u32)),
        Physical::I64 => Scalar::I64(cursor.u64()? as i64),
        Physical::F64 => Scalar::F64(f64::from_bits(cursor.u64()?)),
        Physical::Addr => match cursor.u8()? {
            4 => Scalar::Addr(Addr::v4(cursor.u32()?.swap_bytes())),
            16 => Scalar::Addr(Addr::v6(cursor.octets16()?)),
            _ => return Err(Damage::Impossible("length of an address")),
        },
    })
}

/// The scalar of `physical` whose [`Lane`] number is `bits`. Addresses have none.
pub(crate) fn scalar_of(physical: Physical, bits: u64) -> Scalar {
    match physical {
        Physical::I64 => Scalar::I64(i64::from_bits(bits)),
        Physical::F64 => Scalar::F64(<f64 as Lane>::from_bits(bits)),
        Physical::Code | Physical::Addr => Scalar::Code(Code(bits as u32)),
        Physical::U8 | Physical::U16 | Physical::U32 | Physical::U64 => Scalar::U64(bits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: u16, physical: Physical, form: Form, min: Scalar, max: Scalar) -> ColumnEntry {
        let zone = Zone { min, max, nulls: 0 };
        let len = if form == Form::Constant { 0 } else { 100 };
        let crc = if form == Form::Constant { 0 } else { 7 };
        let offset = 44;
        ColumnEntry { id: ColumnId(id), physical, form, zone, code: Code(0), offset, len, crc }
    }

    #[test]
    fn a_directory_reads_as_it_was_written() {
        let v4 = Scalar::Addr(Addr::v4(0x0a00_0001));
        let v6 = Scalar::Addr(Addr(1 << 100));
        let (low, high) = (Scalar::I64(i64::MIN), Scalar::I64(i64::MAX));
        let mut columns = vec![
            entry(0, Physical::I64, Form::Values, low, high),
            entry(3, Physical::F64, Form::Constant, Scalar::F64(-0.5), Scalar::F64(-0.5)),
            entry(14, Physical::Addr, Form::Values, v4, v6),
            entry(15, Physical::Addr, Form::Constant, v6, v6),
            entry(60, Physical::U32, Form::Mapped(ColumnId(14)), Scalar::U64(1), Scalar::U64(2)),
        ];
        columns[3].code = Code(70_000);
        columns[2].offset = 144;
        columns[3].offset = 244;
        columns[1].offset = 144;
        columns[4].offset = 244;
        columns[4].zone.nulls = 9;
        let directory = Directory::new(columns);
        let mut octets = Vec::new();
        directory.encode(&mut octets);
        let mut cursor = Cursor::new(&octets);
        assert_eq!(Directory::decode(&mut cursor, 44, 344), Ok(directory.clone()));
        assert!(cursor.is_empty());
        let short = Directory::decode(&mut Cursor::new(&octets), 44, 343);
        assert_eq!(short, Err(Damage::Impossible("length of a column")));
    }
}
