//! Answers in the forms that the command line prints: aligned table, JSON, NDJSON, CSV. All are
//! made from the API's answer document, whether a server sent it or this process made it.

use anyhow::Context;
use clap::ValueEnum;
use serde::Deserialize;
use serde_json::Value;
use weir_model::Table;
use weir_sink::csv::is_formula;

use super::text::{human, visible, visible_json};

/// Forms of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Aligned, numbers short, for people.
    Table,
    /// The API's document.
    Json,
    /// One JSON object a row.
    Ndjson,
    /// RFC 4180, with a heading.
    Csv,
}

/// The API's answer to a query.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Answer {
    /// Columns, all of one length.
    pub columns: Vec<Column>,
    /// Sums over what the limit cut off.
    #[serde(default)]
    pub other: Vec<Column>,
    /// Sums over everything.
    #[serde(default)]
    pub total: Vec<Column>,
    /// How it was answered.
    pub stats: Stats,
}

/// One column of an answer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Column {
    pub name: String,
    #[serde(rename = "type")]
    pub ty: String,
    pub unit: String,
    pub values: Vec<Value>,
}

/// What was read for an answer.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(default)]
pub struct Stats {
    pub tier: String,
    pub rows: u64,
    pub blocks: u64,
    pub segments: u64,
    pub ms: f64,
    pub rows_rate_unknown: u64,
    pub notes: Vec<String>,
}

/// Turns the document into the text of `output`.
pub fn render(document: &[u8], output: Output) -> anyhow::Result<String> {
    if output == Output::Json {
        return Ok(visible_json(&format!("{}\n", String::from_utf8_lossy(document).trim_end())));
    }
    let answer: Answer =
        serde_json::from_slice(document).context("the answer is not as expected")?;
    Ok(match output {
        Output::Ndjson => ndjson(&answer),
        Output::Csv => csv(&answer),
        Output::Table | Output::Json => table(&answer),
    })
}

fn rows(columns: &[Column]) -> usize {
    columns.first().map_or(0, |column| column.values.len())
}

/// What the answer says of itself, which forms without a place for it leave out.
pub fn notes(document: &[u8]) -> Vec<String> {
    serde_json::from_slice::<Answer>(document).map_or(Vec::new(), |answer| answer.stats.notes)
}

fn ndjson(answer: &Answer) -> String {
    let mut out = String::new();
    for row in 0..rows(&answer.columns) {
        let object: serde_json::Map<String, Value> = answer
            .columns
            .iter()
            .filter_map(|column| Some((column.name.clone(), column.values.get(row)?.clone())))
            .collect();
        out.push_str(&visible_json(&Value::Object(object).to_string()));
        out.push('\n');
    }
    out
}

fn csv(answer: &Answer) -> String {
    let line = |fields: Vec<String>| format!("{}\r\n", fields.join(","));
    let mut out = line(answer.columns.iter().map(|column| csv_field(&column.name)).collect());
    for row in 0..rows(&answer.columns) {
        let fields = answer.columns.iter().map(|column| csv_field(&plain(column.values.get(row))));
        out.push_str(&line(fields.collect()));
    }
    out
}

