//! Closing a segment: its rollups, its footer, its record in the manifest.
//!
//! Invariant: readers see the segment as closed in the same step as they see its rollups, and the
//! manifest says both in one record. Every step can be tried again: what a failed try made is
//! kept for the next.

use std::sync::Arc;

use weir_model::{FlowBatch, Table};

use super::core::Core;
use super::lane::{Host, Open, OpenFile};
use super::ticket::lock;
use super::visible::Closed;
use crate::error::StoreError;
use crate::files::File;
use crate::manifest::{Entry, Place, Record};
use crate::read::ReadAt;
use crate::rollup;
use crate::segment::{Segment, SegmentHead, SegmentInfo, SegmentWriter, Tier};

/// A write of a segment that is made at once goes to the file in pieces of this size.
const PIECE: usize = 4 << 20;

/// A segment whose frames are all durable and that gets no more.
#[derive(Debug)]
pub(crate) struct Closing {
    place: Place,
    shared: Arc<OpenFile>,
    end: u64,
    /// Its frames were found in the file, not written by this process.
    found: bool,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Frames(Box<SegmentWriter>),
    Footer { octets: Vec<u8>, info: SegmentInfo },
    Rollups { closed: Closed, rollups: Vec<Closed> },
    Taken,
}

impl Closing {
    pub(crate) fn of(open: Open) -> Closing {
        let found = Closing::found(open.place, open.shared, open.end, open.writer);
        Closing { found: false, ..found }
    }

    /// A segment that an earlier process left open.
    pub(crate) fn found(
        place: Place,
        shared: Arc<OpenFile>,
        end: u64,
        writer: SegmentWriter,
    ) -> Closing {
        Closing { place, shared, end, found: true, stage: Stage::Frames(Box::new(writer)) }
    }

    /// Does what is left to do. After an error it can be called again.
    fn go_on(&mut self, core: &Core) -> Result<(Closed, Vec<Closed>), StoreError> {
        if let Stage::Frames(_) = self.stage
            && let Stage::Frames(writer) = std::mem::replace(&mut self.stage, Stage::Taken)
        {
            let mut octets = Vec::new();
            // Why from the view: frames that are not on the disk yet are read from memory.
            let filters = writer.filters_of(&self.shared.hot.view());
            let info = writer.footer_with(filters, &mut octets);
            self.stage = Stage::Footer { octets, info };
        }
        if let Stage::Footer { octets, info } = &self.stage {
            let closed = self.write_footer(core, octets, info)?;
            let rollups = self.rollups(core)?;
            self.stage = Stage::Rollups { closed, rollups };
        }
        let Stage::Rollups { closed, rollups } = &self.stage else {
            return Err(StoreError::Closed);
        };
        let record = Record::Close {
            entry: closed.entry,
            rollups: rollups.iter().map(|rollup| rollup.entry).collect(),
        };
        lock(&core.manifest).append(&record)?;
        Ok((closed.clone(), rollups.clone()))
    }

    fn write_footer(
        &self,
        core: &Core,
        octets: &[u8],
        info: &SegmentInfo,
    ) -> Result<Closed, StoreError> {
        let path = core.path(&self.place);
        let file = self.shared.file.get().ok_or(StoreError::Closed)?;
        if self.found {
            write_again(file, self.end).map_err(StoreError::io("write", &path))?;
        }
        file.write_all_at(octets, self.end).map_err(StoreError::io("write", &path))?;
        // Why: a footer is found from the end of the file; a recovered file may be longer.
        let len = self.end + octets.len() as u64;
        file.set_len(len).map_err(StoreError::io("cut", &path))?;
        file.sync_data().map_err(StoreError::io("sync", &path))?;
        let file = Arc::clone(file) as Arc<dyn ReadAt>;
        let segment = Segment::open_with(file, self.place.id, &core.cache)?;
        let entry = Entry { octets: len, ..Entry::new(self.place, 0, info) };
        Ok(Closed { entry, segment: Arc::new(segment) })
    }

