use super::*;

fn data(domain: u32, template: u16, octets: usize) -> Vec<u8> {
    Ipfix::new(1_700_000_000, 0, domain).data(template, &vec![0; octets]).build()
}

#[test]
fn exporters_past_the_limit_are_refused_until_one_was_idle() {
    let limits = Limits { exporters: 2, ..Limits::default() };
    let mut bench = Bench::new(limits);
    let message = |domain| Ipfix::new(1_700_000_000, 0, domain).template(&two_fields(256)).build();
    for domain in [1, 2] {
        bench.feed(&message(domain), &here()).unwrap();
    }
    let refused = Err(MessageError::TooManyExporters { limit: 2 });
    assert_eq!(bench.feed(&message(3), &from("192.0.2.1:2055", 599)), refused);
    bench.feed(&message(2), &from("192.0.2.1:2055", 599)).unwrap();
    bench.feed(&message(3), &from("192.0.2.1:2055", 600)).unwrap();
    let mut domains: Vec<_> =
        bench.decoder.collector().exporters().map(|status| status.domain).collect();
    domains.sort_unstable();
    assert_eq!(domains, [2, 3]);
}

#[test]
fn parked_data_is_bounded_per_exporter_and_in_all() {
    let limits =
        Limits { parked_octets: 2_500, parked_octets_per_exporter: 1_300, ..Limits::default() };
    let mut bench = Bench::new(limits);
    for domain in [1, 1, 2, 2, 3] {
        bench.feed(&data(domain, 300, 1_000), &here()).unwrap();
    }
    assert_eq!(bench.decoder.collector().parked_sets(), 2);
    let dropped = bench.tally.dropped(DropReason::ParkQuota);
    assert_eq!((dropped.sets, dropped.octets), (3, 3_000));
}

#[test]
fn templates_past_the_limit_push_out_the_oldest() {
    let mut bench = Bench::new(Limits { templates: 8, ..Limits::default() });
    for (second, id) in (256..265).enumerate() {
        let message = Ipfix::new(1_700_000_000, 0, 1).template(&two_fields(id)).build();
        bench.feed(&message, &from("192.0.2.1:2055", second as i64)).unwrap();
    }
    assert_eq!((bench.status().templates, bench.status().templates_evicted), (8, 1));
    assert_eq!(bench.feed(&data(1, 256, 6), &here()).unwrap().sets_parked, 1);
    assert_eq!(bench.feed(&data(1, 264, 6), &here()).unwrap().flows, 1);
}

#[test]
fn a_template_with_too_many_fields_is_refused() {
    let mut bench = Bench::new(Limits { template_fields: 3, ..Limits::default() });
    let wide = Template::new(256, &[(7, 2); 4]);
    let message = Ipfix::new(1_700_000_000, 0, 1).template(&wide).build();
    let tally = bench.feed(&message, &here()).unwrap();
    assert_eq!(tally.dropped(DropReason::TemplateQuota).sets, 1);
    assert_eq!(bench.status().templates, 0);
}

#[test]
fn one_octet_records_cannot_become_more_rows_than_the_limit() {
    let mut bench = Bench::new(Limits::default());
    for (id, field) in [(256, (4, 1)), (257, (96, 65_535))] {
        let template = Template::new(id, &[field]);
        let template = Ipfix::new(1_700_000_000, 0, 1).template(&template).build();
        bench.feed(&template, &here()).unwrap();
        let tally = bench.feed(&data(1, id, 60_000), &here()).unwrap();
        assert_eq!(tally.flows, 8_192);
        assert_eq!(tally.dropped(DropReason::RecordQuota).records, 60_000 - 8_192);
    }
}

#[test]
fn zero_length_fields_make_no_records_of_no_octets() {
    let mut bench = Bench::new(Limits::default());
    let empty = Ipfix::new(1_700_000_000, 0, 1).template(&Template::new(256, &[(7, 0), (11, 0)]));
    let tally = bench.feed(&empty.data(256, &[1; 40]).build(), &here()).unwrap();
    assert_eq!(tally.dropped(DropReason::MalformedTemplate).sets, 1);
    assert_eq!((tally.sets_parked, tally.flows), (1, 0));
}

#[test]
fn a_flood_of_options_names_stops_at_the_limit() {
    let mut bench = Bench::new(Limits { names: 100, ..Limits::default() });
    let names = Template::options(300, 1, &[(10, 4), (82, 2)]);
    let mut body = Vec::new();
    for index in 0..1_000u32 {
        body.extend_from_slice(&index.to_be_bytes());
        body.extend_from_slice(b"if");
    }
    let message = Ipfix::new(1_700_000_000, 0, 1).set(3, &options_body(&[names]));
    bench.feed(&message.data(300, &body).build(), &here()).unwrap();
    assert_eq!((bench.status().names, bench.tally.options), (100, 1_000));
}

