//! Evaluation of one test on one value: the meaning of the language in one place. The row-wise
//! and the vectorised evaluators both end here.

use std::cmp::Ordering;

use weir_model::{Addr, json};

use super::ast::{Operator, Test, Value};

/// One value that is not null.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Datum<'a> {
    U64(u64),
    I64(i64),
    F64(f64),
    Addr(Addr),
    /// Text or octets.
    Octets(&'a [u8]),
    /// A list of numbers, as octets.
    List(&'a [u8]),
    /// An element's octets: a number, text or octets as the other side has it.
    Element(&'a [u8]),
}

/// Whether `test` holds for a value that is not null. Values of another type compare as false.
#[inline]
pub(crate) fn holds(test: &Test, datum: Datum<'_>) -> bool {
    match test {
        Test::Compare(operator, value) => {
            compare(datum, value).is_some_and(|ordering| operator.holds(ordering))
        }
        Test::In(negated, values) => values.iter().any(|value| lies_in(datum, value)) != *negated,
        Test::Like(negated, pattern) | Test::Regex(negated, pattern) => {
            octets_of(datum).is_some_and(|text| pattern.is_match(text) != *negated)
        }
        Test::Has(bits) => match datum {
            Datum::U64(value) => value & bits == *bits,
            Datum::List(octets) => json::u32_list(octets).any(|n| u64::from(n) == *bits),
            _ => false,
        },
        Test::Null(negated) => *negated,
    }
}

fn octets_of(datum: Datum<'_>) -> Option<&[u8]> {
    match datum {
        Datum::Octets(octets) | Datum::Element(octets) => Some(octets),
        _ => None,
    }
}

fn compare(datum: Datum<'_>, value: &Value) -> Option<Ordering> {
    match (datum, value) {
        (Datum::U64(a), Value::U64(b)) => Some(a.cmp(b)),
        (Datum::I64(a), Value::Time(b)) => Some(a.cmp(&b.0)),
        (Datum::F64(a), Value::F64(b)) => a.partial_cmp(b),
        (Datum::Addr(a), Value::Addr(b)) => Some(a.cmp(b)),
        (Datum::Octets(a) | Datum::Element(a), Value::Text(b)) => Some(a.cmp(b.as_bytes())),
        (Datum::Octets(a) | Datum::Element(a), Value::Octets(b)) => Some(a.cmp(b)),
        (Datum::Element(a), Value::U64(b)) => element_number(a).map(|a| a.cmp(b)),
        _ => None,
    }
}

fn lies_in(datum: Datum<'_>, value: &Value) -> bool {
    match (datum, value) {
        (Datum::U64(n), Value::Range(low, high)) => (*low..=*high).contains(&n),
        (Datum::Element(octets), Value::Range(low, high)) => {
            element_number(octets).is_some_and(|n| (*low..=*high).contains(&n))
        }
        (Datum::Addr(addr), Value::Cidr(cidr)) => cidr.contains(addr),
        _ => compare(datum, value).is_some_and(|ordering| Operator::Equal.holds(ordering)),
    }
}

/// Octets as a big-endian unsigned number; `None` past 8 octets and for none.
fn element_number(octets: &[u8]) -> Option<u64> {
    if octets.is_empty() || octets.len() > 8 {
        return None;
    }
    Some(octets.iter().fold(0, |number, octet| number << 8 | u64::from(*octet)))
}
