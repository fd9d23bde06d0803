//! Text from the network made safe for terminals, and numbers made short for people.

use std::fmt::Write;

/// `text` with every character that a terminal would obey replaced by its escape: control
/// characters (C0, DEL, C1) and those that reorder text.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match is_obeyed(c) {
            // Writing to a string has no error to report.
            true => drop(write!(out, "\\u{{{:x}}}", u32::from(c))),
            false => out.push(c),
        }
    }
    out
}

/// JSON text with the same characters escaped the way JSON does it. They can stand only inside
/// of strings there, line ends aside.
pub fn visible_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match is_obeyed(c) && c != '\n' {
            true => drop(write!(out, "\\u{:04x}", u32::from(c))),
            false => out.push(c),
        }
    }
    out
}

fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// A number with a unit prefix and three digits or so: `1.23 M`.
pub fn human(value: f64, unit: &str) -> String {
    const PREFIXES: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
    let mut scaled = value;
    let mut prefix = 0;
    while scaled.abs() >= 999.5 && prefix + 1 < PREFIXES.len() {
        scaled /= 1_000.0;
        prefix += 1;
    }
    let digits = match scaled.abs() {
        _ if prefix == 0 && scaled.fract() == 0.0 => 0,
        size if size < 10.0 => 2,
        size if size < 100.0 => 1,
        _ => 0,
    };
    let suffix = format!("{}{}", PREFIXES[prefix], short(unit));
    match suffix.is_empty() {
        true => format!("{scaled:.digits$}"),
        false => format!("{scaled:.digits$} {suffix}"),
    }
}

/// Units in short. Packets and flows are plain counts under a heading that says so.
fn short(unit: &str) -> &str {
    match unit {
        "octets" => "B",
        "packets" | "flows" => "",
        "octet/s" => "B/s",
        "packet/s" | "flow/s" => "/s",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_get_nothing_to_obey() {
        assert_eq!(
            visible("a\u{1b}[2Jb\r\n\u{9b}c\u{202e}d é"),
            "a\\u{1b}[2Jb\\u{d}\\u{a}\\u{9b}c\\u{202e}d é"
        );
        assert_eq!(visible_json("{\"a\":\"\u{9b}2J\u{7f}\"}\n"), "{\"a\":\"\\u009b2J\\u007f\"}\n");
    }

    #[test]
    fn numbers_are_short_and_say_their_unit() {
        for (value, unit, text) in [
            (0.0, "octets", "0 B"),
            (999.0, "octets", "999 B"),
            (999.6, "bit/s", "1.00 kbit/s"),
            (195_330.0, "octets", "195 kB"),
            (12_345_678.0, "octets", "12.3 MB"),
            (40.0, "flows", "40"),
            (1_500.0, "packets", "1.50 k"),
            (0.5, "", "0.50"),
            (-2_000.0, "us", "-2.00 kus"),
        ] {
            assert_eq!(human(value, unit), text);
        }
    }
}
