//! Exporters that wait for acknowledgements: what the control pass finds, drops and hands on.

use super::*;
use crate::acknowledge::{Announcement, Instance};
use crate::decode::{Gathering, Message, decode};
use crate::received::Origin;
use weir_model::columns::counters;
use weir_testkit::announcement;

const US: Instance = *b"an exporter's id";

fn connection(origin: Option<(u64, bool)>) -> Received {
    let origin = origin.map(|(number, repeat)| Origin { instance: US, number, repeat });
    Received { transport: Transport::Tcp, session: SessionId(7), origin, ..here() }
}

fn message(sequence: u32) -> Ipfix {
    Ipfix::new(1_700_000_000, sequence, 5)
}

#[test]
fn an_announcement_is_found_in_its_options_record() {
    let mut collector = Collector::new(Limits::default());
    let mut found = |octets: &[u8]| {
        let admitted = collector.admit(octets, &connection(None)).unwrap();
        (admitted.announcement, admitted.records)
    };
    let first = 1 << 33;
    assert_eq!(
        found(&announcement(5, &US, first)),
        (Some(Announcement { instance: US, first }), Some(1))
    );
    assert_eq!(found(&message(0).template(&two_fields(256)).build()), (None, Some(0)));
    assert_eq!(found(&message(0).data(256, &RECORD).build()), (None, Some(1)));
    // The instance of variable length, another version, and an instance that is too short.
    let template = |length| {
        Template::options(998, 1, &[(149, 4)])
            .enterprise(32_473, 30_001, 1)
            .enterprise(32_473, 30_002, length)
            .enterprise(32_473, 30_003, 4)
    };
    let record = |version: u8, instance: &[u8]| {
        [&[0, 0, 0, 5, version], instance, &9u32.to_be_bytes()].concat()
    };
    let long = [&[16][..], &US].concat();
    let variable = message(1).template(&template(65_535)).data(998, &record(1, &long)).build();
    assert_eq!(found(&variable).0, Some(Announcement { instance: US, first: 9 }));
    let newer = message(2).data(998, &record(2, &long)).build();
    assert_eq!(found(&newer).0, None);
    let short = message(3).template(&template(8)).data(998, &record(1, &US[..8])).build();
    assert_eq!(found(&short).0, None);
}

#[test]
fn a_repeat_is_dropped_but_its_templates_and_its_place_are_taken() {
    let mut collector = Collector::new(Limits::default());
    let both = message(10).template(&two_fields(256)).data(256, &[RECORD, RECORD].concat());
    let repeat = collector.admit(&both.build(), &connection(Some((10, true)))).unwrap();
    let dropped = repeat.tally.dropped(DropReason::Duplicate);
    assert_eq!((dropped.sets, dropped.records, dropped.octets), (1, 2, 12));
    assert!(repeat.work.is_empty());
    assert_eq!((repeat.records, repeat.tally.sets_open()), (Some(2), 0));
    let next = message(12).data(256, &RECORD).build();
    let next = collector.admit(&next, &connection(Some((12, false)))).unwrap();
    assert_eq!((next.work.sets(), next.work.table()), (1, weir_model::Table::Flows));
    let status = collector.exporters().next().unwrap();
    assert_eq!(status.records_seen, 1);
    assert_eq!(status.sequence, SequenceStatus::default());
}

#[test]
fn nothing_of_an_announced_stream_is_parked() {
    let mut collector = Collector::new(Limits::default());
    let early = message(0).data(300, &RECORD).build();
    let admitted = collector.admit(&early, &connection(Some((0, false)))).unwrap();
    assert_eq!(admitted.tally.dropped(DropReason::NoTemplate).sets, 1);
    assert_eq!((admitted.records, collector.parked_sets()), (None, 0));
}

