use std::net::SocketAddr;
use std::time::Duration;

use super::*;
use crate::decode::Decoder;
use crate::output::Output;
use crate::received::Transport;
use crate::status::SequenceStatus;
use weir_model::columns::{flows, options};
use weir_model::{FlowBatch, Scalar, elements};
use weir_testkit::message::{Ipfix, NetFlow9, Template};

mod acknowledge;
mod limits;
mod options_knowledge;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + seconds)
}

fn from(source: &str, seconds: i64) -> Received {
    Received::udp(at(seconds), source.parse::<SocketAddr>().unwrap())
}

fn here() -> Received {
    from("192.0.2.1:2055", 0)
}

/// A template of source port and octets, and records of it.
fn two_fields(id: u16) -> Template {
    Template::new(id, &[(7, 2), (1, 4)])
}

const RECORD: [u8; 6] = [1, 187, 0, 0, 4, 0];

/// Feeds messages; gives what came out, the tally and the decoder, books checked.
struct Bench {
    decoder: Decoder,
    out: Output,
    tally: Tally,
}

impl Bench {
    fn new(limits: Limits) -> Bench {
        Bench { decoder: Decoder::new(limits), out: Output::new(), tally: Tally::default() }
    }

    fn feed(&mut self, message: &[u8], received: &Received) -> Result<Tally, MessageError> {
        let tally = self.decoder.decode(message, received, &mut self.out)?;
        self.tally += &tally;
        self.balance();
        Ok(tally)
    }

    fn expire(&mut self, now: Timestamp) -> Tally {
        let tally = self.decoder.collector_mut().expire(now);
        self.tally += &tally;
        self.balance();
        tally
    }

    fn balance(&self) {
        let parked = self.decoder.collector().parked_sets();
        assert_eq!(self.tally.sets_open(), parked as i64);
        assert_eq!(self.tally.flows as usize, self.out.flows.rows());
    }

    fn status(&self) -> ExporterStatus {
        self.decoder.collector().exporters().next().unwrap()
    }

    fn ports(&self) -> Vec<Option<u64>> {
        (0..self.out.flows.rows()).map(|row| self.out.flows.get_u64(flows::SRC_PORT, row)).collect()
    }
}

fn number(batch: &FlowBatch, column: weir_model::ColumnId, row: usize) -> Option<u64> {
    batch.get_u64(column, row)
}

#[test]
fn data_before_its_template_waits_for_it_even_in_one_packet() {
    let mut bench = Bench::new(Limits::default());
    let message = NetFlow9::new(3, 1_000, 1_700_000_000, 1, 0)
        .data(256, &RECORD)
        .template(&two_fields(256))
        .data(256, &RECORD)
        .build();
    let tally = bench.feed(&message, &here()).unwrap();
    assert_eq!((tally.flows, tally.sets_parked, tally.sets_released), (2, 1, 1));
    let early = Ipfix::new(1_700_000_000, 0, 9).data(300, &[RECORD, RECORD].concat()).build();
    assert_eq!(bench.feed(&early, &here()).unwrap().flows, 0);
    assert_eq!(bench.decoder.collector().parked_sets(), 1);
    let late = Ipfix::new(1_700_000_100, 2, 9).template(&two_fields(300)).build();
    assert_eq!(bench.feed(&late, &from("192.0.2.1:2055", 100)).unwrap().flows, 2);
    // Released records keep their own message's times.
    let received = bench.out.flows.get(flows::RECEIVED_AT, 2);
    assert_eq!(received, Some(Scalar::I64(at(0).0)));
    assert_eq!(bench.decoder.collector().parked_sets(), 0);
}

#[test]
fn templates_change_and_are_withdrawn() {
    let (transport, session) = (Transport::Tcp, SessionId(7));
    let here = || Received { transport, session, ..here() };
    let mut bench = Bench::new(Limits::default());
    let message = |sequence| Ipfix::new(1_700_000_000, sequence, 1);
    bench.feed(&message(0).template(&two_fields(256)).data(256, &RECORD).build(), &here()).unwrap();
    let swapped = Template::new(256, &[(1, 4), (7, 2)]);
    let changed = message(1).template(&swapped).data(256, &[0, 0, 4, 0, 0, 53]).build();
    bench.feed(&changed, &here()).unwrap();
    assert_eq!(bench.ports(), [Some(443), Some(53)]);
    bench.feed(&message(2).set(2, &[1, 0, 0, 0]).build(), &here()).unwrap();
    bench.feed(&message(2).data(256, &[0; 6]).build(), &here()).unwrap();
    assert_eq!((bench.status().templates, bench.status().parked_sets), (0, 1));
    let all = message(3).template(&two_fields(257)).set(2, &[0, 2, 0, 0]).build();
    bench.feed(&all, &here()).unwrap();
    assert_eq!((bench.status().templates, bench.tally.withdrawals), (0, 2));
}

