//! Expression to predicate: every address, string and pattern is tested here, once a code.

use weir_model::{Code, ColumnId, ColumnType, Table, elements};

use super::super::part::{Names, Part};
use super::{Node, Order, shifted};
use crate::filter::rows::element_columns;
use crate::filter::test::{Datum, holds};
use crate::filter::{Expr, Field, Operator, Test, Value};

/// Codes of one equality test that are compared one by one; more become a bit each.
const FEW_MAX: usize = 8;

/// Compiles `expr` (about columns of `table`) for `part`, whose columns `column` names.
pub(crate) fn compile(
    expr: &Expr,
    table: Table,
    names: &dyn Names,
    column: &dyn Fn(ColumnId) -> ColumnId,
) -> Node {
    Compiler { table, names, column }.expr(expr)
}

/// True when the part's bloom filter alone shows that no row is kept.
pub(crate) fn is_ruled_out(expr: &Expr, part: &dyn Part) -> bool {
    match expr {
        Expr::And(parts) => parts.iter().any(|inner| is_ruled_out(inner, part)),
        Expr::Or(parts) => parts.iter().all(|inner| is_ruled_out(inner, part)),
        Expr::Test(_, test) => equals(test).is_some_and(|mut values| {
            values.all(|value| match value {
                Value::Addr(addr) => !part.may_contain(*addr),
                _ => false,
            })
        }),
        Expr::Not(_) | Expr::Columns(..) => false,
    }
}

struct Compiler<'a> {
    table: Table,
    names: &'a dyn Names,
    column: &'a dyn Fn(ColumnId) -> ColumnId,
}

