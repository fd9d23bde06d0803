//! The Exporting Process for IPFIX (RFC 7011): rows out over UDP, TCP and TLS, kept until the
//! collector has them where it says so (docs/formats/acknowledgement.md).
//!
//! One [`Exporter`] a destination, each with its queue, its thread, its buffer and its account:
//! received = acknowledged + unacknowledged + dropped{reason} + in flight, in records. Invariants:
//! nothing waits without a bound; a number is never given to two records of one instance; a
//! destination that is slow or away costs the others nothing. It chooses no rows and changes none.

pub(crate) mod backoff;
mod buffer;
mod dial;
mod exporter;
mod ledger;
mod metrics;
mod policy;
mod queue;
mod session;
mod tls;
mod wire;
mod worker;

pub use exporter::{Deps, ExportError, ExportStatus, Exporter, Link};
pub use ledger::{Account, Loss};
pub use policy::{BufferPolicy, ExportPolicy, Target, TlsFiles, Transport};
pub use tls::TlsError;
