//! Octets of a record: u32 length of the payload, u32 crc32c of the payload, payload.
//! Numbers are little-endian; lists and texts start with their u32 length.

use weir_model::{Table, Timestamp};

use super::{Entry, Place, Record};
use crate::segment::{SegmentId, Tier};

const HEADER: usize = 8;
/// Stands for a time that is not there.
const NO_TIME: i64 = i64::MIN;

/// The octets of a record.
pub(super) fn encode(record: &Record) -> Vec<u8> {
    let mut out = vec![0; HEADER];
    match record {
        Record::Open(place) => {
            out.push(1);
            put_place(&mut out, place);
        }
        Record::Close { entry, rollups } => {
            out.push(2);
            put_entry(&mut out, entry);
            put_list(&mut out, rollups, put_entry);
        }
        Record::Replace { old, new } => {
            out.push(3);
            put_list(&mut out, old, |out, id| put_u64(out, id.0));
            put_list(&mut out, new, put_entry);
        }
        Record::Remove(ids) => {
            out.push(4);
            put_list(&mut out, ids, |out, id| put_u64(out, id.0));
        }
        Record::Quarantine { id, rows, file, reason } => {
            out.push(5);
            put_u64(&mut out, id.0);
            put_u64(&mut out, *rows);
            put_text(&mut out, file);
            put_text(&mut out, reason);
        }
        Record::NextId(next) => {
            out.push(6);
            put_u64(&mut out, *next);
        }
        Record::Gone { table, tier, until } => {
            out.push(7);
            out.push(*table as u8);
            out.push(tier.number());
            put_u64(&mut out, until.0 as u64);
        }
    }
    let len = u32::try_from(out.len() - HEADER).unwrap_or(u32::MAX);
    let sum = crc32c::crc32c(&out[HEADER..]);
    out[..4].copy_from_slice(&len.to_le_bytes());
    out[4..HEADER].copy_from_slice(&sum.to_le_bytes());
    out
}

fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn put_list<T>(out: &mut Vec<u8>, list: &[T], put: impl Fn(&mut Vec<u8>, &T)) {
    out.extend_from_slice(&(list.len() as u32).to_le_bytes());
    list.iter().for_each(|item| put(out, item));
}

fn put_place(out: &mut Vec<u8>, place: &Place) {
    put_u64(out, place.id.0);
    out.push(place.table as u8);
    out.push(place.tier.number());
    put_u64(out, place.hour as u64);
}

fn put_entry(out: &mut Vec<u8>, entry: &Entry) {
    put_place(out, &entry.place);
    out.push(entry.level);
    put_u64(out, entry.rows);
    for time in [entry.first, entry.last] {
        put_u64(out, time.map_or(NO_TIME, |time| time.0) as u64);
    }
    put_u64(out, entry.octets);
}

/// The record that `octets` start with and how many octets it takes; `None` when they do not
/// start with a whole one.
pub(super) fn decode(octets: &[u8]) -> Option<(Record, usize)> {
    let (len, sum) = header(octets)?;
    let payload = octets.get(HEADER..HEADER + len)?;
    if crc32c::crc32c(payload) != sum {
        return None;
    }
    let mut cursor = Cursor { rest: payload };
    let record = cursor.record()?;
    cursor.rest.is_empty().then_some((record, HEADER + len))
}

/// True when `octets`, which do not start with a whole record, are what one torn append leaves:
/// no more than that one record, or nothing but zeros.
pub(super) fn is_torn(octets: &[u8]) -> bool {
    let Some((len, _)) = header(octets) else { return true };
    octets.len() <= HEADER.saturating_add(len) || octets.iter().all(|octet| *octet == 0)
}

fn header(octets: &[u8]) -> Option<(usize, u32)> {
    let len = octets.first_chunk::<4>()?;
    let sum = octets.get(4..)?.first_chunk::<4>()?;
    Some((u32::from_le_bytes(*len) as usize, u32::from_le_bytes(*sum)))
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn record(&mut self) -> Option<Record> {
        Some(match self.u8()? {
            1 => Record::Open(self.place()?),
            2 => Record::Close { entry: self.entry()?, rollups: self.list(Self::entry)? },
            3 => Record::Replace { old: self.list(Self::id)?, new: self.list(Self::entry)? },
            4 => Record::Remove(self.list(Self::id)?),
            5 => Record::Quarantine {
                id: self.id()?,
                rows: self.u64()?,
                file: self.text()?,
                reason: self.text()?,
            },
            6 => Record::NextId(self.u64()?),
            7 => Record::Gone {
                table: Table::from_number(self.u8()?)?,
                tier: Tier::from_number(self.u8()?)?,
                until: Timestamp(self.u64()? as i64),
            },
            _ => return None,
        })
    }

    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(n)?;
        self.rest = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|octets| octets[0])
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.first_chunk().map(|octets| u32::from_le_bytes(*octets))
    }

    fn u64(&mut self) -> Option<u64> {
        self.take(8)?.first_chunk().map(|octets| u64::from_le_bytes(*octets))
    }

    fn id(&mut self) -> Option<SegmentId> {
        self.u64().map(SegmentId)
    }

    fn text(&mut self) -> Option<String> {
        let len = self.u32()? as usize;
        self.take(len).map(|octets| String::from_utf8_lossy(octets).into_owned())
    }

    fn time(&mut self) -> Option<Option<Timestamp>> {
        let nanos = self.u64()? as i64;
        Some((nanos != NO_TIME).then_some(Timestamp(nanos)))
    }

    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let len = self.u32()?;
        (0..len).map(|_| item(self)).collect()
    }

    fn place(&mut self) -> Option<Place> {
        Some(Place {
            id: self.id()?,
            table: Table::from_number(self.u8()?)?,
            tier: Tier::from_number(self.u8()?)?,
            hour: self.u64()? as i64,
        })
    }

    fn entry(&mut self) -> Option<Entry> {
        Some(Entry {
            place: self.place()?,
            level: self.u8()?,
            rows: self.u64()?,
            first: self.time()?,
            last: self.time()?,
            octets: self.u64()?,
        })
    }
}
