//! The collecting process (RFC 7011 §2): sockets, transport sessions, limits, the loss ledger.
//!
//! First stage of the flow of data. Receive threads take datagrams from the kernel, the control
//! pass of `weir-wire` runs over them in order of arrival, a bounded queue hands them to decode
//! workers, and batches of rows go to a [`Sink`]. Invariant: received = kept + dropped by reason +
//! in flight, exactly, for messages, Sets and records ([`ledger`]). It knows neither Kubernetes nor
//! storage, and never answers a datagram; a connection is answered only where its exporter announced
//! that it waits for acknowledgements ([`sink::DurableSink`]).
#![deny(unsafe_code)]

mod acknowledge;
pub mod capture;
mod chunk;
mod connections;
mod door;
mod ingest;
mod kernel;
pub mod ledger;
mod metrics;
pub mod policy;
mod queue;
mod receive;
mod shared;
pub mod sink;
mod socket;
mod state;
#[expect(unsafe_code, reason = "recvmmsg and two socket options are not in the standard library")]
mod sys;
mod tls;
mod worker;

pub use acknowledge::AcknowledgeStatus;
pub use connections::{CloseReason, ConnectionStatus, ConnectionTotals};
pub use ingest::{Ingest, IngestError, IngestStatus, QueueStatus};
pub use kernel::SocketStatus;
pub use ledger::{Account, Books, ExporterDrops, Reason, TableBooks};
pub use policy::{ConnectionLimits, IngestPolicy, TCP_PORTS, TlsPolicy, UDP_PORTS};
pub use sink::{DurableSink, Kept, Sink, SinkLoss, Ticket, Verdict};
pub use socket::ListenError;
pub use tls::{CertificateCheck, HandshakeFault, TlsError, TlsStatus, check_certificates};
