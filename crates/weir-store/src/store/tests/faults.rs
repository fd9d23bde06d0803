//! Crashes and errors at every step, and at random.

use super::*;
use crate::files::faulty::Fault;
use weir_testkit::Dice;

/// One life of a store: appends, commits, a closed segment, a merge. Errors are the point of the
/// tests that run it, so it goes on after them.
fn script(rig: &mut Rig) {
    for round in 0..4u64 {
        let _refused = rig.append(3 + round * 40);
        let _refused = rig.append(20);
        let _failed = rig.core.commit(round % 3 == 2);
        rig.note();
        rig.clock.advance(Duration::from_secs(400));
        let _refused = rig.append(5);
        let _failed = rig.core.commit(false);
        rig.note();
        if round % 2 == 1 {
            rig.clock.advance(Duration::from_secs(3600));
            let _failed = rig.core.maintain(&|_| {});
        }
    }
}

fn steps_of_script(seed: u64) -> std::ops::Range<u64> {
    let mut rig = Rig::new(seed);
    let first = rig.files.steps();
    script(&mut rig);
    rig.check("without faults");
    assert!(rig.core.tallies.compactions.load(std::sync::atomic::Ordering::Relaxed) > 0);
    first..rig.files.steps()
}

#[test]
fn a_power_cut_at_any_step_keeps_what_was_committed_once() {
    for step in steps_of_script(1) {
        let mut rig = Rig::new(step);
        rig.files.fail(step..u64::MAX, Fault::Dead);
        script(&mut rig);
        let what = format!("power cut at step {step}");
        let mut rig = rig.restart(Faulty::crash, &what);
        rig.append(9).expect(&what);
        rig.core.commit(true).expect(&what);
        rig.core.maintain(&|_| {}).expect(&what);
        rig.check(&what);
    }
}

#[test]
fn a_killed_process_at_any_step_loses_nothing_it_had_written() {
    for step in steps_of_script(2).step_by(3) {
        let mut rig = Rig::new(step);
        rig.files.fail(step..u64::MAX, Fault::Dead);
        script(&mut rig);
        let what = format!("killed at step {step}");
        let rig = rig.restart(Faulty::kill, &what);
        assert_eq!(rig.report.quarantined, [], "{what}");
        rig.core.maintain(&|_| {}).expect(&what);
        rig.check(&what);
    }
}

/// Errors at a step: rows that were taken stay, whatever failed, and the store recovers by itself.
fn errors_at_every_step(fault: Fault, length: u64) {
    for step in steps_of_script(3).step_by(3) {
        let mut rig = Rig::new(step);
        rig.files.fail(step..step + length, fault);
        script(&mut rig);
        let what = format!("{fault:?} at step {step} for {length}");
        rig.files.heal();
        rig.core.commit(true).expect(&what);
        rig.core.maintain(&|_| {}).expect(&what);
        rig.note();
        rig.check(&what);
        assert_eq!(rig.committed, rig.appended, "{what}");
        let rig = rig.restart(Faulty::crash, &what);
        rig.check(&what);
        assert_eq!(rig.report.quarantined, [], "{what}");
    }
}

#[test]
fn a_full_disk_at_any_step_loses_no_row_that_was_taken() {
    errors_at_every_step(Fault::Full, 1);
    errors_at_every_step(Fault::Full, 5);
}

#[test]
fn an_error_of_the_medium_at_any_step_loses_no_row_that_was_taken() {
    errors_at_every_step(Fault::Broken, 1);
    errors_at_every_step(Fault::Broken, 7);
}

fn random_life(seed: u64) {
    let mut dice = Dice::new(seed);
    let mut rig = Rig::new(seed);
    let mut below = |n: u64| dice.below(n as usize) as u64;
    for step in 0..60 {
        let what = format!("seed {seed}, step {step}");
        match below(12) {
            0..=3 => {
                let _refused = rig.append(1 + below(300));
            }
            4..=5 => {
                let _failed = rig.core.commit(below(4) == 0);
            }
            6 => rig.clock.advance(Duration::from_secs(below(2000))),
            7 => {
                let _failed = rig.core.maintain(&|_| {});
            }
            8 => {
                let from = rig.files.steps() + below(20);
                let fault = if below(2) == 0 { Fault::Full } else { Fault::Broken };
                rig.files.fail(from..from + 1 + below(6), fault);
            }
            9 => rig.check(&what),
            10 => {
                let from = rig.files.steps() + below(30);
                rig.files.fail(from..u64::MAX, Fault::Dead);
                let _refused = rig.append(1 + below(100));
                let _failed = rig.core.commit(below(2) == 0);
                let _failed = rig.core.maintain(&|_| {});
                let end = if below(2) == 0 { Faulty::crash } else { Faulty::kill };
                rig = rig.restart(end, &what);
            }
            _ => rig.note(),
        }
    }
    rig.files.heal();
    rig.core.commit(true).unwrap();
    rig.core.maintain(&|_| {}).unwrap();
    rig.check(&format!("seed {seed}, at the end"));
}

