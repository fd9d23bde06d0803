//! What a decoded record says about an information element, and whether that is what someone else
//! read from the same octets.

use std::time::Duration;

use serde_json::Value;
use weir_model::column::ElementKey;
use weir_model::columns::{flows, options};
use weir_model::json::u32_list;
use weir_model::{Addr, ColumnDef, ColumnType, FlowBatch, Mac, Scalar, Table, Timestamp, elements};
use weir_registry::{ElementType, element};

/// A value, whatever column or list it was found in.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    Number(u64),
    Float(f64),
    Time(i64),
    Addr(Addr),
    Text(String),
    Octets(Vec<u8>),
}

/// All that row `row` says about `key`: the columns that it feeds, and its occurrences among the
/// elements without a column.
pub fn said(batch: &FlowBatch, row: usize, key: ElementKey) -> Vec<Said> {
    let mut found = Vec::new();
    let lists = match batch.table() {
        Table::Options => vec![options::SCOPE, options::FIELDS],
        _ => vec![flows::EXTRA],
    };
    for def in batch.table().columns().iter().filter(|def| def.from.contains(&key)) {
        found.extend(
            batch.get(def.id, row).and_then(|value| from_column(batch, row, def, key, value)),
        );
    }
    for list in lists {
        let list = batch.get_octets(list, row).unwrap_or_default();
        let same = elements::iter(list).filter(|element| element.key == key);
        found.extend(same.map(|element| from_octets(key, element.value)));
    }
    found
}

fn from_column(
    batch: &FlowBatch,
    row: usize,
    def: &ColumnDef,
    key: ElementKey,
    value: Scalar,
) -> Option<Said> {
    // One element, two columns: type in the upper octet, code in the lower.
    if matches!((key.pen, key.id), (0, 32 | 139)) {
        let part = |id| batch.get_u64(id, row);
        return Some(Said::Number(part(flows::ICMP_TYPE)? << 8 | part(flows::ICMP_CODE)?));
    }
    Some(match value {
        Scalar::U64(number) => Said::Number(number),
        Scalar::I64(nanos) => Said::Time(nanos),
        Scalar::F64(number) => Said::Float(number),
        Scalar::Addr(addr) => Said::Addr(addr),
        Scalar::Code(code) => {
            let octets = batch.interner().get(code);
            match def.ty {
                ColumnType::Str => Said::Text(String::from_utf8(octets.to_vec()).ok()?),
                // The labels are one list; the element says which.
                ColumnType::U32List => {
                    let nth = usize::from(key.id.checked_sub(def.from[0].id)?);
                    Said::Number(u32_list(octets).nth(nth)?.into())
                }
                _ => Said::Octets(octets.to_vec()),
            }
        }
    })
}

fn from_octets(key: ElementKey, octets: &[u8]) -> Said {
    let number = || octets.iter().fold(0u64, |n, octet| n << 8 | u64::from(*octet));
    match element(key.pen, key.id).map(|info| info.ty) {
        Some(ElementType::Ipv4Address) if octets.len() == 4 => {
            Said::Addr(Addr::v4(number() as u32))
        }
        Some(ElementType::Ipv6Address) if octets.len() == 16 => {
            Said::Addr(Addr::v6(octets.try_into().unwrap()))
        }
        Some(ElementType::String) => {
            let end = octets.iter().position(|octet| *octet == 0).unwrap_or(octets.len());
            Said::Text(String::from_utf8_lossy(&octets[..end]).into_owned())
        }
        Some(ElementType::Float32 | ElementType::Float64) if octets.len() == 4 => {
            Said::Float(f32::from_bits(number() as u32).into())
        }
        Some(ElementType::Float64) if octets.len() == 8 => Said::Float(f64::from_bits(number())),
        Some(ElementType::DateTimeMilliseconds) if octets.len() == 8 => {
            Said::Time(Timestamp::from_millis(number() as i64).0)
        }
        Some(ElementType::DateTimeSeconds) if octets.len() == 4 => {
            Said::Time(Timestamp::from_seconds(number() as i64).0)
        }
        Some(ElementType::OctetArray) => Said::Octets(octets.to_vec()),
        _ if octets.len() > 8 => Said::Octets(octets.to_vec()),
        _ => Said::Number(number()),
    }
}

/// True when `said` is the value that `json` shows. Times may differ by less than `truncated`.
pub fn same(said: &Said, json: &Value, truncated: Duration) -> bool {
    match (said, json) {
        (Said::Number(ours), Value::Number(theirs)) => Some(*ours) == theirs.as_u64(),
        (Said::Number(ours), Value::Bool(theirs)) => *ours == u64::from(*theirs),
        (Said::Number(ours), Value::String(text)) => {
            text.parse::<Mac>().is_ok_and(|mac| mac.0 == *ours)
                || hex(text).is_some_and(|octets| number(&octets) == Some(*ours))
                || text.parse() == Ok(*ours)
        }
        (Said::Number(ours), Value::Array(_)) => {
            bytes(json).is_some_and(|octets| number(&octets) == Some(*ours))
        }
        (Said::Float(ours), Value::Number(theirs)) => {
            theirs.as_f64().is_some_and(|theirs| (ours - theirs).abs() <= theirs.abs() * 1e-6)
        }
        (Said::Time(ours), Value::Number(theirs)) => {
            let ours = *ours as u64;
            theirs.as_u64().is_some_and(|n| ours / 1_000_000_000 == n || ours / 1_000_000 == n)
        }
        (Said::Time(ours), Value::String(text)) => text.parse::<Timestamp>().is_ok_and(|theirs| {
            let apart = Timestamp(*ours).since(theirs).max(theirs.since(Timestamp(*ours)));
            apart <= truncated
        }),
        (Said::Addr(ours), Value::String(text)) => text.parse() == Ok(*ours),
        (Said::Text(ours), Value::String(text)) => ours == text,
        (Said::Octets(ours), Value::String(text)) => {
            hex(text).is_some_and(|theirs| *ours == theirs) || ours == text.as_bytes()
        }
        (Said::Octets(ours), Value::Array(_)) => bytes(json).as_ref() == Some(ours),
        (Said::Octets(ours), Value::Number(theirs)) => number(ours) == theirs.as_u64(),
        _ => false,
    }
}

/// The octets behind hexadecimal text, with or without `0x`.
pub fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return None;
    }
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(pair).collect()
}

fn bytes(json: &Value) -> Option<Vec<u8>> {
    json.as_array()?.iter().map(|n| n.as_u64().and_then(|n| u8::try_from(n).ok())).collect()
}

fn number(octets: &[u8]) -> Option<u64> {
    let significant = octets.iter().skip_while(|octet| **octet == 0).count();
    (significant <= 8).then(|| octets.iter().fold(0u64, |n, octet| n << 8 | u64::from(*octet)))
}
