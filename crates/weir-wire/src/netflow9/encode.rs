//! Records to NetFlow v9 packets (RFC 3954).

use weir_model::{FlowBatch, Timestamp};

use crate::encode::{Dialect, Encoded, EncoderPolicy, TemplateEncoder};

/// Encodes batches of flows and of options records.
///
/// v9 has no enterprises and no variable length: columns that only an enterprise's element
/// carries are left out, text is padded with NUL, octets of length 0 are left out. Times are sent
/// as uptime (FIRST_SWITCHED, LAST_SWITCHED) in milliseconds since the policy's `boot`.
#[derive(Debug)]
pub struct Encoder(TemplateEncoder);

impl Encoder {
    /// An encoder that has sent nothing yet.
    pub fn new(policy: EncoderPolicy) -> Encoder {
        Encoder(TemplateEncoder::new(Dialect::NetFlow9, policy))
    }

    /// Hands every row of `batch` to `emit` in packets of the time `now`, whose fraction of a
    /// second v9 cannot tell.
    pub fn encode(
        &mut self,
        batch: &FlowBatch,
        now: Timestamp,
        emit: &mut dyn FnMut(&[u8]),
    ) -> Encoded {
        self.0.encode(batch, now, emit)
    }

    /// Begins anew: templates are sent again, sequence numbers start at 0.
    pub fn restart(&mut self) {
        self.0.restart();
    }
}
