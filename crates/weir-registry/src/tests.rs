use super::*;
use std::collections::HashMap;
use std::path::Path;

/// Rows of `data/*.csv`: pen, id, name, type, semantics, units.
fn data() -> Vec<Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let mut rows = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        rows.extend(text.lines().skip(1).map(|l| l.split(',').map(str::to_owned).collect()));
    }
    rows
}

fn lower_first(debug: &str) -> String {
    let mut chars = debug.chars();
    chars.next().map(|c| c.to_ascii_lowercase()).into_iter().chain(chars).collect()
}

#[test]
fn table_and_data_are_the_same() {
    let rows = data();
    assert_eq!(rows.len(), elements().len(), "run `cargo xtask registry`");
    for row in rows {
        let [pen, id, name, ty, semantics, units] = row.as_slice() else {
            panic!("{row:?} has not 6 fields")
        };
        let found = elements()
            .iter()
            .find(|e| e.key.pen.to_string() == *pen && e.key.id.to_string() == *id)
            .unwrap_or_else(|| panic!("{row:?} is not in the table: run `cargo xtask registry`"));
        let semantics = if semantics.is_empty() { "default" } else { semantics };
        assert_eq!(
            (name.as_str(), ty.as_str(), semantics, units.as_str()),
            (
                found.name,
                lower_first(&format!("{:?}", found.ty)).as_str(),
                lower_first(&format!("{:?}", found.semantics)).as_str(),
                found.units
            ),
            "run `cargo xtask registry`"
        );
    }
}

#[test]
fn keys_rise_and_are_unique() {
    assert!(elements().windows(2).all(|pair| pair[0].key < pair[1].key));
}

#[test]
fn iana_is_whole() {
    let iana: Vec<_> = elements().iter().filter(|e| e.key.pen == 0 && e.key.id <= 533).collect();
    assert_eq!(iana.len(), 502);
    let mut types = HashMap::new();
    for element in &iana {
        *types.entry(element.ty).or_insert(0) += 1;
    }
    assert_eq!(types[&ElementType::Unsigned64], 108);
    assert_eq!(types[&ElementType::Unsigned16], 61);
    assert_eq!(types[&ElementType::BasicList], 14);
    assert_eq!(types[&ElementType::Unsigned256], 3);
    assert_eq!(element(0, 6).unwrap().ty, ElementType::Unsigned16);
    assert_eq!(element(0, 352).unwrap().name, "layer2OctetDeltaCount");
    assert_eq!(element(0, 352).unwrap().semantics, Semantics::DeltaCounter);
}

#[test]
fn enterprises_are_known_by_number_and_name() {
    for (pen, id, name) in [
        (56_506, 172, "proxySnatPort"),
        (55_829, 105, "destinationNodeName"),
        (6_876, 892, "tunnelKey"),
        (5_951, 128, "roundTripTime"),
        (2_636, 137, "commonPropertiesId"),
        (0, 56_701, "paloAltoAppId"),
    ] {
        assert_eq!(element(pen, id).map(|e| e.name), Some(name), "{pen} {id}");
        assert_eq!(by_name(name).map(|e| e.name), Some(name));
    }
    assert_eq!(element(55_829, 106), None);
}