#[test]
fn sessions_past_the_limit_close_the_oldest_and_keep_its_account() {
    let mut bench = Bench::new(Limits { sessions: 2, ..Limits::default() });
    let message = |sequence| NetFlow9::new(0, 1_000, 1_700_000_000, sequence, 1).build();
    for (second, port) in [1_000, 1_001, 1_002].into_iter().enumerate() {
        for sequence in [5, 8] {
            let received = from(&format!("192.0.2.1:{port}"), second as i64);
            bench.feed(&message(sequence), &received).unwrap();
        }
    }
    let status = bench.status();
    assert_eq!((status.sessions, status.sequence.missing, status.sequence.gaps), (2, 6, 3));
}

/// Octets that a batch holds: values of every column, and what the interner keeps.
fn held(batch: &FlowBatch) -> usize {
    let values = batch.columns().map(|(_, column)| column.len() * 16).sum::<usize>();
    values + batch.interner().octets()
}

/// Limit: 20 MiB from a datagram of 64 KiB, whatever its template says. That is every record of
/// the limit with all shared columns, or few records with every column there is.
#[test]
fn hostile_templates_cannot_blow_a_datagram_up() {
    let every: Vec<(u16, u16)> = (1..=500).map(|id| (id, 1)).collect();
    let unknown: Vec<(u16, u16)> = (0..1_000).map(|id| (9_000 + id, 1)).collect();
    let names: Vec<(u16, u16)> = (0..60).map(|_| (236, 65_535)).collect();
    let repeated = vec![(1, 1); 1_000];
    let cases: [&[(u16, u16)]; 6] = [&[(4, 1)], &[(9_999, 1)], &every, &unknown, &names, &repeated];
    for (case, fields) in cases.into_iter().enumerate() {
        let mut bench = Bench::new(Limits::default());
        let template = Template::new(256, fields);
        let template = Ipfix::new(1_700_000_000, 0, 1).template(&template).build();
        bench.feed(&template, &here()).unwrap();
        let mut varied = data(1, 256, 65_000);
        for (position, octet) in varied.iter_mut().enumerate().skip(20) {
            *octet = if fields.first() == Some(&(236, 65_535)) { 0 } else { position as u8 | 1 };
        }
        bench.feed(&varied, &here()).unwrap();
        assert!(bench.out.flows.rows() > 0);
        let held = held(&bench.out.flows);
        assert!(held < 20 << 20, "case {case}: {held} octets");
    }
}

#[test]
fn a_datagram_of_a_thousand_templates_compiles_none_of_them() {
    let mut bench = Bench::new(Limits::default());
    let mut message = Ipfix::new(1_700_000_000, 0, 1);
    for id in 256..2_256 {
        message = message.template(&two_fields(id));
    }
    bench.feed(&message.build(), &here()).unwrap();
    assert_eq!(bench.status().templates, 2_000);
    let domain = bench.decoder.collector().domains.values().next().unwrap();
    assert!(domain.newest.entries().all(|entry| !entry.known.is_compiled()));
}

#[test]
fn all_exporters_together_have_one_bound_on_templates_and_names() {
    let mut bench = Bench::new(Limits { state_octets: 3_000, ..Limits::default() });
    let message =
        |domain, id| Ipfix::new(1_700_000_000, 0, domain).template(&two_fields(id)).build();
    for domain in 1..10 {
        bench.feed(&message(domain, 256), &here()).unwrap();
    }
    let kept: usize = bench.decoder.collector().exporters().map(|status| status.templates).sum();
    assert_eq!((kept, bench.tally.dropped(DropReason::TemplateQuota).sets), (4, 5));
    // What is known may be sent again, and room comes back as templates expire.
    assert_eq!(bench.feed(&message(1, 256), &here()).unwrap().templates, 1);
    bench.expire(at(200_000));
    assert_eq!(bench.feed(&message(9, 256), &here()).unwrap().templates, 1);
}

#[test]
fn datagrams_of_many_ports_push_out_no_connection() {
    let mut bench = Bench::new(Limits { sessions: 2, ..Limits::default() });
    let template = Ipfix::new(1_700_000_000, 0, 1).template(&two_fields(256)).build();
    let connection = Received { transport: Transport::Tcp, session: SessionId(7), ..here() };
    bench.feed(&template, &connection).unwrap();
    for (second, port) in (1_000..1_010).enumerate() {
        bench.feed(&data(1, 300, 6), &from(&format!("192.0.2.1:{port}"), second as i64)).unwrap();
    }
    assert_eq!(bench.feed(&data(1, 256, 6), &connection).unwrap().flows, 1);
}
