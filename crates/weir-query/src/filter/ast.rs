//! The checked expression: columns resolved, values in the type of their column.

use weir_model::column::ElementKey;
use weir_model::{Addr, Cidr, ColumnDef, ColumnId, Table, Timestamp};

/// An expression over one row. A test of a null value is false whatever its operator (`!=` and
/// `not in` too), save `is null`; `Not` is plain negation, so `not src_as = 1` keeps rows
/// without a source AS and `src_as != 1` does not.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// Every one holds. At least two.
    And(Vec<Expr>),
    /// At least one holds. At least two.
    Or(Vec<Expr>),
    /// It does not hold.
    Not(Box<Expr>),
    /// A field's value against what the filter says.
    Test(Field, Test),
    /// Two columns of the same row; false where either is null.
    Columns(ColumnId, Operator, ColumnId),
}

impl Expr {
    /// Holds where all of these do; none for no condition.
    pub(crate) fn all(mut parts: Vec<Expr>) -> Option<Expr> {
        if parts.len() < 2 { parts.pop() } else { Some(Expr::And(parts)) }
    }
}

/// What a test looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// A column.
    Column(ColumnId),
    /// Either of two columns: `addr` is `src_addr` or `dst_addr`. A positive test holds if it
    /// holds for one side; a negative one (`!=`, `not in`, `!~`) if the positive one holds for
    /// no side and some side has a value; `is null` if both are null.
    Either(ColumnId, ColumnId),
    /// An information element kept without a column: `ie(pen, id)`, first occurrence 0.
    Element {
        /// Which element.
        key: ElementKey,
        /// Which of several in one record.
        occurrence: u16,
    },
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the operators' own names")]
pub enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    /// How it is written.
    pub const fn symbol(self) -> &'static str {
        match self {
            Operator::Equal => "=",
            Operator::NotEqual => "!=",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
        }
    }

    /// Whether it holds for values that compare as `ordering`.
    #[inline]
    pub const fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Operator::Equal => ordering.is_eq(),
            Operator::NotEqual => ordering.is_ne(),
            Operator::Less => ordering.is_lt(),
            Operator::LessOrEqual => ordering.is_le(),
            Operator::Greater => ordering.is_gt(),
            Operator::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// What is asked of a field's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Compares with one value.
    Compare(Operator, Value),
    /// Equals or lies in one of the values; with true, in none.
    In(bool, Vec<Value>),
    /// The whole text is of this shape (`*` any run, `?` one character); with true, is not.
    Like(bool, Pattern),
    /// The regular expression is found in the text; with true, is not.
    Regex(bool, Pattern),
    /// All these bits are set, or the number is in the list.
    Has(u64),
    /// There is no value; with true, there is one.
    Null(bool),
}

impl Test {
    /// True for the tests that say "not" themselves.
    pub fn is_negative(&self) -> bool {
        match self {
            Test::Compare(Operator::NotEqual, _) => true,
            Test::In(negated, _) | Test::Like(negated, _) | Test::Regex(negated, _) => *negated,
            Test::Compare(..) | Test::Has(_) | Test::Null(_) => false,
        }
    }

    /// The same test without its "not".
    pub(crate) fn positive(&self) -> Test {
        match self {
            Test::Compare(Operator::NotEqual, value) => {
                Test::Compare(Operator::Equal, value.clone())
            }
            Test::In(_, values) => Test::In(false, values.clone()),
            Test::Like(_, pattern) => Test::Like(false, pattern.clone()),
            Test::Regex(_, pattern) => Test::Regex(false, pattern.clone()),
            test => test.clone(),
        }
    }
}

/// A value in a filter.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number, an enumerated value, flags, a MAC address.
    U64(u64),
    /// From the first to the last number, both included.
    Range(u64, u64),
    /// A fraction.
    F64(f64),
    /// A point in time.
    Time(Timestamp),
    /// So many nanoseconds before now.
    Ago(i64),
    /// An address.
    Addr(Addr),
    /// A block of addresses.
    Cidr(Cidr),
    /// Text.
    Text(String),
    /// Octets.
    Octets(Vec<u8>),
}

