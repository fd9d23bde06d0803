//! Reading a segment.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use weir_model::{Addr, Bitmap, Code, Column, ColumnId, FlowBatch, Physical, Scalar, Values};

use super::cache::{Cached, Kind, SegmentCache};
use super::footer::{Stretch, TRAILER_LEN, Totals, Trailer, decode_index};
use super::frame::Frame;
use super::index::{Block, BlockIndex, Summary};
use super::noted::Noted;
use super::scan::{Scan, read_head};
use super::{HEADER_LEN, SegmentHead, SegmentId, SegmentInfo};
use crate::block::{BlockReader, Chunks, ColumnEntry};
use crate::bloom;
use crate::dictionary::{self, Dictionary, SharedDictionary};
use crate::filters::{FiltersHead, RowKey};
use crate::read::{BlockColumn, BlockData, Damage, ReadAt, ReadError};

/// Columns nearer to each other in the file than this are read with one call.
const GAP_MAX: u32 = 8_192;

/// A segment as it was at one moment.
pub struct Segment {
    info: SegmentInfo,
    file: Arc<dyn ReadAt>,
    blocks: Blocks,
    entries: Entries,
    /// The filter of addresses, if there is one.
    bloom: Option<Stretch>,
    filters: Option<FiltersAt>,
    summary: Option<Summary>,
    noted: Noted,
    /// Filters were found damaged, and that was told.
    told: AtomicBool,
}

/// Where the index of blocks comes from.
enum Blocks {
    /// From the writer or a scan: not all of it need be in the file.
    Held(Arc<BlockIndex>),
    /// From the footer, when it is wanted.
    Footer { index: Stretch, frames: u32, cache: Arc<SegmentCache> },
}

/// Where the dictionary comes from.
pub(crate) enum Entries {
    /// From the writer, frame by frame.
    Shared(Arc<SharedDictionary>),
    /// From the footer, when it is wanted.
    Footer(Stretch, Arc<SegmentCache>),
}

/// Where the head of the filters lies.
struct FiltersAt {
    head: Stretch,
    /// Where the parts before them end.
    least: u64,
}

impl Segment {
    /// As [`Segment::open_with`], with a cache of its own.
    pub fn open(file: Arc<dyn ReadAt>, id: SegmentId) -> Result<Segment, ReadError> {
        Segment::open_with(file, id, &Arc::default())
    }

    /// Opens a closed segment: reads header, trailer and, to check and summarise it, the index of
    /// blocks. The dictionary, and the index again, are read when they are wanted and kept in
    /// `cache`. A file without footer is [`Damage::Magic`] or [`Damage::Truncated`]: it may still
    /// be scanned.
    pub fn open_with(
        file: Arc<dyn ReadAt>,
        id: SegmentId,
        cache: &Arc<SegmentCache>,
    ) -> Result<Segment, ReadError> {
        let head = read_head(&*file, id)?;
        let failed = |source| ReadError::Io { segment: id, offset: 0, len: 0, source };
        let size = file.size().map_err(failed)?;
        let least = (HEADER_LEN + TRAILER_LEN) as u64;
        let at = size.checked_sub(TRAILER_LEN as u64).filter(|_| size >= least);
        let at = at.ok_or_else(|| damaged(id, 0, Damage::Truncated))?;
        let mut octets = [0; TRAILER_LEN];
        read_exact(&*file, id, &mut octets, at)?;
        let trailer = Trailer::decode(&octets, size).map_err(|damage| damaged(id, at, damage))?;
        let index = read_index(&*file, id, trailer.index, trailer.frames)?;
        let least = [trailer.index, trailer.dictionary, trailer.bloom];
        let least = least.iter().map(|s| s.offset + u64::from(s.len)).max().unwrap_or(0);
        let filters = trailer.filters(at).map(|head| FiltersAt { head, least });
        Ok(Segment {
            info: trailer.totals.info(head, size, true),
            file,
            blocks: Blocks::Footer {
                index: trailer.index,
                frames: trailer.frames,
                cache: Arc::clone(cache),
            },
            entries: Entries::Footer(trailer.dictionary, Arc::clone(cache)),
            bloom: Some(trailer.bloom),
            filters,
            summary: Some(Summary::of(head.table, &index)),
            noted: Noted::default(),
            told: AtomicBool::new(false),
        })
    }

