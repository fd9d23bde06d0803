//! Rows of the table `counters`, as an sFlow counter sample of this machine would have them.

use weir_model::FlowBatch;
use weir_model::columns::counters as c;

use crate::cache::Moment;
use crate::cache::rows::Identity;

/// Adds the rows of one structure of one data source.
pub(crate) struct Counters<'a> {
    batch: &'a mut FlowBatch,
    identity: Identity,
    structure: u32,
    /// Class, index and name of the data source.
    class: u8,
    index: u32,
    name: Option<&'a str>,
    now: Moment,
}

/// sFlow's class of data sources that are interfaces.
const INTERFACE: u8 = 0;
/// sFlow's class of physical entities, to which the counters of a host belong.
const PHYSICAL_ENTITY: u8 = 2;

impl<'a> Counters<'a> {
    /// Rows of an interface: its index, and its name.
    pub(crate) fn new(
        batch: &'a mut FlowBatch,
        identity: Identity,
        structure: u32,
        (index, name): (u32, Option<&'a str>),
        now: Moment,
    ) -> Counters<'a> {
        Counters { batch, identity, structure, class: INTERFACE, index, name, now }
    }

    /// Rows of the host itself: physical entity 1, as Host sFlow has it.
    pub(crate) fn of_host(
        batch: &'a mut FlowBatch,
        identity: Identity,
        structure: u32,
        now: Moment,
    ) -> Counters<'a> {
        let class = PHYSICAL_ENTITY;
        Counters { batch, identity, structure, class, index: 1, name: None, now }
    }

    /// A row with a number.
    pub(crate) fn number(&mut self, name: &str, value: u64) {
        let row = self.row(name);
        self.batch.set(c::VALUE, row, value);
    }

    /// A row with a fraction.
    pub(crate) fn fraction(&mut self, name: &str, value: f64) {
        let row = self.row(name);
        self.batch.set(c::VALUE_F, row, value);
    }

    /// A row with text.
    pub(crate) fn text(&mut self, name: &str, value: &str) {
        let row = self.row(name);
        self.batch.set_octets(c::VALUE_TEXT, row, value.as_bytes());
    }

    fn row(&mut self, name: &str) -> usize {
        let batch = &mut *self.batch;
        let row = batch.append_rows(1);
        batch.set(c::RECEIVED_AT, row, self.now.wall.0);
        batch.set(c::EXPORTER_ADDR, row, self.identity.addr);
        batch.set(c::SUB_AGENT, row, 0u32);
        batch.set(c::SOURCE_CLASS, row, self.class);
        batch.set(c::SOURCE_INDEX, row, self.index);
        batch.set(c::STRUCTURE, row, self.structure);
        batch.set_octets(c::NAME, row, name.as_bytes());
        if let Some(name) = self.name {
            batch.set_octets(c::SOURCE_NAME, row, name.as_bytes());
        }
        row
    }
}
