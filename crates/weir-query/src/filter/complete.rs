//! What may come next at a cursor: fields, operators, names of values, connectives.

use weir_model::named::Named;
use weir_model::{ColumnDef, ColumnId, ColumnType, Table};

use super::ast::Field;
use super::colour::{Expect, State};
use super::token::{Lexeme, is_bare, lex, quote};

/// Proposals given at once.
const ITEMS_MAX: usize = 50;

/// Where values that occur come from: the store, behind a look at a recent range.
pub trait ValueSource {
    /// The most frequent values of `column` that start with `prefix`, as plain text, at most
    /// `limit`, best first. Empty when it does not know.
    fn top_values(&self, table: Table, column: ColumnId, prefix: &str, limit: usize)
    -> Vec<String>;
}

/// A source that knows no values.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoValues;

impl ValueSource for NoValues {
    fn top_values(&self, _: Table, _: ColumnId, _: &str, _: usize) -> Vec<String> {
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
    /// `and`, `or`, `not`.
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
        Expect::Value => field_values(state.field, table, prefix, values),
        Expect::Connective => words(&["and", "or"], CompletionKind::Keyword, prefix),
    };
    Completion { offset, length, items }
}

fn item(text: impl Into<String>, kind: CompletionKind, detail: &str) -> CompletionItem {
    CompletionItem { text: text.into(), kind, detail: detail.to_owned() }
}

fn words(known: &[&str], kind: CompletionKind, prefix: &str) -> Vec<CompletionItem> {
    let prefix = prefix.to_ascii_lowercase();
    let fitting = known.iter().filter(|word| word.starts_with(&prefix));
    fitting.map(|word| item(*word, kind, "")).collect()
}

/// Names that start with the prefix, then names that have it inside.
fn fields(table: Table, prefix: &str) -> Vec<CompletionItem> {
    let prefix = prefix.to_ascii_lowercase();
    let columns = table.columns().iter().filter(|def| def.stored).map(|def| (def.name, def.doc));
    let pairs = Field::pairs(table).map(|(name, _)| (name, "Either side"));
    let elements = [("ie(", "An element without a column: ie(enterprise, id)"), ("not", "")];
    let all: Vec<_> = pairs.chain(columns).chain(elements).collect();
    let starts = all.iter().filter(|(name, _)| name.starts_with(&prefix));
    let holds = all.iter().filter(|(name, _)| {
        !prefix.is_empty() && !name.starts_with(&prefix) && name.contains(&prefix)
    });
    let kind = |name| match name {
        "not" => CompletionKind::Keyword,
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
    field: Option<Field>,
    table: Table,
    prefix: &str,
    values: &dyn ValueSource,
) -> Vec<CompletionItem> {
    let Some((field, def)) = field.and_then(|field| Some((field, field.def(table)?))) else {
        return Vec::new();
    };
    if let Some(named) = def.named {
        let lower = prefix.to_ascii_lowercase();
        let rows = named
            .rows()
            .iter()
            .filter(|(_, name)| is_bare(name) && name.to_ascii_lowercase().starts_with(&lower));
        let rows = rows.take(ITEMS_MAX);
        return rows
            .map(|(value, name)| item(*name, CompletionKind::Value, &value.to_string()))
            .collect();
    }
    let bare = prefix.trim_start_matches(['"', '\'']);
    let sides = match field {
        Field::Column(id) => vec![id],
        Field::Either(one, other) => vec![one, other],
        Field::Element { .. } => Vec::new(),
    };
    let mut texts: Vec<String> = Vec::new();
    for id in sides {
        for text in values.top_values(table, id, bare, ITEMS_MAX) {
            if !texts.contains(&text) && texts.len() < ITEMS_MAX {
                texts.push(text);
            }
        }
    }
    texts.into_iter().map(|text| item(written(def, text), CompletionKind::Value, "")).collect()
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
