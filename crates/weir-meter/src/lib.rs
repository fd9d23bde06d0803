//! The metering process (RFC 7011 §2): what this machine's own connections carry, and whose they are.
//!
//! Beside `weir-ingest` at the head of the flow of data: [`source`]s look at the machine, one
//! [`cache`] makes flows of what they see, [`owner`] names the processes, and rows of `weir-model`
//! go to a [`RowSink`]. Invariants: received = kept + dropped by reason + in flight, exactly; every
//! memory is bounded; a source that fails is told aloud and metering goes on. It opens no port,
//! stores nothing, and changes no setting of the machine unless it is told to
//! (accounting of connection tracking); programs that it loads are gone with it. `unsafe` is in `sys` alone.
#![deny(unsafe_code)]

#[cfg(weir_bpf)]
mod bpf;
pub mod cache;
pub mod config;
#[cfg(weir_bpf)]
pub mod cost;
mod counters;
mod endpoint;
mod ledger;
mod meter;
mod metrics;
mod moment;
mod netlink;
pub mod owner;
pub mod source;
#[expect(unsafe_code, reason = "system calls that no crate here has, in one module")]
mod sys;
#[cfg(test)]
#[cfg_attr(not(weir_bpf), expect(dead_code, reason = "the BPF tiers' tests need all of it"))]
mod testing;

pub use cache::rows::{Identity, LOCAL};
pub use config::{MeterPolicy, local_address};
pub use endpoint::{End, Endpoint, FlowKey};
pub use ledger::{Account, Books, Loss};
pub use meter::{Deps, Handle, MeterStatus, RowSink, SourceStatus, Taken, Task, build, probe};
pub use moment::Moment;
pub use source::Tier;
pub use source::sampler::SamplingPolicy;
