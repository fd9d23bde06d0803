use super::*;

fn ie(id: u16, length: u16) -> Field {
    Field { key: ElementKey { pen: 0, id }, length }
}

fn define(protocol: Protocol, options: bool, body: &[u8]) -> Template {
    match read(protocol, options, body, 100) {
        Some(Ok((Definition::Define(template), took))) => {
            assert_eq!(&body[..took], &*template.raw);
            template
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn enterprise_fields_take_eight_octets() {
    let body = [1, 0, 0, 2, 0, 8, 0, 4, 0x80, 101, 0xff, 0xff, 0, 0, 0xdc, 0xba, 9, 9, 9, 9];
    let template = define(Protocol::Ipfix, false, &body);
    let antrea = Field { key: ElementKey { pen: PEN_ANTREA, id: 101 }, length: VARIABLE };
    assert_eq!(template.fields, [ie(8, 4), antrea]);
    assert_eq!((template.id, template.scope), (256, None));
}

#[test]
fn early_antrea_and_nprobe_ids_get_their_own_numbers() {
    let body = [1, 0, 0, 1, 0x80, 101, 0xff, 0xff, 0, 0, 0xda, 0x15];
    let template = define(Protocol::Ipfix, false, &body);
    assert_eq!(template.fields[0].key, ElementKey { pen: PEN_ANTREA, id: 101 });
    let [a, b] = (NTOP_BASE + 118).to_be_bytes();
    let template = define(Protocol::NetFlow9, false, &[1, 0, 0, 1, a, b, 0, 2]);
    assert_eq!(template.fields[0].key, ElementKey { pen: PEN_NTOP, id: 118 });
}

#[test]
fn scopes_of_both_protocols() {
    let v9 = [1, 1, 0, 4, 0, 8, 0, 2, 0, 4, 0, 34, 0, 4, 0, 35, 0, 1, 0, 0];
    let template = define(Protocol::NetFlow9, true, &v9);
    assert_eq!(
        (template.scope, &template.fields[..]),
        (Some(1), &[ie(10, 4), ie(34, 4), ie(35, 1)][..])
    );
    let ipfix = [1, 1, 0, 2, 0, 1, 0, 145, 0, 2, 0, 34, 0, 4];
    let template = define(Protocol::Ipfix, true, &ipfix);
    assert_eq!((template.scope, &template.fields[..]), (Some(1), &[ie(145, 2), ie(34, 4)][..]));
}

#[test]
fn withdrawals_are_ipfix_only() {
    let read = |protocol, body: &[u8]| read(protocol, false, body, 100);
    assert_eq!(read(Protocol::Ipfix, &[1, 4, 0, 0]), Some(Ok((Definition::Withdraw(260), 4))));
    assert_eq!(read(Protocol::Ipfix, &[0, 2, 0, 0]), Some(Ok((Definition::WithdrawAll, 4))));
    assert_eq!(
        read(Protocol::NetFlow9, &[1, 4, 0, 0]),
        Some(Err(TemplateError::Empty { id: 260 }))
    );
}

#[test]
fn hostile_counts_are_refused_before_anything_is_reserved() {
    let read = |body: &[u8]| read(Protocol::Ipfix, false, body, 100);
    assert_eq!(read(&[1, 0, 0, 9, 0, 8]), Some(Err(TemplateError::Truncated { id: 256 })));
    let many = Err(TemplateError::TooManyFields { id: 256, fields: 65_535, limit: 100 });
    assert_eq!(read(&[1, 0, 255, 255, 0, 8]), Some(many));
    assert_eq!(read(&[0, 9, 0, 1, 0, 8, 0, 4]), Some(Err(TemplateError::ReservedId { id: 9 })));
    assert_eq!(read(&[1, 0, 0, 1, 0, 8, 0, 0]), Some(Err(TemplateError::Empty { id: 256 })));
    assert_eq!(read(&[0, 0, 0, 0, 0, 0]), None);
}
