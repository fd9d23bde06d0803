//! Group keys: the values of the group-by columns of a row packed into 128 bits.
//!
//! Small numbers are packed as they are (plus one, 0 is null); addresses, strings and wide numbers
//! by their id in the [`Pool`]. What does not fit is replaced by an id for the bits so far, as
//! often as needed, so any eight columns fit. Equal keys mean equal values, in every part.

use weir_model::{Addr, Code, ColumnId, ColumnType, Mac, Scalar, Timestamp, Values};
use weir_store::BlockColumn;

use super::block::{Block, numbers};
use super::mask::Selection;
use super::part::Names;
use super::pool::Pool;
use crate::answer::AnswerValue;
use crate::error::QueryError;
use crate::plan::Key;

/// Marks a code that has no id yet.
const UNSEEN: u32 = u32::MAX;

/// How one column is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pack {
    /// The number plus one.
    Number,
    /// Id of the number.
    Word,
    /// Id of the address.
    Addr,
    /// Id of the string.
    String,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Appends key `usize` in so many bits.
    Column(usize, u32, Pack),
    /// Replaces what there is by its id.
    Fold,
}

/// Bits of an id.
const ID_BITS: u32 = 32;

/// How the keys of a query are packed.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    keys: Vec<Key>,
    steps: Vec<Step>,
}

impl Layout {
    pub fn new(keys: &[Key]) -> Layout {
        let (mut steps, mut used) = (Vec::new(), 0);
        for (at, key) in keys.iter().enumerate() {
            let (bits, pack) = match key.def.ty {
                ColumnType::U8 => (9, Pack::Number),
                ColumnType::U16 => (17, Pack::Number),
                ColumnType::U32 => (33, Pack::Number),
                ColumnType::U64 | ColumnType::F64 | ColumnType::Time | ColumnType::Mac => {
                    (ID_BITS, Pack::Word)
                }
                ColumnType::Addr => (ID_BITS, Pack::Addr),
                ColumnType::Str
                | ColumnType::Bytes
                | ColumnType::U32List
                | ColumnType::Elements => (ID_BITS, Pack::String),
            };
            if used + bits > 128 {
                steps.push(Step::Fold);
                used = ID_BITS;
            }
            used += bits;
            steps.push(Step::Column(at, bits, pack));
        }
        Layout { keys: keys.to_vec(), steps }
    }

    /// True when there is one key whose packed values are dense enough to index an array.
    pub fn is_dense(&self) -> bool {
        match self.steps.as_slice() {
            [Step::Column(_, bits, pack)] => *pack != Pack::Number || *bits <= 17,
            _ => false,
        }
    }

    /// The column of the only key, when its values have codes.
    pub fn coded(&self) -> Option<ColumnId> {
        match (self.steps.as_slice(), self.keys.as_slice()) {
            ([Step::Column(_, _, Pack::Addr | Pack::String)], [key]) => Some(key.def.id),
            _ => None,
        }
    }

    /// The values of a packed key, in the order of the group-by columns.
    pub fn unpack(&self, packed: u128, pool: &Pool) -> Vec<AnswerValue> {
        let mut values = vec![AnswerValue::Null; self.keys.len()];
        let mut rest = packed;
        for step in self.steps.iter().rev() {
            match step {
                Step::Fold => rest = pool.keys().get(rest as u32).unwrap_or_default(),
                Step::Column(at, bits, pack) => {
                    let piece = (rest & ((1 << bits) - 1)) as u64;
                    rest >>= bits;
                    if let (Some(slot), Some(key)) = (values.get_mut(*at), self.keys.get(*at)) {
                        *slot = unpack(piece, *pack, key, pool);
                    }
                }
            }
        }
        values
    }
}