#[test]
fn random_lives_keep_every_committed_row_once() {
    for seed in 0..40 {
        // Why: the seed names itself in every assertion above, and here in every other panic.
        let life = std::panic::catch_unwind(|| random_life(seed));
        assert!(life.is_ok(), "failing seed: {seed}");
    }
}

#[test]
fn a_full_disk_refuses_rows_by_kind_and_takes_them_again_without_restart() {
    let mut rig = Rig::new(1);
    rig.append(10).unwrap();
    rig.core.commit(false).unwrap();
    rig.files.set_free(1000);
    rig.core.check_space();
    let refused = rig.append(7).unwrap_err();
    assert_eq!(refused.kind(), crate::StoreErrorKind::DiskFull);
    assert_eq!(rig.core.tallies.refused.list(), [("disk_full", 7)]);
    assert_eq!(rig.core.shedding(), Some(crate::StoreErrorKind::DiskFull));
    rig.check("rows are readable while the disk is full");
    rig.files.set_free(1 << 40);
    rig.core.check_space();
    rig.append(7).unwrap();
    rig.core.commit(false).unwrap();
    rig.note();
    assert_eq!(rig.committed.len(), 17);
}

#[test]
fn a_disk_that_refuses_writes_fills_the_backlog_and_then_rows_are_refused() {
    let mut rig = Rig::new(1);
    rig.core.policy.unsynced_octets_max = 20_000;
    let from = rig.files.steps();
    rig.files.fail(from..u64::MAX, Fault::Broken);
    let mut taken = 0;
    let refused = loop {
        match rig.append(500) {
            Ok(()) => taken += 500,
            Err(error) => break error,
        }
        assert!(rig.core.commit(false).is_err());
        assert!(taken < 100_000, "the backlog has no bound");
    };
    assert_eq!(refused.kind(), crate::StoreErrorKind::Backlog);
    rig.note();
    assert_eq!(rig.committed.len(), 0, "nothing may be called durable");
    rig.files.heal();
    rig.core.commit(false).unwrap();
    rig.note();
    assert_eq!(rig.committed.len(), taken);
    rig.append(1).unwrap();
}

#[test]
fn a_damaged_segment_is_put_aside_and_the_start_goes_on() {
    let mut rig = Rig::new(1);
    rig.append(50).unwrap();
    rig.core.commit(true).unwrap();
    rig.core.maintain(&|_| {}).unwrap();
    rig.clock.advance(Duration::from_secs(60));
    rig.append(60).unwrap();
    rig.core.commit(false).unwrap();
    let segment = |path: &std::path::PathBuf| path.to_string_lossy().contains("segments/flows");
    let path = rig.files.paths().into_iter().find(segment).unwrap();
    rig.files.damage(&path, |octets| {
        let end = octets.len();
        octets[end - 20..].fill(0xaa);
    });
    rig.files.kill();
    let (core, report) = open(&rig.files, &rig.clock).unwrap();
    assert_eq!(report.quarantined.len(), 1, "{report:?}");
    assert_eq!(report.quarantined[0].rows, 50);
    let kept = rig.files.paths().iter().any(|path| path.starts_with("/data/quarantine"));
    assert!(kept, "a damaged file is kept");
    assert_eq!(rows(&core.snapshot(), "after damage").len(), 60);
    assert_eq!(super::super::report::health(&core).quarantined, report.quarantined);
    drop(core);
    let (_, again) = open(&rig.files, &rig.clock).unwrap();
    assert_eq!(again.quarantined, report.quarantined, "it stays reported");
}

#[test]
fn a_folder_has_one_writer() {
    let rig = Rig::new(1);
    let refused = open(&rig.files, &rig.clock).err().map(|error| error.to_string());
    assert_eq!(refused.as_deref(), Some("the data folder /data is in use by another process"));
}

#[test]
fn a_block_that_a_reader_could_not_read_is_told_and_not_merged() {
    let mut rig = Rig::new(1);
    for _ in 0..2 {
        rig.append(50).unwrap();
        rig.core.commit(true).unwrap();
        rig.core.maintain(&|_| {}).unwrap();
    }
    let segments = |rig: &Rig| {
        let snapshot = rig.core.snapshot();
        snapshot.segments(Table::Flows, Tier::Raw).cloned().collect::<Vec<_>>()
    };
    let before = segments(&rig);
    let (segment, damage) = (before[0].head().id, crate::Damage::Checksum);
    before[0].note_damage(7, &crate::ReadError::NoBlock { segment, block: 7 });
    assert_eq!(super::super::report::health(&rig.core).damaged, []);
    before[0].note_damage(0, &crate::ReadError::Damaged { segment, offset: 64, damage });
    let told = super::super::report::health(&rig.core).damaged;
    let expected = format!(
        "1 of its blocks cannot be read: segment {segment}: damaged at offset 64: checksum does \
         not match"
    );
    assert_eq!(told.iter().map(|file| &file.reason).collect::<Vec<_>>(), [&expected]);
    rig.clock.advance(Duration::from_secs(7200));
    rig.core.maintain(&|_| {}).unwrap();
    assert!(segments(&rig).iter().any(|kept| kept.head().id == segment));
}