    /// The whole frames of a segment without footer.
    pub fn of_scan(scan: &Scan, file: Arc<dyn ReadAt>) -> Segment {
        let shared = SharedDictionary::default();
        let mut totals = Totals::default();
        for info in &scan.frames {
            shared.add(info.additions.clone());
            totals.add(info.rows, info.received_at);
        }
        let block = |info: &super::FrameInfo| Block { frame: info.frame.clone(), octets: None };
        let blocks = scan.frames.iter().map(block).collect();
        let info = totals.info(scan.head, scan.end, false);
        Segment::of_blocks(info, file, blocks, Entries::Shared(Arc::new(shared)))
    }

    pub(crate) fn of_blocks(
        info: SegmentInfo,
        file: Arc<dyn ReadAt>,
        blocks: Vec<Block>,
        entries: Entries,
    ) -> Segment {
        Segment {
            info,
            file,
            blocks: Blocks::Held(Arc::new(BlockIndex { blocks })),
            entries,
            bloom: None,
            filters: None,
            summary: None,
            noted: Noted::default(),
            told: AtomicBool::new(false),
        }
    }

    /// What the header says.
    pub fn head(&self) -> SegmentHead {
        self.info.head
    }

    /// Rows, times, octets.
    pub fn info(&self) -> SegmentInfo {
        self.info
    }

    /// Number of blocks, in the order of arrival.
    pub fn block_count(&self) -> usize {
        match &self.blocks {
            Blocks::Held(index) => index.len(),
            Blocks::Footer { frames, .. } => *frames as usize,
        }
    }

    /// What is known of the blocks. Of a closed segment it is read when it is wanted.
    pub fn index(&self) -> Result<Arc<BlockIndex>, ReadError> {
        let (stretch, frames, cache) = match &self.blocks {
            Blocks::Held(index) => return Ok(Arc::clone(index)),
            Blocks::Footer { index, frames, cache } => (*index, *frames, cache),
        };
        if let Some(Cached::Index(index)) = cache.get(self.id(), Kind::Index) {
            return Ok(index);
        }
        let index = Arc::new(read_index(&*self.file, self.id(), stretch, frames)?);
        cache.put(self.id(), Cached::Index(Arc::clone(&index)), index.octets());
        Ok(index)
    }

    /// What all blocks lie between; none while the segment grows.
    pub fn summary(&self) -> Option<&Summary> {
        self.summary.as_ref()
    }

    /// The dictionary, which covers at least every block of this segment.
    pub fn dictionary(&self) -> Result<Arc<Dictionary>, ReadError> {
        let (stretch, cache) = match &self.entries {
            Entries::Shared(shared) => return Ok(shared.get()),
            Entries::Footer(stretch, cache) => (stretch, cache),
        };
        if let Some(Cached::Dictionary(known)) = cache.get(self.id(), Kind::Dictionary) {
            return Ok(known);
        }
        let octets = read_stretch(&*self.file, self.id(), *stretch)?;
        let all = dictionary::decode(&octets)
            .map_err(|damage| damaged(self.id(), stretch.offset, damage))?;
        let all: Arc<Dictionary> = Arc::new(all.into());
        cache.put(self.id(), Cached::Dictionary(Arc::clone(&all)), all.octets());
        Ok(all)
    }

    /// Which blocks may have a row with `key`; none when no filter tells, as in a segment that
    /// grows, one of an older program, or a damaged one. May say true wrongly, never false. Reads
    /// some kilobytes.
    pub fn blocks_with(&self, key: &RowKey) -> Option<Bitmap> {
        let at = self.filters.as_ref()?;
        let Blocks::Footer { cache, .. } = &self.blocks else { return None };
        let head = match cache.get(self.id(), Kind::Filters) {
            Some(Cached::Filters(head)) => Ok(head),
            _ => self.filters_head(at, cache),
        };
        let found = head.and_then(|head| match head.frames_with(key, &*self.file) {
            None => Ok(None),
            Some(Ok(found)) => Ok(Some(found)),
            Some(Err(damage)) => Err(damaged(self.id(), at.least, damage)),
        });
        found.unwrap_or_else(|error| {
            // Why once: every search would tell it again, and no row is lost by it.
            if !self.told.swap(true, Ordering::Relaxed) {
                tracing::warn!(%error, "filters of blocks are damaged: every block is searched");
            }
            None
        })
    }

    fn filters_head(
        &self,
        at: &FiltersAt,
        cache: &SegmentCache,
    ) -> Result<Arc<FiltersHead>, ReadError> {
        let octets = read_stretch(&*self.file, self.id(), at.head)?;
        let blocks = self.block_count() as u32;
        let head = FiltersHead::decode(&octets, at.head.offset, at.least, blocks);
        let head = head.map_err(|damage| damaged(self.id(), at.head.offset, damage))?;
        let head = Arc::new(head);
        cache.put(self.id(), Cached::Filters(Arc::clone(&head)), head.octets());
        Ok(head)
    }