fn unpack(piece: u64, pack: Pack, key: &Key, pool: &Pool) -> AnswerValue {
    let Some(value) = piece.checked_sub(1) else { return AnswerValue::Null };
    match pack {
        Pack::Number => AnswerValue::U64(value),
        Pack::Addr => pool.addrs().get(value as u32).map_or(AnswerValue::Null, AnswerValue::Addr),
        Pack::String => octets_value(key.def.ty, &pool.string(value as u32)),
        Pack::Word => {
            let word = pool.words().get(value as u32).unwrap_or_default();
            word_value(key.def.ty, word)
        }
    }
}

/// A 64-bit word as a value of type `ty`.
pub(crate) fn word_value(ty: ColumnType, word: u64) -> AnswerValue {
    match ty {
        ColumnType::Time => AnswerValue::Time(Timestamp(word as i64)),
        ColumnType::F64 => AnswerValue::F64(f64::from_bits(word)),
        ColumnType::Mac => AnswerValue::Mac(Mac(word)),
        _ => AnswerValue::U64(word),
    }
}

fn octets_value(ty: ColumnType, octets: &[u8]) -> AnswerValue {
    match ty {
        ColumnType::Str => AnswerValue::Text(String::from_utf8_lossy(octets).into_owned()),
        _ => AnswerValue::Hex(octets.iter().map(|octet| format!("{octet:02x}")).collect()),
    }
}

/// Packs keys of the blocks of one part at a time; belongs to one thread.
pub(crate) struct Packer<'a> {
    layout: &'a Layout,
    pool: &'a Pool,
    /// For each key, code of the part to id plus one.
    maps: Vec<Vec<u32>>,
    scratch: Vec<u64>,
}

impl<'a> Packer<'a> {
    pub fn new(layout: &'a Layout, pool: &'a Pool) -> Packer<'a> {
        Packer { layout, pool, maps: vec![Vec::new(); layout.keys.len()], scratch: Vec::new() }
    }

    /// Forgets the codes of the part before.
    pub fn next_part(&mut self) {
        self.maps.iter_mut().for_each(Vec::clear);
    }

    /// The piece of a code of the only key ([`Layout::coded`]).
    pub fn piece(&self, code: u32, names: &dyn Names) -> u64 {
        let Some(key) = self.layout.keys.first() else { return 0 };
        let id = match key.def.ty {
            ColumnType::Addr => {
                let addr = names.addrs().get(code as usize).copied().unwrap_or_default();
                let addr = key.prefix.map_or(addr, |(v4, v6)| Addr::prefix(addr, v4, v6));
                self.pool.addrs().id(addr)
            }
            _ => self.pool.strings().intern(names.string(Code(code))).0,
        };
        u64::from(id) + 1
    }

    /// Packed keys of the kept rows. `column` names the part's columns.
    pub fn pack(
        &mut self,
        block: &mut Block<'_>,
        kept: &Selection,
        names: &dyn Names,
        column: &dyn Fn(ColumnId) -> ColumnId,
        out: &mut Vec<u128>,
    ) -> Result<(), QueryError> {
        out.clear();
        out.resize(kept.len(), 0);
        let layout = self.layout;
        for step in &layout.steps {
            match step {
                Step::Fold => {
                    let mut ids = self.pool.keys();
                    out.iter_mut().for_each(|key| *key = ids.id(*key).into());
                }
                Step::Column(at, bits, pack) => {
                    let mut pieces = std::mem::take(&mut self.scratch);
                    self.pieces(*at, *pack, block, kept, names, column, &mut pieces)?;
                    for (key, piece) in out.iter_mut().zip(&pieces) {
                        *key = *key << bits | u128::from(*piece);
                    }
                    self.scratch = pieces;
                }
            }
        }
        Ok(())
    }

    /// The pieces of the only key: what indexes a dense array.
    pub fn pack_dense(
        &mut self,
        block: &mut Block<'_>,
        kept: &Selection,
        names: &dyn Names,
        column: &dyn Fn(ColumnId) -> ColumnId,
        out: &mut Vec<u64>,
    ) -> Result<(), QueryError> {
        if let Some(Step::Column(at, _, pack)) = self.layout.steps.first() {
            self.pieces(*at, *pack, block, kept, names, column, out)?;
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "a block, what of it, and where to")]
    fn pieces(
        &mut self,
        at: usize,
        pack: Pack,
        block: &mut Block<'_>,
        kept: &Selection,
        names: &dyn Names,
        column: &dyn Fn(ColumnId) -> ColumnId,
        out: &mut Vec<u64>,
    ) -> Result<(), QueryError> {
        out.clear();
        let (Some(key), Some(map)) = (self.layout.keys.get(at), self.maps.get_mut(at)) else {
            return Ok(());
        };
        let data = block.column(column(key.def.id))?;
        match pack {
            Pack::Number => {
                numbers(data, kept, u64::MAX, out);
                out.iter_mut().for_each(|piece| *piece = piece.wrapping_add(1));
            }
            Pack::Word => words(data, kept, self.pool, out),
            Pack::Addr => codes(data, kept, map, out, |code| {
                let addr = names.addrs().get(code as usize).copied().unwrap_or_default();
                let addr = key.prefix.map_or(addr, |(v4, v6)| Addr::prefix(addr, v4, v6));
                self.pool.addrs().id(addr)
            }),
            Pack::String => codes(data, kept, map, out, |code| {
                self.pool.strings().intern(names.string(Code(code))).0
            }),
        }
        Ok(())
    }
}

