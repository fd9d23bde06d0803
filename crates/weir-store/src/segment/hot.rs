//! A segment that still grows, as readers see it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::footer::Totals;
use super::index::Block;
use super::reader::Entries;
use super::{FrameInfo, HEADER_LEN, Segment, SegmentHead};
use crate::dictionary::SharedDictionary;
use crate::read::ReadAt;

/// Frames of a segment that is being written. Readers take [`HotSegment::view`]s; a view does not
/// change when frames are added.
pub struct HotSegment {
    head: SegmentHead,
    file: Arc<dyn ReadAt>,
    dictionary: Arc<SharedDictionary>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    blocks: Vec<Block>,
    totals: Totals,
    end: u64,
    /// Blocks before this one are read from the file.
    settled: usize,
    view: Option<Arc<Segment>>,
}

impl HotSegment {
    /// Without frames. `file` is read once [`HotSegment::settle`] says that it holds a frame.
    pub fn new(head: SegmentHead, file: Arc<dyn ReadAt>) -> HotSegment {
        let state = State { end: HEADER_LEN as u64, ..State::default() };
        HotSegment { head, file, dictionary: Arc::default(), state: Mutex::new(state) }
    }

    /// Shows a frame to readers from now on. `octets` are those that the writer made for it.
    pub fn publish(&self, info: &FrameInfo, octets: Arc<[u8]>) {
        self.show(info, Some(octets));
    }

    /// Shows a frame that the file holds already.
    pub fn publish_stored(&self, info: &FrameInfo) {
        self.show(info, None);
    }

    fn show(&self, info: &FrameInfo, octets: Option<Arc<[u8]>>) {
        if info.rows == 0 {
            return;
        }
        // The dictionary first: a reader that sees the frame must find its codes.
        self.dictionary.add(info.additions.clone());
        let mut state = self.state();
        state.totals.add(info.rows, info.received_at);
        state.end = info.offset + u64::from(info.len);
        state.blocks.push(Block { frame: info.frame.clone(), octets });
        state.view = None;
    }

    /// Says that the file holds everything before offset `end`: frames that end there or before
    /// are read from it, and their octets leave memory.
    pub fn settle(&self, end: u64) {
        let mut state = self.state();
        let state = &mut *state;
        let held = |block: &Block| block.frame.offset + u64::from(block.frame.len) <= end;
        while let Some(block) = state.blocks.get_mut(state.settled).filter(|block| held(block)) {
            block.octets = None;
            state.settled += 1;
            state.view = None;
        }
    }

    /// Octets of frames that are kept in memory.
    pub fn octets_in_memory(&self) -> usize {
        let state = self.state();
        let blocks = state.blocks.iter().skip(state.settled);
        blocks.filter_map(|block| block.octets.as_ref().map(|octets| octets.len())).sum()
    }

    /// The frames published so far.
    pub fn view(&self) -> Arc<Segment> {
        let mut state = self.state();
        if let Some(view) = &state.view {
            return view.clone();
        }
        let view = Arc::new(Segment::of_blocks(
            state.totals.info(self.head, state.end, false),
            self.file.clone(),
            state.blocks.clone(),
            Entries::Shared(self.dictionary.clone()),
        ));
        state.view = Some(view.clone());
        view
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for HotSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frames = self.state().blocks.len();
        f.debug_struct("HotSegment").field("head", &self.head).field("frames", &frames).finish()
    }
}
