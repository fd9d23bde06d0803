//! Messages decoded together: the same rows as alone, those of a template in the same order.

use weir_model::Timestamp;
use weir_model::columns::flows;
use weir_testkit::message::{Ipfix, NetFlow9, Template};
use weir_testkit::{Payload, corpus, payloads};
use weir_wire::check::check_gathering;
use weir_wire::{Collector, Gathering, Limits, Message, Output, Received};

use crate::captures;

/// Every capture at hand, as many messages at a time as a chunk of ingest has.
#[test]
fn captures_give_the_same_rows_together() {
    let folders = corpus().into_iter().chain([captures::fixtures()]);
    let mut messages = 0;
    for path in folders.flat_map(|folder| captures::files(&folder)) {
        let found = payloads(&std::fs::read(&path).unwrap()).unwrap_or_default();
        let received = |payload: &Payload| Received::udp(payload.at, payload.source);
        for chunk in found.chunks(64) {
            let chunk: Vec<_> =
                chunk.iter().map(|payload| (&payload.octets[..], received(payload))).collect();
            check_gathering(&chunk);
            messages += chunk.len();
        }
    }
    assert!(messages > 500, "{messages} messages");
}

/// Two templates in turn: each of them keeps the order of its messages, and every row has what its
/// own message told.
#[test]
fn rows_keep_the_order_of_their_template_and_the_facts_of_their_message() {
    let short = Template::new(256, &[(1, 8), (21, 4)]);
    let text = Template::new(257, &[(1, 8), (82, 65_535)]);
    let mut messages = vec![NetFlow9::new(1, 10_000, 1_700_000_000, 0, 1).template(&short).build()];
    messages.push(Ipfix::new(1_700_000_000, 0, 1).template(&text).build());
    for n in 1..=3u8 {
        let (seconds, sequence) = (1_700_000_000 + u32::from(n), u32::from(n));
        let records =
            [[0, 0, 0, 0, 0, 0, 0, n, 0, 0, 39, 16], [0, 0, 0, 0, 0, 0, 1, n, 0, 0, 0, 0]];
        let message = NetFlow9::new(2, 10_000 + sequence, seconds, sequence, 1);
        messages.push(message.data(256, &records.concat()).build());
        let record = [0, 0, 0, 0, 0, 0, 2, n, 3, b'e', b't', b'h'];
        messages.push(Ipfix::new(seconds, sequence, 1).data(257, &record).build());
    }
    let at = |n: usize| Timestamp::from_seconds(1_700_000_100 + n as i64);
    let receipts: Vec<_> = (0..messages.len())
        .map(|n| Received::udp(at(n), "192.0.2.1:2055".parse().unwrap()))
        .collect();
    let mut collector = Collector::new(Limits::default());
    let works: Vec<_> = messages
        .iter()
        .zip(&receipts)
        .map(|(octets, received)| collector.admit(octets, received).unwrap().work)
        .collect();
    let (mut out, mut gathering) = (Output::new(), Gathering::default());
    for ((octets, work), received) in messages.iter().zip(&works).zip(&receipts) {
        gathering.add(Message { work, octets, received }, &mut out);
    }
    assert_eq!((out.flows.rows(), gathering.rows_max()), (0, 9));
    assert_eq!(gathering.finish(&mut out).flows, 9);
    out.seal();
    let column = |id| -> Vec<u64> {
        (0..out.flows.rows()).map(|row| out.flows.get_u64(id, row).unwrap()).collect()
    };
    let octets = [1, 257, 2, 258, 3, 259, 513, 514, 515];
    assert_eq!(column(flows::OCTETS), octets);
    assert_eq!(column(flows::SEQUENCE), [1, 1, 2, 2, 3, 3, 1, 2, 3]);
    let times = |id| -> Vec<String> {
        (0..out.flows.rows()).map(|row| format!("{:?}", out.flows.get(id, row))).collect()
    };
    let seconds = |base: i64, of: [i64; 9]| -> Vec<String> {
        of.map(|n| format!("Some(I64({}))", (base + n) * 1_000_000_000)).into()
    };
    let received = seconds(1_700_000_100, [2, 2, 4, 4, 6, 6, 3, 5, 7]);
    assert_eq!(times(flows::RECEIVED_AT), received);
    // Uptime 10,000 ms is n ms before the export of message n, uptime 0 is 10,000 ms before that.
    let ended = |n: i64, ago: i64| {
        format!("Some(I64({}))", (1_700_000_000 + n) * 1_000_000_000 - ago * 1_000_000)
    };
    let ends: Vec<_> = (1..=3).flat_map(|n| [ended(n, n), ended(n, 10_000 + n)]).collect();
    assert_eq!(times(flows::FLOW_END)[..6], ends);
    assert_eq!(times(flows::FLOW_END)[6..], ["None", "None", "None"]);
    assert_eq!(out.flows.get_octets(flows::IN_IF_NAME, 8), Some(&b"eth"[..]));
    assert_eq!(out.flows.get_octets(flows::IN_IF_NAME, 0), None);
}
