//! One value of a filter: text to [`Value`] in the type of its column, and back.

use weir_model::named::Named;
use weir_model::{Addr, Cidr, ColumnDef, ColumnType, Mac};

use super::ast::Value;
use super::suggest::nearest;
use super::token::{is_bare, quote};
use super::{number, time};

/// Why a piece of text is no value of the column.
pub(crate) struct Refusal {
    pub message: String,
    pub suggestion: Option<String>,
}

impl Refusal {
    pub fn new(message: impl Into<String>) -> Refusal {
        Refusal { message: message.into(), suggestion: None }
    }
}

/// Reads `text` as a value of `def`. `list` allows what only `in` takes: blocks and ranges.
pub(crate) fn parse(def: &ColumnDef, text: &str, list: bool) -> Result<Value, Refusal> {
    match def.ty {
        ColumnType::U8 | ColumnType::U16 | ColumnType::U32 | ColumnType::U64 => {
            parse_number(def, text, list)
        }
        ColumnType::F64 => match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Value::F64(value)),
            _ => Err(Refusal::new(format!("`{text}` is not a number"))),
        },
        ColumnType::Time => time::parse(text)
            .ok_or_else(|| Refusal::new(format!("`{text}` is not a time like {EXAMPLES}"))),
        ColumnType::Addr => parse_addr(text),
        ColumnType::Mac => match text.parse::<Mac>() {
            Ok(mac) => Ok(Value::U64(mac.0)),
            Err(error) => Err(Refusal::new(error.to_string())),
        },
        ColumnType::Str => Ok(Value::Text(text.to_owned())),
        ColumnType::Bytes => parse_hex(text)
            .map(Value::Octets)
            .ok_or_else(|| Refusal::new(format!("`{text}` is not a row of octets like 0x00ff"))),
        ColumnType::U32List | ColumnType::Elements => {
            Err(Refusal::new(format!("`{}` cannot be compared", def.name)))
        }
    }
}

const EXAMPLES: &str = "2026-11-20T03:12:00Z, -1h or now";

fn parse_number(def: &ColumnDef, text: &str, list: bool) -> Result<Value, Refusal> {
    let max = max_of(def.ty);
    if let Some(value) = single_number(def, text) {
        return match value <= max {
            true => Ok(Value::U64(value)),
            false => {
                Err(Refusal::new(format!("`{text}` is past {max}, the most in `{}`", def.name)))
            }
        };
    }
    let (low, high) = text.split_once("..").or_else(|| text.split_once('-')).unwrap_or(("", ""));
    if let (true, Some(low), Some(high)) = (list, single_number(def, low), single_number(def, high))
    {
        return match low <= high && high <= max {
            true => Ok(Value::Range(low, high)),
            false => Err(Refusal::new(format!("`{text}` is no range within 0 to {max}"))),
        };
    }
    let Some(named) = def.named else {
        return Err(Refusal::new(format!("`{text}` is not a number{}", unit_hint(def))));
    };
    let names = named.rows().iter().map(|(_, name)| *name);
    Err(Refusal {
        message: format!("`{text}` is not a value of `{}`", def.name),
        suggestion: nearest(text, names).map(str::to_owned),
    })
}

fn unit_hint(def: &ColumnDef) -> String {
    use weir_model::Unit;
    match def.unit {
        Unit::Octets => " like 1500, 10MB or 1GiB".into(),
        Unit::Microseconds | Unit::Milliseconds => " like 250us, 5ms or 1s".into(),
        Unit::BitsPerSecond => " like 10Mbit/s".into(),
        _ => String::new(),
    }
}

/// A number by its name or its digits.
fn single_number(def: &ColumnDef, text: &str) -> Option<u64> {
    let named = def.named.and_then(|named| named.value(text));
    named.or_else(|| number::parse(text, def.unit))
}

/// Highest value of a numeric type.
pub(crate) fn max_of(ty: ColumnType) -> u64 {
    match ty {
        ColumnType::U8 => u8::MAX.into(),
        ColumnType::U16 => u16::MAX.into(),
        ColumnType::U32 => u32::MAX.into(),
        _ => u64::MAX,
    }
}

fn parse_addr(text: &str) -> Result<Value, Refusal> {
    if let Ok(addr) = text.parse::<Addr>() {
        return Ok(Value::Addr(addr));
    }
    match (text.contains('/'), text.parse::<Cidr>()) {
        (true, Ok(cidr)) => Ok(Value::Cidr(cidr)),
        (true, Err(error)) => Err(Refusal::new(error.to_string())),
        (false, _) => Err(Refusal::new(format!("`{text}` is not an IP address"))),
    }
}

/// Octets from `0x00ff`, `00ff`, `00:ff` or a UUID.
pub(crate) fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let digits: Vec<u8> = digits.bytes().filter(|b| !matches!(b, b'-' | b':')).collect();
    if digits.len() % 2 == 1 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let pairs = digits.chunks_exact(2).filter_map(|pair| std::str::from_utf8(pair).ok());
    pairs.map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
}

/// Writes a value so that [`parse`] reads it back. `def` is none for elements.
pub(crate) fn format(def: Option<&ColumnDef>, value: &Value) -> String {
    match (value, def) {
        (Value::U64(mac), Some(ColumnDef { ty: ColumnType::Mac, .. })) => Mac(*mac).to_string(),
        (Value::U64(value), Some(def)) => format_number(def, *value),
        (Value::U64(value), None) => value.to_string(),
        (Value::Range(low, high), _) => format!("{low}-{high}"),
        (Value::F64(value), _) => value.to_string(),
        (Value::Time(time), _) => time.to_string(),
        (Value::Ago(nanos), _) => time::format_ago(*nanos),
        (Value::Addr(addr), _) => addr.to_string(),
        (Value::Cidr(cidr), _) => format_cidr(*cidr),
        (Value::Text(text), _) => quote(text),
        (Value::Octets(octets), _) => {
            let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
            format!("0x{hex}")
        }
    }
}

fn format_number(def: &ColumnDef, value: u64) -> String {
    match def.named {
        Some(named @ Named::Enum(_)) => match named.text(value) {
            // Proof: names with other letters than words have would not be read back.
            name if is_bare(&name) && named.value(&name) == Some(value) => name,
            _ => value.to_string(),
        },
        Some(named @ Named::Flags(rows)) => {
            let known = rows.iter().fold(0, |bits, (bit, _)| bits | bit);
            match (named.text(value), value & !known) {
                (names, 0) if !names.is_empty() => names,
                (names, rest) if !names.is_empty() => format!("{names}|0x{rest:x}"),
                (_, rest) => format!("0x{rest:x}"),
            }
        }
        None => number::format(value, def.unit),
    }
}

fn format_cidr(cidr: Cidr) -> String {
    let bits = (cidr.first.0 ^ cidr.last.0).count_ones();
    match cidr.first.as_v4() {
        Some(_) if bits <= 32 => format!("{}/{}", cidr.first, 32 - bits),
        // Limit: an IPv6 block that covers the mapped range starts below it, so its first address
        // is never written in IPv4's form with more than 32 free bits, save ::ffff:0:0/96 itself.
        _ => format!("{}/{}", std::net::Ipv6Addr::from(cidr.first.0), 128 - bits),
    }
}
