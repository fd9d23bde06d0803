//! The manifest: the log that says which files are part of the store.
//!
//! A record is a length, a checksum and a payload; every append is synced before it counts. At
//! each start, and after an append that failed, the log is written anew from what it says.
//!
//! Invariant: [`State`] is what replaying the records gives. Only a file that no record names is
//! garbage, and only while the log itself is whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weir_model::{Table, Timestamp};

use crate::error::StoreError;
use crate::files::{File, Files};
use crate::segment::{SegmentId, SegmentInfo, Tier};

mod layout;
mod record;

pub(crate) use layout::{MANIFEST, QUARANTINE, SEGMENTS, segment_path};

/// Newest version of the manifest's format.
pub(crate) const VERSION: u16 = 1;
const MAGIC: &[u8; 8] = b"WEIRMANI";
const HEADER_LEN: u64 = 16;

/// Where a segment lies: all that its path depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) id: SegmentId,
    pub(crate) table: Table,
    pub(crate) tier: Tier,
    /// Hour of its folder, since 1970-01-01.
    pub(crate) hour: i64,
}

/// A closed segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) place: Place,
    /// How often its rows were merged: 0 as closed, 1 merged.
    pub(crate) level: u8,
    pub(crate) rows: u64,
    pub(crate) first: Option<Timestamp>,
    pub(crate) last: Option<Timestamp>,
    pub(crate) octets: u64,
}

impl Entry {
    pub(crate) fn new(place: Place, level: u8, info: &SegmentInfo) -> Entry {
        Entry {
            place,
            level,
            rows: info.rows,
            first: info.first_received_at,
            last: info.last_received_at,
            octets: info.octets,
        }
    }

    pub(crate) fn id(&self) -> SegmentId {
        self.place.id
    }
}

/// One change of the set of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Record {
    /// A segment will be written to.
    Open(Place),
    /// It is complete, and so are the sums of its rows.
    Close { entry: Entry, rollups: Vec<Entry> },
    /// Rows of the old segments are in the new ones.
    Replace { old: Vec<SegmentId>, new: Vec<Entry> },
    /// The rows are given up.
    Remove(Vec<SegmentId>),
    /// The file is not what it should be and was put aside.
    Quarantine { id: SegmentId, rows: u64, file: String, reason: String },
    /// Ids below this were given.
    NextId(u64),
    /// Rows of a table and tier up to this time were given up, all or some.
    Gone { table: Table, tier: Tier, until: Timestamp },
}

/// What is known of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Live {
    Open(Place),
    Closed(Entry),
}

impl Live {
    pub(crate) fn place(&self) -> Place {
        match self {
            Live::Open(place) => *place,
            Live::Closed(entry) => entry.place,
        }
    }
}

/// A file that was put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Aside {
    pub(crate) rows: u64,
    pub(crate) file: String,
    pub(crate) reason: String,
}

/// The highest `received_at` of the rows that were given up, by table and tier. Rows after it are
/// all there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Gone(pub(crate) BTreeMap<(Table, Tier), Timestamp>);

impl Gone {
    /// Counts the rows of a segment among those given up.
    pub(crate) fn add(&mut self, entry: &Entry) {
        if let Some(last) = entry.last {
            self.reach(entry.place.table, entry.place.tier, last);
        }
    }

    fn reach(&mut self, table: Table, tier: Tier, until: Timestamp) {
        let known = self.0.entry((table, tier)).or_insert(until);
        *known = until.max(*known);
    }
}

/// The set of files that the records describe.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) live: BTreeMap<SegmentId, Live>,
    pub(crate) aside: BTreeMap<SegmentId, Aside>,
    pub(crate) next_id: u64,
    /// Up to when rows were given up.
    pub(crate) gone: Gone,
}

impl State {
    fn apply(&mut self, record: &Record) {
        match record {
            Record::Open(place) => self.add(Live::Open(*place)),
            Record::Close { entry, rollups } => {
                self.add(Live::Closed(*entry));
                rollups.iter().for_each(|rollup| self.add(Live::Closed(*rollup)));
            }
            Record::Replace { old, new } => {
                self.live.retain(|id, _| !old.contains(id));
                new.iter().for_each(|entry| self.add(Live::Closed(*entry)));
            }
            Record::Remove(ids) => self.live.retain(|id, live| {
                let stays = !ids.contains(id);
                if let (false, Live::Closed(entry)) = (stays, live) {
                    self.gone.add(entry);
                }
                stays
            }),
            Record::Quarantine { id, rows, file, reason } => {
                self.live.remove(id);
                let aside = Aside { rows: *rows, file: file.clone(), reason: reason.clone() };
                self.aside.insert(*id, aside);
                self.next_id = self.next_id.max(id.0 + 1);
            }
            Record::NextId(next) => self.next_id = self.next_id.max(*next),
            Record::Gone { table, tier, until } => self.gone.reach(*table, *tier, *until),
        }
    }

    fn add(&mut self, live: Live) {
        let id = live.place().id;
        self.next_id = self.next_id.max(id.0.saturating_add(1));
        self.live.insert(id, live);
    }

