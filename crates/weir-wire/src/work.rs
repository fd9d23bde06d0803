//! What the control pass hands to the decoding pass.

use std::sync::Arc;

use weir_model::Table;

use crate::acknowledge::Announcement;
use crate::decode::Message;
use crate::header::Header;
use crate::knowledge::Knowledge;
use crate::plan::Plan;
use crate::protocol::Protocol;
use crate::received::Received;
use crate::tally::Tally;

/// One Set of data and the template it was described by when it came.
#[derive(Debug, Clone)]
pub(crate) struct DataSet {
    pub(crate) offset: u32,
    pub(crate) length: u32,
    /// Records that may be decoded: those counted, or fewer at the limit.
    pub(crate) rows: u32,
    pub(crate) plan: Arc<Plan>,
}

/// The Sets of a message. Most have one, and that takes no allocation.
#[derive(Debug, Clone, Default)]
pub(crate) struct DataSets {
    first: Option<DataSet>,
    rest: Vec<DataSet>,
}

impl DataSets {
    pub(crate) fn push(&mut self, set: DataSet) {
        match self.first {
            None => self.first = Some(set),
            Some(_) => self.rest.push(set),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &DataSet> {
        self.first.iter().chain(&self.rest)
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Job {
    /// sFlow: everything is in the octets. Holds the number of samples claimed.
    Samples(u32),
    /// Records with what describes them.
    Records { header: Header, sets: DataSets, knowledge: Arc<Knowledge> },
}

/// What [`crate::decode()`] needs to know of one message besides its octets: which Sets hold data
/// and with which compiled templates, as they were when the message came. Cheap to move to
/// another thread.
#[derive(Debug, Clone)]
pub struct Work {
    pub(crate) protocol: Protocol,
    pub(crate) job: Job,
}

impl Work {
    /// The protocol of the message.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// True when there is nothing to decode: a message of templates only.
    pub fn is_empty(&self) -> bool {
        match &self.job {
            Job::Samples(_) => false,
            Job::Records { sets, .. } => sets.first.is_none(),
        }
    }

    /// The table that decoding adds rows to; of several the first of flows, counters and options
    /// records. Rows of this table alone have the number of an acknowledged message: those of
    /// another may be kept when these are not.
    pub fn table(&self) -> Table {
        let Job::Records { sets, .. } = &self.job else { return Table::Flows };
        let tables = sets.iter().map(|set| set.plan.table());
        tables.min_by_key(|table| *table as usize).unwrap_or(Table::Flows)
    }

    /// Data Sets that decoding will settle; 0 for sFlow, whose samples only decoding counts.
    pub fn sets(&self) -> u64 {
        match &self.job {
            Job::Samples(_) => 0,
            Job::Records { sets, .. } => sets.iter().count() as u64,
        }
    }

    /// Flow and options records that decoding will add, at most; for sFlow, the samples claimed.
    pub fn records_max(&self) -> usize {
        match &self.job {
            Job::Samples(samples) => *samples as usize,
            Job::Records { sets, .. } => sets.iter().map(|set| set.rows as usize).sum(),
        }
    }
}

/// A parked Set whose template came: work that brings its own octets and receipt along.
#[derive(Debug, Clone)]
pub struct Released {
    /// What to do.
    pub work: Work,
    /// The octets that `work` is about.
    pub octets: Box<[u8]>,
    /// How they were received, then.
    pub received: Received,
}

impl Released {
    /// As the decoding pass takes it.
    pub fn message(&self) -> Message<'_> {
        Message { work: &self.work, octets: &self.octets, received: &self.received }
    }
}

/// Result of the control pass over one message.
#[derive(Debug)]
pub struct Admitted {
    /// The message's own data.
    pub work: Work,
    /// Earlier data that can be decoded now. Together these may be more than a batch holds: look at
    /// [`Work::records_max`] and at the batch's room before each.
    pub released: Vec<Released>,
    /// What the control pass counted.
    pub tally: Tally,
    /// Data records of the message as its sequence number counts them; `None` when a Set without
    /// template leaves that open.
    pub records: Option<u32>,
    /// Its exporter understands acknowledgements.
    pub announcement: Option<Announcement>,
}
