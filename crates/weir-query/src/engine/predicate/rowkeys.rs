//! Expression to keys of rows: which blocks of a part the filters of blocks leave over.
//!
//! Only what is asked to be equal helps: an address, two addresses, or two addresses with their
//! ports. A prefix, a range, a pattern or a negation says nothing.

use weir_model::columns::flows;
use weir_model::{Addr, Bitmap, ColumnId};
use weir_store::RowKey;

use super::super::part::Part;
use super::compile::equals;
use crate::filter::{Expr, Field, Test, Value};

/// Keys that one conjunction asks filters about, at most: lists are multiplied out.
const KEYS_MAX: usize = 64;

/// The blocks of `part` that may have a row that `expr` keeps; none when filters do not tell.
pub(crate) fn blocks_left(expr: &Expr, part: &dyn Part) -> Option<Bitmap> {
    match expr {
        Expr::And(parts) => {
            let asked = Asked::of(parts);
            let inner = parts.iter().filter(|inner| matches!(inner, Expr::And(_) | Expr::Or(_)));
            let inner = inner.map(|inner| blocks_left(inner, part));
            asked.sets().into_iter().map(|keys| any(&keys, part)).chain(inner).fold(None, both)
        }
        Expr::Or(parts) => {
            let mut union: Option<Bitmap> = None;
            for inner in parts {
                let left = blocks_left(inner, part)?;
                union = Some(match union {
                    Some(known) => zip(&known, &left, |a, b| a | b),
                    None => left,
                });
            }
            union
        }
        Expr::Test(..) => blocks_left(&Expr::And(vec![expr.clone()]), part),
        Expr::Not(_) | Expr::Columns(..) => None,
    }
}

/// Blocks that may have one of the keys.
fn any(keys: &[RowKey], part: &dyn Part) -> Option<Bitmap> {
    let mut union: Option<Bitmap> = None;
    for key in keys {
        let found = part.blocks_with(key)?;
        union = Some(match union {
            Some(known) => zip(&known, &found, |a, b| a | b),
            None => found,
        });
    }
    union
}

/// Blocks that both leave over; one that does not tell leaves all.
fn both(known: Option<Bitmap>, more: Option<Bitmap>) -> Option<Bitmap> {
    match (known, more) {
        (Some(known), Some(more)) => Some(zip(&known, &more, |a, b| a & b)),
        (known, more) => known.or(more),
    }
}

fn zip(a: &Bitmap, b: &Bitmap, with: impl Fn(u64, u64) -> u64) -> Bitmap {
    let words = a.words().iter().zip(b.words()).map(|(a, b)| with(*a, *b));
    Bitmap::from_words(words.collect(), a.len())
}

/// What a conjunction asks to be equal: of each field one list of values.
#[derive(Default)]
struct Asked {
    source: Option<Vec<Addr>>,
    destination: Option<Vec<Addr>>,
    source_port: Option<Vec<u16>>,
    destination_port: Option<Vec<u16>>,
    /// On either side; every list by itself.
    either: Vec<Vec<Addr>>,
}

impl Asked {
    fn of(parts: &[Expr]) -> Asked {
        let mut asked = Asked::default();
        for part in parts {
            let Expr::Test(field, test) = part else { continue };
            match *field {
                Field::Column(flows::SRC_ADDR) => keep(&mut asked.source, addrs(test)),
                Field::Column(flows::DST_ADDR) => keep(&mut asked.destination, addrs(test)),
                Field::Column(flows::SRC_PORT) => keep(&mut asked.source_port, ports(test)),
                Field::Column(flows::DST_PORT) => keep(&mut asked.destination_port, ports(test)),
                Field::Either(one, other) if is_either(one, other) => {
                    asked.either.extend(addrs(test));
                }
                _ => {}
            }
        }
        asked
    }

    /// Sets of keys, of each of which a row has at least one; the narrowest there are.
    fn sets(&self) -> Vec<Vec<RowKey>> {
        let mut sets = Vec::new();
        if let (Some(sources), Some(destinations)) = (&self.source, &self.destination) {
            let connections = match (&self.source_port, &self.destination_port) {
                (Some(ports), Some(other_ports)) => {
                    connections(sources, destinations, ports, other_ports)
                }
                _ => Vec::new(),
            };
            let pairs = pairs(sources, destinations);
            let narrowest = if connections.is_empty() { pairs } else { connections };
            sets.push(narrowest);
        } else if let [one, other] = self.either.as_slice()
            && !one.iter().any(|addr| other.contains(addr))
        {
            // Proof: one address is one side and the other, which differs, is the other side.
            sets.push(pairs(one, other));
        }
        let alone = [&self.source, &self.destination].into_iter().flatten().chain(&self.either);
        if sets.iter().all(Vec::is_empty) {
            sets.extend(alone.map(|addrs| addrs.iter().map(|a| RowKey::Address(*a)).collect()));
        }
        sets.retain(|keys: &Vec<RowKey>| (1..=KEYS_MAX).contains(&keys.len()));
        sets
    }
}

fn is_either(one: ColumnId, other: ColumnId) -> bool {
    (one, other) == (flows::SRC_ADDR, flows::DST_ADDR)
}

/// Of two lists for one field either alone is right; the first is as good.
fn keep<T>(known: &mut Option<Vec<T>>, more: Option<Vec<T>>) {
    if known.is_none() {
        *known = more;
    }
}

fn addrs(test: &Test) -> Option<Vec<Addr>> {
    let addr = |value: &Value| match value {
        Value::Addr(addr) => Some(*addr),
        Value::Cidr(cidr) if cidr.first == cidr.last => Some(cidr.first),
        _ => None,
    };
    equals(test)?.map(addr).collect()
}

fn ports(test: &Test) -> Option<Vec<u16>> {
    let port = |value: &Value| match value {
        // A port that is none is kept by no row; any other stands for it as well.
        Value::U64(port) => Some(u16::try_from(*port).unwrap_or(0)),
        Value::Range(low, high) if low == high => Some(u16::try_from(*low).unwrap_or(0)),
        _ => None,
    };
    equals(test)?.map(port).collect()
}

/// Every pair; none when there are too many.
fn pairs(sources: &[Addr], destinations: &[Addr]) -> Vec<RowKey> {
    if sources.len().saturating_mul(destinations.len()) > KEYS_MAX {
        return Vec::new();
    }
    let of = |source: &Addr| {
        let source = *source;
        destinations.iter().map(move |destination| RowKey::Pair(source, *destination))
    };
    sources.iter().flat_map(of).collect()
}

fn connections(
    sources: &[Addr],
    destinations: &[Addr],
    ports: &[u16],
    other_ports: &[u16],
) -> Vec<RowKey> {
    let sides = |addrs: &[Addr], ports: &[u16]| {
        let of = |addr: &Addr| ports.iter().map(|port| (*addr, *port)).collect::<Vec<_>>();
        addrs.iter().flat_map(of).collect::<Vec<_>>()
    };
    if sources.len().saturating_mul(ports.len()) > KEYS_MAX
        || destinations.len().saturating_mul(other_ports.len()) > KEYS_MAX
    {
        return Vec::new();
    }
    let (ones, others) = (sides(sources, ports), sides(destinations, other_ports));
    if ones.len() * others.len() > KEYS_MAX {
        return Vec::new();
    }
    let of = |one: &(Addr, u16)| {
        let one = *one;
        others.iter().map(move |other| RowKey::Connection(one, *other))
    };
    ones.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests;
