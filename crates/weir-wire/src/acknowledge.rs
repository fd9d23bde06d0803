//! Acknowledged IPFIX, as `docs/formats/acknowledgement.md` has it: the announcement of an exporter
//! that understands it, and the answer.
//!
//! Here is only what stands on the wire. Which records are durable, and which came before, is for
//! whoever keeps them to know.

use weir_model::own;

use crate::plan::{FixedRows, Layout, Plan, Rows, VariableRows, index, number};

/// Private enterprise number of the elements below.
pub const PEN: u32 = own::PEN_WEIR;
/// `ackVersion`, unsigned8.
pub const ACK_VERSION: u16 = own::ACK_VERSION.id;
/// `exporterInstance`, 16 octets.
pub const EXPORTER_INSTANCE: u16 = own::EXPORTER_INSTANCE.id;
/// `firstSequence`, unsigned64.
pub const FIRST_SEQUENCE: u16 = own::FIRST_SEQUENCE.id;
/// The version that is spoken here.
pub const VERSION: u8 = 1;

/// Number that an exporter has given itself.
pub type Instance = [u8; 16];

/// An exporter's word that it keeps records until they are acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announcement {
    /// Who.
    pub instance: Instance,
    /// Number of its oldest record that is not acknowledged.
    pub first: u64,
}

impl Announcement {
    /// The announcement in the options records of a Set. Another version than ours is none: such
    /// an exporter hears no answer, and goes on without.
    pub(crate) fn read(plan: &Plan, body: &[u8]) -> Option<Announcement> {
        // Cost: asked of every Set of options; templates without these elements end here.
        let loc = |id| {
            let mut fields = plan.fields.iter();
            fields.find(|(_, key, _)| (key.pen, key.id) == (PEN, id)).map(|(_, _, loc)| *loc)
        };
        let locs = [loc(ACK_VERSION)?, loc(EXPORTER_INSTANCE)?, loc(FIRST_SEQUENCE)?];
        match &plan.layout {
            Layout::Fixed { stride } => record(&FixedRows::new(body, *stride, 1), locs),
            layout @ Layout::Variable { .. } => {
                let mut table = Vec::new();
                index(layout, body, 0, 1, Some(&mut table));
                record(&VariableRows::new(body, &table, plan.variable()), locs)
            }
        }
    }
}

fn record<R: Rows>(
    rows: &R,
    [version, instance, first]: [crate::plan::Loc; 3],
) -> Option<Announcement> {
    if rows.len() == 0 || number(rows.slice(version, 0)) != Some(u64::from(VERSION)) {
        return None;
    }
    let instance = rows.slice(instance, 0).try_into().ok()?;
    Some(Announcement { instance, first: number(rows.slice(first, 0))? })
}

/// The collector's answer: every record of the domain with a lower number is covered by an
/// fdatasync.
///
/// ```text
///  |                       "WAK1" (57 41 4b 31)                    |
///  |                       observation domain                      |
///  |                       durable (64 bits)                       |
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Observation domain.
    pub domain: u32,
    /// Number of the oldest record that is not durable.
    pub durable: u64,
}

impl Answer {
    /// Octets of one on the wire.
    pub const OCTETS: usize = 16;

    /// As it stands on the wire.
    ///
    /// ```
    /// use weir_wire::acknowledge::Answer;
    /// let answer = Answer { domain: 7, durable: 1 << 40 };
    /// assert_eq!(&answer.encode()[..4], b"WAK1");
    /// assert_eq!(Answer::decode(&answer.encode()), Some(answer));
    /// ```
    pub fn encode(self) -> [u8; Answer::OCTETS] {
        let mut octets = *b"WAK1\0\0\0\0\0\0\0\0\0\0\0\0";
        octets[4..8].copy_from_slice(&self.domain.to_be_bytes());
        octets[8..].copy_from_slice(&self.durable.to_be_bytes());
        octets
    }

    /// Reads one; `None` when its first word is another.
    pub fn decode(octets: &[u8; Answer::OCTETS]) -> Option<Answer> {
        let word = |at: usize| octets.get(at..)?.first_chunk().map(|c| u32::from_be_bytes(*c));
        let durable = u64::from_be_bytes(*octets.last_chunk()?);
        (octets[..4] == *b"WAK1").then_some(Answer { domain: word(4)?, durable })
    }
}
