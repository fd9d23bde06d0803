//! Parts that lie in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use weir_model::columns::{flows, rollups};
use weir_model::{
    Addr, Bitmap, Code, Column, ColumnId, Cube, FlowBatch, Grain, Interner, Scalar, Table,
    Timestamp, Values,
};
use weir_store::{BlockColumn, RowKey, Tier, Zone};

use super::oracle::value;
use super::part::{Index, Names, Part, PartHead};
use crate::answer::AnswerValue;
use crate::error::QueryError;

/// Dictionaries in memory.
#[derive(Default)]
struct Dictionaries {
    addrs: Vec<Addr>,
    codes: HashMap<Addr, u32>,
    strings: Interner,
}

impl Names for Dictionaries {
    fn addrs(&self) -> &[Addr] {
        &self.addrs
    }
    fn strings_len(&self) -> usize {
        self.strings.len()
    }
    fn string(&self, code: Code) -> &[u8] {
        self.strings.get(code)
    }
}

impl Dictionaries {
    fn addr(&mut self, addr: Addr) -> Code {
        let next = self.addrs.len() as u32;
        Code(*self.codes.entry(addr).or_insert_with(|| {
            self.addrs.push(addr);
            next
        }))
    }
}

/// Rows and columns of each block.
struct Blocks(Vec<(usize, Vec<BlockColumn>)>);

impl Index for Blocks {
    fn rows(&self, block: usize) -> usize {
        self.0[block].0
    }
    fn zone(&self, block: usize, id: ColumnId) -> Option<Zone> {
        let (rows, columns) = &self.0[block];
        zone_of((0..*rows).map(|row| columns[id.index()].get(row)))
    }
}

fn zone_of(cells: impl Iterator<Item = Option<Scalar>>) -> Option<Zone> {
    let (mut zone, mut nulls): (Option<Zone>, u32) = (None, 0);
    for cell in cells {
        let Some(value) = cell else {
            nulls += 1;
            continue;
        };
        let zone = zone.get_or_insert(Zone { min: value, max: value, nulls: 0 });
        if less(value, zone.min) {
            zone.min = value;
        }
        if less(zone.max, value) {
            zone.max = value;
        }
    }
    zone.map(|zone| Zone { nulls, ..zone })
}

/// Sealed batches as the blocks of a part.
pub(crate) struct MemoryPart {
    head: PartHead,
    blocks: Arc<Blocks>,
    names: Arc<Dictionaries>,
    is_damaged: bool,
}

impl MemoryPart {
    pub fn new(id: u64, tier: Tier, closed: bool, batches: &[FlowBatch]) -> MemoryPart {
        let mut names = Dictionaries::default();
        let table = batches.first().map_or(Table::Flows, FlowBatch::table);
        let mut blocks = Vec::new();
        for batch in batches {
            let columns =
                batch.columns().map(|(_, column)| block_column(column, batch, &mut names));
            blocks.push((batch.rows(), columns.collect()));
        }
        let times = batches.iter().flat_map(|batch| {
            (0..batch.rows()).filter_map(|row| match batch.get(ColumnId(0), row) {
                Some(Scalar::I64(time)) => Some(Timestamp(time)),
                _ => None,
            })
        });
        let times: Vec<_> = times.collect();
        let times = times.iter().min().copied().zip(times.iter().max().copied());
        let head = PartHead { id, table, tier, closed, times };
        let (blocks, names) = (Arc::new(Blocks(blocks)), Arc::new(names));
        MemoryPart { head, blocks, names, is_damaged: false }
    }

    /// The same, of which no column can be read.
    pub fn damaged(self) -> MemoryPart {
        MemoryPart { is_damaged: true, ..self }
    }

