//! The right-hand side of a test: values, lists, patterns, flags.

use weir_model::named::Named;
use weir_model::{ColumnDef, ColumnType};

use super::FilterError;
use super::ast::{Expr, Field, Operator, Pattern, Test, Value};
use super::literal::{self, Refusal};
use super::parse::Parser;
use super::suggest::nearest;
use super::token::{Lexeme, Token, unquote};

impl<'a> Parser<'_, 'a> {
    /// `field operator value` or `column operator column`.
    pub(super) fn comparison(
        &mut self,
        field: Field,
        operator: Operator,
    ) -> Result<Expr, FilterError> {
        let sign = self.previous();
        let def = field.def(self.table);
        if let Some(expr) = self.columns(field, operator)? {
            return Ok(expr);
        }
        let equality = matches!(operator, Operator::Equal | Operator::NotEqual);
        if let (false, Some(def), Some(sign)) = (equality, def, sign)
            && matches!(def.ty, ColumnType::Str | ColumnType::Bytes | ColumnType::Mac)
        {
            let message = format!("`{}` has no order: use `=`, `!=` or `in`", def.name);
            return Err(sign.error(message));
        }
        let value = match self.is_flags(field) {
            true => Value::U64(self.flags(field)?),
            false => self.value(field, equality)?,
        };
        Ok(Expr::Test(
            field,
            match (operator, &value) {
                (Operator::Equal, Value::Cidr(_) | Value::Range(..)) => {
                    Test::In(false, vec![value])
                }
                (Operator::NotEqual, Value::Cidr(_) | Value::Range(..)) => {
                    Test::In(true, vec![value])
                }
                _ => Test::Compare(operator, value),
            },
        ))
    }

    /// Two columns, if a column of a like type stands on the right.
    fn columns(&mut self, field: Field, operator: Operator) -> Result<Option<Expr>, FilterError> {
        let Some(token) = self.peek().filter(|token| token.lexeme == Lexeme::Word) else {
            return Ok(None);
        };
        let Some(Field::Column(right)) = Field::find(self.table, token.text) else {
            return Ok(None);
        };
        let Field::Column(left) = field else {
            return Err(token.error("only two plain columns can be compared with each other"));
        };
        let (Some(left_def), Some(right_def)) = (self.table.def(left), self.table.def(right))
        else {
            return Ok(None);
        };
        if !comparable(left_def, right_def, operator) {
            return Err(token.error(format!(
                "`{}` and `{}` cannot be compared by `{}`",
                left_def.name,
                right_def.name,
                operator.symbol()
            )));
        }
        self.next();
        Ok(Some(Expr::Columns(left, operator, right)))
    }

    /// One value, quoted or bare. `list` allows blocks and ranges.
    fn value(&mut self, field: Field, list: bool) -> Result<Value, FilterError> {
        let def = field.def(self.table);
        let token = match self.peek() {
            Some(token) if matches!(token.lexeme, Lexeme::Word | Lexeme::Quoted) => token,
            _ => return Err(self.expected("a value")),
        };
        let quoted = token.lexeme == Lexeme::Quoted;
        let text = if quoted { unquote(token.text) } else { token.text.to_owned() };
        if !quoted && (token.is_word("null") || token.is_word("none")) {
            let mut error = token.error("a value is never equal to null");
            error.suggestion = Some(format!("{} is null", field.name(self.table)));
            return Err(error);
        }
        let value = match def {
            Some(def) => literal::parse(def, &text, list),
            None => element_value(&text, quoted, list),
        };
        match value {
            Ok(value) => {
                self.next();
                Ok(value)
            }
            Err(Refusal { message, suggestion }) => {
                Err(FilterError { suggestion, ..token.error(message) })
            }
        }
    }

    /// The rest of `field in …`: one value or a list in brackets.
    pub(super) fn membership(&mut self, field: Field, negated: bool) -> Result<Expr, FilterError> {
        let close = match self.peek() {
            Some(token) if token.is_sign("(") => ")",
            Some(token) if token.is_sign("[") => "]",
            _ => return Ok(Expr::Test(field, Test::In(negated, vec![self.value(field, true)?]))),
        };
        let open = self.next();
        let mut values = Vec::new();
        loop {
            values.push(self.value(field, true)?);
            if self.take_sign(close) {
                return Ok(Expr::Test(field, Test::In(negated, values)));
            }
            if !self.take_sign(",") {
                return Err(match (self.peek(), open) {
                    (None, Some(open)) => open.error("this list is never closed"),
                    _ => self.expected(&format!("`,` or `{close}`")),
                });
            }
        }
    }

    /// The rest of `field has …`.
    pub(super) fn has(&mut self, field: Field, token: Token<'a>) -> Result<Expr, FilterError> {
        match field.def(self.table) {
            Some(ColumnDef { named: Some(Named::Flags(_)), .. }) => {
                Ok(Expr::Test(field, Test::Has(self.flags(field)?)))
            }
            Some(ColumnDef { ty: ColumnType::U32List, .. }) => {
                let number = self.peek().and_then(|token| list_number(token.text));
                let Some(number) = number else {
                    return Err(self.expected("a number, or two like 65000:100"));
                };
                self.next();
                Ok(Expr::Test(field, Test::Has(number)))
            }
            _ => Err(token.error("`has` is for flags and lists of numbers")),
        }
    }

    /// Flags joined by `|`.
    fn flags(&mut self, field: Field) -> Result<u64, FilterError> {
        let Some(def) = field.def(self.table) else { return Err(self.expected("flags")) };
        let mut bits = 0;
        loop {
            let token = match self.peek() {
                Some(token) if token.lexeme == Lexeme::Word => token,
                _ => return Err(self.expected("a flag")),
            };
            match literal::parse(def, token.text, false) {
                Ok(Value::U64(value)) => bits |= value,
                Ok(_) => return Err(token.error("expected a flag")),
                Err(Refusal { message, suggestion }) => {
                    return Err(FilterError { suggestion, ..token.error(message) });
                }
            }
            self.next();
            if !self.take_sign("|") {
                return Ok(bits);
            }
        }
    }

    /// The rest of `field ~ …` and `field like …`.
    pub(super) fn pattern(
        &mut self,
        field: Field,
        name: Token<'a>,
        negated: bool,
        is_regex: bool,
    ) -> Result<Expr, FilterError> {
        if !self.is_text(field) {
            let mut error = name.error(format!("`{}` is not text", field.name(self.table)));
            let texts = self.table.columns().iter().filter(|def| def.ty == ColumnType::Str);
            let near = nearest(name.text, texts.map(|def| def.name));
            error.suggestion = near.map(str::to_owned);
            return Err(error);
        }
        let token = match self.peek() {
            Some(token) if matches!(token.lexeme, Lexeme::Word | Lexeme::Quoted) => token,
            _ => return Err(self.expected("a pattern in quotes")),
        };
        let quoted = token.lexeme == Lexeme::Quoted;
        let source = if quoted { unquote(token.text) } else { token.text.to_owned() };
        let compiled = if is_regex { Pattern::regex(&source) } else { Pattern::glob(&source) };
        let pattern = compiled.map_err(|why| token.error(format!("bad pattern: {why}")))?;
        self.next();
        Ok(Expr::Test(
            field,
            match is_regex {
                true => Test::Regex(negated, pattern),
                false => Test::Like(negated, pattern),
            },
        ))
    }
}

