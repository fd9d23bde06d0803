//! A lane: one open segment of one table and the batch that its next frame is made of.
//!
//! A table has as many lanes as threads may append to it at once. Small batches gather until a
//! commit or a snapshot wants them; a large one is a frame by itself. Nothing here touches a file:
//! frames wait in a queue for the commit thread.
//!
//! Invariant: frames leave the lane in the order in which they stand in their segment.

use std::sync::Arc;

use weir_model::batch::ROWS_MAX;
use weir_model::{FlowBatch, Table, Timestamp};

use super::ticket::Outcome;
use crate::files::LateFile;
use crate::manifest::Place;
use crate::segment::{HotSegment, SegmentHead, SegmentId, SegmentWriter, Tier};

/// Rows from which a batch is a frame by itself: copying it to gather a fuller one would cost
/// more than the few octets that a fuller frame saves.
const FRAME_ROWS_MIN: usize = ROWS_MAX / 4;
const HOUR_NANOS: i64 = 3_600_000_000_000;

/// When a segment is closed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RollRule {
    pub(crate) octets: u64,
    pub(crate) age: std::time::Duration,
}

/// Octets that go to a file at an offset.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    pub(crate) offset: u64,
    pub(crate) octets: Arc<[u8]>,
}

/// A segment that is being written.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) place: Place,
    pub(crate) created_at: Timestamp,
    pub(crate) writer: SegmentWriter,
    pub(crate) shared: Arc<OpenFile>,
    /// Octets made so far, header included.
    pub(crate) end: u64,
    /// Made and not yet taken by the commit thread.
    pub(crate) queue: Vec<Chunk>,
}

/// What lane, commit and readers share of an open segment.
pub(crate) struct OpenFile {
    pub(crate) hot: HotSegment,
    pub(crate) file: Arc<LateFile>,
}

impl std::fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenFile").field("file", &self.file).finish_non_exhaustive()
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Lane {
    table: Table,
    pub(crate) open: Option<Open>,
    pending: FlowBatch,
    retired: Vec<Open>,
    outcome: Arc<Outcome>,
    scratch: Vec<u8>,
}

/// What a commit takes out of a lane.
#[derive(Debug)]
pub(crate) struct Cut {
    /// Full segments, oldest first, with their last frames.
    pub(crate) retired: Vec<Open>,
    /// The open segment and its new frames.
    pub(crate) open: Option<(Place, Arc<OpenFile>, Vec<Chunk>)>,
    /// Settled when all of it is durable.
    pub(crate) outcome: Arc<Outcome>,
}

/// What a lane asks of the store when it needs a new segment: an id and a way to show it to
/// readers.
pub(crate) trait Host {
    fn now(&self) -> Timestamp;
    fn next_id(&self) -> SegmentId;
    fn roll(&self) -> RollRule;
    fn show(&self, id: SegmentId, open: &Arc<OpenFile>);
    fn made(&self, octets: usize);
}

impl Lane {
    pub(crate) fn new(table: Table) -> Lane {
        Lane {
            table,
            open: None,
            pending: FlowBatch::new(table),
            retired: Vec::new(),
            outcome: Arc::default(),
            scratch: Vec::new(),
        }
    }

    /// Takes the rows of a sealed batch. The outcome is that of the commit that will cover them.
    pub(crate) fn append(&mut self, batch: &FlowBatch, host: &dyn Host) -> Arc<Outcome> {
        let large = batch.rows() >= FRAME_ROWS_MIN;
        if large || batch.rows() > self.pending.room() || self.pending.is_full() {
            self.seal(host);
        }
        if large {
            self.encode(batch, host);
        } else {
            self.pending.append(batch);
            if self.pending.is_full() {
                self.seal(host);
            }
        }
        Arc::clone(&self.outcome)
    }

    /// Makes a frame of the rows that were gathered, so that readers see them.
    pub(crate) fn seal(&mut self, host: &dyn Host) {
        if self.pending.is_empty() {
            return;
        }
        let mut batch = std::mem::replace(&mut self.pending, FlowBatch::new(self.table));
        batch.seal();
        self.encode(&batch, host);
        batch.clear();
        self.pending = batch;
    }

    /// Takes everything that no commit has taken yet. `end` closes the open segment whatever its
    /// size and age.
    pub(crate) fn cut(&mut self, host: &dyn Host, end: bool) -> Cut {
        self.seal(host);
        self.retire(host, end);
        let outcome = std::mem::take(&mut self.outcome);
        let open = self
            .open
            .as_mut()
            .map(|open| (open.place, Arc::clone(&open.shared), std::mem::take(&mut open.queue)));
        Cut { retired: std::mem::take(&mut self.retired), open, outcome }
    }

    fn retire(&mut self, host: &dyn Host, end: bool) {
        let rule = host.roll();
        let now = host.now();
        let full = |open: &Open| {
            end || open.writer.should_roll()
                || open.end >= rule.octets
                || now.since(open.created_at) >= rule.age
                || now.0.div_euclid(HOUR_NANOS) != open.created_at.0.div_euclid(HOUR_NANOS)
        };
        if let Some(open) = self.open.take_if(|open| full(open)) {
            self.retired.push(open);
        }
    }

    fn encode(&mut self, batch: &FlowBatch, host: &dyn Host) {
        let mut from = 0;
        while from < batch.rows() {
            self.retire(host, false);
            let table = self.table;
            let scratch = &mut self.scratch;
            let open = self.open.get_or_insert_with(|| start(table, scratch, host));
            scratch.clear();
            let info = open.writer.frame(batch, from..batch.rows(), scratch);
            let octets: Arc<[u8]> = Arc::from(scratch.as_slice());
            open.shared.hot.publish(&info, Arc::clone(&octets));
            host.made(octets.len());
            open.queue.push(Chunk { offset: info.offset, octets });
            open.end = info.offset + u64::from(info.len);
            // Proof: a frame takes at least one row, else the loop ends here.
            from += (info.rows as usize).max(1);
        }
    }
}

fn start(table: Table, scratch: &mut Vec<u8>, host: &dyn Host) -> Open {
    let now = host.now();
    let id = host.next_id();
    let place = Place { id, table, tier: Tier::Raw, hour: now.0.div_euclid(HOUR_NANOS) };
    let head = SegmentHead { id, table, tier: Tier::Raw, created_at: now };
    scratch.clear();
    let writer = SegmentWriter::quick(head, scratch);
    let header: Arc<[u8]> = Arc::from(scratch.as_slice());
    let file = Arc::<LateFile>::default();
    let hot = HotSegment::new(head, Arc::clone(&file) as _);
    let shared = Arc::new(OpenFile { hot, file });
    host.show(id, &shared);
    host.made(header.len());
    let end = header.len() as u64;
    let queue = vec![Chunk { offset: 0, octets: header }];
    Open { place, created_at: now, writer, shared, end, queue }
}
