//! Elements of enterprises, and ids that vendors took for themselves.

use weir_model::columns::{PEN_ANTREA, PEN_NTOP, PEN_VMWARE, flows};
use weir_model::{Addr, Scalar};
use weir_testkit::{Ipfix, NetFlow9, Template};

use super::{Lab, SECONDS, column};
use crate::captures;

/// Antrea's first releases used 55829, which is not theirs.
#[test]
fn antrea_of_old_used_another_enterprise_number() {
    let texts = |pen| {
        let mut lab = Lab::new();
        let template =
            Template::new(256, &[]).enterprise(pen, 101, u16::MAX).enterprise(pen, 105, u16::MAX);
        let message =
            Ipfix::new(SECONDS, 0, 0).template(&template).data(256, b"\x03web\x05node1").build();
        lab.send(&message).nothing_lost();
        [flows::SRC_POD, flows::DST_NODE].map(|id| lab.texts(id).remove(0))
    };
    let expected = [Some("web".to_owned()), Some("node1".to_owned())];
    assert_eq!([texts(55_829), texts(PEN_ANTREA)], [expected.clone(), expected]);
    let Some(session) = captures::decode("corpus/goipfix/goipfix-antrea.pcap") else { return };
    let batch = &session.out.flows;
    let addr = |text: &str| Some(Scalar::Addr(text.parse::<Addr>().unwrap()));
    assert_eq!(batch.get(flows::SRC_ADDR, 0), addr("1.2.3.4"));
    assert_eq!(batch.get(flows::DST_ADDR, 0), addr("5.6.7.8"));
    assert_eq!(batch.get_octets(flows::DST_NODE, 0), Some(&b"Yiou"[..]));
}

/// Absent addresses come as zeros, absent text as "", absent uids as zeros: all null.
#[test]
fn antrea_says_nothing_with_zeros() {
    let mut lab = Lab::new();
    let template = Template::new(256, &[])
        .enterprise(PEN_ANTREA, 101, u16::MAX)
        .enterprise(PEN_ANTREA, 106, 4)
        .enterprise(PEN_ANTREA, 159, 16)
        .enterprise(PEN_ANTREA, 108, 2);
    let mut body = vec![0; 1 + 4 + 16];
    body.extend_from_slice(&[0, 0]);
    lab.send(&Ipfix::new(SECONDS, 0, 0).template(&template).data(256, &body).build());
    lab.nothing_lost();
    let columns =
        [flows::SRC_POD, flows::DST_SERVICE_ADDR, flows::SRC_POD_UUID, flows::DST_SERVICE_PORT];
    assert_eq!(columns.map(|id| lab.out.flows.get(id, 0)), [None; 4]);
}

/// `interfaceName` twice in one template: the ingress one, then the egress one; tunnel key of 3
/// octets.
#[test]
fn open_vswitch_names_both_interfaces_and_the_tunnel() {
    let mut lab = Lab::new();
    let template = Template::new(256, &[(10, 4), (82, u16::MAX), (14, 4), (82, u16::MAX)])
        .enterprise(PEN_VMWARE, 891, 1)
        .enterprise(PEN_VMWARE, 892, u16::MAX)
        .enterprise(PEN_VMWARE, 893, 4)
        .enterprise(PEN_VMWARE, 898, u16::MAX);
    let mut body = b"\x00\x00\x00\x01\x02p1\x00\x00\x00\x02\x02p2\x07\x03\x00\x00\x7b".to_vec();
    body.extend_from_slice(b"\x0a\x00\x00\x01\x0aovs-node-1");
    lab.send(&Ipfix::new(SECONDS, 0, 0).template(&template).data(256, &body).build());
    lab.nothing_lost();
    let texts = [flows::IN_IF_NAME, flows::OUT_IF_NAME, flows::VIRTUAL_OBS_ID];
    let texts = texts.map(|id| lab.texts(id).remove(0).unwrap_or_default());
    assert_eq!(texts, ["p1", "p2", "ovs-node-1"]);
    assert_eq!(lab.numbers(flows::TUNNEL_ID), [Some(123)]);
    assert_eq!(lab.numbers(flows::TUNNEL_KIND), [Some(3)], "Geneve is 7 there, 3 here");
}

#[test]
fn open_vswitch_tells_its_virtual_observation_id() {
    let path = "corpus/generated/generated-ovs-ipfix.pcap";
    let Some(session) = captures::decode(path) else { return };
    let batch = &session.out.flows;
    let point = |row| batch.get_u64(flows::OBSERVATION_POINT, row);
    let id = |row| batch.get_octets(flows::VIRTUAL_OBS_ID, row);
    let all = (0..160).all(|row| point(row) == Some(456) && id(row) == Some(b"ovs-node-1"));
    assert!(all && batch.rows() == 160);
    let ingress = column(&session, flows::DIRECTION);
    assert_eq!(ingress.iter().filter(|direction| **direction == Some(0)).count(), 40);
}

