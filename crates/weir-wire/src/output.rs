//! Where decoded records go.

use weir_model::{FlowBatch, Table};

/// One batch of each table. Rows of a datagram go to the ends of these; nothing is sealed here.
#[derive(Debug)]
pub struct Output {
    /// Flow records and packet samples.
    pub flows: FlowBatch,
    /// Counters of counter samples.
    pub counters: FlowBatch,
    /// Options records.
    pub options: FlowBatch,
}

impl Output {
    /// Three empty batches.
    pub fn new() -> Output {
        Output {
            flows: FlowBatch::new(Table::Flows),
            counters: FlowBatch::new(Table::Counters),
            options: FlowBatch::new(Table::Options),
        }
    }

    /// True when one of them should be handed on before the next datagram is decoded.
    pub fn is_full(&self) -> bool {
        self.flows.is_full() || self.counters.is_full() || self.options.is_full()
    }

    /// True when no batch has a row.
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty() && self.counters.is_empty() && self.options.is_empty()
    }

    /// Seals all three (see [`FlowBatch::seal`]).
    pub fn seal(&mut self) {
        self.flows.seal();
        self.counters.seal();
        self.options.seal();
    }

    /// Empties all three and keeps their memory.
    pub fn clear(&mut self) {
        self.flows.clear();
        self.counters.clear();
        self.options.clear();
    }
}

impl Default for Output {
    fn default() -> Output {
        Output::new()
    }
}
