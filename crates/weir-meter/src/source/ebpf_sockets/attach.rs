//! Which program goes where, and what it costs when one cannot.

use aya::programs::CgroupSkbAttachType;

use crate::bpf::{BpfError, Object, Types, open_cgroup_root};

/// What could not be attached and is done without: why, and what is not seen because of that.
pub(super) type Missing = Vec<(String, &'static str)>;

/// Attaches everything. An error when what the tier is for cannot be.
pub(super) fn attach(object: &mut Object, types: &Types) -> Result<Missing, BpfError> {
    let root = open_cgroup_root()?;
    let mut missing = Missing::new();
    // Owners first, so that no packet is counted of a socket whose maker was missed.
    object.attach_sock("weir_create", &root)?;
    object.attach_sock("weir_bind4", &root)?;
    object.attach_sock("weir_bind6", &root)?;
    object.attach_address("weir_connect4", &root)?;
    object.attach_address("weir_connect6", &root)?;
    object.attach_sock("weir_release", &root)?;
    object.attach_tracepoint(types, "weir_state", "inet_sock_set_state")?;
    let mut may = |attached: Result<(), BpfError>, costs: &'static str| {
        if let Err(error) = attached {
            missing.push((error.to_string(), costs));
        }
    };
    may(
        object.attach_tracepoint(types, "weir_exec", "sched_process_exec"),
        "paths of short processes",
    );
    may(object.attach_ops("weir_rtt", &root), "round-trip times between looks");
    let used = object
        .attach_tracepoint(types, "weir_sent", "sock_send_length")
        .and_then(|()| object.attach_tracepoint(types, "weir_received", "sock_recv_length"))
        // Before 6.3; it tells of readers from TCP alone.
        .or_else(|_| object.attach_tracepoint(types, "weir_adjusted", "tcp_rcv_space_adjust"));
    may(used, "a socket that was handed on is told of its maker");
    object.attach_skb("weir_ingress", &root, CgroupSkbAttachType::Ingress)?;
    object.attach_skb("weir_egress", &root, CgroupSkbAttachType::Egress)?;
    let files = object.load_iterator(types, "weir_files", "task_file").and_then(|program| {
        use std::os::fd::AsFd;
        let walked = crate::bpf::sys::iterate(program.as_fd(), None)
            .and_then(|mut file| std::io::copy(&mut file, &mut std::io::sink()));
        walked.map(drop).map_err(|source| BpfError::System { call: "task_file", source })
    });
    may(files, "owners of sockets that are older than metering");
    Ok(missing)
}
