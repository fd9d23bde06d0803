use super::*;
use crate::owner::Owner;
use weir_model::{Scalar, Table};

#[test]
fn an_owner_fills_the_columns_of_its_end() {
    let owner = Owner {
        pid: 7,
        comm: "curl".into(),
        gid: Some(44),
        group: Some("www".into()),
        vm_size: Some(8_192),
        vm_peak: Some(9_216),
        parent_pid: Some(1),
        parent_exe: Some("/sbin/init".into()),
        started_at: Some(Timestamp(5)),
        ..Owner::default()
    };
    let mut batch = FlowBatch::new(Table::Flows);
    let row = batch.append_rows(1);
    process(&mut batch, row, &owner, &DST);
    batch.seal();
    let text = |column| batch.get_octets(column, row).map(|octets| String::from_utf8_lossy(octets));
    assert_eq!(batch.get_u64(c::DST_GID, row), Some(44));
    assert_eq!(text(c::DST_GROUP).as_deref(), Some("www"));
    assert_eq!(batch.get_u64(c::DST_VM_SIZE, row), Some(8_192));
    assert_eq!(batch.get_u64(c::DST_VM_PEAK, row), Some(9_216));
    assert_eq!(text(c::DST_PARENT_EXE).as_deref(), Some("/sbin/init"));
    assert_eq!(batch.get(c::DST_PROCESS_START, row), Some(Scalar::I64(5)));
    assert_eq!(batch.get(c::DST_POD, row), None);
    assert_eq!(batch.get(c::SRC_GID, row), None);
}
