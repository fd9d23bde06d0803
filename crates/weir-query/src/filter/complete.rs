//! What may come next at a cursor: fields, operators, names of values, connectives.

use std::cmp::Reverse;

use hashbrown::HashMap;
use weir_model::named::Named;
use weir_model::{Addr, ColumnDef, ColumnId, ColumnType, Table};

use super::ast::Field;
use super::colour::{Expect, State};
use super::token::{Lexeme, is_bare, lex, quote};

/// Proposals given at once.
const ITEMS_MAX: usize = 50;

/// Prefixes of addresses among them.
const NETS_MAX: usize = 10;

/// Values that are looked through for names and prefixes.
const VALUES_MAX: usize = 1_000;

/// A value that occurs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurring {
    /// As plain text: what stands in a filter, but for quotes.
    pub text: String,
    /// Records that have it.
    pub records: u64,
}

/// Where values that occur come from: the store, behind a look at a recent range.
pub trait ValueSource {
    /// The most frequent values of `column` that start with `typed`, then those of text that have
    /// it inside; at most `limit`, best first. Empty when it does not know.
    fn top_values(
        &self,
        table: Table,
        column: ColumnId,
        typed: &str,
        limit: usize,
    ) -> Vec<Occurring>;
}

/// A source that knows no values.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoValues;

impl ValueSource for NoValues {
    fn top_values(&self, _: Table, _: ColumnId, _: &str, _: usize) -> Vec<Occurring> {
        Vec::new()
    }
}

/// What a proposal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CompletionKind {
    /// A column or an either-side field.
    Column,
    /// A comparison.
    Operator,
    /// A value.
    Value,
    /// `and`, `or`, `not`, brackets and commas.
    Keyword,
}

/// A proposal.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CompletionItem {
    /// The text to put in.
    pub text: String,
    /// What it is.
    pub kind: CompletionKind,
    /// For people, one line; may be empty.
    pub detail: String,
    /// Of a value that occurs: records that have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// Proposals and the part of the text that one of them replaces.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Completion {
    /// Octet offset of the part to replace.
    pub offset: usize,
    /// Octets to replace.
    pub length: usize,
    /// Proposals, best first, at most 50.
    pub items: Vec<CompletionItem>,
}

/// Proposes what can stand at `cursor` (an octet offset) in `text`.
pub fn complete(text: &str, cursor: usize, table: Table, values: &dyn ValueSource) -> Completion {
    let cursor = (0..=cursor.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    let cursor = cursor.unwrap_or(0);
    let mut state = State::new(table);
    let mut typed = None;
    for token in lex(text) {
        // A word that the cursor stands in or right behind is still being typed.
        let touches = token.offset < cursor && cursor <= token.end();
        if token.offset >= cursor || touches && token.lexeme != Lexeme::Sign {
            typed = Some(token).filter(|_| touches);
            break;
        }
        state.step(token);
    }
    let offset = typed.map_or(cursor, |token| token.offset);
    let length = typed.map_or(0, |token| token.text.len());
    let prefix = text.get(offset..cursor).unwrap_or_default();
    let items = match state.expect {
        Expect::Field => fields(table, prefix),
        Expect::Element => Vec::new(),
        Expect::Operator => operators(state.field, table, prefix),
        Expect::NegatedOperator => words(&["in", "like"], CompletionKind::Operator, prefix),
        Expect::Null => words(&["null", "not null"], CompletionKind::Operator, prefix),
        Expect::Value => field_values(&state, table, prefix, values),
        Expect::Connective => words(connectives(&state), CompletionKind::Keyword, prefix),
    };
    Completion { offset, length, items }
}

fn item(text: impl Into<String>, kind: CompletionKind, detail: &str) -> CompletionItem {
    CompletionItem { text: text.into(), kind, detail: detail.to_owned(), count: None }
}

/// What can follow a value.
fn connectives(state: &State) -> &'static [&'static str] {
    match (state.list, state.depth) {
        (true, _) => &[",", ")"],
        (false, 0) => &["and", "or"],
        (false, _) => &["and", "or", ")"],
    }
}

fn words(known: &[&str], kind: CompletionKind, prefix: &str) -> Vec<CompletionItem> {
    let prefix = prefix.to_ascii_lowercase();
    let fitting = known.iter().filter(|word| word.starts_with(&prefix));
    fitting.map(|word| item(*word, kind, "")).collect()
}

