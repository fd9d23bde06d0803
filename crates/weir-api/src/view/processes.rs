//! The processes that own metered sockets, and those that began them.

use serde::Serialize;
use weir_model::Timestamp;

use super::as_text_or_null;

/// Processes in the order of their starts, so that a parent comes before its children.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ProcessesView {
    /// The processes.
    pub processes: Vec<ProcessView>,
    /// How many there are beyond the limit; they started last.
    pub left_out: u64,
}

/// A process. Names are those of the columns of flows, without `src_` and `dst_`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ProcessView {
    /// Tells it from others that have or had its process id.
    pub id: String,
    /// The `id` of its parent; none when that is not known.
    pub parent_id: Option<String>,
    /// Process id.
    pub pid: u32,
    /// Process id of its parent.
    pub parent_pid: Option<u32>,
    /// Name.
    pub process: String,
    /// Name of its parent.
    pub parent_process: Option<String>,
    /// Path of its program.
    pub exe: Option<String>,
    /// Command line, where these are kept.
    pub cmdline: Option<String>,
    /// User id.
    pub uid: Option<u32>,
    /// User.
    pub user: Option<String>,
    /// Group id.
    pub gid: Option<u32>,
    /// Group.
    pub group: Option<String>,
    /// When it started.
    #[serde(serialize_with = "as_text_or_null")]
    pub process_start: Option<Timestamp>,
    /// It is gone.
    pub exited: bool,
    /// It owns metered sockets, or did; else it is an ancestor of one that does.
    pub owns_sockets: bool,
    /// Octets of virtual memory.
    pub vm_size: Option<u64>,
    /// Most octets of virtual memory that it has had.
    pub vm_peak: Option<u64>,
    /// Id of its container.
    pub container_id: Option<String>,
    /// Name of its container.
    pub container: Option<String>,
    /// Image of its container.
    pub image: Option<String>,
    /// Runtime of its container.
    pub runtime: Option<String>,
    /// Pod.
    pub pod: Option<String>,
    /// Namespace of the pod.
    pub namespace: Option<String>,
    /// systemd unit, outside of containers.
    pub unit: Option<String>,
}
