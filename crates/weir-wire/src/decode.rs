//! The decoding pass: octets and [`Work`] in, rows out. Pure, and safe to run on any thread.

use crate::collector::Collector;
use crate::error::MessageError;
use crate::limits::Limits;
use crate::output::Output;
use crate::plan::{Context, decode_flows, decode_options};
use crate::received::Received;
use crate::sflow5;
use crate::tally::Tally;
use crate::work::{Job, Work};

/// Appends the rows of a message's data to `out` and says how many there were.
///
/// `octets` and `received` must be those that `work` was made from; other octets give other rows
/// but cannot panic.
pub fn decode(work: &Work, octets: &[u8], received: &Received, out: &mut Output) -> Tally {
    let mut tally = Tally::default();
    let (header, sets, knowledge) = match &work.job {
        Job::Samples(_) => {
            sflow5::decode(octets, received, out, &mut tally);
            return tally;
        }
        Job::Records { header, sets, knowledge } => (header, sets, knowledge),
    };
    let context = Context { header, protocol: work.protocol, received, knowledge };
    for set in sets.iter() {
        let (offset, length) = (set.offset as usize, set.length as usize);
        let body = octets.get(offset..offset + length).unwrap_or_default();
        let rows_max = set.rows as usize;
        if set.plan.is_options() {
            let rows = decode_options(&set.plan, body, rows_max, &context, &mut out.options);
            tally.options += rows as u64;
        } else {
            let rows = decode_flows(&set.plan, body, rows_max, &context, &mut out.flows);
            tally.flows += rows as u64;
        }
        tally.sets_decoded += 1;
    }
    tally
}

/// Both passes in one, on one thread: for command lines and tests.
#[derive(Debug)]
pub struct Decoder {
    collector: Collector,
}

impl Decoder {
    /// A decoder that knows no exporter yet.
    pub fn new(limits: Limits) -> Decoder {
        Decoder { collector: Collector::new(limits) }
    }

    /// Decodes one message, and parked Sets that it makes decodable, to the ends of `out`.
    pub fn decode(
        &mut self,
        octets: &[u8],
        received: &Received,
        out: &mut Output,
    ) -> Result<Tally, MessageError> {
        let admitted = self.collector.admit(octets, received)?;
        let mut tally = admitted.tally;
        for released in &admitted.released {
            tally += &decode(&released.work, &released.octets, &released.received, out);
        }
        tally += &decode(&admitted.work, octets, received, out);
        Ok(tally)
    }

    /// The state behind it.
    pub fn collector(&self) -> &Collector {
        &self.collector
    }

    /// The same, to expire or end sessions.
    pub fn collector_mut(&mut self) -> &mut Collector {
        &mut self.collector
    }
}
