use weir_model::Table;

use super::*;
use crate::filter::Filter;

/// The sets of keys that a conjunction asks for.
fn sets(text: &str) -> Vec<Vec<RowKey>> {
    let filter = Filter::parse(text, Table::Flows).unwrap();
    match filter.expr().unwrap() {
        Expr::And(parts) => Asked::of(parts).sets(),
        expr => Asked::of(std::slice::from_ref(expr)).sets(),
    }
}

fn addr(n: u32) -> Addr {
    Addr::v4(0x0a00_0000 | n)
}

#[test]
fn the_narrowest_key_is_asked_for() {
    let pair = "src_addr = 10.0.0.1 and dst_addr = 10.0.0.2";
    assert_eq!(sets("src_addr = 10.0.0.1"), [[RowKey::Address(addr(1))]]);
    assert_eq!(sets("addr = 10.0.0.1"), [[RowKey::Address(addr(1))]]);
    assert_eq!(sets(pair), [[RowKey::Pair(addr(1), addr(2))]]);
    assert_eq!(sets("addr = 10.0.0.1 and addr = 10.0.0.2"), [[RowKey::Pair(addr(1), addr(2))]]);
    assert_eq!(sets(&format!("{pair} and dst_port = 443")), [[RowKey::Pair(addr(1), addr(2))]]);
    assert_eq!(
        sets(&format!("{pair} and src_port = 5 and dst_port in (443, 80)")),
        [[
            RowKey::Connection((addr(1), 5), (addr(2), 443)),
            RowKey::Connection((addr(1), 5), (addr(2), 80)),
        ]]
    );
}

#[test]
fn what_does_not_ask_for_equal_values_asks_no_filter() {
    for text in [
        "src_addr in 10.0.0.0/24",
        "src_addr != 10.0.0.1",
        "src_addr not in (10.0.0.1, 10.0.0.2)",
        "src_addr is null",
        "exporter_addr = 10.0.0.1",
        "src_port = 53",
    ] {
        assert_eq!(sets(text), Vec::<Vec<RowKey>>::new(), "{text}");
    }
    // One address on both sides may be one side alone.
    let same = sets("addr = 10.0.0.1 and addr in (10.0.0.1, 10.0.0.2)");
    assert!(same.iter().flatten().all(|key| matches!(key, RowKey::Address(_))), "{same:?}");
}

#[test]
fn long_lists_are_not_multiplied_out() {
    let list: Vec<String> = (1..=40).map(|n| format!("10.0.0.{n}")).collect();
    let list = list.join(", ");
    let found = sets(&format!("src_addr in ({list}) and dst_addr in ({list})"));
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [40, 40]);
}