#[test]
fn withdrawals_over_udp_and_of_other_connections_change_nothing() {
    let mut bench = Bench::new(Limits::default());
    let message = |sequence| Ipfix::new(1_700_000_000, sequence, 1);
    let template = message(0).template(&two_fields(256)).build();
    let withdrawal = message(0).set(2, &[1, 0, 0, 0]).set(2, &[0, 2, 0, 0]).build();
    let connection = Received { transport: Transport::Tcp, session: SessionId(7), ..here() };
    bench.feed(&template, &here()).unwrap();
    bench.feed(&template, &connection).unwrap();
    bench.feed(&withdrawal, &here()).unwrap();
    bench.feed(&withdrawal, &connection).unwrap();
    assert_eq!((bench.status().templates, bench.tally.withdrawals), (1, 4));
    let data = message(0).data(256, &RECORD).build();
    assert_eq!(bench.feed(&data, &from("192.0.2.1:9", 0)).unwrap().flows, 1);
    assert_eq!(bench.feed(&data, &connection).unwrap().sets_parked, 1);
}

#[test]
fn an_options_template_id_becomes_a_data_template_id() {
    let mut bench = Bench::new(Limits::default());
    let options = Template::options(256, 1, &[(1, 4), (34, 4)]);
    let first = NetFlow9::new(2, 0, 1_700_000_000, 1, 0).template(&options);
    bench.feed(&first.data(256, &[0, 0, 0, 0, 0, 0, 0, 10]).build(), &here()).unwrap();
    let second = NetFlow9::new(2, 0, 1_700_000_000, 2, 0).template(&two_fields(256));
    bench.feed(&second.data(256, &RECORD).build(), &here()).unwrap();
    assert_eq!((bench.tally.options, bench.tally.flows), (1, 1));
    assert_eq!(number(&bench.out.flows, flows::SAMPLING_RATE, 0), Some(10));
    let scope = bench.out.options.get_octets(options::SCOPE, 0).unwrap();
    let system: Vec<_> = elements::iter(scope).map(|e| (e.key.id, e.value.to_vec())).collect();
    assert_eq!(system, [(144, vec![0, 0, 0, 0])]);
}

#[test]
fn sets_of_one_domain_spread_over_source_ports_share_templates() {
    let mut bench = Bench::new(Limits::default());
    let template = Ipfix::new(1_700_000_000, 0, 5).template(&two_fields(256)).build();
    bench.feed(&template, &from("192.0.2.1:1000", 0)).unwrap();
    let data = |domain| Ipfix::new(1_700_000_000, 0, domain).data(256, &RECORD).build();
    let tally = bench.feed(&data(5), &from("192.0.2.1:1001", 1)).unwrap();
    assert_eq!((tally.flows, tally.templates_borrowed), (1, 1));
    // Another domain or another exporter has templates of its own.
    assert_eq!(bench.feed(&data(6), &from("192.0.2.1:1000", 1)).unwrap().sets_parked, 1);
    assert_eq!(bench.feed(&data(5), &from("192.0.2.2:1000", 1)).unwrap().sets_parked, 1);
    // A port that defined the id itself goes by its own.
    let own = Template::new(256, &[(1, 4), (7, 2)]);
    let own = Ipfix::new(1_700_000_000, 0, 5).template(&own).data(256, &[0, 0, 0, 1, 0, 53]);
    bench.feed(&own.build(), &from("192.0.2.1:1001", 2)).unwrap();
    bench.feed(&data(5), &from("192.0.2.1:1000", 3)).unwrap();
    assert_eq!(bench.ports(), [Some(443), Some(53), Some(443)]);
}

#[test]
fn templates_of_a_connection_end_with_it() {
    let mut bench = Bench::new(Limits::default());
    let tcp = |session| Received {
        transport: Transport::Tcp,
        session: SessionId(session),
        ..from("192.0.2.1:5000", 0)
    };
    let template = Ipfix::new(1_700_000_000, 0, 5).template(&two_fields(256)).build();
    let data = Ipfix::new(1_700_000_000, 0, 5).data(256, &RECORD).build();
    bench.feed(&template, &tcp(1)).unwrap();
    assert_eq!(bench.feed(&data, &tcp(1)).unwrap().flows, 1);
    assert_eq!(bench.feed(&data, &tcp(2)).unwrap().sets_parked, 1);
    bench.expire(at(10_000_000));
    assert_eq!(bench.feed(&data, &tcp(1)).unwrap().flows, 1);
    bench.decoder.collector_mut().end_session(SessionId(1));
    assert_eq!(bench.feed(&data, &tcp(1)).unwrap().sets_parked, 1);
    assert_eq!(bench.decoder.collector_mut().end_session(SessionId(1)).dropped_sets(), 1);
}