    /// Whether a row of flows has the key: a filter that is never wrong.
    fn has(&self, columns: &[BlockColumn], row: usize, key: &RowKey) -> bool {
        let addr = |id: ColumnId| match columns[id.index()].get(row) {
            Some(Scalar::Code(code)) => Some(self.names.addrs[code.0 as usize]),
            _ => None,
        };
        let port = |id: ColumnId| match columns[id.index()].get(row) {
            Some(Scalar::U64(port)) => Some(port as u16),
            _ => None,
        };
        let (source, destination) = (addr(flows::SRC_ADDR), addr(flows::DST_ADDR));
        let ports = (port(flows::SRC_PORT), port(flows::DST_PORT));
        match *key {
            RowKey::Address(wanted) => [source, destination].contains(&Some(wanted)),
            RowKey::Pair(one, other) => {
                let sides = (source, destination);
                sides == (Some(one), Some(other)) || sides == (Some(other), Some(one))
            }
            RowKey::Connection(one, other) => {
                let sides = (source.zip(ports.0), destination.zip(ports.1));
                sides == (Some(one), Some(other)) || sides == (Some(other), Some(one))
            }
        }
    }
}

fn block_column(column: &Column, batch: &FlowBatch, names: &mut Dictionaries) -> BlockColumn {
    let mut scalar = |value: Scalar| match value {
        Scalar::Addr(addr) => Scalar::Code(names.addr(addr)),
        Scalar::Code(code) => Scalar::Code(names.strings.intern(batch.interner().get(code))),
        value => value,
    };
    match column {
        Column::Absent => BlockColumn::Absent,
        Column::Constant { value, .. } => BlockColumn::Constant(scalar(*value)),
        Column::Values { data: data @ (Values::Addr(_) | Values::Code(_)), validity } => {
            let code = |row| match (validity.as_ref().is_none_or(|b| b.get(row)), data.get(row)) {
                (true, Some(value)) => match scalar(value) {
                    Scalar::Code(code) => code,
                    _ => Code(0),
                },
                _ => Code(0),
            };
            let codes: Vec<Code> = (0..data.len()).map(code).collect();
            BlockColumn::Values { data: Values::Code(codes), validity: validity.clone() }
        }
        Column::Values { data, validity } => {
            BlockColumn::Values { data: data.clone(), validity: validity.clone() }
        }
    }
}

fn less(a: Scalar, b: Scalar) -> bool {
    match (a, b) {
        (Scalar::U64(a), Scalar::U64(b)) => a < b,
        (Scalar::I64(a), Scalar::I64(b)) => a < b,
        (Scalar::F64(a), Scalar::F64(b)) => a.total_cmp(&b).is_lt(),
        (Scalar::Code(a), Scalar::Code(b)) => a < b,
        _ => panic!("a column has values of one kind"),
    }
}

impl Part for MemoryPart {
    fn head(&self) -> PartHead {
        self.head
    }
    fn blocks(&self) -> usize {
        self.blocks.0.len()
    }
    fn index(&self) -> Result<Arc<dyn Index>, QueryError> {
        Ok(self.blocks.clone())
    }
    fn overall(&self, id: ColumnId) -> Option<Option<Zone>> {
        let cells = self.blocks.0.iter().flat_map(|(rows, columns)| {
            let column = &columns[id.index()];
            (0..*rows).map(|row| column.get(row))
        });
        Some(zone_of(cells))
    }
    fn may_have_cube(&self, number: u8) -> bool {
        let cube = Some(Scalar::U64(number.into()));
        let mut columns = self.blocks.0.iter().map(|(rows, columns)| (rows, &columns[1]));
        columns.any(|(rows, column)| (0..*rows).any(|row| column.get(row) == cube))
    }
    fn blocks_with(&self, key: &RowKey) -> Option<Bitmap> {
        if self.head.table != Table::Flows {
            return None;
        }
        let mut found = Bitmap::default();
        for (rows, columns) in &self.blocks.0 {
            found.push((0..*rows).any(|row| self.has(columns, row, key)));
        }
        Some(found)
    }
    fn names(&self) -> Result<Arc<dyn Names>, QueryError> {
        Ok(self.names.clone())
    }
    fn may_contain(&self, addr: Addr) -> bool {
        self.names.codes.contains_key(&addr)
    }
    fn read(&self, block: usize, id: ColumnId) -> Result<BlockColumn, QueryError> {
        if self.is_damaged {
            let source = "checksum".into();
            return Err(QueryError::Read { segment: self.head.id, block, source });
        }
        Ok(self.blocks.0[block].1.get(id.index()).cloned().unwrap_or_default())
    }
}

