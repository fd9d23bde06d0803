//! What the control pass hands to the decoding pass.

use crate::protocol::Protocol;
use crate::received::Received;
use crate::tally::Tally;

/// What [`crate::decode`] needs to know of one message besides its octets: which Sets hold data
/// and with which compiled templates, as they were when the message came. Cheap to move to
/// another thread.
#[derive(Debug, Clone)]
pub struct Work {
    pub(crate) protocol: Protocol,
}

impl Work {
    /// The protocol of the message.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// True when there is nothing to decode: a message of templates only.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Records that decoding will add, as far as known beforehand; an upper bound.
    pub fn records_max(&self) -> usize {
        0
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

/// Result of the control pass over one message.
#[derive(Debug)]
pub struct Admitted {
    /// The message's own data.
    pub work: Work,
    /// Earlier data that can be decoded now.
    pub released: Vec<Released>,
    /// What the control pass counted.
    pub tally: Tally,
}
