//! The part of YAML in which antrea-agent.conf is written: maps by indentation, plain and quoted
//! scalars, lists of scalars in both forms, literal blocks, comments.
//!
//! Why not a library: those that are kept are a parser of all of YAML (anchors, tags, aliases) of
//! thousands of lines for six keys of a file whose form is known; serde_yaml is archived. What this
//! does not understand is skipped, never guessed: only keys that it gives are used.

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Line, from 1.
    pub line: usize,
    /// Names from the outermost map to the key, with dots.
    pub path: String,
    /// What stands there.
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A scalar, without its quotes.
    Scalar(String),
    /// A list of scalars.
    List(Vec<String>),
    /// The lines of a literal block, its indentation taken off.
    Block(String),
}

/// Reads `text`; fails at a line that is indented by a tab, which YAML forbids.
pub fn read(text: &str) -> Result<Vec<Entry>, (usize, &'static str)> {
    let mut entries: Vec<Entry> = Vec::new();
    // Maps that are open: indentation and path of their key.
    let mut open: Vec<(usize, String)> = Vec::new();
    let mut lines = text.lines().enumerate().peekable();
    while let Some((at, raw)) = lines.next() {
        let line = without_comment(raw);
        let content = line.trim_start_matches(' ');
        if content.trim().is_empty() || content.starts_with("---") || content.starts_with("...") {
            continue;
        }
        if content.starts_with('\t') {
            return Err((at + 1, "a tab cannot indent; YAML takes spaces"));
        }
        let indent = line.len() - content.len();
        if let Some(item) = content.strip_prefix("- ") {
            // A list may stand at the indentation of its key.
            open.retain(|(of, _)| *of <= indent);
            if let Some((_, path)) = open.last() {
                add_item(&mut entries, path, item.trim(), at + 1);
            }
            continue;
        }
        open.retain(|(of, _)| *of < indent);
        let Some((key, value)) = split_key(content) else { continue };
        let path = match open.last() {
            Some((_, outer)) => format!("{outer}.{key}"),
            None => key,
        };
        let value = match value.chars().next() {
            None => {
                open.push((indent, path));
                continue;
            }
            Some('|') => {
                let mut block = Vec::new();
                let inside = |next: &str| {
                    next.trim().is_empty() || next.len() - next.trim_start().len() > indent
                };
                while let Some((_, next)) = lines.next_if(|(_, next)| inside(next)) {
                    block.push(next);
                }
                Value::Block(dedent(&block))
            }
            Some('[') => {
                let mut list = value.to_owned();
                while !list.ends_with(']') {
                    let Some((_, next)) = lines.next() else {
                        return Err((at + 1, "a list in brackets has no end; write `]`"));
                    };
                    list.push_str(without_comment(next).trim());
                }
                Value::List(flow_list(&list))
            }
            Some('{' | '&' | '*' | '!' | '>') => continue,
            Some(_) => Value::Scalar(unquoted(value)),
        };
        entries.push(Entry { line: at + 1, path, value });
    }
    Ok(entries)
}

fn add_item(entries: &mut Vec<Entry>, path: &str, item: &str, line: usize) {
    if split_key(item).is_some() {
        return;
    }
    match entries.last_mut() {
        Some(Entry { path: last, value: Value::List(items), .. }) if last == path => {
            items.push(unquoted(item));
        }
        _ => {
            let value = Value::List(vec![unquoted(item)]);
            entries.push(Entry { line, path: path.to_owned(), value });
        }
    }
}

/// The line up to a comment: a `#` at its start or behind a blank, outside of quotes.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '#') if before.is_whitespace() => return line[..at].trim_end(),
            // A quote within a word is an apostrophe.
            (None, '"' | '\'') if !before.is_alphanumeric() => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
        before = c;
    }
    line.trim_end()
}

/// `key: value`; the value is empty where nothing follows.
fn split_key(content: &str) -> Option<(String, &str)> {
    let (key, value) = match content.strip_suffix(':') {
        Some(key) if !key.contains(": ") => (key, ""),
        _ => content.split_once(": ")?,
    };
    // A quote that holds the colon is a value.
    if key.starts_with(['"', '\'']) && !key.ends_with(['"', '\'']) {
        return None;
    }
    Some((unquoted(key.trim()), value.trim()))
}

fn unquoted(text: &str) -> String {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner.to_owned();
        }
    }
    text.to_owned()
}

fn flow_list(value: &str) -> Vec<String> {
    let inner = value.trim_start_matches('[').trim_end_matches(']');
    let items = inner.split(',').map(|item| unquoted(item.trim()));
    items.filter(|item| !item.is_empty()).collect()
}

fn dedent(lines: &[&str]) -> String {
    let depth = |line: &&str| line.len() - line.trim_start_matches(' ').len();
    let filled = lines.iter().filter(|line| !line.trim().is_empty());
    let least = filled.map(depth).min().unwrap_or(0);
    let cut = lines.iter().map(|line| line.get(least..).unwrap_or(""));
    cut.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(path: &str, value: &str, line: usize) -> Entry {
        Entry { line, path: path.to_owned(), value: Value::Scalar(value.to_owned()) }
    }

    #[test]
    fn maps_lists_blocks_and_comments() {
        let text = "# head\na: 1 # one\nb:\n  c: \"x # y\"\n  'd': 'it''s'\nl:\n- tcp\n- \"udp\"\n\
                    m: [tcp, 'sctp',]\nurl: http://h:1\nz: |\n    k: v\n\n      deep\nlast: ~\n";
        let list = |path: &str, items: &[&str], line| Entry {
            line,
            path: path.to_owned(),
            value: Value::List(items.iter().map(|item| (*item).to_owned()).collect()),
        };
        let block = Value::Block("k: v\n\n  deep".to_owned());
        assert_eq!(
            read(text).unwrap(),
            [
                scalar("a", "1", 2),
                scalar("b.c", "x # y", 4),
                scalar("b.d", "it''s", 5),
                list("l", &["tcp", "udp"], 7),
                list("m", &["tcp", "sctp"], 9),
                scalar("url", "http://h:1", 10),
                Entry { line: 11, path: "z".to_owned(), value: block },
                scalar("last", "~", 15),
            ]
        );
    }

    #[test]
    fn what_is_not_understood_is_skipped() {
        let text = "a: {b: 1}\nc:\n  - d: 1\n    e: 2\n*x\nf: 3\n";
        let found = read(text).unwrap();
        assert_eq!(found.last(), Some(&scalar("f", "3", 6)));
        assert!(found.iter().all(|entry| entry.path != "a" && entry.path != "d"), "{found:?}");
        assert_eq!(read("a:\n\tb: 1"), Err((2, "a tab cannot indent; YAML takes spaces")));
    }

    #[test]
    fn a_list_in_brackets_ends_where_it_is_closed() {
        let found = read("a: [tcp, # one\n  udp,\n]\nb: 1\n").unwrap();
        let items = Value::List(vec!["tcp".to_owned(), "udp".to_owned()]);
        let list = Entry { line: 1, path: "a".to_owned(), value: items };
        assert_eq!(found, [list, scalar("b", "1", 4)]);
        assert_eq!(read("a: [tcp\nb: 1").unwrap_err().0, 1);
    }
}