fn words(column: &BlockColumn, kept: &Selection, pool: &Pool, out: &mut Vec<u64>) {
    numbers(column, kept, 0, out);
    let mut ids = pool.words();
    let mut last = None;
    for (piece, row) in out.iter_mut().zip(kept.rows()) {
        *piece = match (column.get(row).is_some(), last) {
            (false, _) => 0,
            (true, Some((value, id))) if value == *piece => id,
            (true, _) => {
                let id = u64::from(ids.id(*piece)) + 1;
                last = Some((*piece, id));
                id
            }
        };
    }
}

/// Ids plus one of the codes of the kept rows; `id` is asked once a code.
fn codes(
    column: &BlockColumn,
    kept: &Selection,
    map: &mut Vec<u32>,
    out: &mut Vec<u64>,
    id: impl Fn(u32) -> u32,
) {
    match column {
        BlockColumn::Constant(Scalar::Code(code)) => {
            learn(map, std::slice::from_ref(code).iter(), id);
            let id = map.get(code.0 as usize).copied().unwrap_or(0);
            out.resize(kept.len(), id.into());
        }
        BlockColumn::Values { data: Values::Code(v), validity } => {
            match kept {
                Selection::All(_) => learn(map, v.iter(), id),
                Selection::Rows(rows) => {
                    learn(map, rows.iter().filter_map(|row| v.get(*row as usize)), id);
                }
            }
            let map = map.as_slice();
            kept.gather(v, out, |code| u64::from(map.get(code.0 as usize).copied().unwrap_or(0)));
            if let Some(bits) = validity {
                for (piece, row) in out.iter_mut().zip(kept.rows()) {
                    if !bits.get(row) {
                        *piece = 0;
                    }
                }
            }
        }
        _ => {}
    }
    out.resize(kept.len(), 0);
}

/// Makes `map` know every one of `codes`.
fn learn<'c>(map: &mut Vec<u32>, codes: impl Iterator<Item = &'c Code>, id: impl Fn(u32) -> u32) {
    for code in codes {
        let at = code.0 as usize;
        if map.get(at).is_some_and(|slot| *slot != UNSEEN) {
            continue;
        }
        if at >= map.len() {
            map.resize((at + 1).next_power_of_two(), UNSEEN);
        }
        if let Some(slot) = map.get_mut(at) {
            *slot = id(code.0).wrapping_add(1);
        }
    }
}
