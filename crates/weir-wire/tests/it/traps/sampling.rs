//! How exporters tell that they looked at one packet in many.

use weir_model::columns::flows;
use weir_testkit::{Ipfix, NetFlow9, Template};

use super::{Lab, SECONDS, column};
use crate::captures;

/// The expected rate of every record of a capture.
fn assert_rate(path: &str, rows: usize, rate: u64) {
    let Some(session) = captures::decode(path) else { return };
    assert_eq!(column(&session, flows::SAMPLING_RATE), vec![Some(rate); rows], "{path}");
}

/// A table of samplers in options, records that name one of them.
#[test]
fn cisco_ios_xr_tells_samplers_in_options() {
    assert_rate("corpus/akvorado/akvorado-ios-xr-options-sampling.pcap", 4, 30_000);
    assert_rate("corpus/akvorado/akvorado-mpls.pcap", 2, 10);
    assert_rate("corpus/netgauze/netgauze-104-ipfix-v6-sampling.pcap", 3, 256);
}

#[test]
fn huawei_tells_the_rate_in_each_record() {
    assert_rate("corpus/akvorado/akvorado-samplingrate-8096.pcap", 6, 2_048);
    for (id, length) in [(34, 4), (50, 4), (34, 2)] {
        let mut lab = Lab::new();
        let mut body = vec![0, 80];
        body.resize(2 + usize::from(length) - 2, 0);
        body.extend_from_slice(&[8, 0]);
        let packet = NetFlow9::new(2, 0, SECONDS, 0, 0)
            .template(&Template::new(256, &[(7, 2), (id, length)]))
            .data(256, &body)
            .build();
        lab.send(&packet).nothing_lost();
        assert_eq!(lab.numbers(flows::SAMPLING_RATE), [Some(2_048)], "element {id} of {length}");
    }
}

/// Two samplers of one domain do not overwrite each other.
#[test]
fn samplers_of_one_exporter_are_kept_apart() {
    let mut lab = Lab::new();
    let packet = NetFlow9::new(6, 0, SECONDS, 0, 0)
        .template(&Template::options(512, 1, &[(1, 4), (48, 1), (34, 4)]))
        .data(512, &[0, 0, 0, 0, 1, 0, 0, 0, 100, 0, 0, 0, 0, 2, 0, 0, 3, 232])
        .template(&Template::new(256, &[(7, 2), (48, 1)]))
        .data(256, &[0, 80, 1, 0, 81, 2, 0, 82, 9])
        .build();
    lab.send(&packet);
    assert_eq!(lab.numbers(flows::SAMPLING_RATE), [Some(100), Some(1_000), None]);
}

/// 305 packets of 305 + 306; 309 of 310.
#[test]
fn intervals_and_spaces_make_a_rate() {
    for (fields, body, rate) in [
        ([(305, 4), (306, 4)], [0, 0, 0, 1, 0, 0, 0, 99], 100),
        ([(305, 4), (306, 4)], [0, 0, 0, 2, 0, 0, 0, 98], 50),
        ([(309, 4), (310, 4)], [0, 0, 0, 1, 0, 0, 1, 0], 256),
    ] {
        let mut lab = Lab::new();
        let message = Ipfix::new(SECONDS, 0, 0)
            .template(&Template::options(512, 1, &[&[(302, 8)], &fields[..]].concat()))
            .data(512, &[&[0, 0, 0, 0, 0, 0, 0, 1], &body[..]].concat())
            .template(&Template::new(256, &[(302, 8), (7, 2)]))
            .data(256, &[0, 0, 0, 0, 0, 0, 0, 1, 0, 80])
            .build();
        lab.send(&message).nothing_lost();
        assert_eq!(lab.numbers(flows::SAMPLING_RATE), [Some(rate)], "{fields:?}");
    }
}

/// 14 bits of interval below two of mode; vFlow's capture has an interval with mode 0.
#[test]
fn netflow5_tells_the_rate_in_its_header() {
    assert_rate("corpus/vflow/vflow-nf5.pcap", 29, 1_000);
    let Some(session) = captures::decode("corpus/akvorado/akvorado-nfv5.pcap") else { return };
    let rates = column(&session, flows::SAMPLING_RATE);
    assert!(rates.iter().all(|rate| matches!(rate, None | Some(1))), "{rates:?}");
}

#[test]
fn softflowd_tells_the_rate_in_options() {
    assert_rate("corpus-ovs/softflowd-v9-sampled.pcap", 15, 10);
    assert_rate("corpus/generated/generated-softflowd-nf9-sampled.pcap", 38, 4);
}

/// No word of sampling is not "every packet": unknown, and flagged so.
#[test]
fn a_rate_that_nobody_told_is_null() {
    let Some(session) = captures::decode("corpus-ovs/softflowd-v5.pcap") else { return };
    assert_eq!(column(&session, flows::SAMPLING_RATE), [None; 10]);
}
