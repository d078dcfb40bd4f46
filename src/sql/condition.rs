//! A filter as SQL.
//!
//! `NOT` is carried down to the comparisons and turns each of them round together with what is absent, so no NULL ever
//! decides: where a comparison is NULL, the condition around it consists of AND and OR only, for which NULL is as good as false.
//!
//! The text depends on the filter's form alone and never on a value: a list is one parameter, a JSON array.

use super::Dialect;
use super::entity::Table;
use crate::error::{Error, Result};
use crate::model::{Field, Kind, Node, Test, Value, json, write_value};
use crate::platform::{double, push_double};

/// The most comparisons and groups of one filter: SQLite refuses expressions that are about twice as deep.
const MAX_PARTS: usize = 500;
/// The most values of a list.
const MAX_LIST: usize = 100_000;
/// The longest pattern in bytes. SQLite takes 50,000.
const MAX_PATTERN: usize = 4_096;

/// A statement that is being written, with the values that it binds.
pub(super) struct Statement<'q> {
    pub(super) sql: String,
    pub(super) values: Vec<Value<'q>>,
    dialect: Dialect,
    table: &'static Table,
    parts: usize,
}

impl<'q> Statement<'q> {
    pub(super) fn new(dialect: Dialect, table: &'static Table, sql: &str) -> Self {
        let mut text = String::with_capacity(sql.len() + 256);
        text.push_str(sql);
        Statement { sql: text, values: Vec::with_capacity(8), dialect, table, parts: 0 }
    }

    /// Appends text.
    pub(super) fn push(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    /// Appends the place of a value that is bound.
    pub(super) fn bind(&mut self, value: Value<'q>) -> &mut Self {
        self.values.push(value);
        self.place(self.values.len())
    }

    /// Appends the place of a value that is bound already.
    pub(super) fn place(&mut self, number: usize) -> &mut Self {
        self.sql.push('?');
        self.sql.push_str(itoa::Buffer::new().format(number));
        self
    }

    /// Appends what a field is in an expression. It is NULL only where the field is absent.
    pub(super) fn field(&mut self, field: &'static Field) -> &mut Self {
        self.column(field, false)
    }

    /// As [`field`](Self::field), with the name of the table if asked for.
    fn column(&mut self, field: &'static Field, qualified: bool) -> &mut Self {
        if let Some(derived) = self.table.derived.iter().find(|derived| derived.name == field.name) {
            return self.push(derived.expression(self.dialect));
        }
        let usual = match field.kind {
            Kind::Json(usual) if !field.optional => Some(usual),
            _ => None,
        };
        self.push(if usual.is_some() { "COALESCE(" } else { "" });
        if qualified {
            self.push(self.table.name).push(".");
        }
        self.push(field.name);
        if let Some(usual) = usual {
            self.push(", '").push(usual).push("')");
        }
        self
    }

    /// Appends a filter that is not within parentheses, to be followed by nothing but AND.
    pub(super) fn filter(&mut self, node: &'q Node) -> Result<()> {
        self.node(node, false, " AND ")
    }

    /// Appends a filter, or its opposite, that stands between these.
    fn node(&mut self, node: &'q Node, negated: bool, outer: &'static str) -> Result<()> {
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return Err(Error::invalid("where", "has more than 500 parts"));
        }
        let (nodes, all) = match node {
            Node::Test(field, test) => return self.test(field, test, negated),
            Node::Not(node) => return self.node(node, !negated, outer),
            Node::TooDeep => return Err(too_deep()),
            Node::All(nodes) => (nodes, !negated),
            Node::Any(nodes) => (nodes, negated),
        };
        let between = if all { " AND " } else { " OR " };
        if nodes.is_empty() {
            self.push(if all { "1 = 1" } else { "1 = 0" });
        }
        let alone = nodes.len() < 2 || between == outer;
        self.push(if alone { "" } else { "(" });
        for (at, node) in nodes.iter().enumerate() {
            self.push(if at == 0 { "" } else { between });
            self.node(node, negated, if nodes.len() < 2 { outer } else { between })?;
        }
        self.push(if alone { "" } else { ")" });
        Ok(())
    }

    fn test(&mut self, field: &'static Field, test: &'q Test, negated: bool) -> Result<()> {
        let (sign, value) = match (test, negated) {
            (Test::Equal(Value::Null), _) => {
                self.field(field).push(if negated { " IS NOT NULL" } else { " IS NULL" });
                return Ok(());
            }
            (Test::Equal(value), false) => (" = ", value),
            (Test::Equal(value), true) => (" <> ", value),
            (Test::Less(value), false) | (Test::GreaterOrEqual(value), true) => (" < ", value),
            (Test::LessOrEqual(value), false) | (Test::Greater(value), true) => (" <= ", value),
            (Test::Greater(value), false) | (Test::LessOrEqual(value), true) => (" > ", value),
            (Test::GreaterOrEqual(value), false) | (Test::Less(value), true) => (" >= ", value),
            (Test::In(values), _) => return self.list(field, values, negated),
            (Test::Like(pattern), _) => return self.like(field, pattern, negated),
            (Test::Contains(element), _) => return self.contains(field, element, negated),
        };
        if *value == Value::Null {
            return Err(Error::invalid(field.name, "cannot be compared by size with what is absent"));
        }
        check(field, value)?;
        let value = borrowed(value);
        self.unless_absent(field, negated, |statement| {
            statement.field(field).push(sign).bind(value);
        });
        Ok(())
    }