/// What most filters are about: offered before rarer names that fit as well.
const USUAL: [&str; 16] = [
    "addr",
    "src_addr",
    "dst_addr",
    "proto",
    "port",
    "src_port",
    "dst_port",
    "exporter_addr",
    "octets",
    "packets",
    "tcp_flags",
    "in_if",
    "out_if",
    "namespace",
    "pod",
    "vlan",
];

/// Names that start with the prefix, then names that have it inside; the usual ones first.
fn fields(table: Table, prefix: &str) -> Vec<CompletionItem> {
    let prefix = prefix.to_ascii_lowercase();
    let columns = table.columns().iter().filter(|def| def.stored).map(|def| (def.name, def.doc));
    let pairs = Field::pairs(table).map(|(name, _)| (name, "Either side"));
    let elements =
        [("ie(", "An element without a column: ie(enterprise, id)"), ("not", ""), ("(", "")];
    let mut all: Vec<_> = pairs.chain(columns).chain(elements).collect();
    all.sort_by_key(|(name, _)| {
        USUAL.iter().position(|usual| usual == name).unwrap_or(USUAL.len())
    });
    let starts = all.iter().filter(|(name, _)| name.starts_with(&prefix));
    let holds = all.iter().filter(|(name, _)| {
        !prefix.is_empty() && !name.starts_with(&prefix) && name.contains(&prefix)
    });
    let kind = |name| match name {
        "not" | "(" => CompletionKind::Keyword,
        _ => CompletionKind::Column,
    };
    starts.chain(holds).take(ITEMS_MAX).map(|(name, doc)| item(*name, kind(name), doc)).collect()
}

fn operators(field: Option<Field>, table: Table, prefix: &str) -> Vec<CompletionItem> {
    let def = field.and_then(|field| field.def(table));
    let known: &[&str] = match def.map(|def| (def.ty, def.named)) {
        Some((_, Some(Named::Flags(_)))) => &["has", "=", "!=", "is"],
        Some((_, Some(Named::Enum(_))) | (ColumnType::Mac | ColumnType::Bytes, None)) => {
            &["=", "!=", "in", "not in", "is"]
        }
        Some((ColumnType::Str, None)) => {
            &["=", "!=", "in", "not in", "like", "not like", "~", "!~", "is"]
        }
        Some((ColumnType::Addr, None)) => &["in", "=", "!=", "not in", "<", "<=", ">", ">=", "is"],
        Some((ColumnType::U32List, None)) => &["has", "is"],
        Some((ColumnType::Elements, None)) => &["is"],
        Some(_) => &["=", "!=", "<", "<=", ">", ">=", "in", "not in", "is"],
        None => &["=", "!=", "<", "<=", ">", ">=", "in", "not in", "like", "~", "!~", "is"],
    };
    words(known, CompletionKind::Operator, prefix)
}

fn field_values(
    state: &State,
    table: Table,
    prefix: &str,
    values: &dyn ValueSource,
) -> Vec<CompletionItem> {
    let Some((field, def)) = state.field.and_then(|field| Some((field, field.def(table)?))) else {
        return Vec::new();
    };
    let sides = match field {
        Field::Column(id) => vec![id],
        Field::Either(one, other) => vec![one, other],
        Field::Element { .. } => Vec::new(),
    };
    if let Some(named) = def.named {
        let occurring = match named {
            // A combination of flags is no proposal: they are asked for one by one.
            Named::Flags(_) => Vec::new(),
            Named::Enum(_) => occurring(&sides, table, "", values),
        };
        return names(named, prefix, &occurring);
    }
    let bare = prefix.trim_start_matches(['"', '\'']);
    let value = |occurring: Occurring| CompletionItem {
        count: Some(occurring.records),
        ..item(written(def, occurring.text), CompletionKind::Value, "")
    };
    if def.ty != ColumnType::Addr {
        return occurring(&sides, table, bare, values).into_iter().map(value).collect();
    }
    let all = occurring(&sides, table, "", values);
    let mut items: Vec<CompletionItem> = match state.nets {
        true => {
            nets(&all).into_iter().filter(|net| net.text.starts_with(bare)).map(value).collect()
        }
        false => Vec::new(),
    };
    items.truncate(NETS_MAX);
    items.extend(all.into_iter().filter(|addr| addr.text.starts_with(bare)).map(value));
    items.truncate(ITEMS_MAX);
    items
}

