//! Cutting a filter text into words, quoted texts and signs. Never fails: what makes no sense
//! becomes a token of its own, so that a half-typed text can still be coloured.

use super::FilterError;

/// What a piece of text is, by its letters alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lexeme {
    /// Letters, digits and what addresses, times, globs and names are made of.
    Word,
    /// Text in quotes, escapes included.
    Quoted,
    /// Text in quotes that never end.
    Unclosed,
    /// A comparison or connective sign, a bracket, a comma.
    Sign,
    /// A character that means nothing here.
    Stray,
}

/// A piece of a filter text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub lexeme: Lexeme,
    pub text: &'a str,
    pub offset: usize,
}

impl Token<'_> {
    /// Offset just past it.
    pub fn end(&self) -> usize {
        self.offset + self.text.len()
    }

    /// True for this word, letter case aside.
    pub fn is_word(&self, word: &str) -> bool {
        self.lexeme == Lexeme::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// True for this sign.
    pub fn is_sign(&self, sign: &str) -> bool {
        self.lexeme == Lexeme::Sign && self.text == sign
    }

    /// An error about this token.
    pub fn error(&self, message: impl Into<String>) -> FilterError {
        FilterError {
            offset: self.offset,
            length: self.text.len(),
            message: message.into(),
            suggestion: None,
        }
    }
}

/// Signs, longer ones first.
const SIGNS: [&str; 21] = [
    "<=", ">=", "!=", "==", "<>", "!~", "=~", "&&", "||", "=", "<", ">", "~", "!", "&", "|", "(",
    ")", ",", "[", "]",
];

/// True for characters of words. `|`, `,` and brackets are not among them.
fn is_word_char(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(c, '_' | '.' | ':' | '/' | '-' | '+' | '*' | '?' | '%' | '@' | '#' | '$')
}

/// True when `text` can stand without quotes.
pub(crate) fn is_bare(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_word_char)
}

/// Cuts `text` into tokens; blanks are between them.
pub(crate) fn lex(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut offset = 0;
    while let Some(rest) = text.get(offset..) {
        let Some(first) = rest.chars().next() else { break };
        if first.is_whitespace() {
            offset += first.len_utf8();
            continue;
        }
        let (lexeme, length) = piece(rest, first);
        let text = rest.get(..length).unwrap_or(rest);
        tokens.push(Token { lexeme, text, offset });
        offset += length;
    }
    tokens
}

fn piece(rest: &str, first: char) -> (Lexeme, usize) {
    if first == '"' || first == '\'' {
        return match quoted_length(rest, first) {
            Some(length) => (Lexeme::Quoted, length),
            None => (Lexeme::Unclosed, rest.len()),
        };
    }
    if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
        return (Lexeme::Sign, sign.len());
    }
    let length: usize = rest.chars().take_while(|c| is_word_char(*c)).map(char::len_utf8).sum();
    if length > 0 { (Lexeme::Word, length) } else { (Lexeme::Stray, first.len_utf8()) }
}

fn quoted_length(rest: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(at + c.len_utf8()),
            _ => {}
        }
    }
    None
}

/// The text that a quoted token stands for. `\n`, `\t`, `\r`, `\\`, `\"`, `\'` and `\u{…}` are
/// escapes; any other backslash stays, so that regular expressions need no doubling.
pub(crate) fn unquote(token: &str) -> String {
    let inner = token.get(1..token.len().saturating_sub(1)).unwrap_or_default();
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        text.push_str(rest.get(..at).unwrap_or_default());
        let after = rest.get(at + 1..).unwrap_or_default();
        let (piece, used) = escape(after);
        match piece {
            Some(c) => text.push(c),
            None => text.push('\\'),
        }
        rest = after.get(used..).unwrap_or_default();
    }
    text.push_str(rest);
    text
}

/// The character that the escape at the start of `after` (the text past the backslash) stands
/// for and the octets it takes; `None` when it is no escape.
fn escape(after: &str) -> (Option<char>, usize) {
    let simple = match after.chars().next() {
        Some('n') => '\n',
        Some('t') => '\t',
        Some('r') => '\r',
        Some(c @ ('\\' | '"' | '\'')) => c,
        Some('u') => {
            let code = after.strip_prefix("u{").and_then(|rest| rest.split_once('}'));
            let value = code.and_then(|(hex, _)| u32::from_str_radix(hex, 16).ok());
            return match (value.and_then(char::from_u32), code) {
                (Some(c), Some((hex, _))) => (Some(c), hex.len() + 3),
                _ => (None, 0),
            };
        }
        _ => return (None, 0),
    };
    (Some(simple), 1)
}

/// `text` in double quotes, with the escapes that [`unquote`] takes back.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() => quoted.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_hold_addresses_times_and_globs() {
        let text = "src_addr in 2001:db8::/32&&flow_end>=-1h";
        let words: Vec<_> = lex(text).iter().map(|token| token.text.to_owned()).collect();
        assert_eq!(words, ["src_addr", "in", "2001:db8::/32", "&&", "flow_end", ">=", "-1h"]);
    }

    #[test]
    fn quotes_keep_what_is_in_them() {
        for text in ["", "a b", "\\d+\"'", "\n\t\u{1}é", "\\n", "\\u{41}", "\\"] {
            let quoted = quote(text);
            assert_eq!(lex(&quoted).len(), 1, "{quoted}");
            assert_eq!(unquote(&quoted), text, "{quoted}");
        }
        assert_eq!(unquote(r#""\d\w""#), r"\d\w");
        assert_eq!(lex("\"open").first().map(|t| t.lexeme), Some(Lexeme::Unclosed));
    }
}