    /// A condition that is NULL for an absent field; turned round, it is true for one.
    fn unless_absent(&mut self, field: &'static Field, negated: bool, condition: impl FnOnce(&mut Self)) {
        if !(negated && field.optional) {
            return condition(self);
        }
        self.push("(");
        condition(self);
        self.push(" OR ").field(field).push(" IS NULL)");
    }

    fn list(&mut self, field: &'static Field, values: &'q [Value<'static>], negated: bool) -> Result<()> {
        if values.len() > MAX_LIST {
            return Err(Error::invalid(field.name, "has a list of more than 100,000 values"));
        }
        let mut list = String::from("[");
        let mut absent = false;
        for value in values {
            check(field, value)?;
            match value {
                Value::Null => {
                    absent = true;
                    continue;
                }
                // JSON is compared as the text that it is.
                Value::Text(text) => json::write_text(text, &mut list),
                number => write_value(field.kind, number, &mut list),
            }
            list.push(',');
        }
        if list.len() > 1 {
            list.pop();
        }
        list.push(']');
        let list = Value::Text(list.into());
        let condition = |statement: &mut Self| {
            let (before, after) = statement.dialect.one_of(field.kind, negated);
            statement.field(field).push(before).bind(list).push(after);
        };
        match absent {
            false => self.unless_absent(field, negated, condition),
            true => {
                self.push("(");
                condition(self);
                self.push(if negated { " AND " } else { " OR " }).field(field);
                self.push(if negated { " IS NOT NULL)" } else { " IS NULL)" });
            }
        }
        Ok(())
    }

    fn like(&mut self, field: &'static Field, pattern: &'q str, negated: bool) -> Result<()> {
        let refused = |reason| Err(Error::invalid(field.name, reason));
        if !matches!(field.kind, Kind::Text | Kind::Enum(_)) {
            return refused("is not text, which patterns are for");
        }
        if pattern.len() > MAX_PATTERN {
            return refused("has a pattern of more than 4,096 bytes");
        }
        // SQLite reads the last two as U+FFFD.
        if pattern.contains(['\0', '\u{fffe}', '\u{ffff}']) {
            return refused("has a pattern with NUL, U+FFFE or U+FFFF");
        }
        if pattern.chars().rev().take_while(|character| *character == '\\').count() % 2 == 1 {
            return refused("has a pattern that ends with a lone \\");
        }
        self.unless_absent(field, negated, |statement| {
            let (before, after) = statement.dialect.like(negated);
            statement.field(field).push(before).bind(Value::text(pattern)).push(after);
        });
        Ok(())
    }

    fn contains(&mut self, field: &'static Field, element: &'q str, negated: bool) -> Result<()> {
        let refused = |reason| Err(Error::invalid(field.name, reason));
        if !matches!(field.kind, Kind::Json(_)) {
            return refused("is no list");
        }
        let kind = match element.as_bytes().first() {
            Some(b'"') => Element::Text,
            Some(b'n') => Element::Null,
            Some(b't') => Element::True,
            Some(b'f') => Element::False,
            Some(b'[' | b'{') => return refused("can only be asked for text, numbers, booleans and null"),
            _ => Element::Number,
        };
        let value = match kind {
            Element::Text => {
                let text = json::text(element).map_err(|reason| Error::invalid(field.name, reason))?;
                Some(Value::Text(text))
            }
            // Written out, so that the databases need not understand all ways to write a number.
            Element::Number => match double(element) {
                Some(number) if number.is_finite() => {
                    let mut text = String::new();
                    push_double(number + 0.0, &mut text);
                    Some(Value::Text(text.into()))
                }
                _ => return refused("cannot be asked for this number"),
            },
            _ => None,
        };
        if let Some(value) = &value {
            check(field, value)?;
        }
        let (before, middle, after) = self.dialect.has_element(kind);
        self.push(if negated { "NOT " } else { "" }).push(before);
        // SQLite's json_each has columns of its own, such as `value`.
        self.column(field, true).push(middle);
        if let Some(value) = value {
            self.bind(value);
        }
        self.push(after);
        Ok(())
    }
}

/// What kind of element a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Text,
    Number,
    True,
    False,
    Null,
}

fn borrowed<'q>(value: &'q Value<'static>) -> Value<'q> {
    match value {
        Value::Text(text) => Value::text(text),
        other => other.clone(),
    }
}

/// Not every database can be asked for text with NUL, which no field holds.
fn check(field: &Field, value: &Value<'_>) -> Result<()> {
    match value {
        Value::Text(text) if text.contains('\0') => Err(Error::invalid(field.name, "must not contain NUL")),
        _ => Ok(()),
    }
}

pub(super) fn too_deep() -> Error {
    Error::invalid("where", "is nested more than 32 deep")
}
