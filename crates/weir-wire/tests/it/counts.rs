//! Every capture decodes to the reference counts. Where a row differs from the corpus's own table
//! (tshark's counts), `tests/README.md` has the reason.

use std::collections::HashSet;

use weir_testkit::corpus;
use weir_wire::Tally;

use crate::captures;

/// NetFlow and IPFIX: capture, messages, templates (options templates included, repetitions too),
/// flow records, options records.
const NETFLOW: &[(&str, u64, u64, u64, u64)] = &[
    ("corpus/akvorado/akvorado-data-and-templates.pcap", 1, 2, 21, 1),
    ("corpus/akvorado/akvorado-eompls-cw.pcap", 2, 1, 10, 0),
    ("corpus/akvorado/akvorado-ios-xr-options-sampling.pcap", 4, 2, 4, 4),
    ("corpus/akvorado/akvorado-mpls.pcap", 1, 2, 2, 1),
    ("corpus/akvorado/akvorado-nfv5.pcap", 1, 0, 29, 0),
    ("corpus/akvorado/akvorado-samplingrate-8096.pcap", 2, 1, 6, 0),
    ("corpus/generated/generated-ovs-ipfix.pcap", 180, 89, 160, 1),
    ("corpus/generated/generated-pmacct-nf9.pcap", 8, 4, 40, 0),
    ("corpus/generated/generated-softflowd-ipfix-biflow.pcap", 3, 5, 40, 1),
    ("corpus/generated/generated-softflowd-nf5.pcap", 2, 0, 30, 0),
    ("corpus/generated/generated-softflowd-nf9-sampled.pcap", 2, 5, 38, 1),
    ("corpus/goipfix/goipfix-antrea.pcap", 2, 1, 1, 0),
    ("corpus/ipfixcol2/ipfixcol2-example-flows.pcap", 68, 8, 3979, 0),
    ("corpus/logstash/logstash-ipfix.pcap", 1, 3, 6, 1),
    ("corpus/logstash/logstash-ipfix-barracuda-firewall.pcap", 2, 1, 8, 0),
    ("corpus/logstash/logstash-ipfix-from-ixia-something-something.pcap", 1, 3, 1, 0),
    ("corpus/logstash/logstash-ipfix-netscaler-with-variable-length-fields.pcap", 2, 7, 3, 0),
    (
        "corpus/logstash/logstash-ipfix-netscaler-with-variable-length-fields-data-before-template.pcap",
        2,
        7,
        3,
        0,
    ),
    ("corpus/logstash/logstash-ipfix-nokia-bras.pcap", 2, 2, 1, 0),
    ("corpus/logstash/logstash-ipfix-openbsd-pflow.pcap", 2, 2, 26, 0),
    ("corpus/logstash/logstash-ipfix-procera.pcap", 2, 1, 8, 0),
    ("corpus/logstash/logstash-ipfix-test-ixia-tpldata271.pcap", 1, 3, 2, 0),
    ("corpus/logstash/logstash-netflow-5-invalid-01.pcap", 1, 0, 30, 0),
    ("corpus/logstash/logstash-netflow-5-valid-01.pcap", 1, 0, 2, 0),
    ("corpus/logstash/logstash-netflow-9-cisco-1941-k9-release-15-1.pcap", 1, 1, 29, 0),
    ("corpus/logstash/logstash-netflow-9-cisco-aci.pcap", 2, 3, 3, 0),
    (
        "corpus/logstash/logstash-netflow-9-cisco-asr-9000-series-options-template-256.pcap",
        2,
        1,
        0,
        19,
    ),
    ("corpus/logstash/logstash-netflow-9-cisco-asr-9000-series-template-260.pcap", 2, 1, 21, 0),
    ("corpus/logstash/logstash-netflow-9-cisco-wlc.pcap", 2, 2, 19, 0),
    ("corpus/logstash/logstash-netflow-9-fortigate-fortios-5-2-1.pcap", 3, 5, 1, 1),
    ("corpus/logstash/logstash-netflow-9-huawei-netstream.pcap", 2, 1, 1, 0),
    ("corpus/logstash/logstash-netflow-9-ie150-ie151.pcap", 1, 4, 2, 0),
    ("corpus/logstash/logstash-netflow-9-invalid-01.pcap", 1, 3, 2, 1),
    ("corpus/logstash/logstash-netflow-9-ipt-netflow-reduced-size-encoding.pcap", 1, 1, 12, 0),
    ("corpus/logstash/logstash-netflow-9-macaddress.pcap", 2, 3, 29, 1),
    (
        "corpus/logstash/logstash-netflow-9-palo-alto-1-flowset-in-large-zero-filled-packet.pcap",
        2,
        8,
        1,
        0,
    ),
    ("corpus/logstash/logstash-netflow-9-palo-alto-pan-os-with-app-id.pcap", 2, 8, 8, 0),
    ("corpus/logstash/logstash-netflow-9-streamcore.pcap", 2, 12, 4, 0),
    ("corpus/logstash/logstash-netflow-9-ubiquiti-edgerouter-with-mpls-labels.pcap", 3, 4, 16, 0),
    ("corpus/logstash/logstash-netflow5-mikrotik.pcap", 1, 0, 30, 0),
    ("corpus/logstash/logstash-netflow9-test-cisco-asr9k-opttpl257.pcap", 1, 1, 0, 0),
    ("corpus/netflowparser/netflowparser-ipfix-1460.pcap", 2, 20, 0, 0),
    ("corpus/netflowparser/netflowparser-ipfix-1469.pcap", 2, 8, 6, 0),
    ("corpus/netflowparser/netflowparser-ipfix-yaf-like.pcap", 3, 2, 1, 0),
    ("corpus/netflowparser/netflowparser-nf9-big.pcap", 1, 3, 30, 5),
    ("corpus/netflowparser/netflowparser-nf9-flowlabel.pcap", 2, 4, 3, 0),
    ("corpus/netflowparser/netflowparser-v7.pcap", 1, 0, 1, 0),
    ("corpus/netgauze/netgauze-101-nfv9-cisco.pcap", 40, 1, 51, 0),
    ("corpus/netgauze/netgauze-104-ipfix-v6-sampling.pcap", 5, 5, 3, 1),
    ("corpus/netgauze/netgauze-111-mix-00.pcap", 11, 1, 11, 0),
    ("corpus/netgauze/netgauze-111-mix-01.pcap", 11, 5, 13, 0),
    ("corpus/netgauze/netgauze-400-ipfix-srv6-00.pcap", 583, 398, 657, 338),
    ("corpus/netgauze/netgauze-401-ipfix-mpls-00.pcap", 596, 405, 748, 351),
    ("corpus/netgauze/netgauze-403-ipfix-vrf.pcap", 357, 215, 480, 324),
    ("corpus/netgauze/netgauze-500-ipfix-bgp-srv6.pcap", 40, 10, 43, 10),
    ("corpus/netgauze/netgauze-502-ipfix-bgp-lcomm.pcap", 64, 45, 75, 39),
    ("corpus/telegraf/telegraf-ipfix-options.pcap", 9, 1, 0, 126),
    ("corpus/telegraf/telegraf-ipfix-pen-35632.pcap", 4, 6, 2, 0),
    ("corpus/telegraf/telegraf-issue-13305.pcap", 4, 6, 2, 0),
    ("corpus/telegraf/telegraf-netflow-v9-example.pcap", 1, 1, 8, 0),
    ("corpus/telegraf/telegraf-netflow-v9-options.pcap", 1, 1, 0, 8),
    ("corpus/vflow/vflow-ipfix-datatpl.pcap", 2, 4, 4, 0),
    ("corpus/vflow/vflow-nf5.pcap", 1, 0, 29, 0),
    ("corpus-ovs/fprobe-v5.pcap", 1, 0, 9, 0),
    ("corpus-ovs/ovs-ipfix.pcap", 88, 89, 68, 1),
    ("corpus-ovs/ovs-netflow.pcap", 5, 0, 24, 0),
    ("corpus-ovs/pmacctd-ipfix.pcap", 6, 4, 24, 0),
    ("corpus-ovs/pmacctd-v9.pcap", 6, 4, 24, 0),
    ("corpus-ovs/softflowd-ipfix.pcap", 6, 5, 24, 1),
    ("corpus-ovs/softflowd-v5.pcap", 3, 0, 10, 0),
    ("corpus-ovs/softflowd-v9-sampled.pcap", 5, 5, 15, 1),
    ("corpus-ovs/softflowd-v9.pcap", 6, 5, 24, 1),
];

