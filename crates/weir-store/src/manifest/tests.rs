use proptest::prelude::*;
use weir_model::Grain;

use super::*;

fn place(id: u64) -> Place {
    Place { id: SegmentId(id), table: Table::Flows, tier: Tier::Raw, hour: 498_500 }
}

fn entry(id: u64, tier: Tier) -> Entry {
    let table = if tier == Tier::Raw { Table::Flows } else { Table::Rollups };
    Entry {
        place: Place { table, tier, ..place(id) },
        level: 0,
        rows: id * 10,
        first: Some(Timestamp(5)),
        last: None,
        octets: 77,
    }
}

fn records() -> Vec<Record> {
    vec![
        Record::Open(place(1)),
        Record::Open(place(2)),
        Record::Close {
            entry: entry(1, Tier::Raw),
            rollups: vec![entry(3, Tier::Rollup(Grain::Hour))],
        },
        Record::Close { entry: entry(2, Tier::Raw), rollups: vec![] },
        Record::Replace { old: vec![SegmentId(1), SegmentId(2)], new: vec![entry(4, Tier::Raw)] },
        Record::Remove(vec![SegmentId(3)]),
        Record::Quarantine {
            id: SegmentId(9),
            rows: 3,
            file: "quarantine/9".into(),
            reason: "cut short".into(),
        },
        Record::NextId(40),
        Record::Gone { table: Table::Flows, tier: Tier::Raw, until: Timestamp(3) },
    ]
}

fn log(records: &[Record]) -> Vec<u8> {
    let mut octets = MAGIC.to_vec();
    octets.extend_from_slice(&VERSION.to_le_bytes());
    octets.resize(HEADER_LEN as usize, 0);
    records.iter().for_each(|record| octets.extend(record::encode(record)));
    octets
}

#[test]
fn replaying_the_shortest_log_gives_the_same_state() {
    let (state, tail) = replay(Path::new("m"), &log(&records())).unwrap();
    assert_eq!(tail, Tail::default());
    assert_eq!(state.live.keys().collect::<Vec<_>>(), [&SegmentId(4)]);
    assert_eq!(state.next_id, 40);
    let (again, _) = replay(Path::new("m"), &log(&state.records())).unwrap();
    assert_eq!(again, state);
}

#[test]
fn a_log_cut_anywhere_says_what_its_whole_records_say() {
    let records = records();
    let octets = log(&records);
    let mut ends = vec![HEADER_LEN as usize];
    for record in &records {
        ends.push(ends.last().unwrap() + record::encode(record).len());
    }
    for cut in HEADER_LEN as usize..octets.len() {
        let whole = ends.iter().filter(|end| **end <= cut).count() - 1;
        let (state, tail) = replay(Path::new("m"), &octets[..cut]).unwrap();
        let (expected, _) = replay(Path::new("m"), &log(&records[..whole])).unwrap();
        assert_eq!(state, expected, "cut at {cut}");
        assert_eq!((tail.damaged, tail.octets), (false, (cut - ends[whole]) as u64));
    }
}

#[test]
fn damage_before_the_last_record_is_told_from_a_torn_append() {
    let mut octets = log(&records());
    octets[HEADER_LEN as usize + 12] ^= 1;
    let (state, tail) = replay(Path::new("m"), &octets).unwrap();
    assert_eq!(state, State::default());
    assert!(tail.damaged);
}

#[test]
fn a_newer_version_is_refused() {
    let mut octets = log(&[]);
    octets[8] = 2;
    let refused = replay(Path::new("m"), &octets).unwrap_err();
    assert!(matches!(refused, StoreError::Version { version: 2, known: 1, .. }));
}

proptest! {
    #[test]
    fn hostile_octets_never_panic(mut octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _state = replay(Path::new("m"), &octets);
        let mut framed = log(&[]);
        framed.append(&mut octets);
        let (_, tail) = replay(Path::new("m"), &framed).unwrap();
        prop_assert!(tail.octets as usize <= framed.len());
    }
}

#[test]
fn what_was_removed_is_remembered_by_its_last_time_through_a_new_log() {
    let gone = Entry { last: Some(Timestamp(70)), ..entry(5, Tier::Rollup(Grain::Minute)) };
    let earlier = Entry { last: Some(Timestamp(60)), ..entry(6, Tier::Rollup(Grain::Minute)) };
    let log_of = [
        Record::Close { entry: entry(1, Tier::Raw), rollups: vec![gone, earlier] },
        Record::Remove(vec![SegmentId(5)]),
        Record::Remove(vec![SegmentId(6), SegmentId(1)]),
    ];
    let (state, _) = replay(Path::new("m"), &log(&log_of)).unwrap();
    let tier = Tier::Rollup(Grain::Minute);
    assert_eq!(state.gone.0, [((Table::Rollups, tier), Timestamp(70))].into());
    let (again, _) = replay(Path::new("m"), &log(&state.records())).unwrap();
    assert_eq!(again, state);
}
