//! What each piece of a filter text is, for colouring and for completion. Works on half-typed
//! text: it follows the same order of field, operator, value, connective as the grammar, and
//! marks what does not fit.

use weir_model::Table;

use super::ast::Field;
use super::parse::operator;
use super::token::{Lexeme, Token, lex};

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// A column or an either-side field.
    Column,
    /// A comparison.
    Operator,
    /// `and`, `or`, `not`, `null`.
    Keyword,
    /// A value without quotes.
    Value,
    /// A value in quotes.
    Text,
    /// A bracket or comma.
    Punctuation,
    /// What does not belong there.
    Error,
}

/// A piece of a filter text, for colouring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct FilterToken {
    /// Octet offset.
    pub offset: usize,
    /// Octets.
    pub length: usize,
    /// What it is.
    pub kind: TokenKind,
}

/// Cuts `text` into coloured pieces; what lies between them is blank.
pub fn tokens(text: &str, table: Table) -> Vec<FilterToken> {
    let mut state = State::new(table);
    lex(text)
        .into_iter()
        .map(|token| FilterToken {
            offset: token.offset,
            length: token.text.len(),
            kind: state.step(token),
        })
        .collect()
}

/// What the grammar expects next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    Field,
    /// Inside `ie(…)`.
    Element,
    Operator,
    /// After `field not`.
    NegatedOperator,
    /// After `is`.
    Null,
    Value,
    Connective,
}

/// Where in the grammar a text has come to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct State {
    table: Table,
    pub expect: Expect,
    /// The field of the test that is being written.
    pub field: Option<Field>,
    /// True between the brackets of a list.
    pub list: bool,
    /// Brackets around tests that are open.
    pub depth: usize,
    /// True when the operator takes prefixes of addresses.
    pub nets: bool,
}

impl State {
    pub fn new(table: Table) -> State {
        State { table, expect: Expect::Field, field: None, list: false, depth: 0, nets: false }
    }

    /// Takes the next token and says what it is.
    pub fn step(&mut self, token: Token<'_>) -> TokenKind {
        if matches!(token.lexeme, Lexeme::Unclosed | Lexeme::Stray) {
            return TokenKind::Error;
        }
        match self.expect {
            Expect::Field => self.field(token),
            Expect::Element => self.element(token),
            Expect::Operator | Expect::NegatedOperator => self.operator(token),
            Expect::Null => self.null(token),
            Expect::Value => self.value(token),
            Expect::Connective => self.connective(token),
        }
    }

    fn field(&mut self, token: Token<'_>) -> TokenKind {
        if token.is_sign("(") {
            self.depth += 1;
            return TokenKind::Punctuation;
        }
        if token.is_word("not") || token.is_sign("!") {
            return TokenKind::Keyword;
        }
        if token.is_word("ie") {
            self.expect = Expect::Element;
            self.field = None;
            return TokenKind::Column;
        }
        if token.lexeme != Lexeme::Word {
            return TokenKind::Error;
        }
        self.expect = Expect::Operator;
        self.field = Field::find(self.table, &token.text.to_ascii_lowercase());
        if self.field.is_some() { TokenKind::Column } else { TokenKind::Error }
    }

    fn element(&mut self, token: Token<'_>) -> TokenKind {
        if token.is_sign(")") {
            self.expect = Expect::Operator;
            return TokenKind::Punctuation;
        }
        if token.lexeme == Lexeme::Word { TokenKind::Value } else { TokenKind::Punctuation }
    }

    fn operator(&mut self, token: Token<'_>) -> TokenKind {
        self.nets = token.is_word("in") || ["=", "==", "!="].iter().any(|sign| token.is_sign(sign));
        let is_pattern = ["~", "=~", "!~"].iter().any(|sign| token.is_sign(sign));
        if operator(token).is_some() || is_pattern {
            self.expect = Expect::Value;
            return TokenKind::Operator;
        }
        if ["in", "like", "glob", "has"].iter().any(|word| token.is_word(word)) {
            self.expect = Expect::Value;
            return TokenKind::Operator;
        }
        if token.is_word("not") && self.expect == Expect::Operator {
            self.expect = Expect::NegatedOperator;
            return TokenKind::Operator;
        }
        if token.is_word("is") {
            self.expect = Expect::Null;
            return TokenKind::Operator;
        }
        TokenKind::Error
    }

    fn null(&mut self, token: Token<'_>) -> TokenKind {
        if token.is_word("not") {
            return TokenKind::Operator;
        }
        self.expect = Expect::Connective;
        if token.is_word("null") { TokenKind::Keyword } else { TokenKind::Error }
    }

    fn value(&mut self, token: Token<'_>) -> TokenKind {
        if token.lexeme == Lexeme::Sign {
            if token.is_sign("(") || token.is_sign("[") {
                self.list = true;
            } else if token.is_sign(")") || token.is_sign("]") {
                self.list = false;
                self.expect = Expect::Connective;
            } else if !token.is_sign(",") {
                return TokenKind::Error;
            }
            return TokenKind::Punctuation;
        }
        self.expect = Expect::Connective;
        match token.lexeme {
            Lexeme::Quoted => TokenKind::Text,
            _ if self.is_column(token) => TokenKind::Column,
            _ => TokenKind::Value,
        }
    }

    fn is_column(&self, token: Token<'_>) -> bool {
        !self.list && matches!(Field::find(self.table, token.text), Some(Field::Column(_)))
    }

    fn connective(&mut self, token: Token<'_>) -> TokenKind {
        if self.list {
            if token.is_sign(",") {
                self.expect = Expect::Value;
                return TokenKind::Punctuation;
            }
            if token.is_sign(")") || token.is_sign("]") {
                self.list = false;
                return TokenKind::Punctuation;
            }
            return TokenKind::Error;
        }
        if token.is_sign("|") {
            self.expect = Expect::Value;
            return TokenKind::Operator;
        }
        if token.is_sign(")") {
            self.depth = self.depth.saturating_sub(1);
            return TokenKind::Punctuation;
        }
        let joins = token.is_word("and") || token.is_word("or");
        if joins || token.is_sign("&&") || token.is_sign("||") {
            self.expect = Expect::Field;
            return TokenKind::Keyword;
        }
        TokenKind::Error
    }
}