impl Compiler<'_> {
    fn expr(&self, expr: &Expr) -> Node {
        match expr {
            Expr::And(parts) => and(parts.iter().map(|part| self.expr(part)).collect()),
            Expr::Or(parts) => or(parts.iter().map(|part| self.expr(part)).collect()),
            Expr::Not(inner) => not(self.expr(inner)),
            Expr::Test(field, test) => self.test(*field, test),
            Expr::Columns(left, operator, right) => self.columns(*left, *operator, *right),
        }
    }

    fn test(&self, field: Field, test: &Test) -> Node {
        match (field, test) {
            (Field::Column(id), Test::Null(negated)) => self.null(id, *negated),
            (Field::Column(id), test) => self.column_test(id, test),
            (Field::Either(one, other), Test::Null(true)) => {
                or(vec![self.null(one, true), self.null(other, true)])
            }
            (Field::Either(one, other), Test::Null(false)) => {
                and(vec![self.null(one, false), self.null(other, false)])
            }
            (Field::Either(one, other), test) if test.is_negative() => {
                let matched = test.positive();
                let hit =
                    or(vec![self.column_test(one, &matched), self.column_test(other, &matched)]);
                and(vec![not(hit), or(vec![self.null(one, true), self.null(other, true)])])
            }
            (Field::Either(one, other), test) => {
                or(vec![self.column_test(one, test), self.column_test(other, test)])
            }
            (Field::Element { key, occurrence }, test) => {
                let find = |list| elements::find(list, key, occurrence.into());
                self.element(&find, test)
            }
        }
    }

    fn null(&self, id: ColumnId, negated: bool) -> Node {
        let present = Node::Present((self.column)(id));
        if negated { present } else { not(present) }
    }

    /// The element of the first column that has it decides.
    fn element<'v>(&'v self, find: &dyn Fn(&'v [u8]) -> Option<&'v [u8]>, test: &Test) -> Node {
        let codes = |id, keep: &dyn Fn(Option<&[u8]>) -> bool| {
            self.codes(id, self.names.strings_len(), |code| {
                keep(find(self.names.string(Code(code))))
            })
        };
        let (mut found, mut absent_before) = (Vec::new(), Vec::new());
        for id in element_columns(self.table) {
            let hit = codes(id, &|value| match (test, value) {
                (Test::Null(_), value) => value.is_some(),
                (test, Some(value)) => holds(test, Datum::Element(value)),
                (_, None) => false,
            });
            let mut parts = absent_before.clone();
            parts.push(hit);
            found.push(and(parts));
            absent_before.push(not(codes(id, &|value| value.is_some())));
        }
        let found = or(found);
        if matches!(test, Test::Null(false)) { not(found) } else { found }
    }

    fn column_test(&self, id: ColumnId, test: &Test) -> Node {
        let Some(def) = self.table.def(id) else { return Node::Const(false) };
        let column = (self.column)(id);
        match def.ty {
            ColumnType::U8
            | ColumnType::U16
            | ColumnType::U32
            | ColumnType::U64
            | ColumnType::Mac
            | ColumnType::Time => number(column, test),
            ColumnType::F64 => fraction(column, test),
            ColumnType::Addr => self.addr(id, test),
            ColumnType::Str | ColumnType::Bytes => self.string(id, test),
            ColumnType::U32List => self.codes(id, self.names.strings_len(), |code| {
                holds(test, Datum::List(self.names.string(Code(code))))
            }),
            ColumnType::Elements => Node::Const(false),
        }
    }

    fn addr(&self, id: ColumnId, test: &Test) -> Node {
        if let Some(values) = equals(test) {
            let wanted: Vec<_> = values
                .filter_map(|value| match value {
                    Value::Addr(addr) => Some(Some(*addr)),
                    Value::Cidr(cidr) if cidr.first == cidr.last => Some(Some(cidr.first)),
                    Value::Cidr(_) => Some(None),
                    _ => None,
                })
                .collect();
            let exact: Option<Vec<_>> = wanted.into_iter().collect();
            if let Some(exact) = exact.filter(|exact| exact.len() <= FEW_MAX) {
                return few((self.column)(id), positions(self.names.addrs(), &exact));
            }
        }
        self.codes(id, self.names.addrs().len(), |code| {
            let addr = self.names.addrs().get(code as usize);
            addr.is_some_and(|addr| holds(test, Datum::Addr(*addr)))
        })
    }

    fn string(&self, id: ColumnId, test: &Test) -> Node {
        self.codes(id, self.names.strings_len(), |code| {
            holds(test, Datum::Octets(self.names.string(Code(code))))
        })
    }

    /// A bit for each code that `keep` keeps.
    fn codes(&self, id: ColumnId, len: usize, keep: impl Fn(u32) -> bool) -> Node {
        let column = (self.column)(id);
        let mut bits = vec![0u64; len.div_ceil(64)];
        let mut kept = Vec::new();
        for code in 0..len as u32 {
            if keep(code) {
                bits[code as usize / 64] |= 1 << (code % 64);
                if kept.len() <= FEW_MAX {
                    kept.push(code);
                }
            }
        }
        if kept.len() <= FEW_MAX { few(column, kept) } else { Node::Codes(column, bits) }
    }

    fn columns(&self, left: ColumnId, operator: Operator, right: ColumnId) -> Node {
        let order = match self.table.def(left).map(|def| def.ty) {
            Some(ColumnType::Addr) => {
                let addrs = self.names.addrs();
                let mut order: Vec<u32> = (0..addrs.len() as u32).collect();
                order.sort_unstable_by_key(|code| addrs.get(*code as usize));
                Order::Ranks(ranks(&order))
            }
            // Strings and octets compare for equality only, and a value has one code.
            Some(ColumnType::Str | ColumnType::Bytes) => {
                Order::Ranks((0..self.names.strings_len() as u32).collect())
            }
            Some(ColumnType::F64) => Order::Fractions,
            _ => Order::Numbers,
        };
        Node::Columns((self.column)(left), operator, (self.column)(right), order)
    }
}

/// Where in `order` each code stands.
fn ranks(order: &[u32]) -> Vec<u32> {
    let mut ranks = vec![0; order.len()];
    for (rank, code) in order.iter().enumerate() {
        if let Some(slot) = ranks.get_mut(*code as usize) {
            *slot = rank as u32;
        }
    }
    ranks
}