/// sFlow: capture, datagrams, flow and discarded-packet samples, counter samples.
const SFLOW: &[(&str, u64, u64, u64)] = &[
    ("corpus/akvorado/akvorado-sflow-discard-interface.pcap", 1, 1, 0),
    ("corpus/akvorado/akvorado-sflow-icmpv6.pcap", 1, 1, 0),
    ("corpus/akvorado/akvorado-sflow-multiple-interfaces.pcap", 1, 1, 0),
    ("corpus/akvorado/akvorado-sflow-qinq.pcap", 1, 1, 0),
    ("corpus/akvorado/akvorado-sflow-sflow-ipv4-data.pcap", 1, 1, 0),
    ("corpus/generated/generated-pmacct-sflow.pcap", 19, 126, 0),
    ("corpus/goflow2/goflow2-sflow-drop-egressqueue.pcap", 1, 1, 0),
    ("corpus/goflow2/goflow2-sflow-expanded.pcap", 1, 5, 0),
    ("corpus/tcpdump/tcpdump-sflow-print-segv.pcap", 1, 0, 0),
    ("corpus/tcpdump/tcpdump-sflow-print-v6.pcap", 25, 13, 48),
    ("corpus/telegraf/telegraf-sflow-issue-15375.pcap", 1, 1, 0),
    ("corpus/telegraf/telegraf-sflow-issue-15918.pcap", 1, 6, 1),
    ("corpus/telegraf/telegraf-sflow-issue-18876.pcap", 1, 0, 1),
    ("corpus/vflow/vflow-hammer-sflow.pcap", 4, 4, 0),
    ("corpus/vflow/vflow-sflow-padding.pcap", 1, 5, 0),
    ("corpus-ovs/ovs-sflow.pcap", 106, 512, 36),
    ("corpus-sflow/overflowd-sflow-a.pcap", 500, 2930, 252),
    ("corpus-sflow/tcpdump-sflow-print-v6.pcap", 25, 13, 48),
    ("corpus-sflow/tcpdump-sflow_print-segv.pcap", 1, 0, 0),
    ("corpus-sflow/nxthdr-sflow.pcap", 1, 1, 0),
    ("corpus-sflow/akvorado-data-1140.pcap", 1, 5, 0),
    ("corpus-sflow/akvorado-data-encap-vxlan.pcap", 1, 1, 0),
    ("corpus-sflow/akvorado-data-icmpv6.pcap", 1, 1, 0),
    ("corpus-sflow/akvorado-data-local-interface.pcap", 1, 1, 0),
    ("corpus-sflow/akvorado-data-qinq.pcap", 1, 1, 0),
    ("corpus-sflow/akvorado-data-sflow-ipv4-data.pcap", 1, 1, 0),
    ("corpus-sflow/cistern-counter_sample.pcap", 1, 0, 1),
    ("corpus-sflow/cistern-event_discarded_packet.pcap", 1, 1, 0),
    ("corpus-sflow/cistern-host_sample.pcap", 1, 0, 1),
    ("corpus-sflow/logstash-sflow_counters_sample.pcap", 1, 0, 12),
    ("corpus-sflow/logstash-sflow_flow_sample.pcap", 1, 1, 0),
    ("corpus-sflow/telegraf-sflow_v5.pcap", 1, 0, 1),
    ("corpus-sflow/fluent-ipv4.pcap", 1, 1, 0),
];

