//! Sources: what this machine lets be seen of its traffic, one folder each.
//!
//! A source is probed at the start and says "runs", or why not and what that costs. While it runs
//! it is polled when it is due, and gives observations to the flow cache or rows of counters. A
//! source that fails is counted, logged behind a gate, and polled again: metering goes on.

#[cfg(all(test, weir_bpf))]
mod cluster;
pub mod conntrack;
#[cfg(weir_bpf)]
pub mod ebpf_drops;
#[cfg(weir_bpf)]
pub mod ebpf_sockets;
#[cfg(weir_bpf)]
pub mod ebpf_tcx;
pub mod host;
pub mod inet_diag;
pub mod interfaces;
#[cfg(weir_bpf)]
mod kernel_time;
mod namespaces;
pub mod sampler;
#[cfg(all(test, weir_bpf))]
mod side_by_side;

use std::os::fd::BorrowedFd;
use std::time::Duration;

use weir_model::FlowBatch;

use crate::cache::rows::Identity;
use crate::cache::{FlowCache, Moment};
use crate::netlink::NetlinkError;
use crate::owner::Owners;

/// Why a poll gave nothing, or not all.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The kernel could not be asked.
    #[error(transparent)]
    #[expect(private_interfaces, reason = "told as text, matched by nobody")]
    Netlink(#[from] NetlinkError),
    /// A BPF program or map could not be read.
    #[error("BPF: {0}")]
    Bpf(#[source] std::io::Error),
    /// A file of `/proc` could not be read.
    #[error("cannot read {path}")]
    File {
        /// Which.
        path: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A socket could not be read.
    #[error("socket: {0}")]
    Socket(#[from] std::io::Error),
}

/// Where a source puts what it finds.
pub struct Intake<'a> {
    /// Flows.
    pub cache: &'a mut FlowCache,
    /// Owners of sockets.
    pub owners: &'a mut Owners,
    /// Rows of counters, with room for a poll of any source.
    pub counters: &'a mut FlowBatch,
    /// Whose rows they are.
    pub identity: Identity,
}

/// One source that runs.
pub trait Source: Send {
    /// The word for it in metrics, logs and the health document.
    fn name(&self) -> &'static str;

    /// Looks, and says when it wants to be polled next, counted from now.
    fn poll(&mut self, now: Moment, intake: &mut Intake<'_>) -> Result<Duration, SourceError>;

    /// A descriptor that becomes readable when there is something between polls.
    fn events(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Takes what waits at [`Source::events`].
    fn drain(&mut self, _now: Moment, _intake: &mut Intake<'_>) -> Result<(), SourceError> {
        Ok(())
    }

    /// Rows of its own beside the cache's records; who takes them clears the batch.
    fn rows(&mut self) -> Option<&mut FlowBatch> {
        None
    }

    /// Its line in the table of tiers, where that has changed since it was probed.
    fn tier(&self) -> Option<Tier> {
        None
    }

    /// What it counted of itself, by the names of its metrics.
    fn counts(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

/// One line of the table of tiers: what runs, or why not and what that costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// Name.
    pub name: &'static str,
    /// It runs.
    pub runs: bool,
    /// Why it does not, or does only in part.
    pub why_not: Option<String>,
    /// What is not seen because of that.
    pub costs: Option<&'static str>,
    /// It is expected to run: that it does not is worth a warning.
    pub is_expected: bool,
}

impl Tier {
    /// It runs, and nothing is missing.
    pub(crate) fn runs(name: &'static str) -> Tier {
        Tier { name, runs: true, why_not: None, costs: None, is_expected: true }
    }

    /// It runs in part.
    pub(crate) fn partly(name: &'static str, why: String, costs: &'static str) -> Tier {
        Tier { name, runs: true, why_not: Some(why), costs: Some(costs), is_expected: true }
    }

    /// Other namespaces, which most users may not enter, are not entered.
    pub(crate) fn optional(name: &'static str, why: String) -> Tier {
        let costs = "connections within containers that have a network of their own are not seen";
        Tier { is_expected: false, ..Tier::missing(name, why, costs) }
    }

    /// It does not run.
    pub(crate) fn missing(name: &'static str, why: String, costs: &'static str) -> Tier {
        Tier { name, runs: false, why_not: Some(why), costs: Some(costs), is_expected: true }
    }
}

/// The lines of the tiers that this binary was built without.
#[cfg(not(weir_bpf))]
pub(crate) fn built_without_bpf() -> Vec<Tier> {
    let tiers = [
        (
            "ebpf_sockets",
            "headers, UDP, and owners of connections shorter than a second are not counted",
        ),
        ("ebpf_tcx", "traffic that this machine forwards is not seen"),
        ("ebpf_drops", "packets that the kernel drops, and why, are not seen"),
    ];
    let why = "built without clang, or without the feature `ebpf`";
    let line =
        |(name, costs)| Tier { is_expected: false, ..Tier::missing(name, why.to_owned(), costs) };
    tiers.into_iter().map(line).collect()
}