    /// The shortest log that says the same.
    fn records(&self) -> Vec<Record> {
        let mut records = vec![Record::NextId(self.next_id)];
        records.extend(self.live.values().map(|live| match live {
            Live::Open(place) => Record::Open(*place),
            Live::Closed(entry) => Record::Close { entry: *entry, rollups: Vec::new() },
        }));
        records.extend(self.aside.iter().map(|(id, aside)| Record::Quarantine {
            id: *id,
            rows: aside.rows,
            file: aside.file.clone(),
            reason: aside.reason.clone(),
        }));
        let gone = self.gone.0.iter();
        records.extend(gone.map(|(&(table, tier), &until)| Record::Gone { table, tier, until }));
        records
    }
}

/// What reading a log found besides its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tail {
    /// Octets after the last whole record.
    pub(crate) octets: u64,
    /// True when they are more than one append that a crash tore.
    pub(crate) damaged: bool,
    /// True when there was no log at all.
    pub(crate) missing: bool,
}

/// The log, open for appending.
#[derive(Debug)]
pub(crate) struct Manifest {
    files: Arc<dyn Files>,
    dir: PathBuf,
    file: Option<Arc<dyn File>>,
    end: u64,
    state: State,
}

impl Manifest {
    /// Reads the log of `dir` without changing it.
    pub(crate) fn read(dir: &Path, files: &dyn Files) -> Result<(State, Tail), StoreError> {
        let path = dir.join(MANIFEST);
        let file = match files.open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok((State::default(), Tail { missing: true, ..Tail::default() }));
            }
            other => other.map_err(StoreError::io("open", &path))?,
        };
        let read = || {
            let mut octets = vec![0; usize::try_from(file.size()?).unwrap_or(usize::MAX)];
            file.read_exact_at(&mut octets, 0).map(|()| octets)
        };
        let octets = read().map_err(StoreError::io("read", &path))?;
        replay(&path, &octets)
    }

    /// A log in `dir` that says `state`, written anew by [`Manifest::rewrite`] before the first
    /// append.
    pub(crate) fn new(dir: &Path, files: Arc<dyn Files>, state: State) -> Manifest {
        Manifest { files, dir: dir.to_owned(), file: None, end: 0, state }
    }

    /// Appends a record and returns once it is durable. After an error the record does not count:
    /// the log is written anew without it before the next append. Until then the medium may show
    /// the store before or after the record, so files that it names or drops must stay.
    pub(crate) fn append(&mut self, record: &Record) -> Result<(), StoreError> {
        if self.file.is_none() {
            self.rewrite()?;
        }
        let octets = record::encode(record);
        let path = self.dir.join(MANIFEST);
        let Some(file) = self.file.take() else { return Err(StoreError::Closed) };
        file.write_all_at(&octets, self.end).map_err(StoreError::io("write", &path))?;
        file.sync_data().map_err(StoreError::io("sync", &path))?;
        self.file = Some(file);
        self.end += octets.len() as u64;
        self.state.apply(record);
        Ok(())
    }

    /// Writes the log anew beside the old one and puts it in its place.
    pub(crate) fn rewrite(&mut self) -> Result<(), StoreError> {
        let path = self.dir.join(MANIFEST);
        let fresh = self.dir.join("manifest.new");
        let mut octets = MAGIC.to_vec();
        octets.extend_from_slice(&VERSION.to_le_bytes());
        octets.resize(HEADER_LEN as usize, 0);
        for record in self.state.records() {
            octets.extend(record::encode(&record));
        }
        match self.files.remove(&fresh) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::io("remove", &fresh)(error));
            }
            _ => {}
        }
        let file = self.files.create(&fresh).map_err(StoreError::io("create", &fresh))?;
        file.write_all_at(&octets, 0).map_err(StoreError::io("write", &fresh))?;
        file.sync_data().map_err(StoreError::io("sync", &fresh))?;
        self.files.rename(&fresh, &path).map_err(StoreError::io("rename", &fresh))?;
        self.files.sync_dir(&self.dir).map_err(StoreError::io("sync", &self.dir))?;
        self.file = Some(file);
        self.end = octets.len() as u64;
        Ok(())
    }
}

fn replay(path: &Path, octets: &[u8]) -> Result<(State, Tail), StoreError> {
    let mut state = State::default();
    let header = octets.get(..HEADER_LEN as usize).filter(|header| header.starts_with(MAGIC));
    let Some(header) = header else {
        let octets = octets.len() as u64;
        return Ok((state, Tail { octets, damaged: true, missing: false }));
    };
    let version = u16::from_le_bytes([header[8], header[9]]);
    if version > VERSION {
        return Err(StoreError::Version { path: path.to_owned(), version, known: VERSION });
    }
    let mut rest = &octets[HEADER_LEN as usize..];
    while let Some((record, len)) = record::decode(rest) {
        state.apply(&record);
        rest = &rest[len..];
    }
    let tail = Tail { octets: rest.len() as u64, damaged: !record::is_torn(rest), missing: false };
    Ok((state, tail))
}

#[cfg(test)]
mod tests;