type Dimensions = Vec<Option<AnswerValue>>;

/// Bucket, cube and the values of its dimensions.
type CubeKey = (i64, u8, Vec<String>);

/// The rollup part of `grain` over some batches: one block.
pub(crate) fn rollup(id: u64, grain: Grain, batches: &[FlowBatch]) -> MemoryPart {
    let mut rows: BTreeMap<CubeKey, (Dimensions, [u64; 9])> = BTreeMap::new();
    let u64_of = |batch: &FlowBatch, id, row| batch.get_u64(id, row).unwrap_or(0);
    for batch in batches {
        for row in 0..batch.rows() {
            let Some(Scalar::I64(time)) = batch.get(flows::RECEIVED_AT, row) else { continue };
            let start = time.div_euclid(grain.nanos()) * grain.nanos();
            let rate = batch.get_u64(flows::SAMPLING_RATE, row).unwrap_or(1).max(1);
            for cube in Cube::ALL.into_iter().filter(|cube| cube.kept_at(grain)) {
                let dims: Vec<_> =
                    cube.dimensions().iter().map(|(flow, _)| value(batch, *flow, row)).collect();
                let text = dims.iter().map(|v| format!("{v:?}")).collect();
                let dims = dims.into_iter().map(|v| (v != AnswerValue::Null).then_some(v));
                let entry = rows
                    .entry((start, cube.number(), text))
                    .or_insert_with(|| (dims.collect(), [0; 9]));
                entry.1[0] += 1;
                let measures =
                    [flows::OCTETS, flows::PACKETS, flows::REVERSE_OCTETS, flows::REVERSE_PACKETS];
                for (at, id) in measures.into_iter().enumerate() {
                    let value = u64_of(batch, id, row);
                    entry.1[1 + at] = entry.1[1 + at].saturating_add(value);
                    entry.1[5 + at] = entry.1[5 + at].saturating_add(value.saturating_mul(rate));
                }
            }
        }
    }
    let mut batch = FlowBatch::new(Table::Rollups);
    batch.append_rows(rows.len());
    for (row, ((start, cube, _), (dims, sums))) in rows.into_iter().enumerate() {
        batch.set(rollups::RECEIVED_AT, row, start);
        batch.set(rollups::CUBE, row, cube);
        let dimensions = Cube::from_number(cube).unwrap().dimensions();
        for ((_, id), dim) in dimensions.iter().zip(dims) {
            match dim {
                Some(AnswerValue::U64(n)) => batch.set_scalar(*id, row, Scalar::U64(n)),
                Some(AnswerValue::Addr(addr)) => batch.set(*id, row, addr),
                Some(AnswerValue::Text(text)) => batch.set_octets(*id, row, text.as_bytes()),
                _ => {}
            }
        }
        let ids = [
            rollups::FLOWS,
            rollups::OCTETS,
            rollups::PACKETS,
            rollups::REVERSE_OCTETS,
            rollups::REVERSE_PACKETS,
            rollups::OCTETS_SCALED,
            rollups::PACKETS_SCALED,
            rollups::REVERSE_OCTETS_SCALED,
            rollups::REVERSE_PACKETS_SCALED,
        ];
        for (id, sum) in ids.into_iter().zip(sums) {
            batch.set(id, row, sum);
        }
    }
    batch.seal();
    MemoryPart::new(id, Tier::Rollup(grain), true, &[batch])
}
