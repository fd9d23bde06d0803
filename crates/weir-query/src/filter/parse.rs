//! Grammar: text to checked expression.
//!
//! ```text
//! or      = and { ("or" | "||") and }
//! and     = not { ("and" | "&&") not }
//! not     = ("not" | "!") not | "(" or ")" | test
//! test    = field operator value | field ["not"] "in" list | field ["not"] "like" text
//!         | field ("~" | "!~") text | field "has" flags | field "is" ["not"] "null"
//! ```
//! Bounded: the text by [`TEXT_MAX`], nesting by [`DEPTH_MAX`]; patterns by their compiled size.

use weir_model::column::ElementKey;
use weir_model::named::Named;
use weir_model::{Addr, Cidr, ColumnType, Table};

use super::FilterError;
use super::ast::{Expr, Field, Operator};
use super::suggest::nearest;
use super::token::{Lexeme, Token, lex};

/// Octets that a filter text may have.
pub const TEXT_MAX: usize = 16 * 1024;

/// How deep brackets and negations may nest.
pub const DEPTH_MAX: usize = 64;

/// Parses `text` over `table`; nothing but blanks is no expression.
pub(crate) fn parse(text: &str, table: Table) -> Result<Option<Expr>, FilterError> {
    if text.len() > TEXT_MAX {
        return Err(FilterError {
            offset: TEXT_MAX,
            length: text.len() - TEXT_MAX,
            message: format!("a filter has at most {TEXT_MAX} characters"),
            suggestion: None,
        });
    }
    let tokens = lex(text);
    if tokens.is_empty() {
        return Ok(None);
    }
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0, end: text.trim_end().len(), table };
    let expr = parser.or()?;
    match parser.peek() {
        None => Ok(Some(expr)),
        Some(token) if token.is_sign(")") => Err(token.error("this bracket closes nothing")),
        Some(token) => Err(parser.connective_error(token)),
    }
}

pub(super) struct Parser<'t, 'a> {
    tokens: &'t [Token<'a>],
    at: usize,
    depth: usize,
    end: usize,
    pub(super) table: Table,
}