/// A compiled text pattern. Equal to another with the same source.
#[derive(Debug, Clone)]
pub struct Pattern {
    source: String,
    regex: regex::bytes::Regex,
}

/// Octets that a compiled pattern may take: what bounds a hostile `(a{1000}){1000}`.
const PATTERN_SIZE_MAX: usize = 1 << 20;

impl Pattern {
    /// Compiles a regular expression.
    pub(crate) fn regex(source: &str) -> Result<Pattern, String> {
        Pattern::compile(source, source)
    }

    /// Compiles a glob.
    pub(crate) fn glob(source: &str) -> Result<Pattern, String> {
        let mut regex = String::from("(?s)^");
        let mut chars = source.chars();
        while let Some(c) = chars.next() {
            match c {
                '*' => regex.push_str(".*"),
                '?' => regex.push('.'),
                '\\' => regex.push_str(&regex::escape(&chars.next().unwrap_or('\\').to_string())),
                c => regex.push_str(&regex::escape(&c.to_string())),
            }
        }
        regex.push('$');
        Pattern::compile(source, &regex)
    }

    fn compile(source: &str, regex: &str) -> Result<Pattern, String> {
        let regex = regex::bytes::RegexBuilder::new(regex).size_limit(PATTERN_SIZE_MAX).build();
        match regex {
            Ok(regex) => Ok(Pattern { source: source.to_owned(), regex }),
            Err(regex::Error::CompiledTooBig(_)) => Err("pattern is too large".into()),
            Err(error) => {
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default();
                Err(last.trim_start_matches("error: ").to_owned())
            }
        }
    }

    /// The pattern as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// True when `text` is of this shape.
    #[inline]
    pub(crate) fn is_match(&self, text: &[u8]) -> bool {
        self.regex.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.source == other.source
    }
}

/// Prefixes that pair two columns into one either-side field.
const SIDES: [(&str, &str); 3] = [("src_", "dst_"), ("in_", "out_"), ("ingress_", "egress_")];

impl Field {
    /// Finds the field that `name` stands for in `table`: a column, or either of a pair.
    pub(crate) fn find(table: Table, name: &str) -> Option<Field> {
        if let Some(def) = table.find(name) {
            return Some(Field::Column(def.id));
        }
        Field::pairs(table).find(|(pair, _)| *pair == name).map(|(_, field)| field)
    }

    /// Every either-side field of `table` with its name.
    pub(crate) fn pairs(table: Table) -> impl Iterator<Item = (&'static str, Field)> {
        table.columns().iter().filter_map(move |def| {
            let (name, other) = SIDES.iter().find_map(|(this, that)| {
                let name = def.name.strip_prefix(this)?;
                let other = table.columns().iter().find(|other| {
                    other.name.strip_prefix(that) == Some(name) && other.ty == def.ty
                })?;
                Some((name, other))
            })?;
            table.find(name).is_none().then_some((name, Field::Either(def.id, other.id)))
        })
    }

    /// The column whose type its values have; none for elements.
    pub(crate) fn def(self, table: Table) -> Option<&'static ColumnDef> {
        match self {
            Field::Column(id) | Field::Either(id, _) => table.def(id),
            Field::Element { .. } => None,
        }
    }

    /// The field as written.
    pub(crate) fn name(self, table: Table) -> String {
        let name = |id| table.def(id).map_or("", |def| def.name);
        match self {
            Field::Column(id) => name(id).to_owned(),
            Field::Either(..) => Field::pairs(table)
                .find(|(_, field)| *field == self)
                .map_or(String::new(), |(name, _)| name.to_owned()),
            Field::Element { key, occurrence: 0 } => format!("ie({}, {})", key.pen, key.id),
            Field::Element { key, occurrence } => {
                format!("ie({}, {}, {occurrence})", key.pen, key.id)
            }
        }
    }
}
