use proptest::prelude::*;
use weir_model::column::ElementKey;
use weir_model::columns::flows;
use weir_model::{Addr, ColumnType, elements};

use super::*;

fn parse(text: &str) -> Filter {
    Filter::parse(text, Table::Flows).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refusal(text: &str) -> (usize, usize, String, Option<String>) {
    let FilterError { offset, length, message, suggestion } =
        Filter::parse(text, Table::Flows).expect_err(text);
    (offset, length, message, suggestion)
}

#[test]
fn every_form_has_one_canonical_text() {
    for (text, canonical) in [
        ("", ""),
        ("  ", ""),
        ("SRC_ADDR == 10.0.0.1", "src_addr = 10.0.0.1"),
        ("addr in 10.0.0.0/8", "addr in 10.0.0.0/8"),
        ("src_addr = 10.1.2.3/8", "src_addr in 10.0.0.0/8"),
        ("src_addr != fd00::/8", "src_addr not in fd00::/8"),
        ("src_addr in (10.0.0.0/8, ::1)", "src_addr in (10.0.0.0/8, ::1)"),
        ("proto=6 and port in [80,443,8000-8100]", "proto = tcp and port in (80, 443, 8000-8100)"),
        ("octets > 10MB && packets<2k", "octets > 10MB and packets < 2k"),
        ("octets >= 1048576 or octets = 1500", "octets >= 1MiB or octets = 1500"),
        ("rtt_us > 5000", "rtt_us > 5ms"),
        ("tcp_flags = syn|ack", "tcp_flags = syn|ack"),
        ("tcp_flags has 2", "tcp_flags has syn"),
        ("tcp_flags = 0", "tcp_flags = 0x0"),
        ("tcp_flags != syn|0x8000", "tcp_flags != syn|0x8000"),
        ("end_reason = IDLE_TIMEOUT", "end_reason = idle_timeout"),
        ("src_mac = 02-00-5E-10-00-01", "src_mac = 02:00:5e:10:00:01"),
        ("src_pod = web-0", "src_pod = \"web-0\""),
        ("src_pod = 'web 0'", "src_pod = \"web 0\""),
        ("pod like web-* or pod !~ '^db'", "pod like \"web-*\" or pod !~ \"^db\""),
        (r#"src_pod ~ "\d+""#, r#"src_pod ~ "\\d+""#),
        ("src_as is null or src_as is not null", "src_as is null or src_as is not null"),
        ("src_port = dst_port", "src_port = dst_port"),
        ("octets > reverse_octets", "octets > reverse_octets"),
        ("flow_end > 2026-11-20T03:12:00+01:00", "flow_end > 2026-11-20T02:12:00Z"),
        ("flow_end > -90m and flow_start <= now", "flow_end > -1h30m and flow_start <= now"),
        (
            "src_pod_uuid = 00112233-4455-6677-8899-aabbccddeeff",
            "src_pod_uuid = 0x00112233445566778899aabbccddeeff",
        ),
        ("ie(9, 12235) = 5 and ie(0,1,2) = 'x'", "ie(9, 12235) = 5 and ie(0, 1, 2) = \"x\""),
        (
            "communities has 65000:100 and as_path has 64512",
            "communities has 4259840100 and as_path has 64512",
        ),
        ("not proto = udp", "not proto = udp"),
        (
            "!(proto = udp or proto = tcp) and src_as = 1",
            "not (proto = udp or proto = tcp) and src_as = 1",
        ),
        ("(src_as = 1 and (dst_as = 2 and vlan = 3))", "src_as = 1 and dst_as = 2 and vlan = 3"),
        ("src_as = 1 or dst_as = 2 and vlan = 3", "src_as = 1 or (dst_as = 2 and vlan = 3)"),
    ] {
        let filter = parse(text);
        assert_eq!(filter.format(), canonical);
        assert_eq!(parse(canonical), filter, "{canonical}");
    }
}

#[test]
fn errors_point_at_the_character_and_know_what_was_meant() {
    let some = |text: &str| Some(text.to_owned());
    for (text, offset, length, message, suggestion) in [
        ("src_adr = 10.0.0.1", 0, 7, "`src_adr` is not a column of flows", some("src_addr")),
        ("bytes > 1", 0, 5, "`bytes` is not a column of flows", some("octets")),
        ("10.0.0.1", 0, 8, "`10.0.0.1` is not a column of flows", some("addr = 10.0.0.1")),
        ("proto = tpc", 8, 3, "`tpc` is not a value of `proto`", some("tcp")),
        ("proto = 300", 8, 3, "`300` is past 255, the most in `proto`", None),
        (
            "src_addr in 10.0.0.0/33",
            12,
            11,
            "`10.0.0.0/33` is not an address block like 10.0.0.0/8 or 2001:db8::/32",
            None,
        ),
        ("src_addr = 10.0.0", 11, 6, "`10.0.0` is not an IP address", None),
        ("octets >", 8, 0, "expected a value", None),
        ("octets", 6, 0, "expected a comparison after `octets`", None),
        ("octets is nul", 10, 3, "expected `null`, found `nul`", None),
        ("octets = null", 9, 4, "a value is never equal to null", some("octets is null")),
        ("(octets = 1", 0, 1, "this bracket is never closed", None),
        ("octets = 1)", 10, 1, "this bracket closes nothing", None),
        ("octets = 1 adn packets = 1", 11, 3, "expected `and` or `or`, found `adn`", some("and")),
        ("octets = 1 & packets = 1", 11, 1, "expected `and` or `or`, found `&`", some("and")),
        ("src_pod = 'web", 10, 4, "this quote never ends", None),
        ("src_pod ~ '(a'", 10, 4, "bad pattern: unclosed group", None),
        ("src_port ~ 'a'", 0, 8, "`src_port` is not text", some("src_pod")),
        ("src_pod < 'a'", 8, 1, "`src_pod` has no order: use `=`, `!=` or `in`", None),
        ("src_addr = octets", 11, 6, "`src_addr` and `octets` cannot be compared by `=`", None),
        ("src_port in (1, 2", 12, 1, "this list is never closed", None),
        (
            "src_port inn (1)",
            9,
            3,
            "expected a comparison after `src_port`, found `inn`",
            some("in"),
        ),
        (
            "flow_end > yesterday",
            11,
            9,
            "`yesterday` is not a time like 2026-11-20T03:12:00Z, -1h or now",
            None,
        ),
        ("rtt_us > 1.5us", 9, 5, "`1.5us` is not a number like 250us, 5ms or 1s", None),
        ("as_path = 1", 10, 1, "`as_path` cannot be compared", None),
        ("é = 1", 0, 2, "`é` is not a column of flows", None),
        ("src_as = 1 and", 14, 0, "expected a column", None),
    ] {
        assert_eq!(refusal(text), (offset, length, message.to_owned(), suggestion), "{text}");
    }
}

#[test]
fn hostile_texts_are_bounded() {
    let deep = format!("{}octets = 1", "(".repeat(DEPTH_MAX + 1));
    assert_eq!(refusal(&deep).2, "nested deeper than 64");
    let nots = format!("{}octets = 1", "!".repeat(5_000));
    assert_eq!(refusal(&nots).2, "nested deeper than 64");
    let long = "octets = 1 or ".repeat(2_000);
    assert_eq!(refusal(&long).0, TEXT_MAX);
    assert_eq!(refusal("src_pod ~ '(a{1000}){1000}'").2, "bad pattern: pattern is too large");
}

fn row(fill: impl FnOnce(&mut FlowBatch)) -> FlowBatch {
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(1);
    fill(&mut batch);
    batch
}

#[test]
fn tests_mean_what_they_say() {
    let v4 = |text: &str| text.parse::<Addr>().unwrap();
    let batch = row(|b| {
        b.set(flows::SRC_ADDR, 0, v4("10.0.0.1"));
        b.set(flows::DST_ADDR, 0, v4("2001:db8::1"));
        b.set(flows::SRC_PORT, 0, 443u16);
        b.set(flows::PROTO, 0, 6u8);
        b.set(flows::TCP_FLAGS, 0, 0x12u16);
        b.set(flows::OCTETS, 0, 10_000_001u64);
        b.set(flows::REVERSE_OCTETS, 0, 5u64);
        b.set_octets(flows::SRC_POD, 0, "web-0é".as_bytes());
        b.set_octets(flows::AS_PATH, 0, &[0, 0, 0, 1, 0, 0, 0, 7]);
        b.set(flows::FLOW_END, 0, 3_600_000_000_000i64);
        let mut extra = Vec::new();
        elements::push(&mut extra, ElementKey { pen: 9, id: 5 }, &[1, 0]);
        elements::push(&mut extra, ElementKey { pen: 9, id: 5 }, b"ab");
        b.set_octets(flows::EXTRA, 0, &extra);
    });
    let now = Timestamp(3_600_000_000_000 * 2);
    for (text, expected) in [
        ("src_addr in 10.0.0.0/8", true),
        ("addr = 2001:db8::1", true),
        ("addr != 2001:db8::1", false),
        ("addr != 10.0.0.2", true),
        ("addr not in (10.0.0.0/8)", false),
        ("port = 443", true),
        ("port != 80", true),
        ("port is null", false),
        ("dst_port is null", true),
        ("dst_port != 80", false),
        ("not dst_port = 80", true),
        ("tcp_flags has syn", true),
        ("tcp_flags has syn|fin", false),
        ("tcp_flags = syn|ack", true),
        ("octets > 10MB", true),
        ("octets > reverse_octets", true),
        ("octets < packets", false),
        ("src_pod like web-?*", true),
        ("src_pod like web-?", false),
        ("src_pod like web-??", true),
        ("src_pod like web", false),
        ("src_pod ~ '^web-[0-9]'", true),
        ("pod !~ db", true),
        ("pod not like 'web*'", false),
        ("dst_pod !~ db", false),
        ("as_path has 7", true),
        ("as_path has 2", false),
        ("ie(9, 5) = 256", true),
        ("ie(9, 5) in (1, 255-257)", true),
        ("ie(9, 5, 1) = 'ab'", true),
        ("ie(9, 5, 1) = 0x6162", true),
        ("ie(9, 5, 2) is null", true),
        ("extra is not null", true),
        ("flow_end = -1h", true),
        ("flow_end < -59m", true),
        ("port in 440-450 and not (proto = udp or src_as = 1)", true),
    ] {
        assert_eq!(parse(text).at(now).matches(&batch, 0), expected, "{text}");
    }
}

#[test]
fn colours_follow_the_grammar() {
    use TokenKind::*;
    let kinds = |text| tokens(text, Table::Flows).iter().map(|t| t.kind).collect::<Vec<_>>();
    assert_eq!(
        kinds("proto = tcp and not src_pod in (a, 'b')"),
        [
            Column,
            Operator,
            Value,
            Keyword,
            Keyword,
            Column,
            Operator,
            Punctuation,
            Value,
            Punctuation,
            Text,
            Punctuation
        ]
    );
    assert_eq!(kinds("prto = octets"), [Error, Operator, Column]);
    assert_eq!(
        kinds("tcp_flags has syn|ack or"),
        [Column, Operator, Value, Operator, Value, Keyword]
    );
}

struct Fixed;
impl ValueSource for Fixed {
    fn top_values(&self, _: Table, column: ColumnId, typed: &str, _: usize) -> Vec<Occurring> {
        let all = match column {
            flows::SRC_POD => vec!["web-0", "web 1"],
            flows::PROTO => vec!["17", "250"],
            flows::SRC_ADDR => vec!["10.1.2.3", "10.1.2.4", "10.1.9.1", "fd00::1", "fd00::2"],
            _ => vec!["web-0", "db"],
        };
        let starts = |text: &str| text.starts_with(typed);
        let mut fitting: Vec<_> = all.into_iter().filter(|text| text.contains(typed)).collect();
        fitting.sort_by_key(|text| !starts(text));
        fitting.into_iter().map(|text| Occurring { text: text.into(), records: 4 }).collect()
    }
}

#[test]
fn completion_knows_what_can_follow() {
    let at = |text: &str| {
        let completion = complete(text, text.len(), Table::Flows, &Fixed);
        let items: Vec<_> = completion.items.into_iter().map(|item| item.text).collect();
        (completion.offset, completion.length, items)
    };
    let fields = at("src_po").2;
    assert_eq!(fields[..4], ["src_port", "src_pod", "src_pod_labels", "src_pod_uuid"]);
    assert_eq!(at("pr").2[0], "proto", "the usual before the rare");
    assert_eq!(at("proto "), (6, 0, ["=", "!=", "in", "not in", "is"].map(String::from).to_vec()));
    assert_eq!(at("proto = tc"), (8, 2, vec!["tcp".into(), "tcf".into()]));
    assert_eq!(at("tcp_flags has syn|a"), (18, 1, vec!["ack".into()]));
    assert_eq!(at("pod = we"), (6, 2, vec!["web-0".into(), "\"web 1\"".into()]));
    assert_eq!(at("pod in (db, "), (12, 0, vec!["web-0".into(), "\"web 1\"".into(), "db".into()]));
    assert_eq!(at("pod = eb-").2, ["web-0"], "the middle of a text does too");
    assert_eq!(at("proto = ").2[0], "udp", "what occurs comes first");
    assert_eq!(at("proto = dcc").2, ["dccp"]);
    let nets = ["10.1.0.0/16", "10.1.2.0/24", "fd00::/64"];
    let addrs = ["10.1.2.3", "10.1.2.4", "10.1.9.1", "fd00::1", "fd00::2"];
    assert_eq!(at("src_addr in ").2, [nets.as_slice(), &addrs].concat());
    assert_eq!(at("src_addr < fd").2, ["fd00::1", "fd00::2"]);
    assert_eq!(at("src_addr = 10.1.2").2, ["10.1.2.0/24", "10.1.2.3", "10.1.2.4"]);
    assert_eq!(at("port in (80 ").2, [",", ")"]);
    assert_eq!(at("(octets > 1 ").2, ["and", "or", ")"]);
    assert_eq!(at("(octets > 1) ").2, ["and", "or"]);
    assert_eq!(at("octets > 1 a"), (11, 1, vec!["and".into()]));
    assert_eq!(at("octets is no"), (10, 2, vec!["not null".into()]));
}

/// Says that every column has one value, of its type.
struct OneOfEach;
impl ValueSource for OneOfEach {
    fn top_values(&self, table: Table, column: ColumnId, _: &str, _: usize) -> Vec<Occurring> {
        let text = match table.def(column).map(|def| def.ty) {
            Some(ColumnType::F64) => "0.5",
            Some(ColumnType::Time) => "2026-11-20T12:00:00.000000001Z",
            Some(ColumnType::Addr) => "fd00::1",
            Some(ColumnType::Mac) => "02:00:5e:10:00:01",
            Some(ColumnType::Str) => "not \"bare\"",
            Some(ColumnType::Bytes) => "0x00ff",
            Some(ColumnType::U32List | ColumnType::Elements) | None => return Vec::new(),
            Some(_) => "6",
        };
        vec![Occurring { text: text.to_owned(), records: 7 }]
    }
}

#[test]
fn what_is_proposed_for_a_column_of_any_type_is_a_filter() {
    let mut types = std::collections::BTreeSet::new();
    for table in [Table::Flows, Table::Counters, Table::Options] {
        for def in table.columns().iter().filter(|def| def.stored) {
            let start = format!("{} = ", def.name);
            let completion = complete(&start, start.len(), table, &OneOfEach);
            for item in completion.items.iter().filter(|item| item.count == Some(7)) {
                let text = format!("{start}{}", item.text);
                Filter::parse(&text, table).unwrap_or_else(|error| panic!("{text}: {error}"));
                types.insert(def.ty.name());
            }
        }
    }
    assert_eq!(types.len(), 10, "{types:?}");
}

fn any_value(def: &'static weir_model::ColumnDef) -> BoxedStrategy<Value> {
    match def.ty {
        ColumnType::F64 => any::<i32>().prop_map(|n| Value::F64(f64::from(n) / 8.0)).boxed(),
        ColumnType::Time => prop_oneof![
            any::<i64>().prop_map(|n| Value::Time(Timestamp(n / 2))),
            (-1_000_000_000_000i64..1_000_000_000_000_000).prop_map(Value::Ago),
        ]
        .boxed(),
        ColumnType::Addr => prop_oneof![
            any::<u128>().prop_map(|n| Value::Addr(Addr(n))),
            any::<u32>().prop_map(|n| Value::Addr(Addr::v4(n))),
        ]
        .boxed(),
        ColumnType::Str => any::<String>().prop_map(Value::Text).boxed(),
        ColumnType::Bytes => any::<Vec<u8>>().prop_map(Value::Octets).boxed(),
        ColumnType::Mac => (0u64..1 << 48).prop_map(Value::U64).boxed(),
        ty => {
            let max = super::literal::max_of(ty);
            any::<u64>().prop_map(move |n| Value::U64(n & max)).boxed()
        }
    }
}

fn any_test() -> impl Strategy<Value = Expr> {
    let columns = Table::Flows.columns();
    let usable = move |def: &&'static weir_model::ColumnDef| {
        !matches!(def.ty, ColumnType::U32List | ColumnType::Elements)
    };
    let defs: Vec<_> = columns.iter().filter(usable).collect();
    prop::sample::select(defs).prop_flat_map(|def| {
        let field = Field::Column(def.id);
        let ordered = !matches!(def.ty, ColumnType::Str | ColumnType::Bytes | ColumnType::Mac);
        let operators = if ordered {
            vec![Operator::Equal, Operator::NotEqual, Operator::Less, Operator::GreaterOrEqual]
        } else {
            vec![Operator::Equal, Operator::NotEqual]
        };
        let flags = matches!(def.named, Some(weir_model::named::Named::Flags(_)));
        let operators = prop::sample::select(operators);
        prop_oneof![
            any::<bool>().prop_map(move |n| Expr::Test(field, Test::Null(n))),
            (operators, any_value(def))
                .prop_map(move |(op, value)| Expr::Test(field, Test::Compare(op, value))),
            (any::<bool>(), prop::collection::vec(any_value(def), 1..4)).prop_map(move |(n, v)| {
                match flags {
                    true => Expr::Test(field, Test::Has(2)),
                    false => Expr::Test(field, Test::In(n, v)),
                }
            }),
        ]
    })
}

/// Lists of lists of the same kind do not come out of the parser; neither do they go in here.
fn any_expr() -> impl Strategy<Value = Expr> {
    any_test().prop_recursive(3, 24, 4, |inner| {
        let parts = prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            inner.prop_map(|expr| Expr::Not(Box::new(expr))),
            parts.clone().prop_map(|parts| {
                let flat = parts.into_iter().map(|part| match part {
                    Expr::And(_) => Expr::Not(Box::new(part)),
                    part => part,
                });
                Expr::And(flat.collect())
            }),
            parts.prop_map(|parts| {
                let flat = parts.into_iter().map(|part| match part {
                    Expr::Or(_) => Expr::Not(Box::new(part)),
                    part => part,
                });
                Expr::Or(flat.collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn parse_undoes_format(expr in any_expr()) {
        let filter = Filter { table: Table::Flows, expr: Some(expr) };
        let text = filter.format();
        prop_assume!(text.len() <= TEXT_MAX);
        prop_assert_eq!(Filter::parse(&text, Table::Flows), Ok(filter), "{}", text);
    }

    #[test]
    fn no_text_breaks_the_parser(text in "[a-z_ ()=!<>~|&,'\"0-9./:*\\\\-]{0,60}") {
        check_filter(&text);
    }

    #[test]
    fn no_words_break_the_parser(words in prop::collection::vec(prop::sample::select(vec![
        "src_addr", "addr", "octets", "src_pod", "tcp_flags", "in", "not", "(", ")", "=", "~", "has",
        "syn", "|", "10.0.0.0/8", "1MB", "'a b'", "and", "or", "is", "null", ",", "ie(0, 1)", "-1h",
    ]), 0..12)) {
        check_filter(&words.join(" "));
    }
}