#[test]
fn netflow_captures_decode_to_the_reference_counts() {
    let mut wrong = Vec::new();
    for &(path, messages, templates, flows, options) in NETFLOW {
        let Some(session) = captures::decode(path) else { continue };
        let Tally { flows: f, options: o, templates: t, .. } = session.tally;
        let found = (session.messages.len() as u64, t, f, o);
        if found != (messages, templates, flows, options) {
            let expected = (messages, templates, flows, options);
            wrong.push(format!("{path}: found {found:?}, expected {expected:?}"));
        }
        assert_eq!(f, session.out.flows.rows() as u64, "{path}: rows are what the tally says");
        assert_eq!(o, session.out.options.rows() as u64, "{path}: rows are what the tally says");
        let open = session.tally.sets_open();
        assert_eq!(open, session.parked as i64, "{path}: the books of Sets balance");
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn sflow_captures_decode_to_the_reference_counts() {
    let mut wrong = Vec::new();
    for &(path, datagrams, flows, counters) in SFLOW {
        let Some(session) = captures::decode(path) else { continue };
        let tally = &session.tally;
        let samples = tally.sets_decoded - tally.flows;
        let found = (session.messages.len() as u64, tally.flows, samples);
        if found != (datagrams, flows, counters) {
            let expected = (datagrams, flows, counters);
            wrong.push(format!("{path}: found {found:?}, expected {expected:?}"));
        }
        assert_eq!(tally.flows, session.out.flows.rows() as u64, "{path}");
        assert_eq!(tally.counters, session.out.counters.rows() as u64, "{path}");
        assert_eq!(tally.sets_open(), 0, "{path}: the books of samples balance");
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Sampled headers, which are no exports and are dissected in `src/packet/tests/corpus.rs`, and
/// single packets of sessions that are captures as well.
fn others(path: &str) -> bool {
    path.contains("-hdr-") || path.contains("/raw/")
}

/// The tables leave nothing out.
#[test]
fn every_capture_is_in_a_table() {
    let named: HashSet<&str> =
        NETFLOW.iter().map(|row| row.0).chain(SFLOW.iter().map(|row| row.0)).collect();
    let (mut found, mut missing) = (0, Vec::new());
    for root in corpus().into_iter().chain([captures::fixtures()]) {
        for path in captures::files(&root) {
            let path = path.strip_prefix(&root).unwrap().to_str().unwrap();
            if path.starts_with("corpus") && path.ends_with(".pcap") && !others(path) {
                found += 1;
                missing.extend((!named.contains(path)).then(|| path.to_owned()));
            }
        }
    }
    assert_eq!(missing, [""; 0]);
    assert!(found >= 75, "only {found} captures were found");
}
