//! Records to IPFIX messages (RFC 7011). The Exporting Process's half; sending is the caller's.

use weir_model::{FlowBatch, Timestamp};

use crate::encode::{Dialect, Encoded, EncoderPolicy, TemplateEncoder};

/// Encodes batches of flows and of options records for one transport session.
///
/// Text and octets travel with variable length; sequence numbers count data records, options
/// records included (RFC 7011 §3.1). Times are sent in milliseconds (elements 152, 153).
///
/// ```
/// use weir_model::{FlowBatch, Table, Timestamp, columns::flows};
/// use weir_wire::{encode::EncoderPolicy, ipfix::encode::Encoder};
/// let mut batch = FlowBatch::new(Table::Flows);
/// batch.append_rows(1);
/// batch.set(flows::SRC_PORT, 0, 443u16);
/// let mut encoder = Encoder::new(EncoderPolicy::default());
/// let mut messages = Vec::new();
/// let now = Timestamp::from_seconds(1_700_000_000);
/// let encoded = encoder.encode(&batch, now, &mut |message| messages.push(message.to_vec()));
/// assert_eq!((encoded.records, encoded.templates, messages.len()), (1, 1, 1));
/// ```
#[derive(Debug)]
pub struct Encoder(TemplateEncoder);

impl Encoder {
    /// An encoder that has sent nothing yet.
    pub fn new(policy: EncoderPolicy) -> Encoder {
        Encoder(TemplateEncoder::new(Dialect::Ipfix, policy))
    }

    /// Hands every row of `batch` to `emit` in messages of export time `now`.
    pub fn encode(
        &mut self,
        batch: &FlowBatch,
        now: Timestamp,
        emit: &mut dyn FnMut(&[u8]),
    ) -> Encoded {
        self.0.encode(batch, now, emit)
    }

    /// Begins a new transport session: no template is known there, sequence numbers start at 0.
    pub fn restart(&mut self) {
        self.0.restart();
    }
}