#[test]
fn rows_tell_whose_they_are_and_the_number_of_their_message() {
    let mut collector = Collector::new(Limits::default());
    let template = message(0).template(&two_fields(256)).build();
    let plain = Received { session: SessionId(8), ..connection(None) };
    let first = u64::MAX - 1;
    let receipts = [
        (plain, 1),
        (connection(Some((first, false))), 2),
        (plain, 1),
        (connection(Some((first + 1, false))), 1),
    ];
    for receipt in [plain, connection(None)] {
        collector.admit(&template, &receipt).unwrap();
    }
    let messages: Vec<_> = receipts
        .map(|(received, n)| (message(0).data(256, &RECORD.repeat(n)).build(), received))
        .into_iter()
        .map(|(octets, received)| {
            let work = collector.admit(&octets, &received).unwrap().work;
            (octets, work, received)
        })
        .collect();
    let told = |out: &Output| -> Vec<_> {
        let row = |row| {
            let instance = out.flows.get_octets(flows::EXPORTER_INSTANCE, row);
            (instance.map(<[u8]>::to_vec), out.flows.get_u64(flows::EXPORT_SEQUENCE, row))
        };
        (0..out.flows.rows()).map(row).collect()
    };
    let ours = |number| (Some(US.to_vec()), Some(number));
    let expected = [(None, None), ours(first), ours(first), (None, None), ours(first + 1)];
    let (mut one_by_one, mut together) = (Output::new(), Output::new());
    let mut gathering = Gathering::default();
    for (octets, work, received) in &messages {
        decode(Message { work, octets, received }, &mut one_by_one);
        gathering.add(Message { work, octets, received }, &mut together);
    }
    gathering.finish(&mut together);
    assert_eq!(told(&one_by_one), expected);
    // Templates of a session come together, in the order in which they were met.
    let expected = [(None, None), (None, None), ours(first), ours(first), ours(first + 1)];
    assert_eq!(told(&together), expected);
}

#[test]
fn counters_and_options_records_tell_it_too_where_a_message_holds_nothing_else() {
    let counters = Template::options(300, 1, &[]).enterprise(32_473, 20_006, 4);
    let counters = counters.enterprise(32_473, 20_007, 1);
    let options = Template::options(301, 1, &[(149, 4), (42, 1)]);
    let mut collector = Collector::new(Limits::default());
    for template in [two_fields(256), counters, options] {
        let octets = message(0).template(&template).build();
        collector.admit(&octets, &connection(None)).unwrap();
    }
    let sets: [(u16, &[u8]); 3] = [(256, &RECORD), (300, b"load\x07"), (301, &[0, 0, 0, 5, 9])];
    // Numbers of flows, counters and options records of a message that has these Sets.
    let mut told = |parts: &[usize], origin| {
        let octets = parts.iter().fold(message(0), |message, part| {
            let (id, body) = sets[*part];
            message.data(id, body)
        });
        let (octets, received) = (octets.build(), connection(origin));
        let work = collector.admit(&octets, &received).unwrap().work;
        let mut out = Output::new();
        decode(Message { work: &work, octets: &octets, received: &received }, &mut out);
        let tables = [
            (&out.flows, flows::EXPORTER_INSTANCE, flows::EXPORT_SEQUENCE),
            (&out.counters, counters::EXPORTER_INSTANCE, counters::EXPORT_SEQUENCE),
            (&out.options, options::EXPORTER_INSTANCE, options::EXPORT_SEQUENCE),
        ];
        assert_eq!(
            tables.map(|(batch, ..)| batch.rows()),
            [0, 1, 2].map(|t| parts.iter().filter(|p| **p == t).count())
        );
        if out.counters.rows() > 0 {
            let domain = out.counters.get_u64(counters::OBSERVATION_DOMAIN, 0);
            assert_eq!(domain, out.counters.get_u64(counters::EXPORT_SEQUENCE, 0).map(|_| 5));
        }
        tables.map(|(batch, instance, number)| {
            let ours = batch.get_octets(instance, 0);
            let number = batch.get_u64(number, 0);
            assert_eq!(ours, number.map(|_| &US[..]));
            number
        })
    };
    let number = Some((77, false));
    assert_eq!(told(&[0], number), [Some(77), None, None]);
    assert_eq!(told(&[1], number), [None, Some(77), None]);
    assert_eq!(told(&[2], number), [None, None, Some(77)]);
    assert_eq!(told(&[2, 1], number), [None, Some(77), None]);
    assert_eq!(told(&[2, 1, 0], number), [Some(77), None, None]);
    assert_eq!(told(&[1, 2], None), [None; 3]);
}