fn positions(known: &[weir_model::Addr], wanted: &[weir_model::Addr]) -> Vec<u32> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let hits = known.iter().enumerate().filter(|(_, addr)| wanted.contains(addr));
    hits.map(|(code, _)| code as u32).collect()
}

/// The values that a positive equality test asks for.
pub(super) fn equals(test: &Test) -> Option<std::slice::Iter<'_, Value>> {
    match test {
        Test::Compare(Operator::Equal, value) => Some(std::slice::from_ref(value).iter()),
        Test::In(false, values) => Some(values.iter()),
        _ => None,
    }
}

fn few(column: ColumnId, codes: Vec<u32>) -> Node {
    if codes.is_empty() { Node::Const(false) } else { Node::Few(column, codes) }
}

fn fraction(column: ColumnId, test: &Test) -> Node {
    let one = |value: &Value, operator| match value {
        Value::F64(value) => Node::Fraction(column, operator, *value),
        _ => Node::Const(false),
    };
    match test {
        Test::Compare(operator, value) => one(value, *operator),
        Test::In(negated, values) => {
            let hit = or(values.iter().map(|value| one(value, Operator::Equal)).collect());
            if *negated { and(vec![Node::Present(column), not(hit)]) } else { hit }
        }
        _ => Node::Const(false),
    }
}

fn number(column: ColumnId, test: &Test) -> Node {
    let at = |value: &Value| match value {
        Value::U64(value) => Some(*value),
        Value::Time(time) => Some(shifted(time.0)),
        _ => None,
    };
    let (negated, ranges) = match test {
        Test::Has(bits) => return Node::Bits(column, *bits),
        Test::Compare(operator, value) => {
            let Some(value) = at(value) else { return Node::Const(false) };
            match operator {
                Operator::Equal => (false, Some((value, value))),
                Operator::NotEqual => (true, Some((value, value))),
                Operator::Less => (false, value.checked_sub(1).map(|high| (0, high))),
                Operator::LessOrEqual => (false, Some((0, value))),
                Operator::Greater => (false, value.checked_add(1).map(|low| (low, u64::MAX))),
                Operator::GreaterOrEqual => (false, Some((value, u64::MAX))),
            }
        }
        Test::In(negated, values) => {
            let ranges = values.iter().filter_map(|value| match value {
                Value::Range(low, high) => Some((*low, *high)),
                value => at(value).map(|value| (value, value)),
            });
            return Node::Ranges(column, *negated, ranges.collect());
        }
        _ => return Node::Const(false),
    };
    match ranges {
        Some(range) => Node::Ranges(column, negated, vec![range]),
        None => Node::Const(false),
    }
}

fn not(node: Node) -> Node {
    match node {
        Node::Const(bit) => Node::Const(!bit),
        Node::Not(inner) => *inner,
        node => Node::Not(Box::new(node)),
    }
}

/// All of them, the ones that cost least first.
pub(super) fn and(mut parts: Vec<Node>) -> Node {
    if parts.contains(&Node::Const(false)) {
        return Node::Const(false);
    }
    parts.retain(|part| *part != Node::Const(true));
    parts.sort_by_key(cost);
    match parts.len() {
        0 => Node::Const(true),
        1 => parts.remove(0),
        _ => Node::And(parts),
    }
}

fn or(mut parts: Vec<Node>) -> Node {
    if parts.contains(&Node::Const(true)) {
        return Node::Const(true);
    }
    parts.retain(|part| *part != Node::Const(false));
    match parts.len() {
        0 => Node::Const(false),
        1 => parts.remove(0),
        _ => Node::Or(parts),
    }
}

fn cost(node: &Node) -> u8 {
    match node {
        Node::Const(_) => 0,
        Node::Few(..) => 1,
        Node::Ranges(..) | Node::Bits(..) | Node::Fraction(..) => 2,
        Node::Codes(..) | Node::Present(_) => 3,
        Node::And(_) | Node::Or(_) | Node::Not(_) => 4,
        Node::Columns(..) => 5,
    }
}
