//! Prometheus text exposition format 0.0.4.
//!
//! Invariant: samples of one family stand together under one HELP and one TYPE line, families in
//! the order of their names, whatever the order in which they were given.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The kind of a metric family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets, sum and count.
    Histogram,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

#[derive(Debug)]
struct Family {
    help: String,
    kind: Kind,
    samples: String,
}

/// Samples of one scrape, to be written as text.
#[derive(Debug, Default)]
pub struct Exposition {
    families: BTreeMap<String, Family>,
}

impl Exposition {
    /// Adds a sample of a counter.
    pub fn counter(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: u64) {
        let family = self.family(name, help, Kind::Counter);
        sample(&mut family.samples, name, labels, None);
        line_u64(&mut family.samples, value);
    }

    /// Adds a sample of a gauge.
    pub fn gauge(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        let family = self.family(name, help, Kind::Gauge);
        sample(&mut family.samples, name, labels, None);
        line_f64(&mut family.samples, value);
    }

    /// Adds the samples of a histogram. `buckets` are (upper bound, observations in this bucket
    /// alone), ascending, the last one infinite.
    pub fn histogram(
        &mut self,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
        buckets: &[(f64, u64)],
        sum: f64,
    ) {
        let out = &mut self.family(name, help, Kind::Histogram).samples;
        let bucket_name = format!("{name}_bucket");
        let mut seen = 0;
        for (bound, count) in buckets {
            seen += count;
            let bound = if bound.is_finite() { bound.to_string() } else { "+Inf".to_owned() };
            sample(out, &bucket_name, labels, Some(("le", &bound)));
            line_u64(out, seen);
        }
        sample(out, &format!("{name}_sum"), labels, None);
        line_f64(out, sum);
        sample(out, &format!("{name}_count"), labels, None);
        line_u64(out, seen);
    }

    /// The text.
    pub fn finish(self) -> String {
        let mut out = String::new();
        for (name, family) in self.families {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "# HELP {name} {}", escape(&family.help, false));
            let _ = writeln!(out, "# TYPE {name} {}", family.kind.name());
            out.push_str(&family.samples);
        }
        out
    }

    fn family(&mut self, name: &str, help: &str, kind: Kind) -> &mut Family {
        self.families.entry(name.to_owned()).or_insert_with(|| Family {
            help: help.to_owned(),
            kind,
            samples: String::new(),
        })
    }
}

fn sample(out: &mut String, name: &str, labels: &[(&str, &str)], last: Option<(&str, &str)>) {
    out.push_str(name);
    let mut open = '{';
    for (key, value) in labels.iter().copied().chain(last) {
        out.push(open);
        open = ',';
        let _ = write!(out, "{key}=\"{}\"", escape(value, true));
    }
    if open == ',' {
        out.push('}');
    }
    out.push(' ');
}

fn line_u64(out: &mut String, value: u64) {
    let _ = writeln!(out, "{value}");
}

fn line_f64(out: &mut String, value: f64) {
    let _ = match value {
        v if v == f64::INFINITY => writeln!(out, "+Inf"),
        v if v == f64::NEG_INFINITY => writeln!(out, "-Inf"),
        v => writeln!(out, "{v}"),
    };
}

fn escape(text: &str, quotes: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            c => out.push(c),
        }
    }
    out
}