/// What occurs on either side, most records first, those that start as was typed before others.
fn occurring(
    sides: &[ColumnId],
    table: Table,
    typed: &str,
    values: &dyn ValueSource,
) -> Vec<Occurring> {
    let most = if typed.is_empty() { VALUES_MAX } else { ITEMS_MAX };
    let mut all: Vec<Occurring> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::default();
    for id in sides {
        for found in values.top_values(table, *id, typed, most) {
            match places.get(&found.text).and_then(|at| all.get_mut(*at)) {
                Some(known) => known.records = known.records.saturating_add(found.records),
                None => {
                    places.insert(found.text.clone(), all.len());
                    all.push(found);
                }
            }
        }
    }
    if sides.len() > 1 {
        all.sort_by_key(|found| (!found.text.starts_with(typed), Reverse(found.records)));
    }
    all.truncate(most);
    all
}

/// Names of a closed list: those that occur first, then those that start as was typed, then those
/// that have it inside.
fn names(named: &Named, prefix: &str, occurring: &[Occurring]) -> Vec<CompletionItem> {
    let lower = prefix.to_ascii_lowercase();
    let records = |value: u64| {
        let text = value.to_string();
        occurring.iter().find(|found| found.text == text).map(|found| found.records)
    };
    let rows = named.rows().iter().filter_map(|(value, name)| {
        let known = name.to_ascii_lowercase();
        let starts = known.starts_with(&lower);
        let fits = is_bare(name) && (starts || known.contains(&lower));
        fits.then(|| {
            let count = records(*value);
            let detail = value.to_string();
            let item = CompletionItem { count, ..item(*name, CompletionKind::Value, &detail) };
            (!starts, Reverse(count), item)
        })
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by_key(|(inside, count, _)| (*inside, *count));
    rows.into_iter().take(ITEMS_MAX).map(|(.., item)| item).collect()
}

/// Prefixes that hold at least two of the addresses, most records first. One that holds no more
/// than a longer one does is left out.
fn nets(addrs: &[Occurring]) -> Vec<Occurring> {
    let addrs = addrs.iter().filter_map(|found| Some((found.text.parse().ok()?, found.records)));
    let addrs: Vec<(Addr, u64)> = addrs.collect();
    let mut nets: Vec<(Occurring, Addr, u32)> = Vec::new();
    // From the longest on; counted in bits of the mapped address.
    for (is_v4, bits) in [(true, 120), (true, 112), (true, 104), (false, 64), (false, 48)] {
        let mask = u128::MAX << (128 - bits);
        let mut sums: HashMap<u128, (u64, usize)> = HashMap::default();
        for (addr, records) in addrs.iter().filter(|(addr, _)| addr.as_v4().is_some() == is_v4) {
            let (sum, members) = sums.entry(addr.0 & mask).or_default();
            *sum = sum.saturating_add(*records);
            *members += 1;
        }
        for (net, (records, members)) in sums {
            let longer = |(found, addr, _): &(Occurring, Addr, u32)| {
                addr.0 & mask == net && addr.as_v4().is_some() == is_v4 && found.records == records
            };
            if members > 1 && !nets.iter().any(longer) {
                let shown = if is_v4 { bits - 96 } else { bits };
                let text = format!("{}/{shown}", Addr(net));
                nets.push((Occurring { text, records }, Addr(net), bits));
            }
        }
    }
    nets.sort_by_key(|(net, addr, bits)| (Reverse(net.records), *addr, *bits));
    nets.into_iter().map(|(net, ..)| net).collect()
}

/// A value as it stands in a filter: text in quotes where it needs them.
fn written(def: &ColumnDef, text: String) -> String {
    let plain = def.ty != ColumnType::Str || is_bare(&text) && is_unambiguous(&text);
    if plain { text } else { quote(&text) }
}

/// False for bare text that the grammar would take for something else.
fn is_unambiguous(text: &str) -> bool {
    Table::ALL.iter().all(|table| table.find(text).is_none())
        && !["null", "none", "and", "or", "not"].contains(&text)
}
