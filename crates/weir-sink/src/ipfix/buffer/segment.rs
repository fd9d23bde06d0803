//! Segment files of the buffer: templates and messages one after the other, each with its checksum.
//!
//! A file begins with [`MAGIC`]. An entry is the length of its body (u32), the crc32c of all that
//! follows (u32), the kind (u8) and the body; all big-endian. Every template that a message of the
//! file uses stands before it in the same file, so each file can be read alone. What follows the
//! first entry that is cut short or does not match its checksum is not read.

use std::sync::Arc;

/// First octets of a segment.
pub(crate) const MAGIC: &[u8; 8] = b"WEIRBUF1";
const TEMPLATE: u8 = 1;
const MESSAGE: u8 = 2;
const HEADER: usize = 9;
/// Longest body: a message and its number. A longer claim is damage.
const BODY_MAX: usize = 12 + 65_535;

/// A template that messages use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) id: u16,
    pub(crate) options: bool,
    pub(crate) record: Box<[u8]>,
}

/// A message that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// Number of its first data record.
    pub(crate) first: u64,
    pub(crate) records: u32,
    pub(crate) octets: Box<[u8]>,
    pub(crate) templates: Vec<Arc<Template>>,
}

impl Message {
    /// The number after its last record.
    pub(crate) fn end(&self) -> u64 {
        self.first + u64::from(self.records)
    }
}

fn put(out: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    out.extend_from_slice(&(length as u32).to_be_bytes());
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    out.push(kind);
    for part in parts {
        out.extend_from_slice(part);
    }
    let sum = crc32c::crc32c(&out[at + 4..]);
    out[at..at + 4].copy_from_slice(&sum.to_be_bytes());
}

pub(crate) fn put_template(out: &mut Vec<u8>, template: &Template) {
    let head = [u8::from(template.options)];
    put(out, TEMPLATE, &[&head, &template.id.to_be_bytes(), &template.record]);
}

pub(crate) fn put_message(out: &mut Vec<u8>, message: &Message) {
    let (first, records) = (message.first.to_be_bytes(), message.records.to_be_bytes());
    put(out, MESSAGE, &[&first, &records, &message.octets]);
}

/// What a segment holds.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) messages: Vec<Message>,
    /// Octets that are whole.
    pub(crate) whole: usize,
    /// Something follows them.
    pub(crate) torn: bool,
}

/// Reads a segment as far as it is whole.
pub(crate) fn scan(octets: &[u8]) -> Scan {
    let mut scan = Scan::default();
    let Some(mut rest) = octets.strip_prefix(MAGIC) else {
        scan.torn = !octets.is_empty();
        return scan;
    };
    let mut templates: Vec<Arc<Template>> = Vec::new();
    while let Some((kind, body, after)) = entry(rest) {
        match kind {
            TEMPLATE => {
                let Some(template) = template(body) else { break };
                templates.retain(|known| known.id != template.id);
                templates.push(Arc::new(template));
            }
            MESSAGE => {
                let Some(message) = message(body, &templates) else { break };
                // Numbers only grow; a file that says otherwise is another's.
                if scan.messages.last().is_some_and(|last| last.end() > message.first) {
                    break;
                }
                scan.messages.push(message);
            }
            _ => break,
        }
        rest = after;
    }
    scan.whole = octets.len() - rest.len();
    scan.torn = !rest.is_empty();
    scan
}

fn entry(rest: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (header, after) = rest.split_first_chunk::<HEADER>()?;
    let [l0, l1, l2, l3, s0, s1, s2, s3, kind] = *header;
    let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
    let body = after.get(..length).filter(|_| length <= BODY_MAX)?;
    let sum = crc32c::crc32c(rest.get(8..HEADER + length)?);
    (sum == u32::from_be_bytes([s0, s1, s2, s3])).then_some((kind, body, after.get(length..)?))
}

fn template(body: &[u8]) -> Option<Template> {
    let (&[options, i0, i1], record) = body.split_first_chunk()?;
    let id = u16::from_be_bytes([i0, i1]);
    Some(Template { id, options: options == 1, record: record.into() })
}

fn message(body: &[u8], known: &[Arc<Template>]) -> Option<Message> {
    let (first, rest) = body.split_first_chunk()?;
    let (records, octets) = rest.split_first_chunk()?;
    let (first, records) = (u64::from_be_bytes(*first), u32::from_be_bytes(*records));
    first.checked_add(records.into())?;
    let templates = used(octets, known.iter())?;
    Some(Message { first, records, octets: octets.into(), templates })
}

/// The templates that a message uses, each once; `None` when one is not among `known`.
pub(crate) fn used<'a>(
    octets: &[u8],
    known: impl Iterator<Item = &'a Arc<Template>> + Clone,
) -> Option<Vec<Arc<Template>>> {
    let mut templates: Vec<Arc<Template>> = Vec::new();
    for id in weir_wire::ipfix::session::template_ids(octets) {
        if !templates.iter().any(|template| template.id == id) {
            templates.push(Arc::clone(known.clone().find(|template| template.id == id)?));
        }
    }
    Some(templates)
}
