//! A metered process as the API tells it.

use weir_api::view::processes::ProcessView;
use weir_meter::owner::tree::Process;

pub(super) fn view(process: &Process) -> ProcessView {
    let owner = &*process.owner;
    let named = owner.named();
    let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().map(str::to_owned);
    let id = |pid: u32, started: u64| format!("{pid}-{started}");
    let parent = owner.parent_pid.zip(owner.parent_started);
    ProcessView {
        id: id(owner.pid, owner.started),
        parent_id: parent.map(|(pid, started)| id(pid, started)),
        pid: owner.pid,
        parent_pid: owner.parent_pid,
        process: owner.comm.clone(),
        parent_process: owner.parent_comm.clone(),
        exe: owner.exe.clone(),
        cmdline: owner.cmdline.clone(),
        uid: owner.uid,
        user: text(&owner.user),
        gid: owner.gid,
        group: text(&owner.group),
        process_start: owner.started_at,
        exited: process.exited,
        owns_sockets: process.owns_sockets,
        vm_size: owner.vm_size,
        vm_peak: owner.vm_peak,
        container_id: owner.cgroup.container_id.clone(),
        container: named.and_then(|named| named.name.clone()),
        image: named.and_then(|named| named.image.clone()),
        runtime: owner.runtime().map(str::to_owned),
        pod: named.and_then(|named| named.pod.clone()),
        namespace: named.and_then(|named| named.namespace.clone()),
        unit: owner.cgroup.unit.clone(),
    }
}
