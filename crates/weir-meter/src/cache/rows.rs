//! Records of the cache as rows of the table `flows`.

mod way;

use weir_model::columns::flows as c;
use weir_model::{Addr, ColumnId, FlowBatch, Native, Timestamp};

use super::observation::{Record, Side};
use crate::owner::Owner;

/// Value of `export_protocol` for what this machine meters itself.
pub const LOCAL: u8 = 200;

/// Whose rows they are.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    /// Address of this machine: `exporter_addr`.
    pub addr: Addr,
}

/// Columns of one end: those of the source when it began the connection, else of the destination.
struct SideColumns {
    process: ColumnId,
    pid: ColumnId,
    parent_pid: ColumnId,
    parent_process: ColumnId,
    exe: ColumnId,
    cmdline: ColumnId,
    uid: ColumnId,
    user: ColumnId,
    container_id: ColumnId,
    unit: ColumnId,
    pod_uuid: ColumnId,
    gid: ColumnId,
    group: ColumnId,
    vm_size: ColumnId,
    vm_peak: ColumnId,
    parent_exe: ColumnId,
    start: ColumnId,
    runtime: ColumnId,
    container: ColumnId,
    image: ColumnId,
    pod: ColumnId,
    namespace: ColumnId,
}

const SRC: SideColumns = SideColumns {
    process: c::SRC_PROCESS,
    pid: c::SRC_PID,
    parent_pid: c::SRC_PARENT_PID,
    parent_process: c::SRC_PARENT_PROCESS,
    exe: c::SRC_EXE,
    cmdline: c::SRC_CMDLINE,
    uid: c::SRC_UID,
    user: c::SRC_USER,
    container_id: c::SRC_CONTAINER_ID,
    unit: c::SRC_UNIT,
    pod_uuid: c::SRC_POD_UUID,
    gid: c::SRC_GID,
    group: c::SRC_GROUP,
    vm_size: c::SRC_VM_SIZE,
    vm_peak: c::SRC_VM_PEAK,
    parent_exe: c::SRC_PARENT_EXE,
    start: c::SRC_PROCESS_START,
    runtime: c::SRC_RUNTIME,
    container: c::SRC_CONTAINER,
    image: c::SRC_IMAGE,
    pod: c::SRC_POD,
    namespace: c::SRC_NAMESPACE,
};

const DST: SideColumns = SideColumns {
    process: c::DST_PROCESS,
    pid: c::DST_PID,
    parent_pid: c::DST_PARENT_PID,
    parent_process: c::DST_PARENT_PROCESS,
    exe: c::DST_EXE,
    cmdline: c::DST_CMDLINE,
    uid: c::DST_UID,
    user: c::DST_USER,
    container_id: c::DST_CONTAINER_ID,
    unit: c::DST_UNIT,
    pod_uuid: c::DST_POD_UUID,
    gid: c::DST_GID,
    group: c::DST_GROUP,
    vm_size: c::DST_VM_SIZE,
    vm_peak: c::DST_VM_PEAK,
    parent_exe: c::DST_PARENT_EXE,
    start: c::DST_PROCESS_START,
    runtime: c::DST_RUNTIME,
    container: c::DST_CONTAINER,
    image: c::DST_IMAGE,
    pod: c::DST_POD,
    namespace: c::DST_NAMESPACE,
};

/// Adds a row. The batch has room: its owner looks before it calls.
pub fn push(batch: &mut FlowBatch, record: &Record, identity: Identity, now: Timestamp) {
    let row = batch.append_rows(1);
    batch.set(c::RECEIVED_AT, row, now.0);
    batch.set(c::EXPORT_TIME, row, now.0);
    batch.set(c::EXPORTER_ADDR, row, identity.addr);
    batch.set(c::EXPORT_PROTOCOL, row, LOCAL);
    batch.set(c::OBSERVATION_DOMAIN, row, 0u32);
    // Why: Milliseconds, as flowStartMilliseconds: the source's own clock is no finer.
    batch.set(c::FLOW_START, row, record.start.0 / 1_000_000 * 1_000_000);
    batch.set(c::FLOW_END, row, record.end.0 / 1_000_000 * 1_000_000);
    batch.set(c::SRC_ADDR, row, record.src.addr);
    batch.set(c::DST_ADDR, row, record.dst.addr);
    ports(batch, row, record);
    batch.set(c::PROTO, row, record.proto);
    batch.set(c::IP_VERSION, row, if record.src.addr.as_v4().is_some() { 4u8 } else { 6 });
    batch.set(c::BIFLOW_DIRECTION, row, u8::from(record.sure));
    batch.set(c::END_REASON, row, record.reason as u8);
    batch.set(c::SAMPLING_RATE, row, 1u32);
    batch.set(c::OCTETS, row, record.forward.octets);
    batch.set(c::PACKETS, row, record.forward.packets);
    batch.set(c::REVERSE_OCTETS, row, record.reverse.octets);
    batch.set(c::REVERSE_PACKETS, row, record.reverse.packets);
    batch.set(c::OCTETS_TOTAL, row, record.forward_total.octets);
    batch.set(c::PACKETS_TOTAL, row, record.forward_total.packets);
    batch.set(c::REVERSE_OCTETS_TOTAL, row, record.reverse_total.octets);
    batch.set(c::REVERSE_PACKETS_TOTAL, row, record.reverse_total.packets);
    optional(batch, c::RETRANSMITS, row, record.retransmits);
    optional(batch, c::REVERSE_RETRANSMITS, row, record.reverse_retransmits);
    for (side, column) in [(&record.src_side, c::SRC_NETNS), (&record.dst_side, c::DST_NETNS)] {
        let netns = side.as_ref().map(|side| side.netns).filter(|netns| *netns != 0);
        optional(batch, column, row, netns);
    }
    for (side, columns) in [(&record.src_side, &SRC), (&record.dst_side, &DST)] {
        if let Some(side) = side {
            owner(batch, row, side, columns);
        }
    }
    way::way(batch, row, record);
    // Why: Of a loopback connection both ends are seen, and the initiator's state and health are
    // told: its retransmits and round-trip times are those of the forward direction.
    if let Some(side) = record.src_side.as_ref().or(record.dst_side.as_ref()) {
        batch.set(c::FLOW_ID, row, side.socket);
        if !side.state.is_empty() {
            batch.set_octets(c::TCP_STATE, row, side.state.as_bytes());
        }
        health(batch, row, side);
    }
}