    /// False when no row has `addr` in any column. Reads 64 octets of a closed segment; may say
    /// true wrongly, never false.
    pub fn may_contain_addr(&self, addr: Addr) -> bool {
        let Some(stretch) = self.bloom else {
            return self.dictionary().map_or(true, |known| known.find_addr(addr).is_some());
        };
        let blocks = stretch.len / bloom::BLOCK_LEN as u32;
        if blocks == 0 {
            return false;
        }
        let at = u64::from(bloom::block_of(addr, blocks)) * bloom::BLOCK_LEN as u64;
        let mut octets = [0; bloom::BLOCK_LEN];
        let read = self.file.read_exact_at(&mut octets, stretch.offset + at);
        read.is_err() || bloom::may_contain(&octets, addr, blocks)
    }

    /// Reads and decodes columns `ids` of a block. Columns that the block does not have are
    /// absent; no octet of others is read.
    pub fn read(&self, block: usize, ids: &[ColumnId]) -> Result<BlockData, ReadError> {
        let missing = ReadError::NoBlock { segment: self.id(), block };
        let index = self.index()?;
        let Block { frame, octets } = index.blocks.get(block).ok_or(missing)?;
        let buffers = match octets {
            Some(_) => Vec::new(),
            None => self.fetch(frame, ids)?,
        };
        let chunks = match octets {
            Some(octets) => vec![(0, &octets[..])],
            None => buffers.iter().map(|(start, octets)| (*start, &octets[..])).collect(),
        };
        let mut reader = BlockReader::new(frame.rows as usize, &frame.directory, Chunks(chunks));
        let mut columns = Vec::with_capacity(ids.len());
        for id in ids {
            let physical = self.head().table.def(*id).map(|def| def.ty.physical());
            let column = reader
                .column(*id, physical)
                .map_err(|(damage, at)| damaged(self.id(), frame.offset + u64::from(at), damage))?;
            columns.push((*id, column));
        }
        Ok(BlockData::new(frame.rows as usize, columns))
    }

    /// Reads a whole block back into a sealed batch: what compaction and exports want. Columns
    /// that this program does not know are left out.
    pub fn read_batch(&self, block: usize) -> Result<FlowBatch, ReadError> {
        let table = self.head().table;
        let ids: Vec<ColumnId> = table.columns().iter().map(|def| def.id).collect();
        let data = self.read(block, &ids)?;
        let dictionary = self.dictionary()?;
        let rows = data.rows();
        let mut batch = FlowBatch::new(table);
        batch.append_rows(rows);
        let mut codes = BatchCodes::new(&dictionary);
        for (id, column) in data.into_columns() {
            let Some(def) = table.def(id) else { continue };
            let column = match def.ty.physical() {
                Physical::Addr => addresses(column, &dictionary, rows),
                Physical::Code => codes.strings(column, &mut batch, rows),
                _ => column.into_column(rows),
            };
            batch.set_column(id, column);
        }
        Ok(batch)
    }

    /// Remembers that `block` could not be read: the store's health tells it from then on, and
    /// the segment is not merged. What whoever reads does with the error is theirs.
    pub fn note_damage(&self, block: usize, error: &ReadError) {
        self.noted.note(block, error);
    }

    /// Blocks that were found unreadable, and what was wrong with the first of them.
    pub fn noted_damage(&self) -> Option<(usize, String)> {
        self.noted.told()
    }

    fn id(&self) -> SegmentId {
        self.info.head.id
    }

    /// Reads the data of columns `ids`, and of those that they are written by, with few calls.
    fn fetch(&self, frame: &Frame, ids: &[ColumnId]) -> Result<Vec<(u32, Vec<u8>)>, ReadError> {
        let entry = |id: ColumnId| frame.directory.column(id);
        let mut wanted: Vec<&ColumnEntry> = Vec::with_capacity(ids.len() + 2);
        for id in ids {
            wanted.extend(entry(*id));
            wanted.extend(entry(*id).and_then(|e| e.form.reference()).and_then(entry));
        }
        wanted.retain(|entry| entry.len > 0);
        wanted.sort_unstable_by_key(|entry| entry.offset);
        let mut spans: Vec<(u32, u32)> = Vec::new();
        for entry in wanted {
            let end = entry.offset + entry.len;
            match spans.last_mut() {
                Some((_, last)) if entry.offset <= last.saturating_add(GAP_MAX) => {
                    *last = end.max(*last);
                }
                _ => spans.push((entry.offset, end)),
            }
        }
        let read = |(start, end): (u32, u32)| {
            let mut octets = vec![0; (end - start) as usize];
            read_exact(&*self.file, self.id(), &mut octets, frame.offset + u64::from(start))?;
            Ok((start, octets))
        };
        spans.into_iter().map(read).collect()
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        if let Blocks::Footer { cache, .. } = &self.blocks {
            cache.forget(self.id());
        }
    }
}