/// A field of CSV: quoted when it has to be, control characters escaped. What a spreadsheet would
/// take for a formula gets an apostrophe in front, which `weir import` takes away again, numbers
/// aside: names come from the network.
pub fn csv_field(text: &str) -> String {
    let formula = is_formula(text) && text.parse::<f64>().is_err();
    let text = format!("{}{}", if formula { "'" } else { "" }, visible(text));
    match text.contains([',', '"', '\n', '\r']) || text.starts_with(' ') {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

/// A value as text, exact.
pub fn plain(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// A value as people read it.
fn cell(column: &Column, value: Option<&Value>) -> String {
    let number = match value {
        None | Some(Value::Null) => return "-".to_owned(),
        Some(Value::Number(number)) => number.as_f64(),
        // Why: integers past 2^53 come as text.
        Some(Value::String(text)) if column.ty.starts_with('u') => text.parse().ok(),
        Some(_) => None,
    };
    match number {
        Some(number) if is_measure(column) => human(number, &column.unit),
        Some(_) => named(&column.name, value).unwrap_or_else(|| plain(value)),
        None => visible(&plain(value)),
    }
}

/// The name of an enumerated value, or of the flags that are set.
pub fn named(column: &str, value: Option<&Value>) -> Option<String> {
    let def = Table::ALL.into_iter().find_map(|table| table.find(column))?;
    let text = def.named?.text(value?.as_u64()?);
    (!text.is_empty()).then_some(text)
}

/// Ports, AS numbers and enumerations are numbers too, but names rather than amounts.
fn is_measure(column: &Column) -> bool {
    !column.unit.is_empty() || column.ty == "f64"
}

fn is_right(column: &Column) -> bool {
    let is_number = column.ty.starts_with('u') && column.ty != "u32_list";
    let is_named = Table::ALL
        .into_iter()
        .find_map(|table| table.find(&column.name))
        .is_some_and(|def| def.named.is_some());
    is_measure(column) || (is_number && !is_named)
}

fn table(answer: &Answer) -> String {
    let columns = &answer.columns;
    let mut lines: Vec<Vec<String>> =
        vec![columns.iter().map(|column| visible(&column.name)).collect()];
    for row in 0..rows(columns) {
        lines.push(columns.iter().map(|column| cell(column, column.values.get(row))).collect());
    }
    lines.extend(sums(columns, &answer.other, "(other)"));
    // A total beside a single row, or beside buckets that are not divided, says nothing new.
    if rows(&answer.other) > 0 || (rows(columns) > 1 && !is_same(columns, &answer.total)) {
        lines.extend(sums(columns, &answer.total, "(total)"));
    }
    let right: Vec<bool> = columns.iter().map(is_right).collect();
    let mut out = align(&lines, &right);
    let Stats { tier, rows: read, blocks, segments, ms, rows_rate_unknown, notes } = &answer.stats;
    if rows(columns) == 0 {
        out.push_str("(no records match)\n");
    }
    out.push_str(&format!(
        "{} read from {tier} in {ms:.1} ms ({}, {})\n",
        count(*read, "row"),
        count(*blocks, "block"),
        count(*segments, "segment")
    ));
    if *rows_rate_unknown > 0 {
        let rows = human(*rows_rate_unknown as f64, "");
        out.push_str(&format!("{rows} rows tell no sampling rate and were counted as unsampled\n"));
    }
    notes.iter().for_each(|note| out.push_str(&format!("note: {}\n", visible(note))));
    out
}

/// Whether the sums are the rows themselves: no group divides them.
fn is_same(columns: &[Column], sums: &[Column]) -> bool {
    columns.len() == sums.len() && columns.iter().all(|c| sums.iter().any(|sum| sum == c))
}

/// A number of things, in words.
fn count(number: u64, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        n => format!("{} {thing}s", human(n as f64, "")),
    }
}

/// Rows of sums, under the columns of the same name; `label` stands in the first other column.
fn sums(columns: &[Column], sums: &[Column], label: &str) -> Vec<Vec<String>> {
    let find = |name: &str| sums.iter().find(|column| column.name == name);
    let labelled = columns.iter().position(|column| find(&column.name).is_none());
    (0..rows(sums))
        .map(|row| {
            let cells = columns.iter().enumerate().map(|(i, column)| match find(&column.name) {
                Some(sum) => cell(sum, sum.values.get(row)),
                None if Some(i) == labelled => label.to_owned(),
                None => String::new(),
            });
            cells.collect()
        })
        .collect()
}

/// Pads the cells of each column to one width.
pub fn align(lines: &[Vec<String>], right: &[bool]) -> String {
    let mut widths = vec![0; right.len()];
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for line in lines {
        let mut text = String::new();
        for (i, cell) in line.iter().enumerate() {
            let padding = " ".repeat(widths[i].saturating_sub(cell.chars().count()));
            let gap = if i == 0 { "" } else { "  " };
            match right[i] {
                true => text.push_str(&format!("{gap}{padding}{cell}")),
                false => text.push_str(&format!("{gap}{cell}{padding}")),
            }
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_marks_what_import_unmarks() {
        for (text, field) in [
            ("=1+1", "'=1+1"),
            ("'=1", "''=1"),
            ("-x", "'-x"),
            ("-1.5", "-1.5"),
            ("'plain", "'plain"),
            ("a,b", "\"a,b\""),
        ] {
            assert_eq!(csv_field(text), field);
        }
    }

    const DOCUMENT: &str = r#"{"columns":[
        {"name":"src_addr","type":"addr","unit":"","values":["10.0.0.1","2001:db8::1"]},
        {"name":"dst_port","type":"u16","unit":"","values":[443,null]},
        {"name":"src_pod","type":"string","unit":"","values":["a\u001b,\"b",""]},
        {"name":"octets","type":"u64","unit":"octets","values":[195330,"18446744073709551615"]}],
      "other":[{"name":"octets","type":"u64","unit":"octets","values":[7]}],
      "total":[{"name":"octets","type":"u64","unit":"octets","values":[9]}],
      "stats":{"tier":"raw","rows":40,"blocks":2,"segments":1,"ms":1.25}}"#;

    #[test]
    fn tables_are_aligned_and_hostile_names_shown_harmless() {
        assert_eq!(
            render(DOCUMENT.as_bytes(), Output::Table).unwrap(),
            "src_addr     dst_port  src_pod      octets\n\
             10.0.0.1          443  a\\u{1b},\"b   195 kB\n\
             2001:db8::1         -              18.4 EB\n\
             (other)                                7 B\n\
             (total)                                9 B\n\
             40 rows read from raw in 1.2 ms (2 blocks, 1 segment)\n"
        );
    }

    #[test]
    fn people_get_the_names_of_enumerated_values() {
        let document = r#"{"columns":[
            {"name":"proto","type":"u8","unit":"","values":[6,253,null]},
            {"name":"tcp_flags","type":"u16","unit":"","values":[18,0,2]},
            {"name":"fps","type":"f64","unit":"flow/s","values":[1500,0.5,2]}],
          "stats":{"tier":"1m","rows":1,"blocks":1,"segments":1,"ms":0.04}}"#;
        assert_eq!(
            render(document.as_bytes(), Output::Table).unwrap(),
            "proto  tcp_flags       fps\n\
             tcp    syn|ack    1.50 k/s\n\
             253    0           0.50 /s\n\
             -      syn            2 /s\n\
             1 row read from 1m in 0.0 ms (1 block, 1 segment)\n"
        );
    }

    #[test]
    fn buckets_without_groups_are_shown_once() {
        let columns = r#"[{"name":"time","type":"time","unit":"","values":["a","b"]},
            {"name":"flows","type":"u64","unit":"flows","values":[3,4]}]"#;
        let document = format!(
            r#"{{"columns":{columns},"other":[],"total":{columns},
              "stats":{{"tier":"raw","rows":2,"blocks":1,"segments":1,"ms":0.1}}}}"#
        );
        assert_eq!(
            render(document.as_bytes(), Output::Table).unwrap(),
            "time  flows\n\
             a         3\n\
             b         4\n\
             2 rows read from raw in 0.1 ms (1 block, 1 segment)\n"
        );
    }

    #[test]
    fn programs_get_exact_values() {
        assert_eq!(
            render(DOCUMENT.as_bytes(), Output::Csv).unwrap(),
            "src_addr,dst_port,src_pod,octets\r\n\
             10.0.0.1,443,\"a\\u{1b},\"\"b\",195330\r\n\
             2001:db8::1,,,18446744073709551615\r\n"
        );
        assert_eq!(
            render(DOCUMENT.as_bytes(), Output::Ndjson).unwrap().lines().next().unwrap(),
            r#"{"dst_port":443,"octets":195330,"src_addr":"10.0.0.1","src_pod":"a\u001b,\"b"}"#
        );
    }
}