    fn rollups(&self, core: &Core) -> Result<Vec<Closed>, StoreError> {
        if self.place.table != Table::Flows {
            return Ok(Vec::new());
        }
        let view = self.shared.hot.view();
        let (rows, errors) =
            rollup::of_records(&view, &|| !core.stopping()).ok_or(StoreError::Cancelled)?;
        for error in errors {
            tracing::error!(%error, "rows of a damaged block are missing from the rollups");
        }
        let write = |(grain, batches): (_, Vec<FlowBatch>)| {
            let place = Place {
                id: core.next_id(),
                table: Table::Rollups,
                tier: Tier::Rollup(grain),
                hour: self.place.hour,
            };
            core.write_segment(place, 0, batches.into_iter().map(Ok))
        };
        rows.into_iter().filter(|(_, batches)| !batches.is_empty()).map(write).collect()
    }
}

impl Core {
    /// Closes every segment that waits for it. The caller holds `work`.
    pub(crate) fn close_waiting(&self) -> Result<bool, StoreError> {
        let mut any = false;
        loop {
            let Some(mut closing) = lock(&self.closing).pop_front() else { return Ok(any) };
            let id = closing.place.id;
            match closing.go_on(self) {
                Ok((closed, rollups)) => {
                    let mut visible = lock(&self.visible);
                    visible.hide_hot(id);
                    visible.add(closed);
                    rollups.into_iter().for_each(|rollup| visible.add(rollup));
                    any = true;
                }
                Err(error) => {
                    lock(&self.closing).push_front(closing);
                    return Err(error);
                }
            }
        }
    }

    /// Writes a whole segment that no record names yet: blocks, footer, synced with its folder.
    pub(crate) fn write_segment(
        &self,
        place: Place,
        level: u8,
        batches: impl Iterator<Item = Result<FlowBatch, StoreError>>,
    ) -> Result<Closed, StoreError> {
        let made = self.try_write_segment(place, level, batches);
        if made.is_err() {
            // Why: best effort; what stays has no record and goes at the next start.
            let _gone = self.files.remove(&self.path(&place));
        }
        made
    }

    fn try_write_segment(
        &self,
        place: Place,
        level: u8,
        batches: impl Iterator<Item = Result<FlowBatch, StoreError>>,
    ) -> Result<Closed, StoreError> {
        let path = self.path(&place);
        let file = self.create(&place)?;
        let Place { id, table, tier, .. } = place;
        let head = SegmentHead { id, table, tier, created_at: self.clock.now() };
        let mut out = Pieces { file: &file, octets: Vec::new(), written: 0 };
        let mut writer = SegmentWriter::new(head, &mut out.octets);
        for batch in batches {
            let batch = batch?;
            let mut from = 0;
            while from < batch.rows() {
                let info = writer.frame(&batch, from..batch.rows(), &mut out.octets);
                from += (info.rows as usize).max(1);
            }
            if out.octets.len() >= PIECE {
                out.write().map_err(StoreError::io("write", &path))?;
            }
        }
        out.write().map_err(StoreError::io("write", &path))?;
        let filters = writer.filters(Arc::clone(&file) as Arc<dyn ReadAt>);
        let info = writer.footer_with(filters, &mut out.octets);
        out.write().map_err(StoreError::io("write", &path))?;
        let octets = out.written;
        file.sync_data().map_err(StoreError::io("sync", &path))?;
        self.sync_entry(&place)?;
        let segment = Segment::open_with(file as Arc<dyn ReadAt>, id, &self.cache)?;
        let entry = Entry { octets, ..Entry::new(place, level, &info) };
        Ok(Closed { entry, segment: Arc::new(segment) })
    }
}

/// Writes what the file holds to where it stands.
///
/// Why: if an fdatasync failed in an earlier process, its pages may be in memory, readable and
/// marked as written, and not on the medium. Only writing them again makes the next sync true.
fn write_again(file: &Arc<dyn File>, end: u64) -> std::io::Result<()> {
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    while at < end {
        let len = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
        file.read_exact_at(&mut piece[..len], at)?;
        file.write_all_at(&piece[..len], at)?;
        at += len as u64;
    }
    Ok(())
}

struct Pieces<'a> {
    file: &'a Arc<dyn File>,
    octets: Vec<u8>,
    written: u64,
}

impl Pieces<'_> {
    fn write(&mut self) -> std::io::Result<()> {
        self.file.write_all_at(&self.octets, self.written)?;
        self.written += self.octets.len() as u64;
        self.octets.clear();
        Ok(())
    }
}
