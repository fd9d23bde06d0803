//! The list of output formats, by the names that the command line takes.

use std::io::{self, Write};
use std::str::FromStr;

use weir_model::FlowBatch;

use crate::{csv, goflow, goflow2, json, ntop, parquet};

/// A way to write records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line, keys are column names.
    Json,
    /// The text line of goflow 3.4.2.
    Goflow,
    /// The text line of the last goflow v3.
    GoflowV3,
    /// JSON of goflow v3: every value a string.
    GoflowJson,
    /// Protobuf of goflow v3, each message behind its length.
    GoflowPb,
    /// JSON of goflow2 v2.
    Goflow2Json,
    /// Protobuf of goflow2 v2, each message behind its length.
    Goflow2Pb,
    /// JSON of ntop's agents: sockets with process, container and state.
    Ntop,
    /// Comma-separated values with a header line.
    Csv,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    /// Every format with the name it has on the command line.
    pub const ALL: [(&'static str, Format); 10] = [
        ("json", Format::Json),
        ("goflow", Format::Goflow),
        ("goflow-v3", Format::GoflowV3),
        ("goflow-json", Format::GoflowJson),
        ("goflow-pb", Format::GoflowPb),
        ("goflow2-json", Format::Goflow2Json),
        ("goflow2-pb", Format::Goflow2Pb),
        ("ntop", Format::Ntop),
        ("csv", Format::Csv),
        ("parquet", Format::Parquet),
    ];

    /// True when the format can also hold counters and options records in the same output.
    pub fn holds_all_tables(self) -> bool {
        self == Format::Json
    }

    /// A writer of this format.
    pub fn writer<'a>(self, out: impl Write + Send + 'a) -> Box<dyn RecordWriter + 'a> {
        match self {
            Format::Json => Box::new(json::Writer::new(out)),
            Format::Goflow => Box::new(goflow::Writer::new(out, goflow::Style::Text342)),
            Format::GoflowV3 => Box::new(goflow::Writer::new(out, goflow::Style::TextV3)),
            Format::GoflowJson => Box::new(goflow::Writer::new(out, goflow::Style::Json)),
            Format::GoflowPb => Box::new(goflow::Writer::new(out, goflow::Style::Protobuf)),
            Format::Goflow2Json => Box::new(goflow2::Writer::new(out, goflow2::Style::Json)),
            Format::Goflow2Pb => Box::new(goflow2::Writer::new(out, goflow2::Style::Protobuf)),
            Format::Ntop => Box::new(ntop::Writer::new(out)),
            Format::Csv => Box::new(csv::Writer::new(out)),
            Format::Parquet => Box::new(parquet::Writer::new(out)),
        }
    }
}

/// A name that is no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no format; there are json, goflow, goflow-v3, goflow-json, goflow-pb, goflow2-json, goflow2-pb, ntop, csv, parquet"
)]
pub struct FormatError(pub String);

impl FromStr for Format {
    type Err = FormatError;
    fn from_str(name: &str) -> Result<Format, FormatError> {
        let found = Format::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, format)| *format).ok_or_else(|| FormatError(name.to_owned()))
    }
}

/// Writes records in one format.
pub trait RecordWriter: Send {
    /// Writes every row of `batch`. A format that holds flow records only ignores batches of other
    /// tables.
    fn write(&mut self, batch: &FlowBatch) -> io::Result<()>;
    /// Passes on what is buffered: a live reader sees it.
    fn flush(&mut self) -> io::Result<()>;
    /// Writes what ends the output (Parquet's footer). To be called once, last.
    fn finish(&mut self) -> io::Result<()> {
        self.flush()
    }
}