/// Ports; of ICMP its type and code, which a flow has in the place of the responder's port.
fn ports(batch: &mut FlowBatch, row: usize, record: &Record) {
    const ICMP: u8 = 1;
    const ICMPV6: u8 = 58;
    if matches!(record.proto, ICMP | ICMPV6) {
        let [kind, code] = record.dst.port.to_be_bytes();
        batch.set(c::ICMP_TYPE, row, kind);
        batch.set(c::ICMP_CODE, row, code);
        return;
    }
    batch.set(c::SRC_PORT, row, record.src.port);
    batch.set(c::DST_PORT, row, record.dst.port);
}

fn owner(batch: &mut FlowBatch, row: usize, side: &Side, columns: &SideColumns) {
    let owner = side.owner.as_deref();
    // Why: The socket's user is known without its process, and may be another than the process's.
    let of_process = || owner.and_then(|owner| Some((owner.uid?, owner.user.clone())));
    if let Some((uid, name)) = side.user.clone().or_else(of_process) {
        batch.set(columns.uid, row, uid);
        text(batch, columns.user, row, name.as_deref());
    }
    if let Some(owner) = owner {
        process(batch, row, owner, columns);
    }
}

fn process(batch: &mut FlowBatch, row: usize, owner: &Owner, columns: &SideColumns) {
    text(batch, columns.process, row, Some(&owner.comm));
    batch.set(columns.pid, row, owner.pid);
    optional(batch, columns.gid, row, owner.gid);
    text(batch, columns.group, row, owner.group.as_deref());
    optional(batch, columns.vm_size, row, owner.vm_size);
    optional(batch, columns.vm_peak, row, owner.vm_peak);
    optional(batch, columns.start, row, owner.started_at.map(|time| time.0));
    optional(batch, columns.parent_pid, row, owner.parent_pid);
    text(batch, columns.parent_process, row, owner.parent_comm.as_deref());
    text(batch, columns.parent_exe, row, owner.parent_exe.as_deref());
    text(batch, columns.exe, row, owner.exe.as_deref());
    text(batch, columns.cmdline, row, owner.cmdline.as_deref());
    container(batch, row, owner, columns);
}

fn container(batch: &mut FlowBatch, row: usize, owner: &Owner, columns: &SideColumns) {
    text(batch, columns.container_id, row, owner.cgroup.container_id.as_deref());
    text(batch, columns.unit, row, owner.cgroup.unit.as_deref());
    text(batch, columns.runtime, row, owner.runtime());
    if let Some(uid) = &owner.cgroup.pod_uid {
        batch.set_octets(columns.pod_uuid, row, uid);
    }
    if let Some(named) = owner.named() {
        text(batch, columns.container, row, named.name.as_deref());
        text(batch, columns.image, row, named.image.as_deref());
        text(batch, columns.pod, row, named.pod.as_deref());
        text(batch, columns.namespace, row, named.namespace.as_deref());
    }
}

fn health(batch: &mut FlowBatch, row: usize, side: &Side) {
    let tcp = &side.tcp;
    for (column, value) in [
        (c::RTT_US, tcp.rtt_us),
        (c::RTT_MIN_US, tcp.rtt_min_us),
        (c::RTT_MAX_US, tcp.rtt_max_us),
        (c::RTT_VAR_US, tcp.rtt_var_us),
        (c::LOST, tcp.lost),
        (c::UNACKED, tcp.unacked),
        (c::REORDERING, tcp.reordering),
        (c::CWND, tcp.cwnd),
        (c::SND_MSS, tcp.snd_mss),
        (c::RCV_MSS, tcp.rcv_mss),
        (c::PMTU, tcp.pmtu),
    ] {
        optional(batch, column, row, value);
    }
    optional(batch, c::DELIVERY_RATE, row, tcp.delivery_rate);
}

fn optional<T: Native>(batch: &mut FlowBatch, column: ColumnId, row: usize, value: Option<T>) {
    if let Some(value) = value {
        batch.set(column, row, value);
    }
}

fn text(batch: &mut FlowBatch, column: ColumnId, row: usize, value: Option<&str>) {
    if let Some(value) = value {
        batch.set_octets(column, row, value.as_bytes());
    }
}

#[cfg(test)]
mod tests;
