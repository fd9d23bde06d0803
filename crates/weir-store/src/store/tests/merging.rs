//! Compaction, rollups and retention against brute force.

use super::*;

fn filled(hours: u64) -> Rig {
    let mut rig = Rig::new(7);
    for _ in 0..hours * 8 {
        rig.append(150).unwrap();
        rig.clock.advance(Duration::from_secs(450));
        rig.core.commit(false).unwrap();
    }
    rig.core.commit(true).unwrap();
    rig
}

fn raw(rig: &Rig) -> Vec<Arc<crate::Segment>> {
    rig.core.snapshot().segments(Table::Flows, Tier::Raw).cloned().collect()
}

#[test]
fn merging_changes_no_row_and_no_sum() {
    let mut rig = filled(4);
    {
        let _work = super::super::lock(&rig.core.work);
        rig.core.close_waiting().unwrap();
    }
    rig.check("closed");
    let before = raw(&rig).len();
    rig.clock.advance(Duration::from_secs(3600));
    rig.core.maintain(&|_| {}).unwrap();
    let after = raw(&rig).len();
    assert!(after < before && after <= 5, "{before} segments became {after}");
    rig.check("merged");
    rig.clock.advance(Duration::from_secs(86_400 * 2));
    rig.core.maintain(&|_| {}).unwrap();
    rig.check("merged by day");
    rig.append(10).unwrap();
    rig.core.commit(false).unwrap();
    let rig = rig.restart(Faulty::crash, "after merging");
    rig.core.maintain(&|_| {}).unwrap();
    rig.check("after a restart");
}

#[test]
fn segments_of_full_blocks_are_left_alone_and_small_ones_are_merged() {
    let mut rig = Rig::new(7);
    rig.core.policy.compaction.full_block_rows = 250;
    for rows in [300, 300, 300, 90, 90] {
        rig.append(rows).unwrap();
        rig.core.commit(true).unwrap();
        rig.core.maintain(&|_| {}).unwrap();
    }
    let rows = |rig: &Rig| raw(rig).iter().map(|s| s.info().rows).collect::<Vec<_>>();
    assert_eq!(rows(&rig), [300, 300, 300, 90, 90]);
    let octets: Vec<u64> = raw(&rig).iter().map(|s| s.info().octets).collect();
    rig.core.policy.segment_octets = octets[..3].iter().min().unwrap() * 4;
    rig.clock.advance(Duration::from_secs(7200));
    rig.core.maintain(&|_| {}).unwrap();
    assert_eq!(rows(&rig), [300, 300, 300, 180]);
    rig.check("merged in part");
}

#[test]
fn merged_flows_stand_by_address() {
    let rig = filled(1);
    rig.clock.advance(Duration::from_secs(7200));
    rig.core.maintain(&|_| {}).unwrap();
    for segment in raw(&rig) {
        let batch = segment.read_batch(0).unwrap();
        let addrs: Vec<_> = (0..batch.rows()).map(|row| batch.get(flows::SRC_ADDR, row)).collect();
        let number = |scalar: &Option<Scalar>| match scalar {
            Some(Scalar::Addr(addr)) => addr.0,
            _ => 0,
        };
        assert!(addrs.is_sorted_by_key(number));
        let asked = crate::filters::tests::check_filters(&segment);
        assert!(asked > 0, "merged segments have filters");
    }
}

#[test]
fn a_snapshot_reads_what_was_merged_and_removed_after_it() {
    let mut rig = filled(2);
    rig.core.maintain(&|_| {}).unwrap();
    let snapshot = rig.core.snapshot();
    rig.core.policy.retention.flows = Some(Duration::from_secs(3600));
    rig.clock.advance(Duration::from_secs(86_400));
    rig.core.maintain(&|_| {}).unwrap();
    assert_eq!(raw(&rig).len(), 0, "retention took the rows");
    assert_eq!(rows(&snapshot, "old snapshot"), rig.appended);
    let flows = |path: &std::path::PathBuf| path.to_string_lossy().contains("segments/flows");
    assert!(rig.files.paths().iter().any(flows), "files stay while a snapshot holds them");
    drop(snapshot);
    rig.core.maintain(&|_| {}).unwrap();
    assert!(!rig.files.paths().iter().any(flows), "and go after it");
}

#[test]
fn sums_outlive_the_rows_they_were_made_of() {
    let mut rig = filled(2);
    rig.core.maintain(&|_| {}).unwrap();
    let before = found(&rig.core.snapshot());
    assert_eq!(before, expected(&rig.core.snapshot()));
    rig.core.policy.retention.flows = Some(Duration::from_secs(60));
    rig.clock.advance(Duration::from_secs(86_400 * 2));
    rig.core.maintain(&|_| {}).unwrap();
    assert_eq!(raw(&rig).len(), 0);
    assert_eq!(found(&rig.core.snapshot()), before);
    rig.note();
    rig.appended.clear();
    rig.committed.clear();
    let rig = rig.restart(Faulty::crash, "without rows");
    assert_eq!(found(&rig.core.snapshot()), before);
}

#[test]
fn an_idle_segment_is_closed_by_age() {
    let mut rig = Rig::new(1);
    rig.append(5).unwrap();
    rig.core.commit(false).unwrap();
    assert!(!raw(&rig)[0].info().closed);
    rig.clock.advance(Duration::from_secs(301));
    rig.core.commit(false).unwrap();
    rig.core.maintain(&|_| {}).unwrap();
    assert!(raw(&rig)[0].info().closed);
    rig.check("closed by age");
}

#[test]
fn counters_and_options_are_stored_and_merged_too() {
    use weir_model::columns::counters;
    let rig = Rig::new(1);
    for n in 0..3u64 {
        let mut batch = FlowBatch::new(Table::Counters);
        batch.append_rows(2);
        let now = weir_model::Clock::now(&*rig.clock);
        batch.fill(counters::RECEIVED_AT, 0, 2, now.0);
        batch.fill(counters::EXPORTER_ADDR, 0, 2, Addr::v4(1));
        batch.set_octets(counters::NAME, 0, b"in_octets");
        batch.set_octets(counters::NAME, 1, b"out_octets");
        batch.set(counters::VALUE, 0, n);
        batch.set(counters::VALUE, 1, n + 10);
        batch.seal();
        rig.core.append(&batch).unwrap();
        rig.core.commit(true).unwrap();
    }
    rig.clock.advance(Duration::from_secs(86_400));
    rig.core.maintain(&|_| {}).unwrap();
    let snapshot = rig.core.snapshot();
    let segments: Vec<_> = snapshot.segments(Table::Counters, Tier::Raw).collect();
    assert_eq!(segments.len(), 1);
    let batch = segments[0].read_batch(0).unwrap();
    let mut values: Vec<_> = (0..batch.rows())
        .map(|row| {
            (
                batch.get_octets(counters::NAME, row).unwrap().to_vec(),
                batch.get_u64(counters::VALUE, row),
            )
        })
        .collect();
    values.sort();
    let expected: Vec<_> = [
        ("in_octets", 0),
        ("in_octets", 1),
        ("in_octets", 2),
        ("out_octets", 10),
        ("out_octets", 11),
        ("out_octets", 12),
    ]
    .map(|(name, value)| (name.as_bytes().to_vec(), Some(value)))
    .into();
    assert_eq!(values, expected);
}
