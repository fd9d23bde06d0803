//! Template and options template records (RFC 7011 §3.4.1–2, RFC 3954 §5.2, §6.1): what a Set's
//! records are made of, as the exporter said it.
//!
//! Enterprise numbers are made one here: v9 has none, so ids from 57472 on become ntop's; the
//! number that early Antrea used becomes Antrea's. Nothing is compiled here (see `crate::plan`).

use weir_model::column::ElementKey;
use weir_model::columns::{PEN_ANTREA, PEN_NTOP};

use crate::header::u16_at;
use crate::protocol::Protocol;

/// Length that says "each record tells" (RFC 7011 §7). H3C uses it in v9 too.
pub const VARIABLE: u16 = 65_535;

/// First v9 field type that is nProbe's: its own number plus this.
const NTOP_BASE: u16 = 57_472;

/// The enterprise number that Antrea used before it had its own; 100 to 105 mean the same.
const PEN_ANTREA_OLD: u32 = 55_829;

/// One field of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Which element.
    pub key: ElementKey,
    /// Octets in each record, or [`VARIABLE`].
    pub length: u16,
}

/// A template as its exporter defined it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its id, 256 or more.
    pub id: u16,
    /// Fields in the order of the record; those of the scope come first.
    pub fields: Vec<Field>,
    /// Number of scope fields; `None` for a data template.
    pub scope: Option<usize>,
    /// The record that defined it, octet by octet.
    pub raw: Box<[u8]>,
}

/// One record of a template Set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Definition {
    /// Defines or redefines a template.
    Define(Template),
    /// Withdraws one (RFC 7011 §8.1).
    Withdraw(u16),
    /// Withdraws all templates or all options templates.
    WithdrawAll,
}

/// Why a template record was refused; the rest of its Set is unreadable then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The record runs past its Set.
    #[error("template {id} needs more octets than its set has")]
    Truncated {
        /// Template id.
        id: u16,
    },
    /// An id below 256.
    #[error("template id {id} is reserved")]
    ReservedId {
        /// Template id.
        id: u16,
    },
    /// No octet in a record: the decoder would never advance.
    #[error("template {id} describes records of no octets")]
    Empty {
        /// Template id.
        id: u16,
    },
    /// Scope longer than the record.
    #[error("template {id} has {scope} scope fields of {fields}")]
    Scope {
        /// Template id.
        id: u16,
        /// Scope fields.
        scope: usize,
        /// All fields.
        fields: usize,
    },
    /// More fields than the limits allow.
    #[error("template {id} has {fields} fields, the limit is {limit}")]
    TooManyFields {
        /// Template id.
        id: u16,
        /// Fields.
        fields: usize,
        /// The limit.
        limit: usize,
    },
}

/// Reads the record at the start of `body`; gives it and the number of octets it took, or `None`
/// where only padding is left. `options` says which kind of Set this is.
pub fn read(
    protocol: Protocol,
    options: bool,
    body: &[u8],
    fields_max: usize,
) -> Option<Result<(Definition, usize), TemplateError>> {
    if body.len() < 4 || u16_at(body, 0) == 0 {
        return None;
    }
    Some(match (protocol, options) {
        (Protocol::NetFlow9, true) => read_options9(body, fields_max),
        _ => read_counted(protocol, options, body, fields_max),
    })
}

/// Template records, and IPFIX options template records, whose count is of fields.
fn read_counted(
    protocol: Protocol,
    options: bool,
    body: &[u8],
    fields_max: usize,
) -> Result<(Definition, usize), TemplateError> {
    let (id, count) = (u16_at(body, 0), usize::from(u16_at(body, 2)));
    if count == 0 && protocol == Protocol::Ipfix {
        let all = id == if options { 3 } else { 2 };
        return match id {
            _ if all => Ok((Definition::WithdrawAll, 4)),
            256.. => Ok((Definition::Withdraw(id), 4)),
            _ => Err(TemplateError::ReservedId { id }),
        };
    }
    let start = if options { 6 } else { 4 };
    let scope = options.then(|| usize::from(u16_at(body, 4)));
    read_fields(protocol, body, Shape { id, scope, count, start }, fields_max)
}

