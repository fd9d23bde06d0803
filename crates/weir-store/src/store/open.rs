//! Opening a store: what the manifest says, what is on disk, and what a crash left behind.
//!
//! Invariant: nothing that a record names is removed here. What is damaged is put aside under
//! `quarantine/` and reported, and the start goes on.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::closing::Closing;
use super::lane::OpenFile;
use super::visible::{Closed, Visible};
use crate::error::StoreError;
use crate::files::{File, Files, LateFile};
use crate::health::{OpenReport, Quarantined, Recovered};
use crate::manifest::{
    Entry, Live, Manifest, Place, QUARANTINE, Record, SEGMENTS, State, Tail, segment_path,
};
use crate::read::{Damage, ReadAt, ReadError};
use crate::segment::{
    FrameInfo, HotSegment, Scan, Segment, SegmentCache, SegmentHead, SegmentId, SegmentWriter,
    scan_frames,
};

/// What a frame starts with (`docs/formats/store.md`).
const FRAME_MAGIC: &[u8] = b"WFRM";

/// What opening gives to the store.
pub(crate) struct Found {
    pub(crate) manifest: Manifest,
    pub(crate) visible: Visible,
    pub(crate) closing: Vec<Closing>,
    pub(crate) report: OpenReport,
    pub(crate) next_id: u64,
}

/// Collects what is found.
struct Opening<'a> {
    dir: &'a Path,
    files: &'a Arc<dyn Files>,
    /// False: nothing on disk may be changed.
    writable: bool,
    cache: &'a Arc<SegmentCache>,
    visible: Visible,
    closing: Vec<Closing>,
    report: OpenReport,
    /// To be appended to the manifest.
    records: Vec<Record>,
    next_id: u64,
}

/// Reads a store. With `writable`, puts in order what a crash left behind.
pub(crate) fn open(
    dir: &Path,
    files: &Arc<dyn Files>,
    writable: bool,
    cache: &Arc<SegmentCache>,
) -> Result<Found, StoreError> {
    let (state, tail) = Manifest::read(dir, &**files)?;
    let mut opening = Opening {
        dir,
        files,
        writable,
        cache,
        visible: Visible::new(state.gone.clone()),
        closing: Vec::new(),
        report: OpenReport { manifest_octets_cut: tail.octets, ..OpenReport::default() },
        records: Vec::new(),
        next_id: state.next_id,
    };
    opening.report.quarantined = state.aside.values().map(aside).collect();
    for live in state.live.values() {
        opening.add(live)?;
    }
    if writable {
        opening.unknown(&state, &tail)?;
    }
    let mut manifest = Manifest::new(dir, Arc::clone(files), state);
    if writable && let Err(error) = write_down(&mut manifest, &opening.records) {
        // Why: a full disk must not stop the start. The next append, or else the next start, does
        // the same again.
        tracing::error!(%error, "the manifest could not be written at the start");
    }
    let Opening { visible, closing, report, next_id, .. } = opening;
    Ok(Found { manifest, visible, closing, report, next_id })
}

fn write_down(manifest: &mut Manifest, records: &[Record]) -> Result<(), StoreError> {
    manifest.rewrite()?;
    records.iter().try_for_each(|record| manifest.append(record))
}

fn aside(aside: &crate::manifest::Aside) -> Quarantined {
    let crate::manifest::Aside { rows, file, reason } = aside.clone();
    Quarantined { file, reason, rows }
}

