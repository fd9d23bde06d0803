//! One end of a flow: its process, the parent of that, and its container.

use weir_model::ColumnId;
use weir_model::columns::flows as c;

use super::object::Object;
use super::{Fathers, Row};

/// Digits of the id of a container that are shown, as `docker ps` does.
const ID_DIGITS: usize = 12;

/// The columns of one end.
pub(super) struct End {
    pub(super) addr: ColumnId,
    pub(super) port: ColumnId,
    pub(super) user: ColumnId,
    process: ColumnId,
    pid: ColumnId,
    exe: ColumnId,
    cmdline: ColumnId,
    uid: ColumnId,
    gid: ColumnId,
    group: ColumnId,
    vm_size: ColumnId,
    vm_peak: ColumnId,
    parent_pid: ColumnId,
    parent_process: ColumnId,
    parent_exe: ColumnId,
    container: ColumnId,
    container_id: ColumnId,
    pod: ColumnId,
    namespace: ColumnId,
}

pub(super) const SRC: End = End {
    addr: c::SRC_ADDR,
    port: c::SRC_PORT,
    user: c::SRC_USER,
    process: c::SRC_PROCESS,
    pid: c::SRC_PID,
    exe: c::SRC_EXE,
    cmdline: c::SRC_CMDLINE,
    uid: c::SRC_UID,
    gid: c::SRC_GID,
    group: c::SRC_GROUP,
    vm_size: c::SRC_VM_SIZE,
    vm_peak: c::SRC_VM_PEAK,
    parent_pid: c::SRC_PARENT_PID,
    parent_process: c::SRC_PARENT_PROCESS,
    parent_exe: c::SRC_PARENT_EXE,
    container: c::SRC_CONTAINER,
    container_id: c::SRC_CONTAINER_ID,
    pod: c::SRC_POD,
    namespace: c::SRC_NAMESPACE,
};

pub(super) const DST: End = End {
    addr: c::DST_ADDR,
    port: c::DST_PORT,
    user: c::DST_USER,
    process: c::DST_PROCESS,
    pid: c::DST_PID,
    exe: c::DST_EXE,
    cmdline: c::DST_CMDLINE,
    uid: c::DST_UID,
    gid: c::DST_GID,
    group: c::DST_GROUP,
    vm_size: c::DST_VM_SIZE,
    vm_peak: c::DST_VM_PEAK,
    parent_pid: c::DST_PARENT_PID,
    parent_process: c::DST_PARENT_PROCESS,
    parent_exe: c::DST_PARENT_EXE,
    container: c::DST_CONTAINER,
    container_id: c::DST_CONTAINER_ID,
    pod: c::DST_POD,
    namespace: c::DST_NAMESPACE,
};

impl End {
    /// True when a record says who is at this end of it.
    pub(super) fn is_known(&self, row: &Row<'_>) -> bool {
        let is_there = |column| row.number(column).is_some();
        is_there(self.pid) || is_there(self.uid) || row.text(self.container_id).is_some()
    }

    /// Adds process, parent and container, each where it is known.
    pub(super) fn write(
        &self,
        which: &str,
        row: &Row<'_>,
        fathers: &Fathers,
        out: &mut Object<'_>,
    ) {
        out.object(&format!("{which}_PROCESS"), |out| self.process(row, out));
        out.object(&format!("{which}_FATHER_PROCESS"), |out| self.father(row, fathers, out));
        out.object(&format!("{which}_CONTAINER"), |out| self.container(row, out));
    }

    fn process(&self, row: &Row<'_>, out: &mut Object<'_>) {
        out.number("PID", row.number(self.pid));
        out.number("UID", row.number(self.uid));
        out.text("UID_NAME", row.text(self.user).as_deref());
        out.number("GID", row.number(self.gid));
        out.text("GID_NAME", row.text(self.group).as_deref());
        out.number("VM_SIZE", row.number(self.vm_size).map(kibibytes));
        out.number("VM_PEAK", row.number(self.vm_peak).map(kibibytes));
        // Who may not see the program still knows the name.
        let path = row.text(self.exe).or_else(|| row.text(self.process));
        out.text("PROCESS_PATH", path.as_deref());
        out.text("PROCESS_CMDLINE", row.text(self.cmdline).as_deref());
    }

    fn father(&self, row: &Row<'_>, fathers: &Fathers, out: &mut Object<'_>) {
        let pid = row.number(self.parent_pid);
        out.number("PID", pid);
        let known = pid.and_then(|pid| u32::try_from(pid).ok()).and_then(fathers);
        if let Some(father) = known {
            out.number("UID", father.uid.map(u64::from));
            out.text("UID_NAME", father.user.as_deref());
            out.number("GID", father.gid.map(u64::from));
            out.text("GID_NAME", father.group.as_deref());
            out.number("VM_SIZE", father.vm_size.map(kibibytes));
            out.number("VM_PEAK", father.vm_peak.map(kibibytes));
        }
        let path = row.text(self.parent_exe).or_else(|| row.text(self.parent_process));
        out.text("PROCESS_PATH", path.as_deref());
    }

    fn container(&self, row: &Row<'_>, out: &mut Object<'_>) {
        let id =
            row.text(self.container_id).map(|id| id.chars().take(ID_DIGITS).collect::<String>());
        let (name, pod) = (row.text(self.container), row.text(self.pod));
        let kind = if pod.is_some() { "K8S" } else { "DOCKER" };
        out.object(kind, |out| {
            out.text("ID", id.as_deref());
            out.text("NAME", name.as_deref());
            out.text("POD", pod.as_deref());
            out.text("NS", row.text(self.namespace).filter(|_| pod.is_some()).as_deref());
        });
    }
}

fn kibibytes(octets: u64) -> u64 {
    octets / 1_024
}