/// v9 options templates, whose lengths are in octets.
fn read_options9(body: &[u8], fields_max: usize) -> Result<(Definition, usize), TemplateError> {
    let id = u16_at(body, 0);
    if body.len() < 6 {
        return Err(TemplateError::Truncated { id });
    }
    let scope = usize::from(u16_at(body, 2) / 4);
    let count = scope + usize::from(u16_at(body, 4) / 4);
    let shape = Shape { id, scope: Some(scope), count, start: 6 };
    read_fields(Protocol::NetFlow9, body, shape, fields_max)
}

struct Shape {
    id: u16,
    scope: Option<usize>,
    count: usize,
    start: usize,
}

fn read_fields(
    protocol: Protocol,
    body: &[u8],
    shape: Shape,
    fields_max: usize,
) -> Result<(Definition, usize), TemplateError> {
    let Shape { id, scope, count, start } = shape;
    if id < 256 {
        return Err(TemplateError::ReservedId { id });
    }
    if count > fields_max {
        return Err(TemplateError::TooManyFields { id, fields: count, limit: fields_max });
    }
    if scope.is_some_and(|scope| scope > count) {
        return Err(TemplateError::Scope { id, scope: scope.unwrap_or(0), fields: count });
    }
    // A field takes 4 octets or more, so what is reserved here was really sent.
    if body.len() < start + count * 4 {
        return Err(TemplateError::Truncated { id });
    }
    let mut fields = Vec::with_capacity(count);
    let mut at = start;
    for position in 0..count {
        let rest = body.get(at..).unwrap_or_default();
        let (field, took) = read_field(protocol, rest).ok_or(TemplateError::Truncated { id })?;
        at += took;
        let in_scope = scope.is_some_and(|scope| position < scope);
        fields.push(normal(protocol, in_scope, field));
    }
    if fields.iter().all(|field| field.length == 0) {
        return Err(TemplateError::Empty { id });
    }
    let raw = body.get(..at).unwrap_or_default().into();
    Ok((Definition::Define(Template { id, fields, scope, raw }), at))
}

fn read_field(protocol: Protocol, rest: &[u8]) -> Option<(Field, usize)> {
    let (&[i0, i1, l0, l1], after) = rest.split_first_chunk()?;
    let (id, length) = (u16::from_be_bytes([i0, i1]), u16::from_be_bytes([l0, l1]));
    if protocol == Protocol::Ipfix && id & 0x8000 != 0 {
        let pen = u32::from_be_bytes(*after.first_chunk()?);
        return Some((Field { key: ElementKey { pen, id: id & 0x7fff }, length }, 8));
    }
    Some((Field { key: ElementKey { pen: 0, id }, length }, 4))
}

/// Elements under the number that the rest of Weir knows them by. Scope types of v9 become the
/// elements that say the same: system 144, interface 10, line card 141, cache 143, template 145.
fn normal(protocol: Protocol, in_scope: bool, field: Field) -> Field {
    let ElementKey { pen, id } = field.key;
    let key = match (protocol, pen, id) {
        (Protocol::NetFlow9, _, 1..=5) if in_scope => {
            let id = [144, 10, 141, 143, 145][usize::from(id) - 1];
            ElementKey { pen: 0, id }
        }
        (Protocol::NetFlow9, _, NTOP_BASE..) => ElementKey { pen: PEN_NTOP, id: id - NTOP_BASE },
        (_, PEN_ANTREA_OLD, 100..=105) => ElementKey { pen: PEN_ANTREA, id },
        _ => field.key,
    };
    Field { key, ..field }
}

#[cfg(test)]
mod tests;