fn read_index(
    file: &dyn ReadAt,
    id: SegmentId,
    index: Stretch,
    frames: u32,
) -> Result<BlockIndex, ReadError> {
    let octets = read_stretch(file, id, index)?;
    let frames = decode_index(&octets, frames, index.offset)
        .map_err(|damage| damaged(id, index.offset, damage))?;
    Ok(BlockIndex::of(frames))
}

fn damaged(segment: SegmentId, offset: u64, damage: Damage) -> ReadError {
    ReadError::Damaged { segment, offset, damage }
}

fn read_exact(
    file: &dyn ReadAt,
    segment: SegmentId,
    octets: &mut [u8],
    offset: u64,
) -> Result<(), ReadError> {
    let len = octets.len() as u64;
    file.read_exact_at(octets, offset).map_err(|source| match source.kind() {
        std::io::ErrorKind::UnexpectedEof => damaged(segment, offset, Damage::Truncated),
        _ => ReadError::Io { segment, offset, len, source },
    })
}

/// Reads a stretch that was found to lie inside the file.
fn read_stretch(
    file: &dyn ReadAt,
    segment: SegmentId,
    stretch: Stretch,
) -> Result<Vec<u8>, ReadError> {
    let mut octets = vec![0; stretch.len as usize];
    read_exact(file, segment, &mut octets, stretch.offset)?;
    let intact = crc32c::crc32c(&octets) == stretch.crc;
    if intact { Ok(octets) } else { Err(damaged(segment, stretch.offset, Damage::Checksum)) }
}

fn addresses(column: BlockColumn, dictionary: &Dictionary, rows: usize) -> Column {
    let addr = |code: Code| dictionary.addr(code).unwrap_or_default();
    match column {
        BlockColumn::Constant(Scalar::Code(code)) => {
            Column::Constant { value: Scalar::Addr(addr(code)), len: rows }
        }
        BlockColumn::Values { data: Values::Code(codes), validity } => {
            let mut addrs: Vec<Addr> = codes.into_iter().map(addr).collect();
            for row in (0..rows).filter(|row| validity.as_ref().is_some_and(|b| !b.get(*row))) {
                addrs[row] = Addr::default();
            }
            Column::Values { data: Values::Addr(addrs), validity }
        }
        _ => Column::Absent,
    }
}

/// Codes of a batch for the strings of a segment that it uses.
struct BatchCodes<'a> {
    dictionary: &'a Dictionary,
    known: Vec<Option<Code>>,
}

impl<'a> BatchCodes<'a> {
    fn new(dictionary: &'a Dictionary) -> BatchCodes<'a> {
        BatchCodes { dictionary, known: vec![None; dictionary.strings_len()] }
    }

    fn code(&mut self, code: Code, batch: &mut FlowBatch) -> Code {
        let string = self.dictionary.string(code);
        match self.known.get_mut(code.0 as usize) {
            Some(Some(known)) => *known,
            Some(slot) => *slot.insert(batch.interner_mut().intern(string)),
            None => batch.interner_mut().intern(string),
        }
    }

    fn strings(&mut self, column: BlockColumn, batch: &mut FlowBatch, rows: usize) -> Column {
        match column {
            BlockColumn::Constant(Scalar::Code(code)) => {
                Column::Constant { value: Scalar::Code(self.code(code, batch)), len: rows }
            }
            BlockColumn::Values { data: Values::Code(mut codes), validity } => {
                for (row, code) in codes.iter_mut().enumerate() {
                    let there = validity.as_ref().is_none_or(|bits| bits.get(row));
                    *code = if there { self.code(*code, batch) } else { Code::default() };
                }
                Column::Values { data: Values::Code(codes), validity }
            }
            _ => Column::Absent,
        }
    }
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blocks = self.block_count();
        f.debug_struct("Segment").field("info", &self.info).field("blocks", &blocks).finish()
    }
}