#[test]
fn state_survives_a_restart() {
    let mut bench = Bench::new(Limits::default());
    let sampler = Template::options(300, 1, &[(302, 1), (34, 4)]);
    let names = Template::options(301, 1, &[(10, 4), (82, 4)]);
    let message = Ipfix::new(1_700_000_000, 0, 5)
        .template(&two_fields(256))
        .template(&Template::new(257, &[(302, 1), (10, 4)]))
        .set(3, &options_body(&[sampler, names]))
        .data(300, &[7, 0, 0, 3, 232])
        .data(301, &[0, 0, 0, 9, b'e', b't', b'h', b'0'])
        .build();
    bench.feed(&message, &here()).unwrap();
    let saved = bench.decoder.collector().save();
    let mut after = Bench::new(Limits::default());
    after.decoder.collector_mut().load(&saved, |_| true).unwrap();
    assert_eq!(after.decoder.collector().save(), saved);
    let data = Ipfix::new(1_700_000_000, 9, 5).data(256, &RECORD).data(257, &[7, 0, 0, 0, 9]);
    assert_eq!(after.feed(&data.build(), &from("192.0.2.1:2055", 60)).unwrap().flows, 2);
    assert_eq!((after.status().first_seen, after.status().last_seen), (at(60), at(60)));
    let flows = &after.out.flows;
    assert_eq!(number(flows, flows::SAMPLING_RATE, 1), Some(1_000));
    assert_eq!(flows.get_octets(flows::IN_IF_NAME, 1), Some(&b"eth0"[..]));
    let mut other_shard = Collector::new(Limits::default());
    other_shard.load(&saved, |_| false).unwrap();
    assert_eq!(other_shard.exporters().count(), 0);
}

fn options_body(templates: &[Template]) -> Vec<u8> {
    let whole = templates.iter().map(|t| Ipfix::new(0, 0, 0).template(t).build());
    // 16 octets of message header and 4 of Set header go.
    whole.flat_map(|message| message[20..].to_vec()).collect()
}

#[test]
fn damaged_state_changes_nothing() {
    let mut bench = Bench::new(Limits::default());
    let template = Ipfix::new(1_700_000_000, 0, 5).template(&two_fields(256)).build();
    bench.feed(&template, &here()).unwrap();
    let saved = bench.decoder.collector().save();
    for length in 0..saved.len() {
        let mut collector = Collector::new(Limits::default());
        let loaded = collector.load(&saved[..length], |_| true);
        assert_eq!(loaded.is_ok(), length == 8, "{length}");
        assert_eq!(collector.exporters().count(), 0);
    }
}

#[test]
fn sequence_numbers_follow_through_templates_and_unknown_sets() {
    let mut bench = Bench::new(Limits::default());
    let message = |sequence| Ipfix::new(1_700_000_000, sequence, 1);
    bench.feed(&message(7).template(&two_fields(256)).data(256, &RECORD).build(), &here()).unwrap();
    bench.feed(&message(8).data(256, &[0; 18]).build(), &here()).unwrap();
    bench.feed(&message(11).data(999, &[0; 18]).build(), &here()).unwrap();
    bench.feed(&message(400).data(256, &RECORD).build(), &here()).unwrap();
    assert_eq!(bench.status().sequence, SequenceStatus::default());
    bench.feed(&message(404).data(256, &RECORD).build(), &here()).unwrap();
    let gap = SequenceStatus { missing: 3, gaps: 1, ..SequenceStatus::default() };
    assert_eq!(bench.status().sequence, gap);
    assert_eq!(bench.status().records_seen, 6);
}

#[test]
fn framing_errors_refuse_the_message_and_a_bad_set_only_itself() {
    let mut bench = Bench::new(Limits::default());
    let good = Ipfix::new(1_700_000_000, 0, 1).template(&two_fields(256)).data(256, &RECORD);
    let mut cut = good.clone().build();
    let last = cut.len() - 7;
    cut[last] = 200;
    assert!(matches!(bench.feed(&cut, &here()), Err(MessageError::BadSet { .. })));
    assert_eq!(bench.decoder.collector().exporters().count(), 0);
    let bad_set = good.set(9, b"reserved").set(2, &[1, 1, 0, 9, 0, 1]).data(256, &RECORD).build();
    let tally = bench.feed(&bad_set, &here()).unwrap();
    assert_eq!(tally.flows, 2);
    assert_eq!(tally.dropped(DropReason::Reserved).sets, 1);
    assert_eq!(tally.dropped(DropReason::MalformedTemplate).sets, 1);
}

#[test]
fn old_templates_and_old_parked_data_go() {
    let limits = Limits {
        template_lifetime: Duration::from_secs(100),
        parked_age: Duration::from_secs(10),
        ..Limits::default()
    };
    let mut bench = Bench::new(limits);
    let message = Ipfix::new(1_700_000_000, 0, 1).template(&two_fields(256)).data(300, &RECORD);
    bench.feed(&message.build(), &here()).unwrap();
    assert_eq!(bench.expire(at(10)), Tally::default());
    let dropped = bench.expire(at(11)).dropped(DropReason::NoTemplate);
    assert_eq!((dropped.sets, dropped.octets), (1, 6));
    assert_eq!(bench.status().templates, 1);
    bench.expire(at(101));
    assert_eq!((bench.status().templates, bench.status().templates_evicted), (0, 1));
}