/// NSEL: an event per record; octets of initiator and responder in 231 and 232.
#[test]
fn cisco_asa_nsel_counts_both_directions() {
    let mut lab = Lab::new();
    let fields = [(8, 4), (12, 4), (225, 4), (227, 2), (233, 1), (33_002, 2), (231, 4), (232, 4)];
    let packet = NetFlow9::new(2, 0, SECONDS, 0, 0)
        .template(&Template::new(263, &fields))
        .data(
            263,
            &[
                10, 0, 0, 1, 192, 0, 2, 1, 198, 51, 100, 1, 4, 0, 2, 0x07, 0xe9, 0, 0, 1, 0, 0, 0,
                2, 0,
            ],
        )
        .build();
    lab.send(&packet).nothing_lost();
    let columns = [
        flows::OCTETS,
        flows::REVERSE_OCTETS,
        flows::FIREWALL_EVENT,
        flows::FIREWALL_EXT_EVENT,
        flows::POST_NAT_SRC_PORT,
    ];
    let values = columns.map(|id| lab.numbers(id)[0]);
    assert_eq!(values, [Some(256), Some(512), Some(2), Some(2_025), Some(1_024)]);
    let nat = lab.out.flows.get(flows::POST_NAT_SRC_ADDR, 0);
    assert_eq!(nat, Some(Scalar::Addr(Addr::v4(0xc633_6401))));
}

#[test]
fn palo_alto_sends_app_and_user_ids_as_plain_ids() {
    let path = "corpus/logstash/logstash-netflow-9-palo-alto-pan-os-with-app-id.pcap";
    let Some(session) = captures::decode(path) else { return };
    let batch = &session.out.flows;
    assert_eq!(batch.rows(), 8);
    let text = |id| {
        crate::record::said(batch, 0, weir_model::column::ElementKey { pen: 0, id })
            .into_iter()
            .next()
    };
    for id in [56_701, 56_702] {
        assert!(
            matches!(text(id), Some(crate::record::Said::Text(_))),
            "element {id} is {:?}",
            text(id)
        );
    }
}

/// In v9 nProbe has no enterprise number to send: its elements begin at 57472.
#[test]
fn nprobe_in_netflow9_starts_at_57472() {
    let mut lab = Lab::new();
    let packet = NetFlow9::new(2, 0, SECONDS, 0, 0)
        .template(&Template::new(256, &[(57_472 + 118, 2), (57_472 + 188, 8), (57_472 + 123, 4)]))
        .data(256, b"\x00\x5bweir.io\0\x00\x00\x00\x07")
        .build();
    lab.send(&packet).nothing_lost();
    assert_eq!(lab.numbers(flows::L7_PROTO), [Some(91)]);
    assert_eq!(lab.texts(flows::TLS_SNI), [Some("weir.io".into())]);
    assert_eq!(lab.extra(0, PEN_NTOP, 123, 0), Some(vec![0, 0, 0, 7]));
    let mut ipfix = Lab::new();
    let template = Template::new(256, &[]).enterprise(PEN_NTOP, 118, 2);
    ipfix.send(&Ipfix::new(SECONDS, 0, 0).template(&template).data(256, &[0, 91]).build());
    assert_eq!(ipfix.numbers(flows::L7_PROTO), [Some(91)], "the same element in IPFIX");
}

#[test]
fn nokia_bras_tells_nat_in_its_own_elements() {
    let Some(session) = captures::decode("corpus/logstash/logstash-ipfix-nokia-bras.pcap") else {
        return;
    };
    let extra = session.out.flows.get_octets(flows::EXTRA, 0).unwrap();
    let element = |id| {
        let key = weir_model::column::ElementKey { pen: 637, id };
        weir_model::elements::find(extra, key, 0)
    };
    assert_eq!(element(91), Some(&[0, 100][..]));
    assert_eq!(element(92), Some(&[0, 0][..]));
    assert_eq!(element(93), Some(&b"USER1@10.10.0.123\0\0\0\0\0\0\0"[..]), "as it came");
}

/// RFC 5103: one record, both directions.
#[test]
fn reverse_elements_fill_the_reverse_columns() {
    let mut lab = Lab::new();
    let template =
        Template::new(256, &[(1, 4), (2, 4)]).enterprise(29_305, 1, 4).enterprise(29_305, 2, 4);
    let body: Vec<u8> = [10u32, 1, 20, 2].into_iter().flat_map(u32::to_be_bytes).collect();
    lab.send(&Ipfix::new(SECONDS, 0, 0).template(&template).data(256, &body).build());
    lab.nothing_lost();
    let columns = [flows::OCTETS, flows::PACKETS, flows::REVERSE_OCTETS, flows::REVERSE_PACKETS];
    let values = columns.map(|id| lab.numbers(id)[0]);
    assert_eq!(values, [Some(10), Some(1), Some(20), Some(2)]);
}

/// Elements that nobody knows are kept as they came.
#[test]
fn unknown_elements_are_kept() {
    let mut lab = Lab::new();
    let template = Template::new(256, &[(32_000, 3)]).enterprise(999_999, 7, u16::MAX);
    lab.send(&Ipfix::new(SECONDS, 0, 0).template(&template).data(256, b"abc\x02xy").build());
    lab.nothing_lost();
    assert_eq!(lab.extra(0, 0, 32_000, 0), Some(b"abc".to_vec()));
    assert_eq!(lab.extra(0, 999_999, 7, 0), Some(b"xy".to_vec()));
}
