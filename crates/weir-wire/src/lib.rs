//! Octets to records and back: NetFlow v5, v7, v9, IPFIX, sFlow v5, packet headers.
//!
//! Second stage of the flow of data: `weir-ingest` hands in datagrams, batches of columns come
//! out. Two steps, so that one busy exporter can use every core: [`Collector::admit`] is the
//! control pass (framing, sequence account, templates, options) in order of arrival, [`decode()`]
//! is a pure function of what it found and runs on any thread. [`Decoder`] is both in one.
//!
//! Invariant: no octet from outside can panic, allocate by its own claim or loop without
//! progress. No I/O, no clock (the time of receipt is a parameter), no `unsafe`.
#![forbid(unsafe_code)]

pub mod acknowledge;
pub mod check;
pub mod collector;
pub mod decode;
pub mod encode;
pub mod error;
pub mod header;
pub mod ipfix;
mod knowledge;
mod legacy;
pub mod limits;
pub mod netflow5;
pub mod netflow7;
pub mod netflow9;
pub mod output;
pub mod packet;
mod plan;
pub mod protocol;
pub mod received;
pub mod sflow5;
pub mod status;
pub mod tally;
pub mod template;
pub mod work;

pub use acknowledge::{Announcement, Answer, Instance};
pub use collector::Collector;
pub use decode::{Decoder, Gathering, Message, decode};
pub use error::{LoadError, MessageError};
pub use limits::{ExporterSettings, Limits};
pub use output::Output;
pub use protocol::{Protocol, recognise};
pub use received::{Origin, Received, SessionId, Transport};
pub use status::{ExporterStatus, SequenceStatus, TemplateStatus};
pub use tally::{DropReason, Dropped, Drops, Tally};
pub use work::{Admitted, Released, Work};
