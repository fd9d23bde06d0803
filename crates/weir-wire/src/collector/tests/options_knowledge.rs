use super::*;
use crate::limits::ExporterSettings;

fn rates(bench: &Bench) -> Vec<Option<u64>> {
    let batch = &bench.out.flows;
    (0..batch.rows()).map(|row| number(batch, flows::SAMPLING_RATE, row)).collect()
}

#[test]
fn each_sampler_has_its_own_rate() {
    let mut bench = Bench::new(Limits::default());
    let samplers = Template::options(300, 1, &[(48, 1), (49, 1), (50, 4)]);
    let flow = Template::new(256, &[(48, 1), (1, 4)]);
    let message = NetFlow9::new(4, 0, 1_700_000_000, 1, 0)
        .template(&samplers)
        .template(&flow)
        .data(300, &[1, 2, 0, 0, 0, 100, 2, 2, 0, 0, 3, 232])
        .data(256, &[1, 0, 0, 0, 1, 2, 0, 0, 0, 1, 3, 0, 0, 0, 1])
        .build();
    bench.feed(&message, &here()).unwrap();
    assert_eq!(rates(&bench), [Some(100), Some(1_000), None]);
    assert_eq!(bench.status().sampling, [(Some(1), 100), (Some(2), 1_000)]);
}

#[test]
fn the_ways_to_tell_a_rate() {
    // (fields, record) of an unscoped options record, and the rate it tells.
    type Case<'a> = (&'a [(u16, u16)], &'a [u8], Option<u64>);
    let cases: [Case; 8] = [
        (&[(34, 4)], &[0, 0, 0, 64], Some(64)),
        (&[(50, 1)], &[9], Some(9)),
        (&[(305, 1), (306, 2)], &[1, 0, 99], Some(100)),
        (&[(305, 2)], &[2, 0], Some(512)),
        (&[(305, 1), (309, 1), (310, 2)], &[1, 1, 1, 0], Some(256)),
        (&[(309, 1), (310, 2)], &[2, 1, 0], Some(128)),
        (&[(311, 8)], &[0x3f, 0x84, 0x7a, 0xe1, 0x47, 0xae, 0x14, 0x7b], Some(100)),
        (&[(34, 4)], &[0, 0, 0, 0], None),
    ];
    for (fields, record, rate) in cases {
        let mut bench = Bench::new(Limits::default());
        let scoped: Vec<_> = [(149, 4)].into_iter().chain(fields.iter().copied()).collect();
        let message = Ipfix::new(1_700_000_000, 0, 0)
            .set(3, &options_body(&[Template::options(300, 1, &scoped)]))
            .data(300, &[&[0, 0, 0, 0], record].concat())
            .template(&two_fields(256))
            .data(256, &RECORD)
            .build();
        bench.feed(&message, &here()).unwrap();
        assert_eq!(rates(&bench), [rate], "{fields:?}");
    }
}

#[test]
fn huawei_tells_the_rate_in_the_record() {
    let mut bench = Bench::new(Limits::default());
    let flow = Template::new(256, &[(7, 2), (34, 4)]);
    let message = NetFlow9::new(2, 0, 1_700_000_000, 1, 0).template(&flow);
    let message = message.data(256, &[0, 1, 0, 0, 3, 232, 0, 2, 0, 0, 0, 0]).build();
    bench.feed(&message, &here()).unwrap();
    assert_eq!(rates(&bench), [Some(1_000), None]);
}

#[test]
fn rates_by_interface_by_hand_and_softflowd_s_interface_0() {
    let flow = Template::new(256, &[(10, 2), (7, 2)]);
    let message = |index: u8| {
        NetFlow9::new(3, 0, 1_700_000_000, 1, 0)
            .template(&Template::options(300, 1, &[(2, 2), (34, 4)]))
            .template(&flow)
            .data(300, &[0, index, 0, 0, 0, 10])
            .data(256, &[0, 4, 0, 1, 0, 5, 0, 1])
            .build()
    };
    let mut bench = Bench::new(Limits::default());
    bench.feed(&message(4), &here()).unwrap();
    assert_eq!(rates(&bench), [Some(10), None]);
    let mut softflowd = Bench::new(Limits::default());
    softflowd.feed(&message(0), &here()).unwrap();
    assert_eq!(rates(&softflowd), [Some(10), Some(10)]);
    let by_hand = ExporterSettings {
        exporters: "192.0.2.0/24".parse().unwrap(),
        sampling_rate: Some(77),
        repair_antrea_counters: false,
    };
    let mut bench = Bench::new(Limits { settings: vec![by_hand], ..Limits::default() });
    bench.feed(&message(4), &here()).unwrap();
    assert_eq!(rates(&bench), [Some(77), Some(77)]);
}

#[test]
fn names_of_interfaces_vrfs_and_applications_reach_the_records() {
    let mut bench = Bench::new(Limits::default());
    let message = NetFlow9::new(9, 0, 1_700_000_000, 1, 0)
        .template(&Template::options(300, 1, &[(2, 4), (82, 8)]))
        .template(&Template::options(301, 1, &[(1, 4), (234, 4), (236, 8)]))
        .template(&Template::options(302, 1, &[(1, 4), (95, 4), (96, 8)]))
        .template(&Template::new(256, &[(10, 2), (14, 2), (234, 4), (95, 4)]))
        .data(300, b"\0\0\0\x03Gi0/0\0\0\0\0\0\0\x04Gi0/1\0\0\0")
        .data(301, b"\0\0\0\0\0\0\0\x09blue\0\0\0\0")
        .data(302, b"\0\0\0\0\x03\0\0\x35dns\0\0\0\0\0")
        .data(256, &[0, 3, 0, 4, 0, 0, 0, 9, 3, 0, 0, 0x35])
        .build();
    bench.feed(&message, &here()).unwrap();
    let text = |column| {
        let octets = bench.out.flows.get_octets(column, 0).unwrap_or(b"(null)");
        String::from_utf8(octets.to_vec()).unwrap()
    };
    let found = [flows::IN_IF_NAME, flows::OUT_IF_NAME, flows::VRF_NAME, flows::APP].map(text);
    assert_eq!(found, ["Gi0/0", "Gi0/1", "blue", "dns"]);
    assert_eq!((bench.status().names, bench.tally.options), (4, 4));
}

/// A snapshot each would copy all names known once for every parked Set.
#[test]
fn parked_options_are_learnt_from_under_one_snapshot() {
    let mut bench = Bench::new(Limits::default());
    let message = || Ipfix::new(1_700_000_000, 0, 0);
    for index in 1..=3u8 {
        bench.feed(&message().data(300, &[index, b'e', b'0' + index]).build(), &here()).unwrap();
    }
    let names = Template::options(300, 1, &[(10, 1), (82, 2)]);
    let template = message().template(&names).build();
    let admitted = bench.decoder.collector_mut().admit(&template, &here()).unwrap();
    let snapshots = admitted.released.iter().map(|released| match &released.work.job {
        Job::Records { knowledge, .. } => (Arc::as_ptr(knowledge), knowledge.names()),
        Job::Samples(_) => panic!("no sFlow was sent"),
    });
    let snapshots: Vec<_> = snapshots.collect();
    assert_eq!(snapshots.len(), 3);
    assert!(snapshots.iter().all(|&one| one == (snapshots[0].0, 3)), "{snapshots:?}");
}