/// A number of a list; communities may be written as two halves.
fn list_number(text: &str) -> Option<u64> {
    if let Some((high, low)) = text.split_once(':') {
        let (high, low): (u16, u16) = (high.parse().ok()?, low.parse().ok()?);
        return Some(u64::from(high) << 16 | u64::from(low));
    }
    text.parse::<u32>().ok().map(u64::from)
}

/// Elements have no type here: digits are a number, `0x…` octets, quotes text.
fn element_value(text: &str, quoted: bool, list: bool) -> Result<Value, Refusal> {
    if quoted {
        return Ok(Value::Text(text.to_owned()));
    }
    if text.starts_with("0x") {
        let octets = literal::parse_hex(text).map(Value::Octets);
        return octets.ok_or_else(|| Refusal::new(format!("`{text}` is not whole octets")));
    }
    let range = text.split_once("..").or_else(|| text.split_once('-')).filter(|_| list);
    if let Some((Ok(low), Ok(high))) = range.map(|(low, high)| (low.parse(), high.parse())) {
        return match low <= high {
            true => Ok(Value::Range(low, high)),
            false => Err(Refusal::new(format!("`{text}` is no range"))),
        };
    }
    let number = text.parse::<u64>().map(Value::U64);
    number.map_err(|_| Refusal::new("expected a number, octets like 0x00ff or text in quotes"))
}

/// Whether two columns have values that an operator can compare.
fn comparable(left: &ColumnDef, right: &ColumnDef, operator: Operator) -> bool {
    let number =
        |ty| matches!(ty, ColumnType::U8 | ColumnType::U16 | ColumnType::U32 | ColumnType::U64);
    let equality = matches!(operator, Operator::Equal | Operator::NotEqual);
    match (left.ty, right.ty) {
        (a, b) if number(a) && number(b) => true,
        (ColumnType::Time, ColumnType::Time)
        | (ColumnType::Addr, ColumnType::Addr)
        | (ColumnType::F64, ColumnType::F64) => true,
        (ColumnType::Mac, ColumnType::Mac)
        | (ColumnType::Str, ColumnType::Str)
        | (ColumnType::Bytes, ColumnType::Bytes) => equality,
        _ => false,
    }
}
