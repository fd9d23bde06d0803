//! The one way to write an expression down.

use weir_model::Table;
use weir_model::named::Named;

use super::ast::{Expr, Field, Pattern, Test};
use super::literal;
use super::token::quote;

/// Appends `expr` as text that parses to it again.
pub(crate) fn write(expr: &Expr, table: Table, out: &mut String) {
    match expr {
        Expr::And(parts) => write_list(parts, " and ", table, out),
        Expr::Or(parts) => write_list(parts, " or ", table, out),
        Expr::Not(inner) => {
            out.push_str("not ");
            write_part(inner, table, out);
        }
        Expr::Test(field, test) => write_test(*field, test, table, out),
        Expr::Columns(left, operator, right) => {
            out.push_str(&Field::Column(*left).name(table));
            out.push(' ');
            out.push_str(operator.symbol());
            out.push(' ');
            out.push_str(&Field::Column(*right).name(table));
        }
    }
}

fn write_list(parts: &[Expr], joined_by: &str, table: Table, out: &mut String) {
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            out.push_str(joined_by);
        }
        write_part(part, table, out);
    }
}

/// Lists within lists and negations always get brackets: no reader needs to know what binds how.
fn write_part(expr: &Expr, table: Table, out: &mut String) {
    if matches!(expr, Expr::And(_) | Expr::Or(_)) {
        out.push('(');
        write(expr, table, out);
        out.push(')');
    } else {
        write(expr, table, out);
    }
}

fn write_test(field: Field, test: &Test, table: Table, out: &mut String) {
    let def = field.def(table);
    out.push_str(&field.name(table));
    match test {
        Test::Compare(operator, value) => {
            out.push_str(&format!(" {} {}", operator.symbol(), literal::format(def, value)));
        }
        Test::In(negated, values) => {
            let values: Vec<_> = values.iter().map(|value| literal::format(def, value)).collect();
            out.push_str(if *negated { " not in " } else { " in " });
            match values.as_slice() {
                [one] => out.push_str(one),
                many => out.push_str(&format!("({})", many.join(", "))),
            }
        }
        Test::Like(negated, pattern) => {
            write_pattern(if *negated { " not like " } else { " like " }, pattern, out);
        }
        Test::Regex(negated, pattern) => {
            write_pattern(if *negated { " !~ " } else { " ~ " }, pattern, out);
        }
        Test::Has(bits) => {
            let is_flags = def.is_some_and(|def| matches!(def.named, Some(Named::Flags(_))));
            let value = super::Value::U64(*bits);
            let text = if is_flags { literal::format(def, &value) } else { bits.to_string() };
            out.push_str(&format!(" has {text}"));
        }
        Test::Null(negated) => out.push_str(if *negated { " is not null" } else { " is null" }),
    }
}

fn write_pattern(operator: &str, pattern: &Pattern, out: &mut String) {
    out.push_str(operator);
    out.push_str(&quote(pattern.source()));
}