impl Opening<'_> {
    fn add(&mut self, live: &Live) -> Result<(), StoreError> {
        let place = live.place();
        let path = self.dir.join(segment_path(&place));
        let file = match self.files.open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return self.missing(live);
            }
            Err(error) => return self.put_aside(live, &error.to_string()),
        };
        match live {
            Live::Closed(entry) => self.add_closed(live, entry, file),
            Live::Open(place) => self.add_open(live, *place, file),
        }
    }

    fn add_closed(
        &mut self,
        live: &Live,
        entry: &Entry,
        file: Arc<dyn File>,
    ) -> Result<(), StoreError> {
        match Segment::open_with(file as Arc<dyn ReadAt>, entry.id(), self.cache) {
            Ok(segment) if segment.info().rows != entry.rows => {
                let rows = segment.info().rows;
                let reason = format!("has {rows} rows, the manifest says {}", entry.rows);
                self.put_aside(live, &reason)
            }
            Ok(segment) => {
                self.report.segments += 1;
                self.report.rows += entry.rows;
                self.visible.add(Closed { entry: *entry, segment: Arc::new(segment) });
                Ok(())
            }
            Err(error) => self.put_aside(live, &chain(&error)),
        }
    }

    /// A segment that the last run left open: its whole frames are shown, and it is closed like
    /// any other as soon as the store runs.
    fn add_open(
        &mut self,
        live: &Live,
        place: Place,
        file: Arc<dyn File>,
    ) -> Result<(), StoreError> {
        let len = file.size().map_err(StoreError::io("measure", segment_path(&place)))?;
        let reader: &dyn ReadAt = &AsReader(&file);
        let scan = match scan_frames(reader, place.id) {
            Ok(scan) => scan,
            Err(ReadError::Damaged { damage, .. }) if never_committed(&*file, len, damage) => {
                return self.forget(place);
            }
            Err(error) => return self.put_aside(live, &chain(&error)),
        };
        let rows: u64 = scan.frames.iter().map(|frame| u64::from(frame.rows)).sum();
        self.keep_rest(&place, &scan, &*file, len)?;
        if rows == 0 {
            return self.forget(place);
        }
        self.report.segments += 1;
        self.report.rows += rows;
        let name = segment_path(&place).display().to_string();
        let octets_cut = len.saturating_sub(scan.end);
        self.report.recovered.push(Recovered { file: name.clone(), rows, octets_cut });
        if self.writable
            && let Err(error) = file.sync_data()
        {
            // Why: whoever asks for these rows takes them for durable, and a killed process may
            // have left them in memory. It is tried again when the segment is closed.
            tracing::error!(%error, file = name, "what the last run left is not known to be durable");
        }
        let shared = shown(scan.head, &scan.frames, scan.end, file);
        self.visible.show(place.id, &shared);
        let writer = SegmentWriter::resume(&scan);
        self.closing.push(Closing::found(place, shared, scan.end, writer));
        Ok(())
    }

    /// Keeps what stands after the last whole frame if more frames stand behind the damage: then
    /// it may be more than what a torn write or an unfinished footer leaves.
    fn keep_rest(
        &mut self,
        place: &Place,
        scan: &Scan,
        file: &dyn File,
        len: u64,
    ) -> Result<(), StoreError> {
        let Some(damage) = scan.rest.filter(|damage| *damage != Damage::Truncated) else {
            return Ok(());
        };
        let size = usize::try_from(len.saturating_sub(scan.end)).unwrap_or(usize::MAX);
        let mut rest = vec![0; size];
        let path = self.dir.join(segment_path(place));
        file.read_exact_at(&mut rest, scan.end).map_err(StoreError::io("read", &path))?;
        let behind = rest.get(FRAME_MAGIC.len()..).unwrap_or_default();
        if !behind.windows(FRAME_MAGIC.len()).any(|window| window == FRAME_MAGIC) {
            return Ok(());
        }
        let name = format!("{QUARANTINE}/{}.rest", place.id);
        let reason = format!("at offset {}: {damage}", scan.end);
        // Why: no room for a copy must not stop the start.
        if self.writable
            && let Err(error) = self.write_aside(&rest, &self.dir.join(&name))
        {
            tracing::error!(%error, file = name, "cannot keep the damaged rest of a segment");
        }
        tracing::error!(file = name, reason, "the damaged rest of a segment was put aside");
        self.report.quarantined.push(Quarantined { file: name, reason, rows: 0 });
        Ok(())
    }

    fn write_aside(&self, octets: &[u8], path: &Path) -> Result<(), StoreError> {
        self.make_quarantine()?;
        self.remove(path)?;
        let copy = self.files.create(path).map_err(StoreError::io("create", path))?;
        copy.write_all_at(octets, 0).map_err(StoreError::io("write", path))?;
        copy.sync_data().map_err(StoreError::io("sync", path))
    }

    fn forget(&mut self, place: Place) -> Result<(), StoreError> {
        self.records.push(Record::Remove(vec![place.id]));
        if self.writable {
            self.remove(&self.dir.join(segment_path(&place)))?;
        }
        Ok(())
    }

    fn missing(&mut self, live: &Live) -> Result<(), StoreError> {
        let Live::Closed(entry) = live else {
            // Why: the record of a segment is synced before its first octet is written.
            self.records.push(Record::Remove(vec![live.place().id]));
            return Ok(());
        };
        let file = segment_path(&entry.place).display().to_string();
        self.report_aside(entry.id(), entry.rows, file, "the file is missing");
        Ok(())
    }

    fn report_aside(&mut self, id: SegmentId, rows: u64, file: String, reason: &str) {
        tracing::error!(file, reason, rows, "a segment was put aside");
        let reason = reason.to_owned();
        self.records.push(Record::Quarantine {
            id,
            rows,
            file: file.clone(),
            reason: reason.clone(),
        });
        self.report.quarantined.push(Quarantined { file, reason, rows });
    }

    fn put_aside(&mut self, live: &Live, reason: &str) -> Result<(), StoreError> {
        let place = live.place();
        let from = segment_path(&place);
        let rows = if let Live::Closed(entry) = live { entry.rows } else { 0 };
        let name = format!("{QUARANTINE}/{}.weir", place.id);
        let mut shown = from.display().to_string();
        if self.writable && self.move_aside(&self.dir.join(&from), &name) {
            shown = name;
        }
        self.report_aside(place.id, rows, shown, reason);
        Ok(())
    }

    /// A file that cannot be moved stays where it is.
    fn move_aside(&self, from: &Path, name: &str) -> bool {
        let to = self.dir.join(name);
        let moved = self.make_quarantine().and_then(|()| {
            self.files.rename(from, &to).map_err(StoreError::io("move", from))?;
            let dir = to.parent().unwrap_or(self.dir);
            self.files.sync_dir(dir).map_err(StoreError::io("sync", dir))
        });
        match moved {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, "a damaged file stays where it is");
                false
            }
        }
    }

    fn make_quarantine(&self) -> Result<(), StoreError> {
        let dir = self.dir.join(QUARANTINE);
        self.files.create_dir(&dir).map_err(StoreError::io("create folder", &dir))
    }

    /// Files that no record names: garbage if the manifest is whole, put aside if it is not.
    fn unknown(&mut self, state: &State, tail: &Tail) -> Result<(), StoreError> {
        let known: HashSet<PathBuf> =
            state.live.values().map(|live| segment_path(&live.place())).collect();
        for path in segment_files(self.files, self.dir)? {
            if known.contains(&path) {
                continue;
            }
            let name = path.display().to_string();
            if tail.damaged || tail.missing {
                let file = path.file_name().unwrap_or_default().to_string_lossy();
                let aside = format!("{QUARANTINE}/{file}");
                let moved = self.move_aside(&self.dir.join(&path), &aside);
                let file = if moved { aside } else { name };
                let id = SegmentId(self.next_id);
                self.next_id += 1;
                self.report_aside(id, 0, file, "the manifest that named it is damaged");
            } else {
                tracing::warn!(file = name, "a file without a record was removed");
                self.remove(&self.dir.join(&path))?;
                self.report.garbage.push(name);
            }
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<(), StoreError> {
        match self.files.remove(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError::io("remove", path)(error))
            }
            _ => Ok(()),
        }
    }
}

