//! State of exporters: templates, options knowledge, sequence accounts, parked Sets.

use weir_model::Timestamp;

use crate::error::{LoadError, MessageError};
use crate::limits::Limits;
use crate::protocol::recognise;
use crate::received::{Received, SessionId};
use crate::status::ExporterStatus;
use crate::tally::Tally;
use crate::work::{Admitted, Work};

/// Mutable state of a set of exporters. `weir-ingest` keeps several, each behind a mutex and with
/// the exporters of one shard of addresses.
#[derive(Debug)]
pub struct Collector {
    limits: Limits,
}

impl Collector {
    /// A collector that knows no exporter yet.
    pub fn new(limits: Limits) -> Collector {
        Collector { limits }
    }

    /// The control pass over one message, in the order of arrival within its session.
    pub fn admit(&mut self, octets: &[u8], received: &Received) -> Result<Admitted, MessageError> {
        let _ = received;
        let version = octets.first_chunk().map_or(0, |c| u16::from_be_bytes(*c));
        let protocol = recognise(octets).ok_or(MessageError::UnknownProtocol { version })?;
        let tally = Tally { messages: 1, octets: octets.len() as u64, ..Tally::default() };
        Ok(Admitted { work: Work { protocol }, released: Vec::new(), tally })
    }

    /// Forgets old templates and old parked data; the tally has what was dropped. Call it every
    /// few seconds.
    pub fn expire(&mut self, now: Timestamp) -> Tally {
        let _ = (now, &self.limits);
        Tally::default()
    }

    /// Forgets the templates and parked data of a connection that closed.
    pub fn end_session(&mut self, session: SessionId) -> Tally {
        let _ = session;
        Tally::default()
    }

    /// Templates and options knowledge, to [`Collector::load`] after a restart.
    pub fn save(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Takes in what `save` of this or another collector gave; `keep` picks the exporters of this
    /// shard.
    pub fn load(
        &mut self,
        saved: &[u8],
        keep: impl Fn(weir_model::Addr) -> bool,
    ) -> Result<(), LoadError> {
        let _ = (saved, keep);
        Ok(())
    }

    /// Sets parked at the moment.
    pub fn parked_sets(&self) -> u64 {
        0
    }

    /// One status per exporter and observation domain.
    pub fn exporters(&self) -> impl Iterator<Item = ExporterStatus> {
        std::iter::empty()
    }
}
