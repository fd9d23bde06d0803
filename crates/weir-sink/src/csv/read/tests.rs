use super::*;
use crate::RecordWriter;
use crate::csv::Writer;
use weir_model::column::ElementKey;
use weir_model::elements;

fn read(text: &str) -> Result<Option<FlowBatch>, ReadError> {
    Reader::new(text.as_bytes())?.next_batch()
}

#[test]
fn what_was_written_is_read() {
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(2);
    batch.set(flows::RECEIVED_AT, 0, 1_700_000_000_123_456_789i64);
    batch.set(flows::SRC_ADDR, 0, "2001:db8::1".parse::<Addr>().unwrap());
    batch.set(flows::OCTETS, 0, u64::MAX);
    batch.set(flows::SRC_MAC, 0, 7u64);
    batch.set_octets(flows::SRC_POD, 0, b"a,\"b\"\nc");
    batch.set_octets(flows::DST_POD, 0, b"=cmd()");
    batch.set_octets(flows::AS_PATH, 0, &[0, 0, 0, 1, 0, 0, 0, 2]);
    batch.set_octets(flows::APP_ID, 0, &[1, 2, 0xff]);
    let mut extra = Vec::new();
    elements::push(&mut extra, ElementKey { pen: 9, id: 5 }, &[1]);
    elements::push(&mut extra, ElementKey { pen: 9, id: 5 }, &[]);
    batch.set_octets(flows::EXTRA, 0, &extra);
    batch.set(flows::RECEIVED_AT, 1, 1i64);
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    writer.write(&batch).unwrap();
    drop(writer);
    let back = read(std::str::from_utf8(&out).unwrap()).unwrap().unwrap();
    assert_eq!(back.rows(), 2);
    for def in Table::Flows.columns() {
        for row in 0..2 {
            let value = |batch: &FlowBatch| match batch.get(def.id, row) {
                Some(Scalar::Code(_)) => batch.get_octets(def.id, row).map(<[u8]>::to_vec),
                other => other.map(|value| format!("{value:?}").into_bytes()),
            };
            assert_eq!(value(&back), value(&batch), "{} {row}", def.name);
        }
    }
}

#[test]
fn nfdump_files_are_read() {
    let text = "ts,te,td,sa,da,sp,dp,pr,flg,ipkt,ibyt,cl\n\
        2026-11-20 03:12:00.500,2026-11-20 03:12:01,0.5,10.0.0.1,10.0.0.2,1234,80,TCP,...AP.SF,7,1400,0\n\
        2026-11-20 03:12:00,2026-11-20 03:12:01,1.0,::,ff02::16,0,0,ICMP6,........,1,96,0\n\
        Summary\nflows,bytes\n1,1400\n";
    let mut reader = Reader::new(text.as_bytes()).unwrap();
    assert_eq!(reader.ignored(), ["td", "cl"]);
    let batch = reader.next_batch().unwrap().unwrap();
    assert_eq!(batch.rows(), 2);
    assert_eq!(batch.get_u64(flows::PROTO, 0), Some(6));
    assert_eq!(batch.get_u64(flows::PROTO, 1), Some(58));
    assert_eq!(batch.get_u64(flows::TCP_FLAGS, 0), Some(0x1b));
    assert_eq!(batch.get_u64(flows::OCTETS, 0), Some(1400));
    assert_eq!(batch.get(flows::RECEIVED_AT, 0), batch.get(flows::FLOW_END, 0));
    assert!(reader.next_batch().unwrap().is_none(), "the summary holds no rows");
}

#[test]
fn errors_name_line_column_and_value() {
    let error = read("src_addr,octets\n10.0.0.1,5\n10.0.0.2,many\n").unwrap_err();
    assert_eq!(error.to_string(), "line 3: `many` in column `octets` is not of type u64");
    let error = read("src_port\n70000\n").unwrap_err();
    assert_eq!(error.to_string(), "line 2: `70000` in column `src_port` is not of type u16");
    assert!(matches!(read("a,b\n1,2\n"), Err(ReadError::NoColumns)));
}

#[test]
fn an_unclosed_quotation_mark_is_bounded() {
    let mut text = String::from("src_pod\n\"");
    text.push_str(&"x\n".repeat(RECORD_OCTETS_MAX));
    assert!(matches!(read(&text), Err(ReadError::TooLong { line: 2 })));
}