/// Paths of all files under the folder of segments, relative to the data folder.
fn segment_files(files: &Arc<dyn Files>, dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(SEGMENTS)];
    while let Some(folder) = folders.pop() {
        let path = dir.join(&folder);
        for entry in files.list(&path).map_err(StoreError::io("list", &path))? {
            let path = folder.join(&entry.name);
            if entry.is_dir { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

/// True when a header that cannot be read is that of a file whose first write never ended.
fn never_committed(file: &dyn File, len: u64, damage: Damage) -> bool {
    if damage == Damage::Truncated {
        return true;
    }
    let mut octets = vec![0; usize::try_from(len).unwrap_or(0).min(crate::segment::HEADER_LEN)];
    file.read_exact_at(&mut octets, 0).is_ok() && octets.iter().all(|octet| *octet == 0)
}

fn shown(head: SegmentHead, frames: &[FrameInfo], end: u64, file: Arc<dyn File>) -> Arc<OpenFile> {
    let file = Arc::new(LateFile::of(file));
    let hot = HotSegment::new(head, Arc::clone(&file) as Arc<dyn ReadAt>);
    for frame in frames {
        hot.publish_stored(frame);
    }
    hot.settle(end);
    Arc::new(OpenFile { hot, file })
}

struct AsReader<'a>(&'a Arc<dyn File>);

impl ReadAt for AsReader<'_> {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<()> {
        self.0.read_exact_at(buf, offset)
    }

    fn size(&self) -> std::io::Result<u64> {
        self.0.size()
    }
}
