//! Captures by name: from `WEIR_CORPUS` if it is set, else those that ship with the project.

use std::ops::Range;
use std::path::{Path, PathBuf};

use weir_testkit::{Payload, corpus, payloads, skip_aloud};
use weir_wire::{Decoder, Limits, Output, Received, Tally, recognise};

/// The folder of captures that ship with the project.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// Every file below `folder`, in the order of their names.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut entries: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let below = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    entries.into_iter().flat_map(below).collect()
}

/// The octets of a file of the corpus (`corpus/…`, `corpus-ovs/…`, `corpus-sflow/…`). Says aloud
/// when neither the corpus nor the project has it.
pub fn read(path: &str) -> Option<Vec<u8>> {
    let found = corpus()
        .into_iter()
        .chain([fixtures()])
        .find_map(|folder| std::fs::read(folder.join(path)).ok());
    if found.is_none() {
        skip_aloud(path, "not among the captures of the project, and WEIR_CORPUS is not set");
    }
    found
}

/// The same, as text.
pub fn text(path: &str) -> Option<String> {
    read(path).map(|octets| String::from_utf8(octets).unwrap())
}

/// The rows that came of one message of a capture.
#[derive(Debug)]
pub struct Message {
    pub flows: Range<usize>,
    pub options: Range<usize>,
}

/// A whole capture, decoded in order.
#[derive(Debug)]
pub struct Session {
    pub messages: Vec<Message>,
    pub tally: Tally,
    pub out: Output,
    pub parked: u64,
}

/// Messages of a capture: payloads of the protocols that Weir speaks.
pub fn messages(path: &str) -> Option<Vec<Payload>> {
    let found = payloads(&read(path)?).unwrap_or_else(|| panic!("{path} is no capture"));
    Some(found.into_iter().filter(|payload| recognise(&payload.octets).is_some()).collect())
}

/// Decodes a capture with a new decoder.
pub fn decode(path: &str) -> Option<Session> {
    Some(decode_all(&messages(path)?))
}

/// Decodes messages with a new decoder.
pub fn decode_all(payloads: &[Payload]) -> Session {
    let mut decoder = Decoder::new(Limits::default());
    let mut session =
        Session { messages: Vec::new(), tally: Tally::default(), out: Output::new(), parked: 0 };
    for payload in payloads {
        let (flows, options) = (session.out.flows.rows(), session.out.options.rows());
        let received = Received::udp(payload.at, payload.source);
        if let Ok(tally) = decoder.decode(&payload.octets, &received, &mut session.out) {
            session.tally += &tally;
        }
        session.messages.push(Message {
            flows: flows..session.out.flows.rows(),
            options: options..session.out.options.rows(),
        });
    }
    session.out.seal();
    session.parked = decoder.collector().parked_sets();
    session
}