impl<'a> Parser<'_, 'a> {
    pub(super) fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.at).copied()
    }

    /// The token before the next one.
    pub(super) fn previous(&self) -> Option<Token<'a>> {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).copied()
    }

    pub(super) fn next(&mut self) -> Option<Token<'a>> {
        let token = self.peek();
        self.at += usize::from(token.is_some());
        token
    }

    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is_word(word));
        self.at += usize::from(found);
        found
    }

    pub(super) fn take_sign(&mut self, sign: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is_sign(sign));
        self.at += usize::from(found);
        found
    }

    /// An error at the end of the text.
    pub(super) fn end_error(&self, message: impl Into<String>) -> FilterError {
        FilterError { offset: self.end, length: 0, message: message.into(), suggestion: None }
    }

    /// An error at the next token, or at the end.
    pub(super) fn expected(&self, what: &str) -> FilterError {
        match self.peek() {
            Some(token) if token.lexeme == Lexeme::Unclosed => token.error("this quote never ends"),
            Some(token) => token.error(format!("expected {what}, found `{}`", token.text)),
            None => self.end_error(format!("expected {what}")),
        }
    }

    fn connective_error(&self, token: Token<'a>) -> FilterError {
        let mut error = self.expected("`and` or `or`");
        error.suggestion = match token.text {
            "&" | "," => Some("and".into()),
            "|" => Some("or".into()),
            text => nearest(text, ["and", "or"]).map(str::to_owned),
        };
        error
    }

    fn or(&mut self) -> Result<Expr, FilterError> {
        let mut parts = vec![self.and()?];
        while self.take_word("or") || self.take_sign("||") {
            parts.push(self.and()?);
        }
        Ok(join(parts, Expr::Or))
    }

    fn and(&mut self) -> Result<Expr, FilterError> {
        let mut parts = vec![self.not()?];
        while self.take_word("and") || self.take_sign("&&") {
            parts.push(self.not()?);
        }
        Ok(join(parts, Expr::And))
    }

    fn not(&mut self) -> Result<Expr, FilterError> {
        let Some(token) = self.peek() else { return Err(self.end_error("expected a column")) };
        let (negated, open) = (token.is_word("not") || token.is_sign("!"), token.is_sign("("));
        if !negated && !open {
            return self.test();
        }
        self.at += 1;
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(token.error(format!("nested deeper than {DEPTH_MAX}")));
        }
        let expr = if negated { Expr::Not(Box::new(self.not()?)) } else { self.or()? };
        self.depth -= 1;
        if open && !self.take_sign(")") {
            return Err(match self.peek() {
                None => token.error("this bracket is never closed"),
                Some(found) => self.connective_error(found),
            });
        }
        Ok(expr)
    }

    fn test(&mut self) -> Result<Expr, FilterError> {
        let (field, token) = self.field()?;
        let shown = field.name(self.table);
        let Some(sign) = self.peek() else {
            return Err(self.end_error(format!("expected a comparison after `{shown}`")));
        };
        if let Some(operator) = operator(sign) {
            self.at += 1;
            return self.comparison(field, operator);
        }
        if sign.is_sign("~") || sign.is_sign("=~") || sign.is_sign("!~") {
            self.at += 1;
            return self.pattern(field, token, sign.is_sign("!~"), true);
        }
        self.word_test(field, token, &shown)
    }

    fn word_test(
        &mut self,
        field: Field,
        token: Token<'a>,
        shown: &str,
    ) -> Result<Expr, FilterError> {
        if self.take_word("is") {
            let negated = self.take_word("not");
            return match self.take_word("null") {
                true => Ok(Expr::Test(field, super::Test::Null(negated))),
                false => Err(self.expected("`null`")),
            };
        }
        if self.take_word("has") {
            return self.has(field, token);
        }
        let before = self.at;
        let negated = self.take_word("not");
        if self.take_word("in") {
            return self.membership(field, negated);
        }
        if self.take_word("like") || self.take_word("glob") {
            return self.pattern(field, token, negated, false);
        }
        self.at = before;
        let mut error = self.expected(&format!("a comparison after `{shown}`"));
        if let Some(found) = self.peek() {
            let words = ["in", "like", "has", "is", "not", "="];
            error.suggestion = match found.text {
                "eq" | "equals" | ":" => Some("=".into()),
                "ne" => Some("!=".into()),
                "contains" | "matches" => Some("~".into()),
                text => nearest(text, words).map(str::to_owned),
            };
        }
        Err(error)
    }

    fn field(&mut self) -> Result<(Field, Token<'a>), FilterError> {
        let token = match self.peek() {
            Some(token) if token.lexeme == Lexeme::Word => token,
            _ => return Err(self.expected("a column")),
        };
        self.at += 1;
        if token.is_word("ie") && self.take_sign("(") {
            return Ok((self.element()?, token));
        }
        let name = token.text.to_ascii_lowercase();
        match Field::find(self.table, &name) {
            Some(field) => Ok((field, token)),
            None => Err(self.unknown_field(token)),
        }
    }

    fn unknown_field(&self, token: Token<'a>) -> FilterError {
        let mut error =
            token.error(format!("`{}` is not a column of {}", token.text, self.table.name()));
        let both = Field::pairs(self.table).map(|(name, _)| name);
        let names = self.table.columns().iter().map(|def| def.name).chain(both);
        error.suggestion = if token.text.parse::<Addr>().is_ok() {
            Some(format!("addr = {}", token.text))
        } else if token.text.parse::<Cidr>().is_ok() {
            Some(format!("addr in {}", token.text))
        } else {
            alias(token.text).or_else(|| nearest(token.text, names)).map(str::to_owned)
        };
        error
    }

    /// The rest of `ie(pen, id[, occurrence])`.
    fn element(&mut self) -> Result<Field, FilterError> {
        let pen = self.element_number("an enterprise number", u32::MAX.into())?;
        if !self.take_sign(",") {
            return Err(self.expected("`,` and an element id"));
        }
        let id = self.element_number("an element id", 0x7fff)?;
        let occurrence = match self.take_sign(",") {
            true => self.element_number("an occurrence, from 0", u16::MAX.into())?,
            false => 0,
        };
        if !self.take_sign(")") {
            return Err(self.expected("`)`"));
        }
        // Proof: each number was checked against the width that it is cut to.
        let key = ElementKey { pen: pen as u32, id: id as u16 };
        Ok(Field::Element { key, occurrence: occurrence as u16 })
    }

    fn element_number(&mut self, what: &str, max: u64) -> Result<u64, FilterError> {
        let number = self.peek().and_then(|token| token.text.parse::<u64>().ok());
        match number.filter(|number| *number <= max) {
            Some(number) => {
                self.at += 1;
                Ok(number)
            }
            None => Err(self.expected(what)),
        }
    }

    /// True when values of `field` are text, or octets that may be taken as text.
    pub(super) fn is_text(&self, field: Field) -> bool {
        field.def(self.table).is_none_or(|def| def.ty == ColumnType::Str)
    }

    /// True when `field` is a set of flags.
    pub(super) fn is_flags(&self, field: Field) -> bool {
        let named = field.def(self.table).and_then(|def| def.named);
        matches!(named, Some(Named::Flags(_)))
    }
}

/// Joins parts into one expression; parts that are joined the same way become one list.
fn join(mut parts: Vec<Expr>, make: fn(Vec<Expr>) -> Expr) -> Expr {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    let outer = std::mem::discriminant(&make(Vec::new()));
    let mut flat = Vec::with_capacity(parts.len());
    for part in parts {
        let same = std::mem::discriminant(&part) == outer;
        match part {
            Expr::And(inner) | Expr::Or(inner) if same => flat.extend(inner),
            part => flat.push(part),
        }
    }
    make(flat)
}

/// The comparison that a sign stands for.
pub(super) fn operator(token: Token<'_>) -> Option<Operator> {
    if token.lexeme != Lexeme::Sign {
        return None;
    }
    Some(match token.text {
        "=" | "==" => Operator::Equal,
        "!=" | "<>" => Operator::NotEqual,
        "<" => Operator::Less,
        "<=" => Operator::LessOrEqual,
        ">" => Operator::Greater,
        ">=" => Operator::GreaterOrEqual,
        _ => return None,
    })
}

/// What other tools call our columns.
fn alias(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_lowercase().as_str() {
        "bytes" => "octets",
        "ip" | "host" => "addr",
        "srcip" | "src_ip" | "sourceip" | "src" | "srcaddr" => "src_addr",
        "dstip" | "dst_ip" | "destinationip" | "dst" | "dstaddr" => "dst_addr",
        "srcport" | "sport" => "src_port",
        "dstport" | "dport" => "dst_port",
        "protocol" => "proto",
        "exporter" | "router" | "agent" => "exporter_addr",
        "flags" => "tcp_flags",
        "pkts" => "packets",
        "interface" => "if",
        "asn" => "as",
        _ => return None,
    })
}
