//! Sequence numbers: what each protocol and each exporter counts.

use weir_testkit::{Ipfix, NetFlow9, Template};
use weir_wire::SequenceStatus;

use super::{Lab, SECONDS};
use crate::captures;

fn status(decoder: &weir_wire::Decoder) -> SequenceStatus {
    decoder.collector().exporters().next().unwrap().sequence
}

/// The accounts of all domains of a capture's exporter.
fn replay(path: &str) -> Option<Vec<SequenceStatus>> {
    let mut decoder = weir_wire::Decoder::new(weir_wire::Limits::default());
    let mut out = weir_wire::Output::new();
    for payload in captures::messages(path)? {
        let received = weir_wire::Received::udp(payload.at, payload.source);
        decoder.decode(&payload.octets, &received, &mut out).unwrap();
    }
    Some(decoder.collector().exporters().map(|status| status.sequence).collect())
}

/// Open vSwitch's v5 header has the number of the last record, not of the first: 1, 5, 9, 13, 23
/// for datagrams of 2, 4, 4, 4 and 10.
#[test]
fn open_vswitch_netflow5_numbers_its_last_record() {
    let Some(sequence) = replay("corpus-ovs/ovs-netflow.pcap") else { return };
    assert_eq!(sequence, [SequenceStatus::default()]);
}

/// softflowd's IPFIX and Open vSwitch's number by the last record as well.
#[test]
fn real_exporters_on_one_machine_lost_nothing() {
    for name in [
        "ovs-ipfix",
        "softflowd-v5",
        "softflowd-v9",
        "softflowd-ipfix",
        "pmacctd-v9",
        "pmacctd-ipfix",
    ] {
        let Some(sequence) = replay(&format!("corpus-ovs/{name}.pcap")) else { continue };
        assert!(sequence.iter().all(|s| *s == SequenceStatus::default()), "{name}: {sequence:?}");
    }
}

/// v9 counts packets (RFC 3954), IPFIX data records only: templates do not count.
#[test]
fn netflow9_counts_packets_and_ipfix_data_records() {
    let template = Template::new(256, &[(7, 2), (11, 2)]);
    let two = [0, 1, 0, 2, 0, 3, 0, 4];
    let mut lab = Lab::new();
    for sequence in [0, 1, 2, 5] {
        let packet =
            NetFlow9::new(3, 0, SECONDS, sequence, 0).template(&template).data(256, &two).build();
        lab.send(&packet);
    }
    assert_eq!((status(&lab.decoder).missing, status(&lab.decoder).gaps), (2, 1));

    let mut lab = Lab::new();
    for sequence in [0, 2, 4, 10] {
        let message = Ipfix::new(SECONDS, sequence, 0).template(&template).data(256, &two).build();
        lab.send(&message);
    }
    assert_eq!((status(&lab.decoder).missing, status(&lab.decoder).gaps), (4, 1));
}

#[test]
fn a_late_message_is_no_loss() {
    let template = Template::new(256, &[(7, 2)]);
    let mut lab = Lab::new();
    for sequence in [10, 12, 11, 13] {
        let packet = NetFlow9::new(2, 0, SECONDS, sequence, 0)
            .template(&template)
            .data(256, &[0, 1])
            .build();
        lab.send(&packet);
    }
    let sequence = status(&lab.decoder);
    assert_eq!((sequence.missing, sequence.reordered), (0, 1));
}
